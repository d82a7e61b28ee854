// SPDX-License-Identifier: MIT
//
// Watchlists: the state at sign-in, online, the delayed offline, 4302.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { sleep } = require('./lib/daemon');
const { suite } = require('./lib/suite');

const EVENTS = 'pusher_internal:watchlist_events';

suite('watchlist', (d) => {
	const app = d.app();
	let n = 0;
	const names = (...list) => list.map((x) => `${x}-${n}`);
	const signed = async (id, watchlist) => {
		const c = await Client.connect(d, app);
		await c.signin({ id, watchlist });
		return c;
	};

	test('the state of all at sign-in, one frame', async () => {
		const [u, on, off] = names('u', 'on', 'off', n++);
		const c = await signed(on);
		const w = await Client.connect(d, app);
		await w.signin({ id: u, watchlist: [on, off] });
		const m = await w.next();
		assert.deepEqual(Object.keys(m).sort(), ['data', 'event']);
		assert.equal(m.event, EVENTS);
		assert.deepEqual(JSON.parse(m.data), { events: [
			{ name: 'online', user_ids: [on] },
			{ name: 'offline', user_ids: [off] }] });
		await closeAll([c, w]);
	});

	test('only one of the two kinds, then only one element', async () => {
		const [u, a, b] = names('u', 'a', 'b', n++);
		const w = await signed(u, [a, b]);
		assert.deepEqual(await w.expect(EVENTS),
			{ events: [{ name: 'offline', user_ids: [a, b] }] });
		const c = await signed(a);
		await w.expect(EVENTS);
		const v = await signed(`v${u}`, [a]);
		assert.deepEqual(await v.expect(EVENTS),
			{ events: [{ name: 'online', user_ids: [a] }] });
		await closeAll([w, c, v]);
	});

	test('online with the first, offline after the last connection',
		async () => {
			const [u, a] = names('u', 'a', n++);
			const all = await Client.onEachWorker(d, app);
			for (const c of all) {
				await c.signin({ id: u, watchlist: [a] });
				await c.expect(EVENTS);
			}
			const tabs = await Client.onEachWorker(d, app);
			for (const c of tabs) await c.signin({ id: a });
			for (const c of all)
				assert.deepEqual(await c.expect(EVENTS),
					{ events: [{ name: 'online', user_ids: [a] }] });
			const begin = Date.now();
			await closeAll(tabs);
			for (const c of all)
				assert.deepEqual(await c.expect(EVENTS),
					{ events: [{ name: 'offline', user_ids: [a] }] });
			assert.ok(Date.now() - begin > 500, 'offline is delayed');
			for (const c of all) assert.deepEqual(await c.sync(), []);
			await closeAll(all);
		});

	test('a watcher that comes back is told of what follows', async () => {
		const [u, a] = names('u', 'a', n++);
		const c = await signed(a);
		const before = await signed(u, [a]);
		await before.expect(EVENTS);
		await before.close();
		const w = await signed(u, [a]);
		await w.expect(EVENTS);
		await c.close();
		assert.deepEqual(await w.expect(EVENTS),
			{ events: [{ name: 'offline', user_ids: [a] }] });
		await closeAll([w]);
	});

	test('a reload is not seen', async () => {
		const [u, a] = names('u', 'a', n++);
		const c = await signed(a);
		const w = await signed(u, [a]);
		await w.expect(EVENTS);
		await c.close();
		const again = await signed(a);
		await sleep(4500);
		assert.deepEqual(await w.sync(), []);
		await closeAll([w, again]);
	});

	test('presence alone does not count as online', async () => {
		const [u, a] = names('u', 'a', n++);
		const w = await signed(u, [a]);
		await w.expect(EVENTS);
		const c = await Client.connect(d, app);
		await c.join('presence-x', a);
		await sleep(200);
		assert.deepEqual(await w.sync(), []);
		await closeAll([w, c]);
	});

	test('oneself in the own list', async () => {
		const [u] = names('u', n++);
		const w = await signed(u, [u]);
		assert.deepEqual(await w.expect(EVENTS),
			{ events: [{ name: 'online', user_ids: [u] }] });
		assert.deepEqual(await w.sync(), []);
		await w.close();
	});

	test('a second sign-in replaces the list', async () => {
		const [u, a, b] = names('u', 'a', 'b', n++);
		const w = await signed(u, [a]);
		await w.expect(EVENTS);
		await w.signin({ id: u, watchlist: [b] });
		assert.deepEqual(await w.expect(EVENTS),
			{ events: [{ name: 'offline', user_ids: [b] }] });
		const ca = await signed(a);
		const cb = await signed(b);
		assert.deepEqual(await w.expect(EVENTS),
			{ events: [{ name: 'online', user_ids: [b] }] });
		assert.deepEqual(await w.sync(), []);
		await closeAll([w, ca, cb]);
	});

	test('more than 100: the first 100 and an error 4302', async () => {
		const [u] = names('u', n++);
		const list = Array.from({ length: 105 }, (_, i) => `w${n}-${i}`);
		const w = await Client.connect(d, app);
		w.sendSignin({ id: u, watchlist: list });
		const got = {};
		for (let i = 0; i < 3; i++) {
			const m = await w.next();
			got[m.event] = m;
		}
		assert.ok(got['pusher:signin_success']);
		assert.equal(got['pusher:error'].data.code, 4302);
		const events = JSON.parse(got[EVENTS].data).events;
		assert.deepEqual(events,
			[{ name: 'offline', user_ids: list.slice(0, 100) }]);
		const late = await signed(list[104]);
		assert.deepEqual(await w.sync(), []);
		const early = await signed(list[99]);
		assert.deepEqual(await w.expect(EVENTS),
			{ events: [{ name: 'online', user_ids: [list[99]] }] });
		await closeAll([w, late, early]);
	});

	test('ids that are repeated count once', async () => {
		const [u, a] = names('u', 'a', n++);
		const w = await signed(u, [a, a, a]);
		assert.deepEqual(await w.expect(EVENTS),
			{ events: [{ name: 'offline', user_ids: [a] }] });
		await w.close();
	});
});

// Every setting at its maximum, every character of every id two escapes.
suite('watchlist, the longest', (d) => {
	const app = d.app({ max_watchlist_ids: 1000, max_user_id_length: 200 });

	test('a list of the largest size is taken', async () => {
		const [w, other] = await Client.several(d, app, 2);
		const face = '\\ud83d\\ude00';
		const ids = Array.from({ length: 1000 }, (_, i) =>
			`"${face.repeat(196)}${1000 + i}"`);
		w.sendSignin(`{"id":"u","watchlist":[${ids.join(',')}]}`);
		await w.expect('pusher:signin_success');
		assert.deepEqual((await w.expect(EVENTS)).events[0].user_ids,
			ids.map((id) => JSON.parse(id)));
		await other.signin({ id: JSON.parse(ids[999]) });
		assert.equal((await w.expect(EVENTS)).events[0].name, 'online');
		await closeAll([w, other]);
	});
}, { max_message_bytes: 16777216 });
