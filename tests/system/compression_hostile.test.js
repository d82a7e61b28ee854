// SPDX-License-Identifier: MIT
//
// Compression and clients that mean harm, read slowly, or are there when it is
// switched: bombs hold no memory, one client's messages keep nobody else
// waiting, and output that waits counts in its compressed size.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Client, OP, closeAll, frame } = require('./lib/client');
const { Daemon, sleep, until, SLOW } = require('./lib/daemon');
const { Http } = require('./lib/http');
const { memory } = require('./lib/process');
const { deflate } = require('./lib/window');

const PMD = 'permessage-deflate';
const HOW = { headers: { 'Sec-WebSocket-Extensions': PMD } };
const MIB = 1 << 20;
const packed = (text) => frame(OP.TEXT, deflate(text), { rsv: 4 });
const padded = (n) => `{"event":"pusher:ping","data":{},"x":"${
	'y'.repeat(n)}"}`;

async function running(conf, fn, settings) {
	const d = new Daemon({ workers: 1, ...conf });
	const app = d.app({ max_backend_events_per_second: 0, ...settings });
	d.env = { ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0:' +
		'quarantine_size_mb=1:allocator_release_to_os_interval_ms=0' };
	await d.start();
	await d.run(() => fn(d, app));
}

const rss = (d) => memory(d.pidsOf('worker')[0]);

// The slowest answer that the client gets while fn runs.
async function slowest(c, fn, ask = () => c.sync()) {
	let worst = 0;
	let over = false;
	const done = fn().finally(() => { over = true; });
	while (!over) {
		const began = performance.now();
		await ask();
		worst = Math.max(worst, performance.now() - began);
		await sleep(5);
	}
	await done;
	return worst;
}

for (const [n, max] of [[1000, 131072], [200, 4 * MIB]])
	test(`${n} bombs of 1 MiB, max_message_bytes ${max}`, () =>
		running({ max_message_bytes: max }, async (d, app) => {
			const all = await Client.several(d, app, n, HOW);
			const bomb = packed(Buffer.alloc(MIB));
			const before = rss(d);
			let peak = 0;
			const timer = setInterval(() => { peak = Math.max(peak, rss(d)); },
				5);
			try {
				for (const c of all) c.sock.write(bomb);
				for (const c of all)
					if (max < MIB)
						await c.expectClose(1009, /max_message/, 60000);
					else
						assert.equal((await c.next(60000)).event,
							'pusher:error');
			} finally {
				clearInterval(timer);
			}
			assert.ok(peak - before < 8 * MIB * SLOW * SLOW,
				`${peak - before} bytes more`);
			await closeAll(all);
		}));

test('one client that sends well compressed messages as fast as it can', () =>
	running({}, async (d, app) => {
		const honest = await Client.connect(d, app);
		const loud = await Client.connect(d, app, HOW);
		const all = Buffer.concat(Array(500).fill(packed(padded(120000))));
		const worst = await slowest(honest, async () => {
			loud.sock.write(all);
			for (let i = 0; i < 500; i++)
				await loud.expect('pusher:pong', undefined, 60000);
		});
		assert.ok(worst < 1000 * SLOW, `${worst} ms`);
		await closeAll([honest, loud]);
	}));

// Three times: a bomb in one frame, in two with a ping between them, and one
// that is too large, for which it is closed.  Each fifth does not wait.
async function stranger(d, app, i, way) {
	for (let k = 0; k < 3; k++) {
		const c = await Client.connect(d, app, HOW);
		c.sock.write(Buffer.concat([way[(i + k) % 3], packed(padded(9))]));
		if (i % 5 === 4) {
			await sleep(20);
		} else if ((i + k) % 3 === 2) {
			await c.expectClose(1009, /max_message/, 60000);
		} else {
			if ((i + k) % 3 === 1)
				assert.equal((await c.nextFrame(60000)).opcode, OP.PONG);
			await c.expect('pusher:pong', undefined, 60000);
			await c.expect('pusher:pong', undefined, 60000);
		}
		c.destroy();
	}
}

