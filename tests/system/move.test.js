// SPDX-License-Identifier: MIT
//
// pusherctl worker replace: clients of every kind stay connected, and lose,
// double and reorder nothing, while their worker becomes another process.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { describe, before, after, test } = require('node:test');
const { Client, DEFLATE, frame, OP } = require('./lib/client');
const { Daemon, sleep, until } = require('./lib/daemon');
const { Http, api, get } = require('./lib/http');
const { descriptors, memory } = require('./lib/process');
const { Publisher, check } = require('./lib/publisher');
const { Receiver } = require('./lib/receiver');
const resume = require('./lib/resume');
const { signedTarget } = require('./lib/sign');

async function replace(d, n = 0) {
	const r = await d.ctlAsync(['-j', 'worker', 'replace', String(n)]);
	assert.equal(r.code, 0, r.err);
	const row = JSON.parse(r.out);
	await until('the old process to be gone or to pump', () =>
		row.tls_lingers > 0 || !fs.existsSync(`/proc/${row.was}`));
	return row;
}

const event = (channel, data, name = 'e') => ({ body: { name, channel,
	data: String(data) } });

describe('worker replace', () => {
	const d = new Daemon({ workers: 2, log_level: 'info' });
	let app;
	let kept;
	let r;

	before(async () => {
		app = d.app({ client_events: 'on' });
		kept = d.app({ resume: 'on' });
		await d.start();
		r = await Receiver.start();
		d.ctl(['webhook', 'add', app.id, r.url]);
	});
	after(async () => {
		await r.stop();
		try {
			await d.stop();
		} finally {
			d.kill();
		}
	});

	test('10 replaces under load: nothing lost, doubled or reordered',
		async (t) => {
			const all = await Client.several(d, app, 20);
			for (const [i, c] of all.entries()) {
				await c.join('presence-m', `u${i}`, { i });
				await c.subscribe('load');
			}
			const packed = await Client.connect(d, app, { headers: DEFLATE });
			await packed.subscribe('load');
			const signed = await Client.connect(d, app);
			await signed.signin({ id: 'ann' });
			const secret = await Client.connect(d, app);
			await secret.subscribe('private-encrypted-x',
				{ auth: undefined });
			const cached = await Client.connect(d, app);
			await cached.subscribe('cache-c');
			const session = await resume.open(d, kept, resume.newId());
			await resume.enter(session, 'load');
			// Half a frame, of which the rest comes after a replace.
			const half = await Client.connect(d, app);
			const text = frame(OP.TEXT, JSON.stringify(
				{ event: 'pusher:ping', data: { x: 'y'.repeat(300) } }));
			half.sock.write(text.subarray(0, 100));
			const head = await Client.connect(d, app);
			head.sock.write(text.subarray(0, 3));
			const fragment = await Client.connect(d, app);
			fragment.sendFrame(OP.TEXT, '{"event":"pusher:', { fin: false });
			const keep = await Http.connect(d);
			await sleep(100);
			for (const c of all) await c.sync();
			const before = r.events.length;
			const p = new Publisher(d, app, ['load', 'cache-c',
				'private-encrypted-x', '#server-to-user-ann'].slice(0, 2));
			const q = new Publisher(d, kept, ['load']);
			const pauses = [];
			const fds = [];
			const rss = [];
			for (let i = 0; i < 10; i++) {
				await sleep(100);
				// A pipelined request, half of it now.
				const target = signedTarget(app, 'GET',
					`/apps/${app.id}/channels`, {});
				const req = `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`;
				await keep.write(req + req.slice(0, 40));
				const row = await replace(d, i % 2);
				await keep.write(req.slice(40));
				assert.equal((await keep.answer()).status, 200);
				assert.equal((await keep.answer()).status, 200);
				pauses.push(row.pause_us);
				fds.push(descriptors(row.pid));
				rss.push(memory(row.pid) >> 10);
				assert.equal(row.closed, 0);
			}
			await p.stop();
			await q.stop();
			t.diagnostic(`pause of deliveries: ${pauses.join(' ')} us; ` +
				`longest publish ${p.pause} ms; rss ${rss.join(' ')} kB`);
			for (const [i, c] of all.entries()) {
				await until('all', () => c.frames.length >= p.n);
				check(c, 'load', p.n, `client ${i}`);
				c.frames.splice(0, p.n);
				assert.deepEqual(await c.sync(), [], 'and nothing else');
			}
			for (const [c, n, ch] of [[packed, p.n, 'load'],
				[cached, p.n, 'cache-c'], [session, q.n, 'load']]) {
				c.sock.resume();
				await until('all', () => c.frames.length >= n);
				check(c, ch, n, ch);
				c.frames = [];
			}
			half.sock.write(text.subarray(100));
			head.sock.write(text.subarray(3));
			fragment.sendFrame(OP.CONT, 'ping","data":{}}');
			for (const c of [half, head, fragment])
				await c.expect('pusher:pong');
			await api(d, app, 'POST', '/events',
				event('#server-to-user-ann', 1));
			await signed.expect('e');
			// Presence and webhooks were silent.
			await sleep(300);
			assert.deepEqual(r.events.slice(before).filter((e) =>
				e.name !== 'cache_miss'), []);
			const list = await get(d, app, '/channels/presence-m/users');
			assert.equal(list.users.length, all.length);
			const late = await Client.connect(d, app);
			assert.equal((await late.join('presence-m', 'new')).count,
				all.length + 1);
			for (const c of all)
				await c.expect('pusher_internal:member_added');
			await late.close();
			for (const c of all)
				await c.expect('pusher_internal:member_removed');
			assert.ok(Math.max(...fds) - Math.min(...fds) < 60, fds.join());
			for (const c of [...all, packed, signed, secret, cached, session,
				half, head, fragment])
				await c.close();
			keep.end();
		});

	test('half a request, half a handshake, 900 KB that are not read',
		async () => {
			const big = 'b'.repeat(9000);
			const slow = await Client.connect(d, app);
			await slow.subscribe('big');
			slow.sock.pause();
			const key = Buffer.from('0123456789abcdef').toString('base64');
			const shake = `GET /app/${app.key}?protocol=7 HTTP/1.1\r\n` +
				'Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
				`Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;
			const young = new Client(d, '', { raw: shake.slice(0, 60) });
			const body = JSON.stringify(event('big', 'late').body);
			const target = signedTarget(app, 'POST',
				`/apps/${app.id}/events`, { body });
			const sized = await Http.connect(d);
			await sized.write(`POST ${target} HTTP/1.1\r\nHost: x\r\n` +
				`Content-Length: ${body.length}\r\n\r\n${body.slice(0, 9)}`);
			const chunked = await Http.connect(d);
			await chunked.write(`POST ${target} HTTP/1.1\r\nHost: x\r\n` +
				'Transfer-Encoding: chunked\r\n\r\n' +
				`${body.length.toString(16)}\r\n${body.slice(0, 11)}`);
			for (let i = 0; i < 100; i++)
				assert.equal((await api(d, app, 'POST', '/events',
					event('big', `${i} ${big}`))).status, 200);
			for (const n of [0, 1]) await replace(d, n);
			young.sock.write(shake.slice(60));
			await young.greeted();
			await sized.write(body.slice(9));
			assert.equal((await sized.answer()).status, 200);
			await chunked.write(`${body.slice(11)}\r\n0\r\n\r\n`);
			assert.equal((await chunked.answer()).status, 200);
			for (const n of [0, 1]) await replace(d, n);
			slow.sock.resume();
			for (let i = 0; i < 100; i++)
				assert.equal(await slow.expect('e'), `${i} ${big}`);
			for (let i = 0; i < 2; i++)
				assert.equal(await slow.expect('e'), 'late');
			for (const c of [slow, young]) await c.close();
			for (const h of [sized, chunked]) h.end();
		});

	test('a client that leaves, and a broker that dies, after a replace',
		async () => {
			const [a, b] = await Client.several(d, app, 2);
			await a.join('presence-d', 'a');
			await b.join('presence-d', 'b');
			await a.expect('pusher_internal:member_added');
			for (const n of [0, 1]) await replace(d, n);
			d.allow(/broker was killed/, /link to the broker lost/);
			process.kill(d.pidsOf('broker')[0], 'SIGKILL');
			await until('the next broker', async () =>
				(await d.ctlAsync(['status'])).code === 0);
			assert.deepEqual([...await a.sync(), ...await b.sync()], []);
			await b.close();
			await a.expect('pusher_internal:member_removed');
			await a.close();
		});
});
