// SPDX-License-Identifier: MIT
//
// Upgrades in a row, there and back (FAULTS=50 of them), under load, with
// clients of every kind.  No client is closed but one whose TLS handshake is not
// complete, no event is lost, doubled or out of order, nobody flaps, webhooks
// are silent; in the end there are as many descriptors as before, and as much
// memory.
//
// CLIENTS=20000 are the clients of `pusherctl bench fanout` beside them, for
// BENCH_SECONDS, and CONNECTS=1000 a second come and go.
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const path = require('node:path');
const { DEFLATE } = require('../system/lib/client');
const { PUSHERCTL, SLOW, environment, options,
	until } = require('../system/lib/daemon');
const programs = require('../system/lib/programs');
const { Page } = require('../system/lib/page');
const { Receiver } = require('../system/lib/receiver');
const { Authority } = require('../system/lib/tls');
const { Watcher, Publisher, Crowd, settle } = require('./lib/actors');
const { Kinds, overTls } = require('./lib/kinds');
const { descriptors, memory } = require('../system/lib/process');

const WORKERS = 2;
const RATE = 2000; // published a second
const ROOM = 'presence-room';
// Of the bytes before, and what five small processes vary by.
const allowed = (before) => before * 1.05 * SLOW + 2 * 2 ** 20;
const BRING_UP_MS = 300000; // of the bench
const SETTLE_MS = 30000; // TLS of an earlier process ends within it
const AWAY_MS = 300; // a page that is far away

const sum = (pids, of) => pids.reduce((n, pid) => n + of(pid), 0);
// Those that encrypt for the clients of a process before, until these leave.
const earlier = (d) => d.pidsOf('TLS');
const serving = (d) => Object.keys(d.processes()).map(Number)
	.filter((pid) => !earlier(d).includes(pid));
const count = (d, pattern) => d.readLog().match(pattern)?.length ?? 0;
const mib = (bytes) => Math.round(bytes / 2 ** 20);

async function upgrade(s, file) {
	const { d, history } = s;
	const reloads = count(d, /reload: done/g);
	await s.kinds.each('half');
	history.fault('upgrade');
	const r = await d.ctlAsync(['-j', 'upgrade', '--binary', file]);
	assert.equal(r.code, 0, r.err);
	const report = JSON.parse(r.out);
	// Only these come back by TLS, of which the handshake may not be complete.
	assert.ok(report.closed < s.pages.length, r.out);
	s.handshakes += report.closed;
	await until('its reload', () => count(d, /reload: done/g) > reloads);
	await s.kinds.each('whole');
	s.upgrades++;
	s.longest = Math.max(s.longest, report.ms);
}

// ---- the others ----

// A program with its answer on the standard output, as JSON.
function run(command, args, how = {}) {
	const p = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...how });
	let out = '';
	let err = '';
	p.stdout.on('data', (b) => { out += b; });
	p.stderr.on('data', (b) => { err += b; });
	p.answer = new Promise((ok) => p.on('close', (code) => {
		p.over = true;
		ok(code === 0 ? JSON.parse(out) : { failed: err });
	}));
	return p;
}

// Many clients, of 20 in a channel.  It never sleeps, so the others go first.
async function bench(s, n) {
	const app = s.bulk;
	const p = run('nice', ['-n', '5', PUSHERCTL, ...options(s.d.conf), '-j',
		'bench', 'fanout', '--port', String(s.d.port), '--app', app.id,
		'--clients', String(n), '--channels', String(Math.ceil(n / 20)),
		'--rate', String(RATE), '--publishers', '4', '--processes', '2',
		'--sources', '4',
		'--seconds', process.env.BENCH_SECONDS ?? '150'], { env: environment() });
	await until('its clients', () => p.over ||
		s.d.ctl(['stats', app.id])[0].app.subscriptions >= n, BRING_UP_MS);
	return p;
}

function checkBench(s, r) {
	for (const what of ['failed', 'lost', 'duplicate', 'out_of_order',
		'refused'])
		if (r[what]) s.history.wrong(`bench: ${what}: ${r[what]}`);
}

