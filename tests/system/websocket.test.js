// SPDX-License-Identifier: MIT
//
// RFC 6455 as the server has to speak it: frames, fragments, control frames,
// masks, UTF-8, sizes and the close handshake.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, OP, frame, closeAll } = require('./lib/client');
const { suite } = require('./lib/suite');

const PING = '{"event":"pusher:ping","data":{}}';

suite('websocket', (d) => {
	const app = d.app();
	const connect = () => Client.connect(d, app);

	// Sends raw bytes; the connection has to end with this code.
	const fails = (what, code, bytes) => test(what, async () => {
		const c = await connect();
		c.sock.write(bytes);
		await c.expectClose(code);
	});

	test('a message in one frame', async () => {
		const c = await connect();
		c.sendText(PING);
		assert.deepEqual(await c.next(), { event: 'pusher:pong', data: '{}' });
		assert.equal(c.text, '{"event":"pusher:pong","data":"{}"}');
		await c.close();
	});

	test('a message in many fragments with control frames between',
		async () => {
			const c = await connect();
			c.answerPings = false;
			const parts = [...PING];
			parts.forEach((p, i) => {
				c.sendFrame(i ? OP.CONT : OP.TEXT, p,
					{ fin: i === parts.length - 1 });
				if (i % 5 === 0) c.sendFrame(OP.PING, `p${i}`);
			});
			for (let i = 0; i < parts.length; i += 5) {
				const f = await c.nextFrame();
				assert.equal(f.opcode, OP.PONG);
				assert.equal(f.payload.toString(), `p${i}`);
			}
			await c.expect('pusher:pong');
			await c.close();
		});

	test('empty fragments', async () => {
		const c = await connect();
		c.sendFrame(OP.TEXT, '', { fin: false });
		c.sendFrame(OP.CONT, PING, { fin: false });
		c.sendFrame(OP.CONT, '', { fin: true });
		await c.expect('pusher:pong');
		await c.close();
	});

	test('too many fragments: the close names both limits', async () => {
		for (const [n, text] of [[1025, 'a'], [65, '']]) {
			const c = await connect();
			for (let i = 0; i < n; i++)
				c.sendFrame(i === 0 ? OP.TEXT : OP.CONT, text, { fin: false });
			await c.expectClose(1008,
				/^too many fragments: at most 1024, and 64 without a byte$/);
		}
	});

	test('frames split at every byte', async () => {
		const c = await connect();
		const bytes = Buffer.concat([frame(OP.TEXT, PING),
			frame(OP.PING, 'x'.repeat(125)),
			frame(OP.TEXT, PING + ' '.repeat(200))]);
		for (let i = 1; i < bytes.length; i++) {
			c.sock.write(bytes.subarray(0, i));
			await new Promise(setImmediate);
			c.sock.write(bytes.subarray(i));
			await c.expect('pusher:pong');
			assert.equal((await c.nextFrame()).opcode, OP.PONG);
			await c.expect('pusher:pong');
		}
		await c.close();
	});

	test('one byte at a time', async () => {
		const c = await connect();
		for (const b of frame(OP.TEXT, PING)) {
			c.sock.write(Buffer.from([b]));
			await new Promise((ok) => setTimeout(ok, 1));
		}
		await c.expect('pusher:pong');
		await c.close();
	});

	test('many messages in one write', async () => {
		const c = await connect();
		c.sock.write(Buffer.concat(Array.from({ length: 500 },
			() => frame(OP.TEXT, PING))));
		for (let i = 0; i < 500; i++) await c.expect('pusher:pong');
		await c.close();
	});

	for (const key of [[0, 0, 0, 0], [255, 255, 255, 255], [1, 2, 3, 4],
		[0x7b, 0, 0x22, 0]])
		test(`mask ${key}`, async () => {
			const c = await connect();
			c.sendFrame(OP.TEXT, PING, { key: Buffer.from(key) });
			await c.expect('pusher:pong');
			await c.close();
		});

	test('all lengths of a ping payload', async () => {
		const c = await connect();
		for (const n of [0, 1, 2, 124, 125]) {
			const body = Buffer.alloc(n, 0xc3);
			c.sendFrame(OP.PING, body);
			const f = await c.nextFrame();
			assert.equal(f.opcode, OP.PONG);
			assert.deepEqual(f.payload, body);
		}
		await c.close();
	});

	test('an unasked pong is taken', async () => {
		const c = await connect();
		c.sendFrame(OP.PONG, 'hello');
		assert.deepEqual(await c.sync(), []);
		await c.close();
	});

	for (const n of [125, 126, 127, 65535, 65536, 100000])
		test(`a message of ${n} bytes`, async () => {
			const c = await connect();
			c.sendText(PING + ' '.repeat(n - PING.length));
			await c.expect('pusher:pong');
			await c.close();
		});

	test('the limit of a message: 131072 bytes, then 1009', async () => {
		const c = await connect();
		c.sendText(PING + ' '.repeat(131072 - PING.length));
		await c.expect('pusher:pong');
		// Only the head: the answer may not wait for the body.
		c.sock.write(frame(OP.TEXT, '', { length: 131073 }));
		await c.expectClose(1009);
	});

	test('the limit counts all fragments', async () => {
		const c = await connect();
		c.sendFrame(OP.TEXT, ' '.repeat(100000), { fin: false });
		c.sock.write(frame(OP.CONT, '', { length: 40000 }));
		await c.expectClose(1009);
	});

	test('a length of 2^62 bytes: 1009', async () => {
		const c = await connect();
		const head = Buffer.from([0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0,
			1, 2, 3, 4]);
		c.sock.write(head);
		await c.expectClose(1009);
	});

	test('text in pieces of UTF-8 across fragments', async () => {
		const c = await connect();
		const bytes = Buffer.from('{"event":"pusher:ping","x":"é🎈"}');
		for (let i = 0; i < bytes.length; i++)
			c.sendFrame(i ? OP.CONT : OP.TEXT, bytes.subarray(i, i + 1),
				{ fin: i === bytes.length - 1 });
		await c.expect('pusher:pong');
		await c.close();
	});

	fails('binary: 1003', 1003, frame(OP.BINARY, PING));
	fails('unmasked: 1002', 1002, frame(OP.TEXT, PING, { mask: false }));
	for (const rsv of [1, 2, 4])
		fails(`reserved bit ${rsv}: 1002`, 1002,
			frame(OP.TEXT, PING, { rsv }));
	for (const op of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
		fails(`opcode ${op}: 1002`, 1002, frame(op, ''));
	fails('fragmented ping: 1002', 1002, frame(OP.PING, '', { fin: false }));
	fails('ping of 126 bytes: 1002', 1002, frame(OP.PING, 'x'.repeat(126)));
	fails('continuation of nothing: 1002', 1002, frame(OP.CONT, PING));
	fails('text inside a text: 1002', 1002, Buffer.concat([
		frame(OP.TEXT, '{', { fin: false }), frame(OP.TEXT, '}')]));
	fails('length in 16 bits where 7 do: 1002', 1002,
		frame(OP.TEXT, PING, { form: 16 }));
	fails('length in 64 bits where 16 do: 1002', 1002,
		frame(OP.TEXT, 'x'.repeat(200), { form: 64 }));
	fails('length with the highest bit: 1002', 1002, Buffer.from(
		[0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]));
	for (const [name, bytes] of [['lone continuation', [0x80]],
		['overlong', [0xc0, 0xaf]], ['overlong 3', [0xe0, 0x80, 0xaf]],
		['surrogate', [0xed, 0xa0, 0x80]], ['too high', [0xf4, 0x90, 128, 128]],
		['cut', [0xe2, 0x82]], ['0xff', [0xff]]])
		fails(`UTF-8, ${name}: 1007`, 1007,
			frame(OP.TEXT, Buffer.from([0x22, ...bytes])));

	test('wrong UTF-8 ends it before the message does', async () => {
		const c = await connect();
		c.sendFrame(OP.TEXT, Buffer.from([0x22, 0xff]), { fin: false });
		await c.expectClose(1007);
	});

	test('the close handshake begun by the client', async () => {
		for (const code of [1000, 1001, 1011, 3000, 4999]) {
			const c = await connect();
			const b = Buffer.alloc(2);
			b.writeUInt16BE(code);
			c.sendFrame(OP.CLOSE, Buffer.concat([b, Buffer.from('bye')]));
			await c.expectClose(code);
		}
	});

	test('a close without code', async () => {
		const c = await connect();
		c.sendFrame(OP.CLOSE, '');
		const f = await c.nextFrame();
		assert.equal(f.opcode, OP.CLOSE);
		await c.ended();
	});

	for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000])
		test(`close code ${code} is not allowed: 1002`, async () => {
			const c = await connect();
			const b = Buffer.alloc(2);
			b.writeUInt16BE(code);
			c.sock.write(frame(OP.CLOSE, b));
			await c.expectClose(1002);
		});

	fails('close of one byte: 1002', 1002, frame(OP.CLOSE, 'x'));
	fails('close reason in wrong UTF-8: 1007', 1007,
		frame(OP.CLOSE, Buffer.from([3, 0xe8, 0xff])));

	test('frames after a close are ignored', async () => {
		const c = await connect();
		c.sock.write(Buffer.concat([frame(OP.CLOSE, Buffer.from([3, 0xe8])),
			frame(OP.TEXT, PING), Buffer.alloc(1000, 0xff)]));
		await c.expectClose(1000);
	});

	test('B23 hostile bytes harm nobody else', async () => {
		const [good, ...others] = await Client.several(d, app, 21);
		await good.subscribe('calm');
		for (const [i, c] of others.entries())
			c.sock.write(Buffer.from(Array.from({ length: 300 },
				(_, n) => (i * 131 + n * n * 7 + (n >> 3)) & 255)));
		await good.sync();
		for (const c of others) c.destroy();
		assert.deepEqual(await good.sync(), []);
		await good.close();
	});

	test('all ways to leave are equal', async () => {
		const all = await Client.several(d, app, 40);
		await Promise.all(all.map((c) => c.subscribe('ways')));
		all.slice(0, 10).forEach((c) => c.destroy());
		all.slice(10, 20).forEach((c) => c.reset());
		await closeAll(all.slice(20, 30));
		all.slice(30).forEach((c) => c.sock.end());
		await Promise.all(all.slice(30).map((c) => c.ended()));
		const { until } = require('./lib/daemon');
		const { get } = require('./lib/http');
		await until('an empty channel', async () => !(await get(d, app,
			'/channels/ways')).occupied);
	});
});
