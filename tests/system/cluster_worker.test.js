// SPDX-License-Identifier: MIT
//
// A worker is killed while Redis is away: the next one in its slot takes
// clients at once, as the others do, and what they ask for comes in order when
// Redis is back.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { becomesReady, host, hosts, isReady, startReady, status } =
	require('./lib/cluster');
const { becomes, until } = require('./lib/daemon');
const { get } = require('./lib/http');
const { Redis } = require('./lib/redis');
const { newId, open } = require('./lib/resume');

const CHANNEL = 'presence-w';
const DONE = 'pusher_internal:subscription_succeeded';
const ADDED = 'pusher_internal:member_added';
const REMOVED = 'pusher_internal:member_removed';
// What it was told is there when it is back.
const KEEPS = [['appendonly', 'yes'], ['appendfsync', 'always']];

describe('a worker is killed while Redis is away', () => {
	const redis = new Redis();
	let a, b, app;

	before(async () => {
		await redis.start(KEEPS);
		a = host(redis, 'a', { workers: 2 });
		b = host(redis, 'b');
		a.allow(/worker/);
		for (const d of [a, b]) {
			d.ctl(['app', 'set', '42', 'resume=on']);
			await startReady(d);
		}
		app = a.shared;
	});

	after(async () => {
		for (const d of [a, b]) await d.stop();
		await redis.remove();
	});

	// Kills the worker of this client; the one that follows has another pid.
	const kill = async (c) => {
		const old = c.worker;
		const others = a.pidsOf('worker').filter((p) => p !== old);
		process.kill(old, 'SIGKILL');
		return until('the next worker', () => a.pidsOf('worker')
			.find((p) => p !== old && !others.includes(p)));
	};

	// A client of this worker: greeted, as fast as by any other.
	const connectTo = async (pid) => {
		for (;;) {
			const c = await Client.connect(a, app);
			if (c.worker === pid) return c;
			await c.close();
		}
	};

	const users = async (d) => (await get(d, app, `/channels/${CHANNEL}/users`))
		.users.map((u) => u.id).sort();

	// Each change of members makes sense, and none is missing in the end.
	const follow = async (c) => {
		const there = new Set(['x', 'y', 'z']);
		while ([...there].sort().join() !== 'last,y,z') {
			const m = await c.next();
			const id = JSON.parse(m.data).user_id;
			assert.ok([ADDED, REMOVED].includes(m.event), c.text);
			assert.equal(there.has(id), m.event === REMOVED, c.text);
			if (m.event === ADDED) there.add(id);
			else there.delete(id);
		}
	};

	const AWAY = {
		'it stands still': {
			go: () => redis.child.kill('SIGSTOP'),
			come: () => redis.child.kill('SIGCONT'),
		},
		'it has been killed': {
			go: async () => {
				await redis.stop();
				await until('the host to know it', async () =>
					!await isReady(a));
			},
			come: () => redis.start(KEEPS),
		},
		'it has been killed, and the broker after it': {
			go: async () => {
				await redis.stop();
				const [old] = a.pidsOf('broker');
				process.kill(old, 'SIGKILL');
				await until('the next broker to serve', () =>
					status(a).state === 'joining' ||
					status(a).state === 'away');
			},
			come: () => redis.start(KEEPS),
		},
	};
	for (const [how, { go, come }] of Object.entries(AWAY))
		test(how, async () => {
			const [x, y] = await Client.onEachWorker(a, app);
			const z = await Client.connect(b, app);
			await z.signin({ id: 'z' });
			await y.signin({ id: 'y', watchlist: ['z'] });
			await y.expect('pusher_internal:watchlist_events');
			await Client.joinAll([z, y, x], CHANNEL,
				(c) => ({ id: c === x ? 'x' : c === y ? 'y' : 'z' }));
			await go();
			// Two deaths of one slot, each with clients that wait.
			const first = await connectTo(await kill(x));
			first.sendSubscribe(CHANNEL, { data: { user_id: 'first' } });
			first.sendSubscribe('c');
			assert.deepEqual(await first.sync(), []);
			const last = await connectTo(await kill(first));
			last.sendSubscribe(CHANNEL, { data: { user_id: 'last' } });
			last.sendSubscribe('c');
			assert.deepEqual(await last.sync(), []);
			for (const c of [y, z])
				await c.quiet(1200); // longer than crash_grace
			await come();
			const roster = await last.expect(DONE, CHANNEL);
			assert.ok(roster.presence.ids.includes('last'));
			await last.expect(DONE, 'c');
			for (const c of [y, z]) await follow(c);
			for (const d of [a, b]) {
				await becomesReady(d);
				await becomes(() => users(d), ['last', 'y', 'z']);
			}
			// The slot has its place on the other host, too.
			await becomes(async () => (await get(b, app, '/channels/c',
				{ info: 'subscription_count' })).subscription_count, 1);
			assert.equal(hosts(b).find((h) => h.host === 'a').workers, 2);
			await closeAll([last, y, z]);
			for (const c of [x, first]) c.destroy();
			await becomes(() => users(b), []);
		});

	test('a session that ends meanwhile holds nobody up', async () => {
		a.ctl(['app', 'set', '42', 'max_connections=100']);
		const [one, two] = await Client.onEachWorker(a, app);
		const ends = [];
		for (const c of [one, two])
			do ends.unshift(await open(a, app, newId()));
			while (ends[0].worker !== c.worker);
		redis.child.kill('SIGSTOP');
		for (const c of [one, two]) {
			c.sendSubscribe('d');
			await c.sync();
		}
		for (const c of ends) c.destroy();
		const more = await Client.onEachWorker(a, app);
		redis.child.kill('SIGCONT');
		for (const c of [one, two]) await c.expect(DONE, 'd');
		await closeAll([one, two, ...more]);
		a.ctl(['app', 'set', '42', 'max_connections=0']);
	});

	test('a client that waits for its session is greeted all the same',
		async () => {
			redis.child.kill('SIGSTOP');
			const c = await open(a, app, newId());
			c.sendSubscribe('e');
			assert.deepEqual(await c.sync(), []);
			redis.child.kill('SIGCONT');
			await c.expect(DONE, 'e');
			const word = await c.expect('pusher:resume', 'e');
			assert.ok(['new', 'gap'].includes(word.status), word.status);
			await c.close();
		});
});
