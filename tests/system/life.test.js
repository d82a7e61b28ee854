// SPDX-License-Identifier: MIT
//
// Objects that live over a turn, and for how long: connections that leave while
// somebody walks over them, requests and messages that began under other
// limits, clients that go on sending after their end.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, OP, frame } = require('./lib/client');
const { until, sleep } = require('./lib/daemon');
const { suite } = require('./lib/suite');

const BYE = frame(OP.CLOSE, Buffer.from([3, 0xe8]));

suite('life', (d) => {
	const app = d.app();

	test('M1: clients leave while the operator closes all of them',
		async () => {
			const all = await Client.several(d, app, 1000);
			const kill = d.ctlAsync(['connections', 'kill', '--app', app.id,
				'--yes']);
			for (const c of all) c.answerPings = false;
			await until('the first one is closed',
				() => all.some((c) => c.frames.length > 0));
			// Wherever the walk stands, that one leaves by itself.
			for (let i = 999; i >= 0; i--) all[i].sock.write(BYE);
			const r = await kill;
			assert.equal(r.code, 0, r.err);
			await Promise.all(all.map((c) => c.ended()));
			await until('none is left', () => d.ctl(['connections', 'list'])
				.length === 0);
		});

	test('M1: clients leave while they are listed', async () => {
		const all = await Client.several(d, app, 1000);
		const lists = Array.from({ length: 4 }, () => d.ctlAsync(['-j',
			'connections', 'list', app.id]));
		for (const [i, c] of all.entries()) {
			c.answerPings = false;
			if (i % 3 === 0) c.destroy();
			else c.sock.write(BYE);
			if (i % 50 === 0) await sleep(5);
		}
		for (const l of lists) {
			const r = await l;
			assert.equal(r.code, 0, r.err);
		}
		await Promise.all(all.map((c) => c.ended()));
	});
}, { max_head_bytes: 16384 });

suite('deaf', (d) => {
	const app = d.app({ client_events: 'on', max_messages_per_second: 0,
		max_client_events_per_second: 0 });

	// Sends for this long as fast as it is taken; the bytes.
	async function push(c, ms, bytes) {
		const before = c.sock.bytesWritten - c.sock.writableLength;
		const end = Date.now() + ms;
		while (Date.now() < end && !c.gone) {
			if (c.sock.writableLength < 1 << 20) c.sock.write(bytes);
			await sleep(0);
		}
		return c.sock.bytesWritten - c.sock.writableLength - before;
	}

	test('S8: a client that was closed for slowness is not read any more',
		async () => {
			const c = await Client.connect(d, app);
			const ping = frame(OP.PING, 'x'.repeat(125));
			const pings = Buffer.concat(Array.from({ length: 400 }, () => ping));
			c.answerPings = false;
			c.sock.pause();
			const text = frame(OP.TEXT,
				'{"event":"pusher:ping","data":{}}');
			const texts = Buffer.concat(Array.from({ length: 2000 },
				() => text));
			await until('it is closed', async () => {
				await push(c, 100, texts);
				return d.ctl(['closes', app.id]).some((r) =>
					r.code === 4100);
			}, 20000);
			await push(c, 300, pings); // as much as the kernel still takes
			const more = await push(c, 1000, pings);
			assert.ok(more < 8 << 20, `${more} bytes were read`);
			c.destroy();
		});
}, { client_buffer: 65536 });

suite('bytes of clients', (d) => {
	const app = d.app({ client_events: 'on', max_messages_per_second: 0,
		max_client_events_per_second: 0 });

	test('C2: a client event without data is relayed without data',
		async () => {
			const [a, b] = await Client.several(d, app, 2);
			await a.subscribe('private-c2');
			await b.subscribe('private-c2');
			for (const [data, want] of [[undefined, undefined],
				[null, 'null'], ['', '""'], [{}, '{}']]) {
				a.send({ event: 'client-x', channel: 'private-c2', data });
				await b.next();
				const m = JSON.parse(b.text);
				assert.equal('data' in m, want !== undefined, b.text);
				assert.deepEqual(Object.keys(m), want === undefined ?
					['event', 'channel'] : ['event', 'channel', 'data']);
			}
			await Promise.all([a.close(), b.close()]);
		});

	test('C3: heartbeats of a client go on for ever, a flood does not',
		async () => {
			const c = await Client.connect(d, app);
			for (let i = 0; i < 630; i++) { // 600 at once, ten a second
				c.sendText(i % 2 ? 'ping' : '{"type":"ping"}');
				await c.expectError(null);
				if (i > 590) await sleep(120);
			}
			for (let i = 0; i < 700; i++) c.sendText('ping');
			for (let i = 0; i < 700; i++)
				if ((await c.next()).data.code === 4009) break;
			await c.expectClose(4009, /max_bad_messages \(600\)/);
		});

	test('C4: TLS on a plain port is in the log and in closes', async () => {
		d.allow(/TLS on a listener without TLS/);
		const tls = require('node:tls');
		const s = tls.connect({ port: d.port, host: '127.0.0.1',
			rejectUnauthorized: false });
		await new Promise((ok) => { s.on('error', ok); });
		await until('the line', () => /TLS on a listener without TLS/
			.test(d.readLog()));
		await until('the close', () => d.ctl(['closes']).some((r) =>
			/TLS on a listener/.test(r.reason)));
	});
}, { max_bad_messages: 600 });
