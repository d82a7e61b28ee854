// SPDX-License-Identifier: MIT
//
// One order for all subscribers, and nothing missed after the confirmation,
// whichever workers publisher and subscriber sit on.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Http, publish, onEachWorker } = require('./lib/http');
const { Daemon } = require('./lib/daemon');
const { suite } = require('./lib/suite');

suite('order', (d) => {
	const app = d.app({ client_events: 'on',
		max_client_events_per_second: 0 });

	test('concurrent publishers on all workers: one order for everyone',
		async () => {
			const clients = [...await Client.onEachWorker(d, app),
				...await Client.several(d, app, 6)];
			for (const c of clients) await c.subscribe('private-o');
			const https = [...await onEachWorker(d), ...await onEachWorker(d)];
			const n = 150;
			await Promise.all([
				...https.map(async (h, p) => {
					for (let i = 0; i < n; i++) {
						const r = await h.api(app, 'POST', '/events', { body: {
							name: 'e', channel: 'private-o',
							data: `${p} ${i}` } });
						assert.equal(r.status, 200, r.text);
					}
				}),
			]);
			const seen = [];
			for (const c of clients) {
				const got = [];
				for (let i = 0; i < n * https.length; i++)
					got.push(await c.expect('e', 'private-o'));
				seen.push(got);
			}
			for (const got of seen) assert.deepEqual(got, seen[0]);
			// And each publisher's own order is kept.
			const last = https.map(() => -1);
			for (const line of seen[0]) {
				const [p, i] = line.split(' ').map(Number);
				assert.equal(i, last[p] + 1);
				last[p] = i;
			}
			for (const h of https) h.end();
			await closeAll(clients);
		});

	test('client events and HTTP events: one order for all others',
		async () => {
			const clients = await Client.onEachWorker(d, app);
			const watchers = await Client.onEachWorker(d, app);
			for (const c of [...clients, ...watchers])
				await c.subscribe('private-o');
			await Promise.all([
				...clients.map(async (c, p) => {
					for (let i = 0; i < 100; i++) {
						c.trigger('private-o', 'client-e', `c${p} ${i}`);
						if (i % 10 === 0) await c.sync();
					}
				}),
				(async () => {
					for (let i = 0; i < 50; i++)
						await publish(d, app, 'private-o', 'e', `h ${i}`);
				})(),
			]);
			const want = clients.length * 100 + 50;
			const seen = [];
			for (const c of watchers) {
				const got = [];
				for (let i = 0; i < want; i++) got.push((await c.next()).data);
				seen.push(got);
			}
			for (const got of seen) assert.deepEqual(got, seen[0]);
			await closeAll([...clients, ...watchers]);
		});

	test('nothing is missed after subscription_succeeded', async () => {
		const https = await onEachWorker(d);
		const clients = await Client.onEachWorker(d, app);
		for (let round = 0; round < 60; round++) {
			const channel = `race-${round}`;
			await Promise.all(clients.map(async (c, k) => {
				await c.subscribe(channel);
				// At once, through another worker.
				const h = https[(k + round) % https.length];
				await publishOn(h, channel, `${k}`);
				for (;;) {
					const m = await c.next();
					assert.equal(m.channel, channel);
					if (m.data === `${k}`) break;
				}
				await c.sync();
			}));
			for (const c of clients) {
				c.unsubscribe(channel);
				await c.sync();
			}
		}
		for (const h of https) h.end();
		await closeAll(clients);

		// Several tests share one keep-alive connection: one after another.
		async function publishOn(h, channel, data) {
			h.turn = (h.turn ?? Promise.resolve()).then(async () => {
				const r = await h.api(app, 'POST', '/events',
					{ body: { name: 'e', channel, data } });
				assert.equal(r.status, 200);
			});
			await h.turn;
		}
	});

	test('a stream without gaps from the first event seen', async () => {
		let on = true;
		let sent = 0;
		const [h] = await onEachWorker(d);
		const publisher = (async () => {
			for (; on; sent++) {
				const r = await h.api(app, 'POST', '/events', { body:
					{ name: 'e', channel: 'stream', data: `${sent}` } });
				assert.equal(r.status, 200);
			}
		})();
		const clients = await Client.onEachWorker(d, app);
		for (let round = 0; round < 20; round++) {
			for (const c of clients) {
				await c.subscribe('stream');
				let next;
				for (let i = 0; i < 20; i++) {
					const n = Number(await c.expect('e', 'stream'));
					if (next !== undefined) assert.equal(n, next);
					next = n + 1;
				}
				c.unsubscribe('stream');
				await c.sync();
			}
		}
		on = false;
		await publisher;
		h.end();
		await closeAll(clients);
	});

	test('after a 200 a later event of the same channel comes later',
		async () => {
			// One after another, each through another connection.
			const https = await Promise.all(Array.from({ length: 24 },
				() => Http.connect(d)));
			const clients = await Client.onEachWorker(d, app);
			for (const c of clients) await c.subscribe('after');
			for (let i = 0; i < 1000; i++) {
				const r = await https[i % https.length].api(app, 'POST', '/events',
					{ body: { name: 'e', channel: 'after', data: `${i}` } });
				assert.equal(r.status, 200);
			}
			for (const c of clients)
				for (let i = 0; i < 1000; i++)
					assert.equal(await c.expect('e'), `${i}`);
			for (const h of https) h.end();
			await closeAll(clients);
		});

	test('several channels in one event keep their order', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('a');
		await c.subscribe('b');
		for (let i = 0; i < 30; i++)
			await publish(d, app, ['a', 'b'], 'e', `${i}`);
		const got = { a: [], b: [] };
		for (let i = 0; i < 60; i++) {
			const m = await c.next();
			got[m.channel].push(Number(m.data));
		}
		const want = Array.from({ length: 30 }, (_, i) => i);
		assert.deepEqual(got, { a: want, b: want });
		await c.close();
	});

	test('events of a dying broker arrive in their order',
		async () => {
			d.allow(/broker was killed by signal 9|link to the broker lost/);
			const clients = await Client.onEachWorker(d, app);
			const watcher = await Client.connect(d, app);
			for (const c of [...clients, watcher])
				await c.subscribe('private-left');
			const [broker] = d.pidsOf('broker');
			process.kill(broker, 'SIGSTOP');
			const want = [];
			for (let i = 0; i < 25; i++)
				// To and fro, so that no order of the workers is right.
				for (const c of i % 2 ? clients : clients.toReversed()) {
					c.trigger('private-left', 'client-e', `${want.length}`);
					await c.sync(); // the worker has it
					want.push(`${want.length}`);
				}
			process.kill(broker, 'SIGKILL');
			const got = [];
			while (got.length < want.length)
				got.push(await watcher.expect('client-e', 'private-left'));
			assert.deepEqual(got, want);
			for (const c of clients) c.destroy();
			await watcher.close();
		});
});

