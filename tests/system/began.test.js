// SPDX-License-Identifier: MIT
//
// A request or a message keeps the limits with which it began, whatever a
// reload makes of them meanwhile; the next one has the new ones.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test, before, after, describe } = require('node:test');
const { Client, OP, frame } = require('./lib/client');
const { Daemon } = require('./lib/daemon');
const { Http, turns } = require('./lib/http');
const { signedTarget } = require('./lib/sign');

const WIDE = { max_head_bytes: 16384, max_request_bytes: 1048576,
	max_message_bytes: 131072 };
const NARROW = { max_head_bytes: 1024, max_request_bytes: 1024,
	max_message_bytes: 1024 };
const PING = '{"event":"pusher:ping","data":{}}';

describe('requests that began before a reload', () => {
	// However slow the machine is: no request is late, and no ping asks for an
	// answer in the middle of a frame.
	const d = new Daemon({ workers: 2, handshake_timeout: 600,
		keepalive_timeout: 3600 });
	const app = d.app({ activity_timeout: 86400 });
	const file = path.join(d.dir, 'pusherd.conf');
	const write = (all) => fs.writeFileSync(file, Object.entries(all)
		.map(([k, v]) => `${k} ${v}\n`).join(''));
	const become = async (all) => {
		write(all);
		const r = await d.ctlAsync(['-c', file, 'reload']);
		assert.equal(r.code, 0, r.err);
	};

	before(async () => {
		write(WIDE);
		await d.start(['-c', file]);
	});
	after(() => d.stop());

	const body = (n) => {
		const e = { name: 'e', channel: 'room', data: '' };
		e.data = 'x'.repeat(n - JSON.stringify(e).length);
		return JSON.stringify(e);
	};
	// The head of a publish, with so many bytes of other headers.
	function head(text, how, more) {
		const target = signedTarget(app, 'POST', `/apps/${app.id}/events`,
			{ body: text });
		const pad = Array.from({ length: Math.ceil(more / 1000) },
			(_, i) => `X-${i}: ${'y'.repeat(990)}\r\n`).join('');
		return `POST ${target} HTTP/1.1\r\nHost: x\r\n${pad}${how}\r\n\r\n`;
	}
	const chunk = (s) => `${s.length.toString(16)}\r\n${s}\r\n`;
	const CHUNKED = 'Transfer-Encoding: chunked';

	test('M2: requests whose heads and bodies are over the new limits',
		async () => {
			const text = body(9000);
			const all = await Promise.all(Array.from({ length: 24 },
				() => Http.connect(d)));
			const rest = all.map((h, i) => {
				const kind = i % 3;
				const whole = kind === 0 ?
					head(text, CHUNKED, 12000) + chunk(text) + '0\r\n\r\n' :
					head(text, `Content-Length: ${text.length}`,
						12000) + text;
				// In the last chunk, in the body, in the head.
				const cut = kind === 0 ? whole.length - 5 :
					kind === 1 ? whole.length - 100 : 9000;
				h.write(whole.slice(0, cut));
				return whole.slice(cut);
			});
			await turns(d);
			await become(NARROW);
			for (const [i, h] of all.entries()) {
				await h.write(rest[i]);
				const r = await h.answer();
				assert.equal(r.status, 200, `${i}: ${r.status} ${r.text}`);
				// The next one on the same connection has the new limits.
				if (i < 3) {
					await h.write(head(text, CHUNKED, 12000));
					assert.equal((await h.answer()).status, 431);
				}
				h.end();
			}
			await become(WIDE);
		});

	test('M3: messages that are over the new limit', async () => {
		const one = await Client.connect(d, app);
		const two = await Client.connect(d, app);
		const three = await Client.connect(d, app);
		const long = PING + ' '.repeat(60000);
		one.sendFrame(OP.TEXT, long.slice(0, 40000), { fin: false });
		two.sock.write(frame(OP.TEXT, long).subarray(0, 30000));
		const key = Buffer.from([1, 2, 3, 4]);
		const rest = frame(OP.TEXT, long, { key }).subarray(30000);
		three.sock.write(frame(OP.TEXT, long, { key }).subarray(0, 30000));
		await turns(d);
		await become(NARROW);
		// The limit that it began with still holds it.
		one.sendFrame(OP.CONT, long.slice(40000));
		await one.expect('pusher:pong');
		three.sock.write(rest);
		await three.expect('pusher:pong');
		one.sendText(long);
		await one.expectClose(1009);
		two.destroy();
		const four = await Client.connect(d, app);
		four.sendFrame(OP.TEXT, ' '.repeat(600), { fin: false });
		four.sendFrame(OP.CONT, ' '.repeat(600), { fin: false });
		await four.expectClose(1009);
		three.destroy();
		await become(WIDE);
	});

	test('M3: a message that began under a limit does not pass it',
		async () => {
			const c = await Client.connect(d, app);
			c.sendFrame(OP.TEXT, ' '.repeat(100000), { fin: false });
			await turns(d);
			await become(NARROW);
			await become({ ...NARROW, max_message_bytes: 16777216 });
			c.sendFrame(OP.CONT, ' '.repeat(40000));
			await c.expectClose(1009, /131072/);
			await become(WIDE);
		});
});