// ---- there and back ----

// While numbered events come, and guests come and go.
async function pairs(s, n) {
	const { d, app, history } = s;
	const publishers = s.channels.map((c) =>
		s.publishers.get(c) ?? new Publisher(d, app, history, [c]));
	s.channels.forEach((c, i) => s.publishers.set(c, publishers[i]));
	const kept = s.publishers.get('kept') ??
		new Publisher(d, s.kept, history, ['kept']);
	s.publishers.set('kept', kept);
	publishers.forEach((p) => p.start(s.rate / publishers.length));
	kept.start(50);
	s.guests.start(20, 20);
	for (let i = 0; i < n; i++)
		for (const file of s.files) await upgrade(s, file);
	await Promise.all([...publishers, kept].map((p) => p.stop()));
	await s.guests.stop();
	for (const c of s.guests.members.values()) await c.leave();
	s.guests.members.clear();
	await settle(s.watchers);
}

// What it has when TLS of earlier processes is over, but for the watchers'.
async function measure({ d }) {
	await until('earlier processes to leave', () =>
		earlier(d).length <= WORKERS, SETTLE_MS);
	const all = [...serving(d), ...earlier(d)];
	return { fds: sum(all, descriptors), bytes: sum(serving(d), memory),
		earlier: Math.max(0, ...earlier(d).map((pid) => memory(pid))) };
}

async function begin({ start, history, random, short }, clients) {
	const size = short ? { watchers: 20, members: 10, rate: 200 }
		: { watchers: 500, members: 50, rate: clients > 0 ? 200 : RATE };
	const authority = new Authority();
	const s = { history, random, authority, size, rate: size.rate, longest: 0,
		upgrades: 0, handshakes: 0, watchers: [], channels: ['a', 'b', 'c', 'd'],
		publishers: new Map() };
	const { d, app } = await start({ workers: WORKERS, log_level: 'info',
		handshake_timeout: 600, // half of one waits for a whole upgrade
		listen: ['127.0.0.1:0', '127.0.0.1:0 tls'],
		tls_certificate: authority.file('cert.pem'),
		tls_key: authority.file('key.pem') },
	{ max_presence_members: 1000, webhook_allow_private: 'on' },
	(daemon) => {
		s.kept = daemon.app({ resume: 'on' });
		s.bulk = daemon.app({ max_backend_events_per_second: 0 });
		return [];
	});
	s.hooks = await Receiver.start();
	d.ctl(['webhook', 'add', app.id, s.hooks.url, '--events',
		'channel_occupied,channel_vacated,member_added,member_removed']);
	return Object.assign(s, { d, app,
		files: ['0.1.1', '0.1.0'].map((v) => programs.ofVersion(d, v)),
		guests: new Crowd(d, app, history, 'presence-guests', random),
		crowd: new Crowd(d, app, history, ROOM, random) });
}

// Those that stay all the time.
async function fill(s) {
	const { d, app, history, crowd, size } = s;
	const kinds = [{}, { headers: DEFLATE }, overTls(d, s.authority)];
	for (let i = 0; i < size.watchers; i++)
		s.watchers.push(await Watcher.open(d, app, history,
			`watcher ${i}`, [s.channels[i % s.channels.length]], {},
			i < 12 ? kinds[i % kinds.length] : {}));
	for (let i = 0; i < size.members; i++) await crowd.join(`s${i}`);
	const kept = { channel: 'kept', event: 'n' };
	const byTls = { ...kept, ...overTls(d, s.authority) };
	s.pages = [new Page(d, s.kept, kept), new Page(d, s.kept, byTls),
		new Page(d, s.kept, { ...byTls, away: AWAY_MS })];
	await until('the sessions', () =>
		s.pages.every((p) => p.statuses.length > 0));
	s.kinds = await Kinds.open(s);
	await until('the webhooks', () =>
		told(s).length === s.channels.length + 1 + size.members);
}

// Webhooks about channels that nobody enters or leaves.
function told(s) {
	const still = [...s.channels, ROOM];
	return s.hooks.events.filter((e) => still.includes(e.channel));
}

