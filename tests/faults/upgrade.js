// SPDX-License-Identifier: MIT
//
// Upgrades in a row, there and back (FAULTS=50 of them), under load.  No
// client is closed, no event is lost, doubled or out of order, nobody flaps;
// in the end there are as many descriptors as before, and as much memory.
'use strict';

const assert = require('node:assert/strict');
const { SLOW, until } = require('../system/lib/daemon');
const programs = require('../system/lib/programs');
const { Watcher, Publisher, Crowd, settle } = require('./lib/actors');
const { descriptors, memory } = require('../system/lib/process');

const ROOM = 'presence-room';
// Of the bytes before, and what five small processes vary by.
const allowed = (before) => before * 1.05 * SLOW + 2 * 2 ** 20;

const sum = (d, of) => Object.keys(d.processes())
	.reduce((n, pid) => n + of(pid), 0);
const open = (d) => sum(d, descriptors);
const count = (d, pattern) => d.readLog().match(pattern)?.length ?? 0;

async function upgrade(d, file, history) {
	const reloads = count(d, /reload: done/g);
	history.fault('upgrade');
	const r = await d.ctlAsync(['-j', 'upgrade', '--binary', file]);
	assert.equal(r.code, 0, r.err);
	const report = JSON.parse(r.out);
	assert.equal(report.closed, 0, r.out);
	await until('its reload', () => count(d, /reload: done/g) > reloads);
	return report;
}

// There and back, while numbered events come, and guests come and go.
async function pairs(s, n) {
	const { d, app, history } = s;
	const publishers = s.channels.map((c) =>
		s.publishers.get(c) ?? new Publisher(d, app, history, [c]));
	s.channels.forEach((c, i) => s.publishers.set(c, publishers[i]));
	publishers.forEach((p) => p.start(s.rate / publishers.length));
	s.guests.start(20, 20);
	for (let i = 0; i < n; i++)
		for (const file of s.files)
			s.longest = Math.max(s.longest,
				(await upgrade(d, file, history)).ms);
	await Promise.all(publishers.map((p) => p.stop()));
	await s.guests.stop();
	for (const c of s.guests.members.values()) await c.leave();
	s.guests.members.clear();
	await settle(s.watchers);
}

module.exports = async function upgrades({ start, history, random, short }) {
	const n = Math.ceil(Number(process.env.FAULTS ?? (short ? 4 : 50)) / 2);
	const size = short ? { watchers: 20, members: 10, rate: 200 }
		: { watchers: 500, members: 50, rate: 2000 };
	const { d, app } = await start({ workers: 2, log_level: 'info' },
		{ max_presence_members: 1000 });
	const s = { d, app, history, ...size, longest: 0, watchers: [],
		channels: ['a', 'b', 'c', 'd'], publishers: new Map(),
		files: ['0.1.1', '0.1.0'].map((v) => programs.ofVersion(d, v)),
		guests: new Crowd(d, app, history, 'presence-guests', random) };
	const crowd = new Crowd(d, app, history, ROOM, random);
	for (let i = 0; i < size.watchers; i++)
		s.watchers.push(await Watcher.open(d, app, history,
			`watcher ${i}`, [s.channels[i % s.channels.length]]));
	for (let i = 0; i < size.members; i++) await crowd.join(`s${i}`);

	await pairs(s, 1); // every process has begun as a later one does
	const before = { fds: open(d), bytes: sum(d, memory) };
	await pairs(s, n);
	await until('the descriptors of before', () =>
		open(d) <= before.fds);
	const bytes = sum(d, memory);
	if (bytes > allowed(before.bytes))
		history.wrong(`${bytes} bytes in memory, ${before.bytes} before`);

	const here = [...crowd.members.values()];
	for (const w of [...s.watchers, ...here]) history.checkWatcher(w);
	for (const w of here) w.roster.expect([...crowd.members.keys()]);
	return { upgrades: 2 * n, ...size, guests: s.guests.changes,
		delivered: s.watchers.reduce((k, w) => k + w.times.length, 0),
		'longest ms': s.longest, descriptors: [before.fds, open(d)],
		'MiB of memory': [before.bytes, bytes].map((b) =>
			Math.round(b / 2 ** 20)) };
};
