// SPDX-License-Identifier: MIT
//
// The database is replaced or deleted while the server runs: an app with the
// number of another one is another app.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Console } = require('./lib/console');
const { Daemon, sleep, until } = require('./lib/daemon');
const { api, get } = require('./lib/http');
const { Receiver } = require('./lib/receiver');
const { enter, newId, open } = require('./lib/resume');

// A server with an app "first", and beside it a database in which the same
// number belongs to an app "other".
async function setting(workers) {
	const d = new Daemon({ workers });
	const other = d.app({}, { id: '902' });
	fs.renameSync(d.conf.database, `${d.conf.database}.other`);
	const first = d.app({}, { id: '901' });
	await d.start();
	return { d, first, other };
}

for (const died of [false, true])
	test(`T1: another database, ${died ? 'and a new broker' : 'and a reload'}`,
		async () => {
			const { d, first, other } = await setting(2);
			d.allow(/broker was killed by signal 9|link to the broker lost/);
			const c = await Client.connect(d, first);
			await c.subscribe('cache-a');
			await c.expect('pusher:cache_miss', 'cache-a');
			assert.equal((await api(d, first, 'POST', '/events', { body: {
				name: 'e', channel: 'cache-a', data: 'of the first' } }))
				.status, 200);
			await c.expect('e', 'cache-a');
			fs.renameSync(`${d.conf.database}.other`, d.conf.database);
			if (died) {
				const [pid] = d.pidsOf('broker');
				process.kill(pid, 'SIGKILL');
				await until('a new broker', () => {
					const now = d.pidsOf('broker');
					return now.length === 1 && now[0] !== pid;
				});
			} else {
				assert.equal((await d.ctlAsync(['reload'])).code, 0);
			}
			await c.expectFatal(4001);
			const n = await until('the other app', async () => {
				try {
					return await Client.connect(d, other);
				} catch {
					return null;
				}
			});
			n.sendSubscribe('cache-a');
			await n.expect('pusher_internal:subscription_succeeded', 'cache-a');
			await n.expect('pusher:cache_miss', 'cache-a');
			assert.deepEqual((await get(d, other, '/channels')).channels,
				{ 'cache-a': {} });
			await n.close();
			await d.stop();
		});

test('T1: no database is made below a running server', async () => {
	const d = new Daemon({ workers: 1 });
	const app = d.app();
	await d.start();
	fs.renameSync(d.conf.database, `${d.conf.database}.away`);
	const r = await d.ctlAsync(['app', 'create', '--name', 'other']);
	assert.notEqual(r.code, 0, r.out);
	assert.match(r.err, /is gone, and the server that uses it is running/);
	assert.ok(!fs.existsSync(d.conf.database));
	fs.renameSync(`${d.conf.database}.away`, d.conf.database);
	assert.equal((await d.ctlAsync(['app', 'create', '--name', 'other'])).code,
		0);
	await (await Client.connect(d, app)).close();
	await d.stop();
});

const KILLED = /broker was killed by signal 9|link to the broker lost/;

// The same for a server that runs, with these settings of both apps; fn gets
// `swap`, which replaces the database, and `other`, which waits for its app.
async function swapping(d, settings, fn, more = () => {}) {
	const { database } = d.conf;
	const app = d.app(settings, { id: '902' });
	await more(app);
	fs.renameSync(database, `${database}.other`);
	const first = d.app(settings, { id: '901' });
	d.allow(KILLED);
	await d.start();
	const swap = async (died) => {
		fs.renameSync(`${database}.other`, database);
		if (died) process.kill(d.pidsOf('broker')[0], 'SIGKILL');
		else assert.equal((await d.ctlAsync(['reload'])).code, 0);
	};
	// Several: a worker may stand still.
	const other = () => until('the other app', () => Promise.any(Array.from(
		{ length: 6 }, () => Client.connect(d, app))).catch(() => null), 20000);
	await d.run(() => fn({ first, app, swap, other }));
}

for (const died of [false, true])
	test(`a worker that has not read of it, ${died ? 'and a new broker'
		: 'and a reload'}`, async () => {
		const r = await Receiver.start();
		const d = new Daemon({ workers: 2, webhook_allow_private: 'on',
			crash_grace: 20 });
		d.allow(/not every worker|too late/);
		await swapping(d, { client_events: 'on', presence_grace: 60 },
			async ({ first, app, swap, other }) => {
				const [a, b] = await Client.onEachWorker(d, first);
				await b.join('presence-x', 'of the first', { secret: 1 });
				await b.subscribe('private-x');
				await a.subscribe('private-x');
				await b.signin({ id: 'of the first' });
				const pid = b.worker;
				process.kill(pid, 'SIGSTOP');
				b.trigger('private-x', 'client-x', 'of the first');
				const swapped = swap(died);
				await a.expectFatal(4001);
				setTimeout(() => process.kill(pid, 'SIGCONT'), 2500);
				const n = await other();
				n.sendSubscribe('presence-x',
					{ data: { user_id: 'of the other' } });
				const m = await n.expect(
					'pusher_internal:subscription_succeeded', 'presence-x');
				assert.deepEqual(m.presence.ids, ['of the other']);
				await n.subscribe('private-x');
				await b.expectFatal(4001);
				await swapped;
				await sleep(500);
				await n.quiet();
				assert.deepEqual((await get(d, app, '/channels')).channels,
					{ 'presence-x': {}, 'private-x': {} });
				assert.equal((await get(d, app, '/channels/presence-x',
					{ info: 'user_count' })).user_count, 1);
				await r.have(3);
				await n.close();
				await until('its end', () => r.events.length === 6);
				assert.deepEqual([...new Set(r.events.map((e) =>
					e.user_id ?? e.channel))].sort(),
				['of the other', 'presence-x', 'private-x']);
			}, (app) => d.ctl(['webhook', 'add', app.id, r.url]));
		await r.stop();
	});

test('an answer that comes late is not for the other app', async () => {
	const d = new Daemon({ workers: 2 });
	await swapping(d, { resume: 'on' }, async ({ first, app, swap, other }) => {
		const send = (to, more) => api(d, to, 'POST', '/events', {
			body: { name: 'e', channel: 'room', data: 'x',
				info: 'subscription_count' },
			headers: { 'X-Idempotency-Key': 'k', ...more } });
		const mute = await open(d, first, newId());
		await enter(mute, 'room');
		mute.answerPings = false;
		const asked = send(first, { 'X-Pusherd-Confirm': '8s' });
		await mute.expect('e', 'room');
		await swap(false);
		const n = await other();
		assert.equal((await asked).status, 200);
		await n.subscribe('room');
		const answer = await send(app);
		assert.equal(answer.status, 200);
		assert.deepEqual(answer.json.channels.room, { subscription_count: 1 });
		await n.expect('e', 'room');
		await n.close();
		mute.destroy();
	});
});

test('a session of the console ends with its app', async () => {
	const c = await Console.start();
	await swapping(c.d, {}, async ({ first, swap, other }) => {
		const cookie = await c.login('--app', first.id);
		await swap(false);
		const n = await other();
		const r = await c.request('/session', { cookie });
		assert.equal(r.status, 401, JSON.stringify(r.body));
		await n.close();
	});
});
