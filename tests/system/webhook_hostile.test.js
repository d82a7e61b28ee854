// SPDX-License-Identifier: MIT
//
// Receivers that answer with anything but HTTP as it should be.  Only a 2xx
// counts, nothing is believed, nothing grows, and nobody else waits.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { test } = require('node:test');
const zlib = require('node:zlib');
const { Client } = require('./lib/client');
const { Daemon, until, sleep } = require('./lib/daemon');
const { memory } = require('./lib/process');
const { Raw, Receiver } = require('./lib/receiver');

const OK = 'HTTP/1.1 200 OK\r\n';

// Writes the same again and again for as long as somebody listens.
function forever(s, head, part) {
	s.write(head);
	const on = () => { while (!s.destroyed && s.write(part)) /* more */; };
	s.on('drain', on);
	on();
}

// One byte now and then.
function drip(s, text) {
	let i = 0;
	const t = setInterval(() => {
		if (s.destroyed || i === text.length) clearInterval(t);
		else s.write(text[i++]);
	}, 100);
}

// The answer that is written, and the result that arrives.
const good = {
	'no content': (s) => s.write('HTTP/1.1 204 No Content\r\n\r\n'),
	'unknown 2xx': (s) => s.write('HTTP/1.1 299 x\r\nContent-Length: 0\r\n\r\n'),
	'no length, closed': (s) => s.end(`${OK}\r\nfine`),
	'no reason': (s) => s.write('HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n'),
	'HTTP/1.0': (s) => s.end('HTTP/1.0 200 OK\r\n\r\n'),
	'a body without end': (s) => forever(s, `${OK}\r\n`, 'x'.repeat(65536)),
	'a body that claims a lot': (s) => s.write(
		`${OK}Content-Length: 9223372036854775807\r\n\r\nx`),
	'chunks that are none': (s) => s.write(
		`${OK}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n`),
	'a reset in the body': (s) => s.write(`${OK}Content-Length: 9\r\n\r\nx`,
		() => s.resetAndDestroy()),
	'a compressed bomb': (s) => s.end(Buffer.concat([Buffer.from(
		`${OK}Content-Encoding: gzip\r\n\r\n`),
	zlib.gzipSync(Buffer.alloc(8 << 20))])),
	'continue first': (s) => s.write('HTTP/1.1 100 Continue\r\n\r\n' +
		'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
	'cookies and other orders': (s) => s.write(`${OK}Set-Cookie: a=b\r\n` +
		'Alt-Svc: h2="x.test:1"\r\nStrict-Transport-Security: max-age=9\r\n' +
		'Refresh: 0; url=/x\r\nContent-Length: 0\r\n\r\n'),
	'two answers': (s) => s.write(`${OK}Content-Length: 0\r\n\r\n`.repeat(2)),
};
const bad = {
	'bytes': (s) => s.write(crypto.randomBytes(4096)),
	'HTTP/0.9': (s) => s.end('fine, thank you\n'),
	'another version': (s) => s.end('HTTP/9.9 200 OK\r\n\r\n'),
	// curl takes both for a 200.
	'small letters': (s) => s.end('http/1.1 500 x\r\n\r\n'),
	'a status line that is none': (s) => s.end('HTTP/x 500\r\n\r\n'),
	'half a status': (s) => s.end('HTTP/1.1 2'),
	'nothing': (s) => s.end(),
	'a reset': (s) => s.resetAndDestroy(),
	'heads without end': (s) => forever(s, OK, `X: ${'y'.repeat(1000)}\r\n`),
	'one head without end': (s) => forever(s, `${OK}X: `, 'y'.repeat(65536)),
	'continue without end': (s) =>
		forever(s, '', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)),
	'one byte now and then': (s) => drip(s, `${OK}X: ${'y'.repeat(1000)}`),
	'an upgrade': (s) => s.write('HTTP/1.1 101 Switching Protocols\r\n' +
		'Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n'),
	'see other': (s) => s.end('HTTP/1.1 303 x\r\nLocation: file:///x\r\n\r\n'),
	'a password, please': (s) => s.end('HTTP/1.1 401 x\r\n' +
		'WWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\n\r\n'),
	'too large': (s) => s.end('HTTP/1.1 413 x\r\n\r\n'),
	'gone': (s) => s.end('HTTP/1.1 410 x\r\n\r\n'),
	'control characters': (s) => s.end('HTTP/1.1 500 \u001b[2J\u0007\r\n\r\n'),
};

test('hostile answers', async () => {
	const d = new Daemon({ workers: 1, webhook_allow_private: 'on',
		webhook_timeout: 1, webhook_retry_time: 60 });
	const app = d.app();
	await d.start();
	const fine = await Receiver.start();
	const all = Object.entries({ ...good, ...bad });
	try {
		const raws = [];
		for (const [, fn] of all) raws.push(await Raw.start(fn));
		const nums = [...raws, fine].map((r) =>
			d.ctl(['webhook', 'add', app.id, r.url])[0].webhook);
		const [courier] = d.pidsOf('courier');
		const before = memory(courier);
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		await fine.have(1, 1000);
		const rows = () => d.ctl(['webhook', 'deliveries']);
		await until('a try for each', () => rows().every((x) =>
			x.attempts > 0), 15000);
		await sleep(1500);
		for (const [i, [name]] of all.entries()) {
			const row = rows().find((x) => x.webhook === nums[i]);
			assert.equal(row.state, good[name] ? 'done' : 'waiting',
				`${name}: ${row.answer}`);
			assert.match(row.answer, /^[ -~]+$/, name);
			assert.ok(raws[i].requests <= (good[name] ? 1 : 4), name);
		}
		assert.deepEqual(d.pidsOf('courier'), [courier]);
		assert.ok(memory(courier) - before < 30000 << 10,
			`${(memory(courier) - before) >> 10} KiB more`);
		await c.close();
		for (const r of raws) await r.stop();
		await d.stop();
	} catch (e) {
		d.kill();
		throw e;
	} finally {
		await fine.stop();
	}
});
