// SPDX-License-Identifier: MIT
//
// presence_grace: a member whose connection with a session broke stays for a
// while, and nobody hears of it if he is back in time.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { sleep, until, SLOW } = require('./lib/daemon');
const { api, get } = require('./lib/http');
const { newId, open, enter } = require('./lib/resume');
const { suite } = require('./lib/suite');

const GRACE = 2 * SLOW;
const as = (user_id) => ({ data: { user_id } });
const ADDED = 'pusher_internal:member_added';
const REMOVED = 'pusher_internal:member_removed';
let nth = 0;

async function watched(d, app) {
	const name = `presence-${nth++}`;
	const w = await Client.connect(d, app);
	await w.subscribe(name, as('watcher'));
	return { name, w };
}

async function join(d, app, w, name, user, id = newId()) {
	const c = await open(d, app, id);
	await enter(c, name, as(user));
	if (w) assert.equal((await w.expect(ADDED, name)).user_id, user);
	return c;
}

async function gone(w, name, user, least, from = Date.now()) {
	assert.equal((await w.expect(REMOVED, name)).user_id, user);
	const took = Date.now() - from;
	if (least) assert.ok(took > least, `${took} ms`);
	else assert.ok(took < GRACE * 900, `${took} ms`);
}

suite('presence_grace', (d) => {
	const app = d.app({ resume: 'on', presence_grace: String(GRACE) });
	const without = d.app({ resume: 'on' });

	test('back in time: no event, the same place; counts are exact',
		async () => {
			const { name, w } = await watched(d, app);
			const id = newId();
			let c = await join(d, app, w, name, 'ann', id);
			for (let i = 0; i < 2; i++) {
				c.reset();
				await until('its end', async () => (await get(d, app,
					`/channels/${name}`, { info: 'subscription_count' }))
					.subscription_count === 1);
				assert.equal((await get(d, app, `/channels/${name}`,
					{ info: 'user_count' })).user_count, 2);
				assert.deepEqual((await get(d, app,
					`/channels/${name}/users`)).users,
				[{ id: 'watcher' }, { id: 'ann' }]);
				c = await open(d, app, id);
				assert.equal((await enter(c, name, as('ann'))).status,
					'continued');
			}
			await w.quiet(GRACE * 1300);
			c.unsubscribe(name);
			await gone(w, name, 'ann');
			await c.close();
			await w.close();
		});

	test('not back: gone after the grace, once', async () => {
		const { name, w } = await watched(d, app);
		const c = await join(d, app, w, name, 'bob');
		c.reset();
		await gone(w, name, 'bob', GRACE * 900);
		await w.quiet(100);
		const again = await join(d, app, w, name, 'bob');
		await again.close();
		await w.close();
	});

	test('a member that leaves on purpose is gone at once', async () => {
		const { name, w } = await watched(d, app);
		let c = await join(d, app, w, name, 'cy');
		await c.close(); // with a close frame
		await gone(w, name, 'cy');
		c = await join(d, app, w, name, 'cy');
		await d.ctlAsync(['connections', 'kill', c.sid]); // 4009
		await gone(w, name, 'cy');
		c.reset();
		c = await join(d, app, w, name, 'cy');
		await c.signin({ id: 'cy' });
		assert.equal((await api(d, app, 'POST',
			'/users/cy/terminate_connections', { body: {} })).status, 200);
		await gone(w, name, 'cy');
		c.reset();
		const plain = await Client.connect(d, app);
		await plain.subscribe(name, as('plain'));
		await w.expect(ADDED, name);
		plain.reset(); // no session
		await gone(w, name, 'plain');
		await w.close();
	});

	test('kill --reconnect: the deploy of a worker makes no flicker',
		async () => {
			const { name, w } = await watched(d, app);
			const id = newId();
			const c = await join(d, app, w, name, 'dee', id);
			await d.ctlAsync(['connections', 'kill', c.sid, '--reconnect']);
			await c.expectFatal(4200);
			const again = await join(d, app, null, name, 'dee', id);
			await w.quiet(GRACE * 1300);
			await again.close();
			await w.close();
		});

	test('several connections of one user', async () => {
		const { name, w } = await watched(d, app);
		const one = await join(d, app, w, name, 'eve');
		const two = await join(d, app, null, name, 'eve');
		const from = Date.now();
		one.reset();
		await sleep(100);
		await two.close(); // the first one may still come back
		await gone(w, name, 'eve', GRACE * 900, from);
		await w.close();
	});

	test('an app without it reports at once', async () => {
		const { name, w } = await watched(d, without);
		const c = await join(d, without, w, name, 'fay');
		c.reset();
		await gone(w, name, 'fay');
		await w.close();
	});

	test('alone in the channel: it stays occupied, then is vacated',
		async () => {
			const name = 'presence-alone';
			const c = await join(d, app, null, name, 'gus');
			c.reset();
			await sleep(300);
			assert.equal((await get(d, app, `/channels/${name}`,
				{ info: 'user_count' })).user_count, 1);
			await until('its end', async () => (await get(d, app,
				`/channels/${name}`, { info: 'user_count' }))
				.user_count === 0);
		});
}, { crash_grace: 0 });

suite('presence_grace over deaths', (d) => {
	const app = d.app({ resume: 'on', presence_grace: String(GRACE) });

	for (const role of ['broker', 'worker'])
		test(`kill -9 of the ${role}: a member that is back in time never left`,
			async () => {
				d.allow(/link to the broker lost|died|resync|killed/);
				const { name, w } = await watched(d, app);
				const id = newId();
				let c = await join(d, app, w, name, 'hal', id);
				const lost = await join(d, app, w, name, 'ida');
				if (role === 'broker') {
					c.reset();
					lost.reset();
					await sleep(100);
				}
				const pids = d.pidsOf(role);
				for (const pid of pids) process.kill(pid, 'SIGKILL');
				await until('new processes', () => {
					const now = d.pidsOf(role);
					return now.length === pids.length &&
						now.every((p) => !pids.includes(p));
				});
				c = await until('a connection', async () => {
					try { return await open(d, app, id); } catch { return null; }
				});
				await enter(c, name, as('hal'));
				if (role === 'broker') {
					await gone(w, name, 'ida', 500);
					await w.quiet(300);
					await w.close();
				} else {
					const users = async () => (await get(d, app,
						`/channels/${name}/users`)).users.length;
					assert.equal(await users(), 3);
					await until('the others have left', async () =>
						await users() === 1, 20000);
				}
				await c.close();
			});
}, { crash_grace: 1 });
