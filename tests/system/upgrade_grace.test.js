// SPDX-License-Identifier: MIT
//
// presence_grace while another version takes over: members whose connections
// broke before, or break after it, stay for as long as ever.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, until, SLOW } = require('./lib/daemon');
const { get } = require('./lib/http');
const programs = require('./lib/programs');
const { newId, open, enter } = require('./lib/resume');

const GRACE = 10 * SLOW;
const ROOM = 'presence-room';
const as = (user_id) => ({ data: { user_id } });

test('who is back in time never left, the others leave once', async () => {
	const d = new Daemon({ workers: 2, crash_grace: 0 });
	const app = d.app({ resume: 'on', presence_grace: String(GRACE) });
	await d.start();
	await d.run(async () => {
		const w = await Client.connect(d, app);
		await w.subscribe(ROOM, as('watcher'));
		const ids = {};
		const join = async (user) => {
			const c = await open(d, app, ids[user] ??= newId());
			return { c, word: await enter(c, ROOM, as(user)) };
		};
		const clients = {};
		for (const user of ['back', 'lost', 'later']) {
			clients[user] = (await join(user)).c;
			assert.equal((await w.expect('pusher_internal:member_added', ROOM))
				.user_id, user);
		}
		const subscribed = (n) => until(`${n} subscriptions`, async () =>
			(await get(d, app, `/channels/${ROOM}`, { info:
				'subscription_count' })).subscription_count === n);
		const cut = performance.now();
		clients.back.reset();
		clients.lost.reset();
		await subscribed(2);
		const r = await d.ctlAsync(['-j', 'upgrade', '--binary',
			programs.ofVersion(d, '0.1.1')]);
		assert.equal(r.code, 0, r.err);
		assert.equal(JSON.parse(r.out).closed, 0);
		const back = await join('back');
		assert.equal(back.word.status, 'continued');
		clients.later.reset();
		await subscribed(2);
		const broke = performance.now();
		const users = async () => (await get(d, app,
			`/channels/${ROOM}/users`)).users.map((u) => u.id).sort();
		assert.deepEqual((await users()).filter((user) => user !== 'lost'),
			['back', 'later', 'watcher']);
		for (const [user, from] of [['lost', cut], ['later', broke]]) {
			assert.equal((await w.expect('pusher_internal:member_removed',
				ROOM)).user_id, user);
			const ms = performance.now() - from;
			assert.ok(ms > GRACE * 900, `${user}: after ${ms} ms`);
		}
		assert.deepEqual(await users(), ['back', 'watcher']);
		await w.quiet(300);
		await back.c.close();
		await w.close();
	});
});