test('50 strangers with bombs of 4 MiB keep nobody waiting', () =>
	running({ max_message_bytes: 4 * MIB }, async (d, app) => {
		const plain = await Client.connect(d, app);
		const small = await Client.connect(d, app, HOW);
		await small.subscribe('c');
		const h = await Http.connect(d);
		const bomb = deflate(padded(4 * MIB - 100));
		const way = [frame(OP.TEXT, bomb, { rsv: 4 }),
			Buffer.concat([frame(OP.TEXT, bomb.subarray(0, 9),
				{ rsv: 4, fin: false }), frame(OP.PING, 'x'),
			frame(OP.CONT, bomb.subarray(9))]), packed(padded(4 * MIB))];
		const worst = await slowest(plain, () => Promise.all(
			Array.from({ length: 50 }, (_, i) => stranger(d, app, i, way))),
		async () => {
			const r = await h.api(app, 'POST', '/events',
				{ body: { name: 'e', channel: 'c', data: '1' } });
			assert.equal(r.status, 200, r.text);
			await small.expect('e', 'c', 60000);
			small.sock.write(packed(padded(9)));
			await small.expect('pusher:pong', undefined, 60000);
			await plain.sync();
		});
		assert.ok(worst < 1000 * SLOW, `${worst} ms`);
		await closeAll([plain, small]);
	}));

test('500 clients that send well compressed small messages', () =>
	running({}, async (d, app) => {
		const honest = await Client.connect(d, app);
		const all = await Client.several(d, app, 500, HOW);
		const bytes = Buffer.concat(Array(20).fill(packed(padded(16000))));
		const worst = await slowest(honest, async () => {
			for (const c of all) c.sock.write(bytes);
			for (const c of all)
				for (let i = 0; i < 20; i++)
					await c.expect('pusher:pong', undefined, 60000);
		});
		assert.ok(worst < 1000 * SLOW, `${worst} ms`);
		await closeAll(all);
		await honest.close();
	}));

// Blocks of a message without a byte: each has its own Huffman codes (RFC 1951,
// 3.2.7), of 91 bits: of the end of the block, and of one distance.
function emptyBlocks(n) {
	const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1];
	const bits = (value, size) => Array.from({ length: size },
		(_, i) => value >> i & 1);
	const one = [...bits(0, 1), ...bits(2, 2), ...bits(0, 10), ...bits(14, 4),
		...order.flatMap((len) => bits(len === 18 || len === 1 ? 1 : 0, 3)),
		1, ...bits(127, 7), 1, ...bits(107, 7), 0, 0, 0];
	const all = [...Array(n).fill(one).flat(), 0, 0, 0];
	const bytes = Buffer.alloc(Math.ceil(all.length / 8));
	all.forEach((bit, i) => { bytes[i >> 3] |= bit << (i & 7); });
	return frame(OP.TEXT, bytes, { rsv: 4 });
}

test('150 clients that send messages of empty blocks', () =>
	running({}, async (d, app) => {
		const honest = await Client.connect(d, app);
		const all = await Client.several(d, app, 150, HOW);
		const few = emptyBlocks(1000);
		const many = emptyBlocks(10000);
		const worst = await slowest(honest, async () => {
			for (const c of all) c.sock.write(Buffer.concat([few, many]));
			for (const c of all) {
				await c.expectError(null);
				await c.expectClose(1008, /too many blocks: at most 4096$/, 60000);
			}
		});
		assert.ok(worst < 1000 * SLOW, `${worst} ms`);
		await closeAll(all);
		await honest.close();
	}));