async function check(s) {
	const { history, crowd, size } = s;
	const here = [...crowd.members.values()];
	for (const w of [...s.watchers, ...here]) history.checkWatcher(w);
	for (const w of here) w.roster.expect([...crowd.members.keys()]);
	const sent = [...history.answers.get('kept').values()]
		.filter((a) => a.status === 200).length;
	for (const [i, p] of s.pages.entries()) {
		await until('its last event', () => p.got.length >= sent);
		await p.end();
		history.checkWatcher({ name: `session ${i}`,
			seen: new Map([['kept', p.got]]) });
		if (p.statuses.slice(1).some((x) => x !== 'continued'))
			history.wrong(`session ${i}: ${p.statuses.join(' ')}`);
	}
	if (s.pages[0].closes > 1) history.wrong('a session was closed');
	const cuts = s.pages.map((p) => p.cuts);
	if (sum(cuts, Number) !== s.handshakes)
		history.wrong(`${cuts} handshakes were cut off, not ${s.handshakes}`);
	if (told(s).length !== s.channels.length + 1 + size.members)
		history.wrong(`webhooks: ${JSON.stringify(told(s))}`);
}

// The longest, and the middle one, of what the workers have logged.
function pauses(d) {
	const all = [...d.readLog().matchAll(/handed over pause=(\d+)/g)]
		.map((m) => Number(m[1]) / 1000).sort((a, b) => a - b);
	return { median: all[all.length >> 1], most: all.at(-1) };
}

async function end(s, crowd, connects) {
	const said = {};
	if (connects) {
		connects.stdin.end();
		said.connects = await connects.answer;
		if (said.connects.failed || said.connects.errors.length > 0)
			s.history.wrong(JSON.stringify(said.connects).slice(0, 500));
	}
	if (crowd) {
		said.bench = await crowd.answer;
		checkBench(s, said.bench);
	}
	await s.kinds.each('end');
	return said;
}

module.exports = async function upgrades(how) {
	const n = Math.ceil(Number(process.env.FAULTS ?? (how.short ? 4 : 50)) / 2);
	const clients = Number(process.env.CLIENTS ?? 0);
	const rate = Number(process.env.CONNECTS ?? 0);
	const s = await begin(how, clients);
	const { d, history } = s;
	await fill(s);
	const connects = rate > 0 && run(process.execPath,
		[path.join(__dirname, 'lib/connects.js'), d.port, s.bulk.key, rate]);
	const crowd = clients > 0 && await bench(s, clients);
	const fresh = await measure(s);

	await pairs(s, 1);
	const before = await measure(s); // with TLS of earlier processes
	await pairs(s, n);
	let after;
	await until('the descriptors of before', async () => {
		after = await measure(s);
		return after.fds <= before.fds;
	}, SETTLE_MS);
	const memories = [fresh, before, after];
	if (after.bytes > allowed(fresh.bytes))
		history.wrong(`${after.bytes} bytes in memory, ${fresh.bytes} before`);
	if (after.earlier > allowed(before.earlier))
		history.wrong(`${after.earlier} bytes for TLS of an earlier process, ` +
			`${before.earlier} before`);
	if (crowd?.over) history.wrong('the bench was over too early');
	const others = await end(s, crowd, connects);
	await check(s);
	const figures = { upgrades: s.upgrades, ...s.size,
		'TLS handshakes cut off': s.handshakes,
		'events twice to late pages': sum(s.pages, (p) => p.again),
		guests: s.guests.changes,
		delivered: s.watchers.reduce((k, w) => k + w.times.length, 0),
		'longest upgrade ms': s.longest, 'pauses of a worker ms': pauses(d),
		descriptors: [before.fds, after.fds],
		'MiB of memory': memories.map((m) => mib(m.bytes)),
		'MiB for TLS of an earlier process': memories.map((m) => mib(m.earlier)),
		...others };
	await d.stop({ within: 20000 }); // while its certificate is there
	await s.hooks.stop();
	s.authority.remove();
	return figures;
};
