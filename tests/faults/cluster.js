// SPDX-License-Identifier: MIT
//
// Two hosts of a cluster whose Redis has a password.  A third one without it
// stays outside; a host stops for so long that it counts as dead, and comes
// back; Redis is full; a stranger writes into the stream.  Nobody is closed.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { Client } = require('../system/lib/client');
const { Http, api, publish } = require('../system/lib/http');
const { Daemon, until } = require('../system/lib/daemon');
const { Redis } = require('../system/lib/redis');

const ROOM = 'presence-room';
const PATIENCE_MS = 20000; // a lease is 6 s, and the broker begins anew
// In the name of host b, with the number that comes next.
const JUNK = '\'local n=redis.call("INCR",KEYS[1]) ' +
	'return redis.call("XADD",KEYS[2],"*","n",n,"h","b","e",' +
	'redis.call("HGET",KEYS[3],"b"),"d",ARGV[1])\'';

const NOISE = /cluster: |broker exited|broker .*silent|link to the broker lost/;

const ready = async (d) => {
	const h = await Http.connect(d);
	const { status } = await h.ask('GET', '/ready');
	h.end();
	return status;
};
const becomesReady = (d) => until('the host to be ready',
	async () => await ready(d) === 200, PATIENCE_MS);
const said = (d, pattern) => until(`the log to say ${pattern}`,
	() => pattern.test(d.readLog()), PATIENCE_MS);

// All clients get the events that either host takes.
async function check(hosts, clients, name) {
	for (const { d, app } of hosts) {
		await publish(d, app, [ROOM], name, '1');
		for (const c of clients) await c.expect(name, ROOM);
	}
}

async function withoutPassword(redis) {
	const d = new Daemon({ cluster: redis.url, cluster_host: 'c' });
	d.allow(NOISE);
	d.spawn();
	try {
		await said(d, /cluster: .*NOAUTH/);
	} finally {
		await d.stop();
	}
}

async function stopped(a, b, x) {
	const group = -b.d.child.pid;
	process.kill(group, 'SIGSTOP');
	try {
		await x.expect('pusher_internal:member_removed', ROOM, PATIENCE_MS);
	} finally {
		process.kill(group, 'SIGCONT');
	}
	await x.expect('pusher_internal:member_added', ROOM, PATIENCE_MS);
	await Promise.all([a.d, b.d].map(becomesReady));
}

async function full(redis, a) {
	await redis.ask('CONFIG', 'SET', 'maxmemory', '1');
	const waits = api(a.d, a.app, 'POST', '/events', { body: { name: 'e',
		channel: 'other', data: 'x' } });
	await said(a.d, /OOM/);
	await redis.ask('CONFIG', 'SET', 'maxmemory', '0');
	await waits;
	await said(a.d, /Redis takes entries again/);
	await becomesReady(a.d);
}

module.exports = async function cluster({ start }) {
	const redis = await new Redis().start([['requirepass', 'word']]);
	const auth = path.join(redis.dir, 'auth');
	fs.writeFileSync(auth, 'word\n', { mode: 0o644 });
	fs.chmodSync(redis.dir, 0o755);
	redis.password = 'word';
	const host = async (name) => {
		const h = await start({ cluster: redis.url, cluster_host: name,
			crash_grace: 1, cluster_auth: auth });
		h.d.allow(NOISE);
		return h;
	};
	try {
		const a = await host('a');
		const b = await host('b');
		await withoutPassword(redis);
		const x = await Client.connect(a.d, a.app);
		const y = await Client.connect(b.d, b.app);
		await x.join(ROOM, 'u1');
		await y.join(ROOM, 'u2');
		await x.expect('pusher_internal:member_added', ROOM);
		const began = performance.now();
		await stopped(a, b, x);
		const ms = performance.now() - began;
		await check([a, b], [x, y], 'after-stop');
		await full(redis, a);
		await check([a, b], [x, y], 'after-full');
		for (const text of ['junkjunkjunkjunk', 'j'])
			await redis.ask('EVAL', JUNK, '3', 'pusherd:count',
				'pusherd:stream', 'pusherd:hosts', text);
		await redis.ask('XADD', 'pusherd:stream', '*', 'foreign', 'field');
		await said(a.d, /an entry is cut off/);
		await said(a.d, /ignored an entry of the stream/);
		await check([a, b], [x, y], 'after-junk');
		await Promise.all([x, y].map((c) => c.close()));
		return { 'ms until a stopped host is back': Math.round(ms) };
	} finally {
		await redis.remove();
	}
};