test('strangers that come back with garbage', () =>
	running({}, async (d, app) => {
		const honest = await Client.connect(d, app);
		const worst = await slowest(honest, async () => {
			for (let i = 0; i < 100; i++) {
				const c = await Client.connect(d, app, HOW);
				const bytes = deflate(padded(5000));
				bytes[i % bytes.length] ^= 1 << i % 8;
				c.sock.write(frame(OP.TEXT, bytes, { rsv: 4 }));
				const f = await c.nextFrame();
				assert.ok(f.opcode === OP.TEXT || (f.opcode === OP.CLOSE &&
					f.payload.readUInt16BE(0) === 1007), String(f.payload));
				c.destroy();
			}
		});
		assert.ok(worst < 1000 * SLOW, `${worst} ms`);
		await honest.close();
	}));

test('an offer of 60,000 bytes', () =>
	running({ max_head_bytes: 65536 }, async (d, app) => {
		const many = `${PMD}; x="${'\\"'.repeat(20)}", `;
		const c = await Client.connect(d, app, { headers: {
			'Sec-WebSocket-Extensions':
				`${many.repeat(60000 / many.length | 0)}${PMD}` } });
		assert.match(c.head.headers['sec-websocket-extensions'], /^perm/);
		await c.close();
	}));

const state = (i) => JSON.stringify({ i, rows: Array.from({ length: 100 },
	(_, k) => ({ id: k * 7919, name: `order ${k * k % 97}` })) });

const publisher = async (d, app) => {
	const h = await Http.connect(d);
	return async (i) => {
		const r = await h.api(app, 'POST', '/events',
			{ body: { name: 'e', channel: 'state', data: state(i) } });
		assert.equal(r.status, 200, r.text);
	};
};

test('switched off and on by reloads while clients are there', async () => {
	const d = new Daemon({ workers: 1 });
	const file = path.join(d.dir, 'pusherd.conf');
	const write = (on) => fs.writeFileSync(file, `compression ${on}\n`);
	const app = d.app();
	write('on');
	await d.start(['-c', file]);
	const all = await Client.several(d, app, 3, HOW);
	for (const c of all) await c.subscribe('state');
	const publish = await publisher(d, app);
	let n = 0;
	const reads = async (compressed) => {
		const before = all.map((c) => c.window.compressed);
		for (let i = 0; i < 3; i++) await publish(++n);
		for (const [k, c] of all.entries()) {
			for (let i = n - 2; i <= n; i++)
				assert.equal(await c.expect('e', 'state'), state(i));
			assert.equal(c.window.compressed - before[k], compressed);
		}
	};
	for (const on of [true, false, true, false, true]) {
		write(on ? 'on' : 'off');
		const r = await d.ctlAsync(['-c', file, '-j', 'reload']);
		assert.equal(r.code, 0, r.err);
		await reads(on ? 3 : 0);
		// The agreement of the handshake stays in force for what
		// clients send.
		all[0].sock.write(packed(padded(100)));
		await all[0].expect('pusher:pong');
		const late = await Client.connect(d, app, HOW);
		assert.equal(late.window !== undefined, on);
		await late.close();
	}
	await closeAll(all);
	await d.stop();
});

test('output that waits counts in its compressed size', () =>
	running({ client_buffer: 65536, client_buffer_age: 60 }, async (d, app) => {
		const [plain] = await Client.several(d, app, 1);
		const small = await Client.several(d, app, 2, HOW);
		for (const c of [plain, ...small]) await c.subscribe('state');
		plain.sock.pause();
		small[0].sock.pause();
		const publish = await publisher(d, app);
		let n = 0;
		await until('the plain one to be closed', async () => {
			for (let i = 0; i < 100; i++) await publish(n++);
			return d.ctl(['connections', 'list', app.id]).length === 2;
		}, 30000);
		small[0].sock.resume();
		for (const c of small)
			for (let i = 0; i < n; i++)
				assert.equal(await c.expect('e', 'state'), state(i));
		plain.destroy();
		await closeAll(small);
	}));