// No worker waits for the broker with its answer, and to and fro between them
// no order of the workers is right: the places of the events have to be.
for (const [signal, what] of [['SIGCONT', 'goes on'], ['SIGKILL', 'dies']])
	test(`answered one after another before a stopped broker ${what}: ` +
		'in this order', async () => {
		const d = new Daemon({ workers: 4 });
		const app = d.app();
		await d.start();
		d.allow(/broker was killed by signal 9|link to the broker lost/);
		const clients = await Client.onEachWorker(d, app);
		for (const c of clients) await c.subscribe('c');
		const https = await onEachWorker(d);
		const [broker] = d.pidsOf('broker');
		process.kill(broker, 'SIGSTOP');
		const want = [];
		for (let i = 0; i < 25; i++)
			for (const h of i % 2 ? https : https.toReversed()) {
				const r = await h.api(app, 'POST', '/events', { body:
					{ name: 'e', channel: 'c', data: `${want.length}` } });
				assert.equal(r.status, 200);
				want.push(`${want.length}`);
			}
		process.kill(broker, signal);
		for (const c of clients) {
			const got = [];
			while (got.length < want.length) got.push(await c.expect('e'));
			assert.deepEqual(got, want);
		}
		for (const h of https) h.end();
		await closeAll(clients);
		await d.stop();
	});
