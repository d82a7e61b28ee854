// SPDX-License-Identifier: MIT
//
// Presence channels: the list, joins and leaves once per user, exact across
// workers, with 500 clients and with races.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { until, sleep } = require('./lib/daemon');
const { api, get } = require('./lib/http');
const { suite } = require('./lib/suite');

const ADDED = 'pusher_internal:member_added';
const REMOVED = 'pusher_internal:member_removed';
const CH = 'presence-x';

// Plays the events of a client into its list, as pusher-js does.
function play(members, m) {
	const data = JSON.parse(m.data);
	if (m.event === ADDED) {
		assert.ok(!members.has(data.user_id), `twice: ${data.user_id}`);
		members.set(data.user_id, data.user_info);
	} else {
		assert.equal(m.event, REMOVED);
		assert.deepEqual(Object.keys(data), ['user_id']);
		assert.ok(members.delete(data.user_id), `unknown ${data.user_id}`);
	}
}

function list(p) {
	assert.deepEqual(Object.keys(p).sort(), ['count', 'hash', 'ids']);
	assert.equal(p.count, p.ids.length);
	assert.equal(new Set(p.ids).size, p.count);
	assert.deepEqual([...p.ids].sort(), Object.keys(p.hash).sort());
	assert.ok(!Array.isArray(p.hash));
	return new Map(Object.entries(p.hash));
}

