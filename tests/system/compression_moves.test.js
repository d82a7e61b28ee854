// SPDX-License-Identifier: MIT
//
// Compressed clients while processes are replaced or die: each window yields
// what was published, and what a client has sent is read, though half of it
// came to another process.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Client, OP, closeAll, frame } = require('./lib/client');
const { Daemon, becomes, until } = require('./lib/daemon');
const { Http } = require('./lib/http');
const { deflate } = require('./lib/window');

const PMD = 'permessage-deflate';
const MIB = 1 << 20;
const OFFERS = [PMD, `${PMD}; client_max_window_bits`,
	`${PMD}; server_max_window_bits=9`, `${PMD}; server_max_window_bits=14`,
	`${PMD}; server_no_context_takeover`];
const offer = (text) => ({ headers: { 'Sec-WebSocket-Extensions': text } });
// Of all clients; the first two are on different workers.
const HOWS = [...[PMD, PMD, ...OFFERS].map(offer), {}];
const packed = (text) => frame(OP.TEXT, deflate(text), { rsv: 4 });
const ping = (n) => `{"event":"pusher:ping","data":{},"x":"${'y'.repeat(n)}"}`;
const state = (i) => JSON.stringify({ i, rows: Array.from({ length: 60 },
	(_, k) => ({ id: k * 7919, name: `order ${k * k % 97}` })) });

describe('compression: processes that are replaced or die', () => {
	const d = new Daemon({ workers: 2, max_message_bytes: 4 * MIB });
	let app;
	let http;
	let all;
	const sent = { a: 0, b: 0 };
	const got = new Map();

	// The same event once more if there is no broker for a moment.
	const publish = async (channel) => {
		const data = state(sent[channel]++);
		await until(`a publish to ${channel}`, async () => (await http.api(app,
			'POST', '/events', { body: { name: 'e', channel, data } }))
			.status === 200);
	};
	const enter = async (c) => {
		for (const channel of ['a', 'b']) await c.subscribe(channel);
		got.set(c, { ...sent });
	};
	// These clients have all events of both channels, each channel in order.
	const read = async (clients = all) => {
		for (const c of clients) {
			const at = got.get(c);
			while (at.a < sent.a || at.b < sent.b) {
				const m = await c.next();
				assert.equal(m.event, 'e', c.text);
				assert.ok(m.data === state(at[m.channel]++), c.text);
			}
			assert.deepEqual(await c.sync(), []);
		}
	};
	// Bytes that reach a client with the largest window.
	const cost = async (channel) => {
		const [c] = all;
		await read();
		const was = c.sock.bytesRead;
		const compressed = c.window.compressed;
		await publish(channel);
		await c.wait('the event', () => c.window.compressed > compressed);
		const bytes = c.sock.bytesRead - was;
		await read();
		return bytes;
	};
	const shown = (c) => d.ctl(['connections', 'show', c.sid])[0].connection;
	const replace = async (n) => {
		const r = await d.ctlAsync(['-j', 'worker', 'replace', String(n)]);
		assert.equal(r.code, 0, r.err);
		assert.equal(JSON.parse(r.out).closed, 0);
	};

	before(async () => {
		app = d.app({ max_messages_per_second: 0 });
		await d.start();
		http = await Http.connect(d);
		all = [...await Client.onEachWorker(d, app, HOWS[0]),
			...await Promise.all(HOWS.slice(2).map((how) =>
				Client.connect(d, app, how)))];
		for (const c of all) await enter(c);
	});
	after(async () => {
		try {
			http.end();
			await closeAll(all);
			await d.stop();
		} finally {
			d.kill();
		}
	});

	test('kill -9 of the broker: every window goes on', async () => {
		d.allow(/broker was killed/, /link to the broker lost|resync/);
		const [was] = d.pidsOf('broker');
		await cost('a');
		const near = await cost('a');
		process.kill(was, 'SIGKILL');
		await becomes(() => d.pidsOf('broker').filter((pid) => pid !== was)
			.length, 1);
		for (let i = 0; i < 20; i++) await publish(i % 3 ? 'a' : 'b');
		await cost('a');
		assert.ok(Math.abs(await cost('a') - near) < 50);
	});

	test('kill -9 of a worker: its clients come back, the others go on',
		async () => {
			d.allow(/worker \d+ was killed/);
			const pid = all[0].worker;
			const lost = all.filter((c) => c.worker === pid);
			assert.ok(lost.length < all.length);
			process.kill(pid, 'SIGKILL');
			for (const c of lost) await c.ended();
			http.end();
			http = await until('a worker', () => Http.connect(d)
				.catch(() => null));
			for (let i = 0; i < 5; i++) await publish('a');
			await read(all.filter((c) => !lost.includes(c)));
			await until('two workers', () => d.pidsOf('worker').length === 2);
			for (const c of lost) {
				const i = all.indexOf(c);
				all[i] = await Client.connect(d, app, HOWS[i]);
				await enter(all[i]);
			}
			for (let i = 0; i < 20; i++) await publish(i % 3 ? 'a' : 'b');
			await read();
			for (const c of all)
				assert.equal(c.window === undefined, shown(c).compression ===
					null, 'as it was agreed');
		});

	const moves = {
		'worker replace': async () => {
			for (const n of [0, 1]) await replace(n);
		},
		upgrade: async () => {
			const r = await d.ctlAsync(['-j', 'upgrade']);
			assert.equal(r.code, 0, r.err);
		},
	};
	for (const [name, move] of Object.entries(moves)) {
		test(`${name}: the next event is compressed alone, and then goes on`,
			async () => {
				await cost('a');
				const near = await cost('a');
				const before = all.map(shown);
				await move();
				const alone = await cost('a');
				assert.ok(alone > 2 * near, `${alone} bytes, then ${near}`);
				assert.ok(Math.abs(await cost('a') - near) < 50);
				for (const [i, c] of all.entries()) {
					const now = shown(c);
					assert.equal(now.compression, before[i].compression);
					if (c.window)
						assert.ok(now.bytes_saved >= before[i].bytes_saved);
				}
			});

		test(`${name}: while events come`, async () => {
			let over = false;
			const run = (async () => {
				for (let i = 0; !over || i < 50; i++)
					await publish(i % 3 ? 'a' : 'b');
			})();
			await move().finally(() => { over = true; });
			await run;
			await read();
		});

		test(`${name}: half of a compressed message, and one that waits`,
			async () => {
				const bytes = packed(ping(3000));
				const body = deflate(ping(3000));
				const half = await Client.connect(d, app, offer(PMD));
				half.sock.write(bytes.subarray(0, bytes.length >> 1));
				const part = await Client.connect(d, app, offer(PMD));
				part.sendFrame(OP.TEXT, body.subarray(0, 9),
					{ rsv: 4, fin: false });
				// More than a second of unpacking: many wait.
				const many = await Client.several(d, app, 40, offer(PMD));
				const large = packed(ping(4 * MIB - 100));
				for (const c of many)
					c.sock.write(Buffer.concat([large, packed(ping(9))]));
				await many[0].expect('pusher:pong');
				await move();
				half.sock.write(bytes.subarray(bytes.length >> 1));
				part.sendFrame(OP.CONT, body.subarray(9));
				for (const c of [half, part, ...many, ...many.slice(1)])
					await c.expect('pusher:pong', undefined, 30000);
				await closeAll([half, part, ...many]);
			});
	}
});
