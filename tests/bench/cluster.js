// SPDX-License-Identifier: MIT
//
// cluster.js BUILD: what several hosts cost.  One, two and three hosts of
// pusherd on one Redis beside as many of soketi with its Redis adapter, and
// pusherd alone; all servers and Redis on the first core, the load on the
// second.  Prints a table of medians.
//
//   RUNS=3 SECONDS=2 ONLY=regexp of servers
'use strict';

const path = require('node:path');

const BUILD = path.resolve(process.argv[2] || 'build');
process.env.PUSHERD_BIN ??= path.join(BUILD, 'pusherd');

const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const { Client } = require('../system/lib/client');
const { becomesReady } = require('../system/lib/cluster');
const { Daemon, sleep, until } = require('../system/lib/daemon');
const { Http } = require('../system/lib/http');
const { freePort } = require('../system/lib/port');
const { Redis } = require('../system/lib/redis');
const peers = require('./peers/peers');

const RUNS = Number(process.env.RUNS) || 3;
const SECONDS = Number(process.env.SECONDS) || 2;
const ONLY = new RegExp(process.env.ONLY || '');
const APP = { id: 'bench', key: 'benchkey', secret: 'benchsecret' };
const CLIENTS = 300; // on all hosts together
const PUBLISHERS = 4; // closed loop, on all hosts in turn
const RATE = 200; // for the latency
const DATA = 'x'.repeat(100);

const now = () => Number(process.hrtime.bigint()) / 1e3; // us
const rank = (v, p) => v.sort((a, b) => a - b)[Math.min(v.length - 1,
	Math.floor(v.length * p))];
const pin = (pid, core) => spawnSync('taskset',
	['-a', '-p', '-c', String(core), String(pid)]);

// ---- servers: each gives hosts, as { port }, and a function that ends it ----

async function pusherd(n, redis) {
	const all = Array.from({ length: n }, (_, i) => new Daemon(redis
		? { cluster: redis.url, cluster_host: `h${i}` } : {}));
	for (const d of all) {
		d.app({ max_backend_events_per_second: 0, max_subscriptions: 100000 },
			{ ...APP, name: 'bench' });
		d.allow(/./);
		await d.start();
		if (redis) await becomesReady(d);
		for (const pid of Object.keys(d.processes())) pin(pid, 0);
	}
	return { hosts: all, end: async () => {
		for (const d of all) await d.stop();
	} };
}

async function soketi(n, redis) {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-bench-'));
	const hosts = [];
	for (let i = 0; i < n; i++) {
		const port = await freePort();
		const own = path.join(dir, String(i));
		fs.mkdirSync(own);
		const [file, ...args] = peers.soketi(port, own, {
			'adapter.driver': 'redis', 'database.redis.host': '127.0.0.1',
			'database.redis.port': redis.port,
			'metrics.port': await freePort() });
		const child = spawn('taskset', ['-c', '0', file, ...args],
			{ cwd: peers.DIR, stdio: 'ignore' });
		hosts.push({ port, child });
		await until('soketi', async () => {
			try {
				(await Http.connect({ port })).end();
				return true;
			} catch { return false; }
		}, 20000);
	}
	return { hosts, end: async () => {
		for (const { child } of hosts) child.kill('SIGKILL');
		fs.rmSync(dir, { recursive: true, force: true });
	} };
}

// ---- measurements ----

// One event; the connection for the next one: soketi closes each.
async function publish(h, d, channel) {
	const r = await h.api(APP, 'POST', '/events', { body:
		{ name: 'e', channel, data: DATA } });
	if (r.status !== 200) throw new Error(`${r.status} ${r.text}`);
	if (r.headers.connection !== 'close') return h;
	h.end();
	return Http.connect(d);
}

// Publishes until the time is over; the latencies of the answers, in us.
async function publishers(hosts, channel, seconds) {
	const end = now() + seconds * 1e6;
	const taken = [];
	await Promise.all(Array.from({ length: PUBLISHERS }, async (_, i) => {
		const d = hosts[i % hosts.length];
		let h = await Http.connect(d);
		for (let at = now(); at < end; at = now()) {
			h = await publish(h, d, channel);
			taken.push(now() - at);
		}
		h.end();
	}));
	return taken;
}