suite('presence', (d) => {
	const app = d.app({ max_presence_members: 100 });

	test('the exact confirmation and member_added', async () => {
		const [a, b] = await Client.several(d, app, 2);
		a.sendSubscribe(CH,
			{ data: { user_id: 'u-7', user_info: { nick: 'Ada' } } });
		assert.deepEqual(await a.next(), {
			event: 'pusher_internal:subscription_succeeded', channel: CH,
			data: '{"presence":{"ids":["u-7"],"hash":{"u-7":{"nick":"Ada"}},' +
				'"count":1}}' });
		assert.deepEqual(await b.join(CH, 'u-9'), { ids: ['u-7', 'u-9'],
			hash: { 'u-7': { nick: 'Ada' }, 'u-9': null }, count: 2 });
		const m = await a.next();
		assert.deepEqual(Object.keys(m).sort(), ['channel', 'data', 'event']);
		assert.equal(m.event, ADDED);
		assert.deepEqual(JSON.parse(m.data),
			{ user_id: 'u-9', user_info: null });
		await b.close();
		assert.deepEqual(await a.next(), { event: REMOVED, channel: CH,
			data: '{"user_id":"u-9"}' });
		assert.deepEqual(await a.sync(), []);
		await a.close();
	});

	test('B04 the same list on every worker', async () => {
		const all = await Client.onEachWorker(d, app);
		for (const [i, c] of all.entries())
			await c.join(CH, `u${i}`, { i });
		const late = await Client.onEachWorker(d, app);
		for (const c of late) {
			const p = await c.join(CH, 'u0');
			assert.equal(p.count, all.length);
			all.forEach((_, i) => assert.deepEqual(p.hash[`u${i}`], { i }));
		}
		await closeAll([...all, ...late]);
	});

	test('B05 B09 once per user, whatever the number of connections',
		async () => {
			const watcher = await Client.connect(d, app);
			await watcher.join(CH, 'watcher');
			const tabs = await Client.onEachWorker(d, app);
			tabs.push(...await Client.several(d, app, 3));
			for (const [i, c] of tabs.entries()) {
				const p = await c.join(CH, 'u', { tab: i });
				assert.equal(p.count, 2);
				assert.deepEqual(p.hash.u, { tab: 0 }, 'the first info stays');
			}
			assert.deepEqual(await watcher.expect(ADDED, CH),
				{ user_id: 'u', user_info: { tab: 0 } });
			for (const [i, c] of tabs.entries()) {
				await watcher.sync().then((x) => assert.deepEqual(x, []));
				if (i % 2) await c.close();
				else {
					c.unsubscribe(CH);
					await c.sync();
				}
			}
			assert.deepEqual(await watcher.expect(REMOVED, CH),
				{ user_id: 'u' });
			assert.deepEqual(await watcher.sync(), []);
			await closeAll([watcher, ...tabs]);
		});

	test('the second tab hears of others, not of its own user', async () => {
		const [a, b, c] = await Client.several(d, app, 3);
		await a.join(CH, 'u');
		await b.join(CH, 'u');
		await c.join(CH, 'v');
		for (const x of [a, b])
			assert.equal((await x.expect(ADDED, CH)).user_id, 'v');
		await a.close();
		assert.deepEqual(await b.sync(), []);
		assert.deepEqual(await c.sync(), []);
		await closeAll([b, c]);
	});

	test('the order of joining is the order of the list', async () => {
		const all = await Client.several(d, app, 12);
		const ids = ['9', '1', '10', 'b', 'a', '0', '-1', 'é', ' ', 'A',
			'x'.repeat(128), '🎈'];
		for (const [i, c] of all.entries()) await c.join(CH, ids[i]);
		const late = await Client.connect(d, app);
		assert.deepEqual((await late.join(CH, 'z')).ids, [...ids, 'z']);
		await closeAll([...all, late]);
	});

	test('B07 every way out is the same', async () => {
		const watcher = await Client.connect(d, app);
		await watcher.join(CH, 'watcher');
		const ways = {
			close: (c) => c.close(),
			fin: (c) => c.sock.end(),
			drop: (c) => c.destroy(),
			reset: (c) => c.reset(),
			unsubscribe: (c) => c.unsubscribe(CH),
			nonsense: (c) => c.sock.write(Buffer.from([0xff, 0xff])),
		};
		for (const [way, leave] of Object.entries(ways)) {
			const c = await Client.connect(d, app);
			await c.join(CH, way);
			assert.equal((await watcher.expect(ADDED)).user_id, way);
			await leave(c);
			assert.deepEqual(await watcher.expect(REMOVED),
				{ user_id: way });
			c.destroy();
		}
		assert.deepEqual(await watcher.sync(), []);
		await watcher.close();
	});

	test('user_id as number becomes its text', async () => {
		const [a, b] = await Client.several(d, app, 2);
		for (const [n, text] of [['7', '7'], ['1e400', '1e400'],
			['18446744073709551615', '18446744073709551615'], ['-0', '-0'],
			['1.50', '1.50']]) {
			await b.join(CH, 'watcher');
			const p = (await a.subscribe(CH,
				{ data: `{"user_id":${n}}` })).presence;
			assert.deepEqual(p.ids, ['watcher', text]);
			assert.equal((await b.expect(ADDED)).user_id, text);
			a.unsubscribe(CH);
			assert.deepEqual(await b.expect(REMOVED), { user_id: text });
			b.unsubscribe(CH);
		}
		await closeAll([a, b]);
	});

	test('wrong channel_data is refused, the connection stays', async () => {
		const c = await Client.connect(d, app);
		for (const data of ['', 'no json', '[]', '"u"', 'null', '7', '{}',
			'{"user_id":""}', '{"user_id":null}', '{"user_id":{}}',
			'{"user_id":["u"]}', '{"user_id":true}', '{"user_info":{}}',
			'{"user_id":"u"', '{"user_id":"u"}x', '{"user_id":"\\ud800"}',
			`{"user_id":"${'x'.repeat(129)}"}`, '{"User_id":"u"}',
			`{"user_id":"u","user_info":"${'x'.repeat(1023)}"}`]) {
			c.sendSubscribe(CH, { data });
			const r = await c.expectRefused(CH);
			assert.ok(r.status >= 400 && r.status < 500, data);
		}
		c.sendSubscribe(CH); // no channel_data, not signed in
		await c.expectRefused(CH);
		assert.equal((await get(d, app, `/channels/${CH}`)).occupied, false);
		await c.close();
	});

	test('sizes: the last that fits', async () => {
		const c = await Client.connect(d, app);
		const info = 'x'.repeat(1022); // 1024 with its quotes
		const p = await c.join(CH, 'x'.repeat(128), info);
		assert.equal(p.hash['x'.repeat(128)], info);
		await c.close();
		const big = await Client.connect(d, app);
		big.sendSubscribe(CH, { data: { user_id: 'u', user_info: `${info}x` } });
		const r = await big.expectRefused(CH);
		assert.match(r.error + r.message, /1024/);
		await big.close();
	});

	test('subscribed twice: the list again, nothing for the others',
		async () => {
			const [a, b] = await Client.several(d, app, 2);
			await a.join(CH, 'a', { n: 1 });
			await b.join(CH, 'b');
			await a.expect(ADDED);
			const p = await a.join(CH, 'other', { n: 2 });
			assert.deepEqual(p, { ids: ['a', 'b'],
				hash: { a: { n: 1 }, b: null }, count: 2 });
			assert.deepEqual(await b.sync(), []);
			a.unsubscribe(CH);
			assert.equal((await b.expect(REMOVED)).user_id, 'a');
			await closeAll([a, b]);
		});

	test('max_presence_members counts users and frees places', async () => {
		const small = d.app({ max_presence_members: 3 });
		const all = await Client.several(d, small, 8);
		for (const [i, c] of all.slice(0, 3).entries())
			await c.join(CH, `u${i}`);
		await all[3].join(CH, 'u1'); // a member may always add connections
		all[4].sendSubscribe(CH, { data: { user_id: 'u9' } });
		const r = await all[4].expectRefused(CH, 'LimitReached', 413);
		assert.match(r.error + r.message, /3/);
		all[5].sendSubscribe(CH, { data: { user_id: 'u9' }, auth: 'x:y' });
		await all[5].expectRefused(CH, 'AuthError', 401);
		await all[0].close();
		await until('a free place', async () => (await get(d, small,
			`/channels/${CH}`, { info: 'user_count' })).user_count === 2);
		await all[4].join(CH, 'u9');
		await closeAll(all.slice(1));
	});

	test('GET users', async () => {
		const all = await Client.onEachWorker(d, app);
		for (const [i, c] of all.entries()) await c.join(CH, String(i));
		const again = await Client.connect(d, app);
		await again.join(CH, '0');
		assert.deepEqual(await get(d, app, `/channels/${CH}/users`),
			{ users: all.map((_, i) => ({ id: String(i) })) });
		const none = await get(d, app, '/channels/presence-none/users');
		assert.deepEqual(none, { users: [] });
		for (const name of ['room', 'private-x', 'presence'])
			assert.equal((await api(d, app, 'GET',
				`/channels/${name}/users`)).status, 400);
		await closeAll([...all, again]);
	});

	test('channels of other apps and names are others', async () => {
		const second = d.app();
		const [a, b] = [await Client.connect(d, app),
			await Client.connect(d, second)];
		await a.join(CH, 'u');
		assert.equal((await b.join(CH, 'v')).count, 1);
		assert.equal((await b.join('presence-X', 'v')).count, 1);
		assert.deepEqual(await a.sync(), []);
		await closeAll([a, b]);
	});

	test('list and stream give the exact set at every moment', async () => {
		const churn = await Client.several(d, app, 30);
		const watchers = await Client.onEachWorker(d, app);
		let on = true;
		const busy = churn.map(async (c, i) => {
			for (let n = 0; on || n < 10; n++) {
				// Five users share two connections each; others are alone.
				c.sendSubscribe(CH, { data: { user_id: `c${i % 25}` } });
				if (n % 3) await sleep(i % 7);
				c.unsubscribe(CH);
				await c.sync();
			}
		});
		for (let round = 0; round < 15; round++) {
			for (const [i, w] of watchers.entries()) {
				w.members = list(await w.join(CH, `w${i}`));
				assert.ok(w.members.has(`w${i}`), 'the joiner is in its list');
			}
			await sleep(20);
			for (const w of watchers) {
				for (const m of await w.sync()) play(w.members, m);
				w.unsubscribe(CH);
				for (const m of await w.sync()) play(w.members, m);
			}
		}
		for (const [i, w] of watchers.entries())
			w.members = list(await w.join(CH, `w${i}`));
		on = false;
		await Promise.all(busy);
		await closeAll(churn);
		for (const w of watchers)
			await until('the last members', async () => {
				for (const m of await w.sync()) play(w.members, m);
				return w.members.size === watchers.length;
			});
		await closeAll(watchers);
	});
});

