// SPDX-License-Identifier: MIT
//
// The broker is killed again and again under load.  No client is closed, no
// accepted event is lost, doubled or out of order, nobody flaps.
'use strict';

const assert = require('node:assert/strict');
const { Client } = require('../system/lib/client');
const { publish, get } = require('../system/lib/http');
const { BROKER_KILLED, Watcher, Publisher, Crowd, newBroker, sleep,
	settle } = require('./lib/actors');

async function cast({ d, app, history, random, size }) {
	const channels = Array.from({ length: size.channels }, (_, i) => `c${i}`);
	const watchers = [];
	for (let i = 0; i < size.watchers; i++)
		watchers.push(await Watcher.open(d, app, history, `watcher ${i}`,
			[channels[i % channels.length],
				channels[(i * 7 + 3) % channels.length]]
				.filter((c, k, all) => all.indexOf(c) === k)));
	const publishers = Array.from({ length: size.publishers }, (_, i) =>
		new Publisher(d, app, history,
			channels.filter((_c, k) => k % size.publishers === i)));
	const crowd = new Crowd(d, app, history, 'presence-room', random);
	for (let i = 0; i < size.members; i++) await crowd.join(`s${i}`);
	return { channels, watchers, publishers, crowd };
}

async function kill(d, history) {
	const [pid] = d.pidsOf('broker');
	history.fault('broker killed');
	process.kill(pid, 'SIGKILL');
	await newBroker(d, pid);
}

module.exports = async function broker({ start, random, history, short }) {
	const size = short ? { channels: 20, watchers: 40, publishers: 2,
		members: 20, users: 20, rate: 400, kills: 3, every: 700 }
		: { channels: 100, watchers: 400, publishers: 4, members: 100,
			users: 100, rate: 5000, kills: 20, every: 11000 };
	const { d, app } = await start({ workers: 4 },
		{ max_presence_members: 1000 });
	d.allow(...BROKER_KILLED);
	const all = await cast({ d, app, history, random, size });
	all.publishers.forEach((p) => p.start(size.rate / size.publishers));
	all.crowd.start(size.users, 10);
	await publish(d, app, 'cache-x', 'e', 'kept');
	await sleep(300);
	for (let i = 0; i < size.kills; i++) {
		await kill(d, history);
		// After three deaths in ten seconds the master waits.
		await sleep(size.every * (1 + 0.2 * random.next()));
	}
	await Promise.all(all.publishers.map((p) => p.stop()));
	await all.crowd.stop();
	await settle(all.watchers);
	const stable = [...all.watchers, ...all.crowd.members.values()];
	for (const w of stable) history.checkWatcher(w);
	const here = [...all.crowd.members.keys()];
	for (const m of all.crowd.members.values()) m.roster.expect(here);
	const { users } = await get(d, app, '/channels/presence-room/users');
	assert.deepEqual(users.map((u) => u.id).sort(), here.sort());
	const late = await Client.connect(d, app);
	await late.subscribe('cache-x');
	assert.equal((await late.expect('e', 'cache-x')), 'kept',
		'the cached event survives');
	const recovered = history.recovery(all.watchers, 'broker killed');
	return { ...size, changes: all.crowd.changes,
		answers: all.publishers.map((p) => p.status),
		delivered: all.watchers.reduce((n, w) => n + w.times.length, 0),
		'worst ms to a new event': Math.round(recovered) };
};
