// SPDX-License-Identifier: MIT
//
// Members that leave a large channel while a worker is late: they leave as fast
// as the workers tell their channel of it, also if the broker dies meanwhile,
// and one that comes back before its turn was never away.
'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, until, sleep } = require('./lib/daemon');

const CH = 'presence-large';
const ADDED = 'pusher_internal:member_added';
const REMOVED = 'pusher_internal:member_removed';
const CROWD = 600; // connections of one user: each departure is told to all
const LEAVE = 500; // of which those on the worker that is not late are too many

// Joins without reading the list or what comes after it.
async function join(d, app, id) {
	const c = await Client.connect(d, app);
	c.sock.removeAllListeners('data');
	c.sock.resume();
	c.sendSubscribe(CH, { data: { user_id: id } });
	return c;
}

async function joinAll(d, app, n, id) {
	const all = [];
	for (let i = 0; i < n; i += 50)
		all.push(...await Promise.all(Array.from({ length: 50 },
			(_, k) => join(d, app, id(i + k)))));
	return all;
}

// What an observer has seen of each user: "+" came, "-" left.
function seen(c) {
	const changes = new Map();
	for (const f of c.frames) {
		const m = JSON.parse(f.payload);
		if (m.event !== ADDED && m.event !== REMOVED) continue;
		const { user_id: id } = JSON.parse(m.data);
		changes.set(id, (changes.get(id) ?? '') +
			(m.event === ADDED ? '+' : '-'));
	}
	return changes;
}

const ask = (d, app) => d.ctl(['channel', app.id, CH])[0];
const count = (d, app) => ask(d, app).channel.users;

// A worker stands still while the clients of the other one leave; then(d, c, id)
// has a client of that, and a user who waits there.
function late(what, then) {
	test(what, async () => {
		const d = new Daemon({ workers: 2 });
		const app = d.app({ max_presence_members: 1000 });
		await d.start();
		const [a, b] = await Client.onEachWorker(d, app);
		const [back, other] = await Client.onEachWorker(d, app);
		await a.join(CH, 'a');
		await b.join(CH, 'b');
		const crowd = await joinAll(d, app, CROWD, () => 'crowd');
		const leavers = await joinAll(d, app, LEAVE, (i) => `u${i}`);
		await until('all are there', () => count(d, app) === LEAVE + 3);
		const workers = new Map(d.ctl(['connections', 'list', app.id])
			.map((c) => [c.socket_id, c.worker]));
		const here = new Set([...leavers.entries()].filter(([, c]) =>
			workers.get(c.sid) === workers.get(a.sid)).map(([i]) => `u${i}`));
		const stopped = b.worker;
		process.kill(stopped, 'SIGSTOP');
		let id;
		try {
			leavers.forEach((c) => c.destroy());
			let n = 0;
			await until('as many have left as may', async () => {
				const before = n;
				n = count(d, app);
				await sleep(100);
				return n < LEAVE && n === before;
			});
			id = ask(d, app).members.map((m) => m.user)
				.find((u) => here.has(u));
			assert.ok(id, `${n} are left: nobody waits of ${here.size}`);
			await then(d, back, id);
		} finally {
			process.kill(stopped, 'SIGCONT');
		}
		const stays = back.joined ? 1 : 0;
		await until('they have left', () =>
			count(d, app) === 3 + stays, 20000);
		for (const c of [a, b]) {
			const left = () => [...seen(c).values()]
				.filter((x) => x === '+-').length;
			await until('it is told', () => left() >= LEAVE - stays);
			const rest = [...seen(c)].filter(([, x]) => x !== '+-');
			assert.deepEqual(Object.fromEntries(rest), {
				...(c === a ? { b: '+' } : {}), crowd: '+',
				...(stays ? { [id]: '+' } : {}) });
		}
		await closeAll([a, b, back, other]);
		crowd.forEach((c) => c.destroy());
		await d.stop();
	});
}

describe('members that leave while a worker is late', () => {
	late('one that comes back was never away', async (d, c, id) => {
		assert.ok((await c.join(CH, id)).ids.includes(id));
		c.joined = true;
	});

	late('the broker dies', async (d) => {
		d.allow(/broker .*pid=/, /link/);
		const [broker] = d.pidsOf('broker');
		process.kill(broker, 'SIGKILL');
		await until('another broker', () => {
			const [now] = d.pidsOf('broker');
			return now !== undefined && now !== broker;
		});
	});
});