suite('presence of 500', (d) => {
	const app = d.app({ max_presence_members: 500 });

	test('every client ends with the same 500 members', async () => {
		const all = await Client.several(d, app, 500);
		await Promise.all(all.map(async (c, i) => {
			c.members = list(await c.join(CH, `user-${i}`, { n: i }));
		}));
		await Promise.all(all.map(async (c) => {
			while (c.members.size < 500) play(c.members, await c.next(60000));
		}));
		const extra = await Client.connect(d, app);
		extra.sendSubscribe(CH, { data: { user_id: 'one more' } });
		await extra.expectRefused(CH, 'LimitReached', 413);
		const users = (await get(d, app, `/channels/${CH}/users`)).users;
		assert.equal(users.length, 500);
		for (const c of all)
			assert.deepEqual([...c.members.keys()].sort(),
				users.map((u) => u.id).sort());
		await Promise.all(all.slice(100).map((c, i) =>
			(i % 2 ? c.close() : c.destroy())));
		await Promise.all(all.slice(0, 100).map(async (c) => {
			while (c.members.size > 100) play(c.members, await c.next(60000));
		}));
		for (const c of all.slice(0, 100)) {
			assert.deepEqual(await c.sync(), []);
			for (let i = 0; i < 100; i++)
				assert.deepEqual(c.members.get(`user-${i}`), { n: i });
		}
		await closeAll([extra, ...all.slice(0, 100)]);
	});
});