async function subscribe(hosts, channel, n) {
	const all = await Promise.all(hosts.map((d, i) => Client.several(d, APP,
		Math.floor(n / hosts.length) + (i < n % hosts.length))));
	for (const c of all.flat()) await c.subscribe(channel);
	return all.flat();
}

async function fanout(hosts) {
	const all = await subscribe(hosts, 'fanout', CLIENTS);
	let bytes = 0, size = 0;
	// All events have the same size: that of the first.
	all[0].onData = (b) => { size ||= b.length; };
	const h = await publish(await Http.connect(hosts[0]), hosts[0], 'fanout');
	await until('the first event', () => size > 0);
	h.end();
	await sleep(200);
	for (const c of all) c.onData = (b) => { bytes += b.length; };
	const began = now();
	const taken = await publishers(hosts, 'fanout', SECONDS);
	const want = taken.length * CLIENTS * size;
	await until('the rest', () => bytes >= want, 20000);
	const seconds = (now() - began) / 1e6;
	for (const c of all) c.destroy();
	return { deliveries: taken.length * CLIENTS / seconds, lost: bytes !== want,
		fan_p50: rank(taken, 0.5), fan_p99: rank(taken, 0.99) };
}

// From before a publish at the first host until a client of the last has it.
async function latency(hosts) {
	const [c] = await subscribe(hosts.slice(-1), 'latency', 1);
	let h = await Http.connect(hosts[0]);
	const taken = [];
	const n = RATE * SECONDS;
	let got = 0, sent;
	c.onData = () => { got++; taken.push(now() - sent); };
	for (let i = 0, at = Date.now(); i < n; i++, at += 1000 / RATE) {
		await sleep(Math.max(0, at - Date.now()));
		sent = now();
		const answer = publish(h, hosts[0], 'latency');
		await until('the event', () => got > i, 5000);
		h = await answer;
	}
	c.destroy();
	h.end();
	return { lat_p50: rank(taken, 0.5), lat_p99: rank(taken, 0.99) };
}

async function measure(start, n, redis) {
	const { hosts, end } = await start(n, redis);
	try {
		await sleep(500);
		await publishers(hosts, 'warm', 0.5);
		const taken = await publishers(hosts, 'nobody', SECONDS);
		return { published: taken.length / SECONDS, p50: rank(taken, 0.5),
			p99: rank(taken, 0.99), ...await fanout(hosts),
			...await latency(hosts) };
	} finally {
		await end();
	}
}

// ---- the table ----

async function main() {
	const redis = new Redis();
	await redis.start();
	pin(redis.child.pid, 0);
	pin(process.pid, 1);
	const rows = [['pusherd alone', pusherd, 1, null]];
	for (const n of [1, 2, 3]) {
		rows.push([`pusherd, ${n} in a cluster`, pusherd, n, redis]);
		if (peers.install()) rows.push([`soketi, ${n} with Redis`, soketi, n,
			redis]);
	}
	const got = new Map();
	for (let run = 0; run < RUNS; run++)
		for (const [name, start, n, r] of rows.filter(([s]) => ONLY.test(s))) {
			await redis.ask('FLUSHALL');
			got.set(name, [...got.get(name) ?? [],
				await measure(start, n, r)]);
		}
	const columns = ['published', 'p50', 'p99', 'deliveries', 'fan_p50',
		'fan_p99', 'lat_p50', 'lat_p99'];
	console.log('| hosts | publishes/s | p50 us | p99 us | deliveries/s to ' +
		`${CLIENTS} | publish p50 us | p99 us | to a client p50 us | p99 us |`);
	console.log(`|${' --- |'.repeat(columns.length + 1)}`);
	for (const [name, all] of got)
		console.log(`| ${name} | ${columns.map((k) => Math.round(rank(
			all.map((r) => r[k]), 0.5)).toLocaleString('en')).join(' | ')} |${
			all.some((r) => r.lost) ? ' LOST OR DOUBLE' : ''}`);
	await redis.remove();
}

main().catch((e) => { console.error(e); process.exit(1); });
