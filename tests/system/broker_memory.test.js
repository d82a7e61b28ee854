// SPDX-License-Identifier: MIT
//
// The broker keeps to its share of memory_limit: the app for which it holds
// most gets no new channels and members, is told why, and all others do not
// notice.  A kernel limit of memory_limit for the process would kill it.
'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { host } = require('./lib/cluster');
const { Daemon, becomes, until, SLOW } = require('./lib/daemon');
const { api, publish } = require('./lib/http');
const { memory } = require('./lib/process');
const { Redis } = require('./lib/redis');
const resume = require('./lib/resume');

const MIB = 1 << 20;
// A process with sanitizers is large from its beginning: the limit grows, and
// all that is to reach it.
const ASAN = SLOW > 1;
const TIMES = ASAN ? 8 : 1;
const LIMIT = 64 * MIB * TIMES;
const FREED = { // does not count for long
	ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0:quarantine_size_mb=1:' +
		'allocator_release_to_os_interval_ms=0' };
const LOADED = { max_backend_events_per_second: 0,
	max_client_events_per_second: 0, max_subscriptions: 100000,
	max_channel_name_length: 200, max_presence_members: 1000,
	max_watchlist_ids: 1000 };

const AT_ONCE = 250;

async function running(more = {}) {
	const d = new Daemon({ workers: 2, memory_limit: LIMIT,
		resume_ack_interval: 50 });
	const settings = { ...LOADED, ...more };
	const [greedy, other] = [d.app(settings), d.app(settings)];
	d.env = FREED;
	await d.start();
	d.allow(/app over its part of memory_limit/);
	const [broker] = d.pidsOf('broker');
	if (!ASAN)
		execFileSync('prlimit', ['--pid', broker, `--data=${LIMIT}`]);
	return { d, greedy, other, broker };
}

async function check({ d, other, broker }) {
	assert.deepEqual(d.pidsOf('broker'), [broker], 'the same broker');
	const peak = memory(broker, 'VmHWM');
	if (!ASAN)
		assert.ok(peak < LIMIT / 4 + 4 * MIB, `${peak >> 20} MiB`);
	const c = await Client.connect(d, other);
	await c.subscribe('cache-mine');
	await c.expect('kept', 'cache-mine');
	for (let i = 0; i < 50; i++) {
		await c.subscribe(`new-${i}`);
		await c.join(`presence-new-${i}`, 'u', { name: 'Ann' });
	}
	await publish(d, other, 'new-7', 'e', '1');
	assert.equal(await c.expect('e', 'new-7'), '1');
	await c.close();
	await d.stop();
	return peak;
}

// Channels of this client, many at a time; resolves with the answers counted
// and the first refusal.
async function open(c, n, name, data) {
	const seen = { ok: 0, refused: 0, first: null };
	let rest = '';
	c.onData = (b) => {
		let end = 0;
		rest += b.toString('latin1');
		for (const m of rest.matchAll(
			/subscription_succeeded|pusher:subscription_error[^}]*}/g)) {
			end = m.index + m[0].length;
			if (m[0].startsWith('s')) seen.ok++;
			else if (seen.refused++ === 0) seen.first = m[0];
		}
		rest = rest.slice(end);
	};
	for (let i = 0; i < n; i += AT_ONCE) {
		for (let k = i; k < Math.min(n, i + AT_ONCE); k++)
			c.sendSubscribe(name(k), { data });
		await until('answers', () => c.gone ||
			seen.ok + seen.refused >= Math.min(n, i + AT_ONCE), 30000);
	}
	assert.ok(!c.gone);
	return seen;
}

test('S4: a stranger opens channels with long names as fast as he can: his ' +
	'app gets no more, others do not notice', async (t) => {
	const r = await running();
	const { d, greedy, other } = r;
	await publish(d, other, 'cache-mine', 'kept', 'x'.repeat(1000));
	const all = await Client.several(d, greedy, 20 * TIMES);
	const seen = await Promise.all(all.map((c, k) => open(c, 2500,
		(i) => `c-${k}-${i}-`.padEnd(200, 'x'))));
	const sum = (key) => seen.reduce((n, s) => n + s[key], 0);
	t.diagnostic(`${sum('ok')} taken, ${sum('refused')} refused`);
	assert.ok(Math.min(sum('ok'), sum('refused')) > 10000 * TIMES);
	const first = seen.find((s) => s.first).first;
	assert.match(first, /LimitReached/);
	assert.match(first, /holds \d+ bytes for this app.*of the \d+ that memory_limit/);
	assert.match(first, /subscribe to fewer channels.* or raise memory_limit/);
	const lines = d.readLog().match(/app over its part of memory_limit.*/g);
	assert.equal(lines.length, 1, 'once a minute');
	assert.match(lines[0], new RegExp(`app=${greedy.id} `));
	// Its channels go on; a channel that exists costs nothing more.
	const more = await Client.connect(d, greedy);
	await more.subscribe('c-0-0-'.padEnd(200, 'x'));
	await publish(d, greedy, 'c-0-0-'.padEnd(200, 'x'), 'e', '2');
	assert.equal(await more.expect('e'), '2');
	more.sendSubscribe('one-more');
	await more.expectRefused('one-more', 'LimitReached', 413);
	// Room again when others have left.
	for (const c of all.slice(0, 10 * TIMES)) c.sock.destroy();
	await until('room', async () => {
		more.sendSubscribe('again');
		const m = await more.next();
		if (/succeeded/.test(m.event)) return true;
		await more.expectError(null);
		return false;
	});
	for (const c of [...all.slice(10 * TIMES), more]) c.sock.destroy();
	t.diagnostic(`peak ${await check(r) >> 20} MiB`);
});

test('S4: presence members with large infos', async (t) => {
	const r = await running();
	const { d, greedy, other } = r;
	await publish(d, other, 'cache-mine', 'kept', 'x'.repeat(1000));
	const all = await Client.several(d, greedy, 10 * TIMES);
	const seen = await Promise.all(all.map((c, k) => open(c, 500,
		(i) => `presence-${k}-${i}`,
		{ user_id: `u${k}`, user_info: { x: 'y'.repeat(900) } })));
	const refused = seen.reduce((n, s) => n + s.refused, 0);
	assert.ok(refused > 1000 * TIMES);
	for (const c of all) c.sock.destroy();
	t.diagnostic(`refused ${refused}, peak ${await check(r) >> 20} MiB`);
});

test('S4: a stranger leaves sessions that were in thousands of channels',
	async (t) => {
		const r = await running({ resume: 'on' });
		const { d, greedy, other } = r;
		await publish(d, other, 'cache-mine', 'kept', 'x'.repeat(1000));
		const mine = await resume.begin(d, other, 'mine');
		await resume.enter(mine.c, 'mine-2');
		const one = await resume.begin(d, greedy, 'one');
		await resume.cut(mine.c);
		await resume.cut(one.c);
		const ids = Array.from({ length: 60 * TIMES }, resume.newId);
		const left = [...ids];
		await Promise.all(Array.from({ length: 4 }, async () => {
			for (let id = left.pop(); id; id = left.pop()) {
				const c = await resume.open(d, greedy, id);
				await open(c, 6200, (i) => `c-${i}`);
				c.destroy();
			}
		}));
		// Sessions that were there go on, and so does one with one channel.
		for (const [app, id, channels] of [[other, mine.id, ['mine', 'mine-2']],
			[greedy, one.id, ['one']]]) {
			for (const channel of channels)
				await publish(d, app, channel, 'e', '1');
			const c = await resume.open(d, app, id);
			for (const channel of channels)
				assert.deepEqual(resume.datas(await resume.enter(c, channel)),
					['1']);
			await c.close();
		}
		// The last ones that came are told what they do not get.
		const c = await resume.open(d, greedy, ids[0]);
		assert.deepEqual(await resume.enter(c, 'c-6199'),
			{ status: 'gap', reason: 'too_many', events: [] });
		await c.close();
		t.diagnostic(`peak ${await check(r) >> 20} MiB`);
	});

test('S4: an app that holds too much loses its cached events before it is ' +
	'refused channels', async () => {
	const r = await running();
	const { d, greedy, other } = r;
	await publish(d, other, 'cache-mine', 'kept', 'x'.repeat(1000));
	for (let i = 0; i < 120 * TIMES; i++) {
		const batch = Array.from({ length: 10 }, (_, k) => ({ name: 'e',
			channel: `cache-${i}-${k}`, data: 'x'.repeat(9000) }));
		const a = await api(d, greedy, 'POST', '/batch_events',
			{ body: { batch } });
		assert.equal(a.status, 200, a.text);
	}
	const all = await Client.several(d, greedy, 2 * TIMES);
	const seen = await Promise.all(all.map((c, k) => open(c, 5000,
		(i) => `c-${k}-${i}-`.padEnd(200, 'x'))));
	assert.equal(seen.reduce((n, s) => n + s.refused, 0), 0);
	for (const c of all) c.sock.destroy();
	await check(r);
});

test('S4: users sign in with watchlists of long ids', async (t) => {
	const n = 80 * TIMES;
	const r = await running();
	const { d, greedy, other } = r;
	await publish(d, other, 'cache-mine', 'kept', 'x'.repeat(1000));
	const all = await Client.several(d, greedy, n);
	const seen = [];
	for (const [k, c] of all.entries()) {
		c.sendSignin({ id: `u${k}`, watchlist: Array.from({ length: 800 },
			(_, i) => `${k}-${i}-`.padEnd(128, 'w')) });
		const m = await c.next();
		if (m.event === 'pusher:signin_success')
			await c.expect('pusher_internal:watchlist_events');
		else
			assert.equal(m.event, 'pusher:error');
		seen.push(m.event === 'pusher:error' ? m.data : null);
	}
	const refused = seen.filter((m) => m !== null);
	t.diagnostic(`${refused.length} refused: ${refused[0]?.message}`);
	assert.ok(refused.length > n / 8 && refused.length < n / 8 * 7);
	assert.equal(refused[0].code, 4009);
	assert.match(refused[0].message, /^sign-in refused: .*memory_limit/);
	// One that was let in may not make its list longer, and stays signed
	// in.
	const k = seen.indexOf(null);
	all[k].sendSignin({ id: `u${k}`, watchlist: ['more'] });
	await all[k].expectError(4009);
	const kept = await api(d, greedy, 'POST', '/events', { body: {
		name: 'e', channel: `#server-to-user-u${k}`, data: '1' } });
	assert.equal(kept.status, 200, kept.text);
	assert.equal(await all[k].expect('e', `#server-to-user-u${k}`), '1');
	// Those that were refused leave, and the broker goes on; a new one,
	// too.
	for (const [i, c] of all.entries()) if (seen[i] !== null) c.sock.destroy();
	d.allow(/broker was killed by signal 9|link to the broker lost/);
	process.kill(r.broker, 'SIGKILL');
	r.broker = await until('a broker', () => d.pidsOf('broker')
		.find((pid) => pid !== r.broker));
	for (const c of all) c.sock.destroy();
	await check(r);
});

test('S4: in a cluster the host of a stranger refuses, all hosts keep the ' +
	'same channels, and no broker grows over its share', async (t) => {
	const redis = new Redis();
	await redis.start();
	const all = ['a', 'b'].map((n) => {
		const d = host(redis, n, { workers: 2, memory_limit: LIMIT });
		d.env = FREED;
		d.ctl(['app', 'set', '42', ...Object.entries(LOADED)
			.map(([k, v]) => `${k}=${v}`)]);
		d.allow(/app over its part of memory_limit/, /host a is gone/);
		return d;
	});
	t.after(async () => {
		all.forEach((d) => d.child && d.kill());
		await redis.remove();
	});
	const [a, b] = all;
	for (const d of all) await d.start();
	const other = a.app(LOADED);
	await until('the app on both', () => b.ctl(['app', 'list'])
		.some((row) => row.id === other.id));
	const brokers = all.map((d) => d.pidsOf('broker')[0]);
	const mine = [await Client.connect(a, other), await Client.connect(b, other)];
	const bad = await Client.several(b, b.shared, 20 * TIMES);
	const seen = await Promise.all(bad.map((c, k) => open(c, 2500,
		(i) => `c-${k}-${i}-`.padEnd(200, 'x'))));
	const sum = (key) => seen.reduce((n, s) => n + s[key], 0);
	t.diagnostic(`${sum('ok')} taken, ${sum('refused')} refused`);
	assert.ok(Math.min(sum('ok'), sum('refused')) > 5000 * TIMES);
	const channels = async (d, prefix) => Object.keys((await api(d, d.shared,
		'GET', '/channels', { query: { filter_by_prefix: prefix } }))
		.json.channels).length;
	for (const d of all) // what clients know
		for (const [k, { ok }] of seen.entries())
			await becomes(() => channels(d, `c-${k}-`), ok);
	// Refused ones leave before they have read it: nobody else is left out.
	const hasty = await Client.connect(b, b.shared);
	for (let i = 0; i < 100; i++) {
		hasty.sendSubscribe(`hasty-${i}`);
		hasty.unsubscribe(`hasty-${i}`);
	}
	await hasty.sync();
	for (const d of all) await becomes(() => channels(d, 'hasty'), 0);
	// The other app gets new channels on both hosts.
	for (const c of mine) {
		await c.subscribe('new');
		await c.join('presence-new', `u${mine.indexOf(c)}`);
	}
	await mine[0].expect('pusher_internal:member_added', 'presence-new');
	await publish(a, other, 'new', 'e', '1');
	for (const c of mine) assert.equal(await c.expect('e', 'new'), '1');
	for (const c of [...bad, hasty]) c.sock.destroy();
	for (const d of all)
		for (const k of bad.keys())
			await becomes(() => channels(d, `c-${k}-`), 0);
	const peak = brokers.map((pid) => memory(pid, 'VmHWM'));
	t.diagnostic(`peaks ${peak.map((n) => n >> 20)} MiB`);
	for (const [i, d] of all.entries()) {
		assert.deepEqual(d.pidsOf('broker'), [brokers[i]], 'the same broker');
		if (!ASAN)
			assert.ok(peak[i] < LIMIT / 4 + 4 * MIB, `${peak[i] >> 20} MiB`);
	}
	for (const d of all) await d.stop();
});

test('S4: a list of channels over a 64th of memory_limit is refused', async () => {
	const r = await running();
	const { d, greedy, other } = r;
	await publish(d, other, 'cache-mine', 'kept', 'x'.repeat(1000));
	const all = await Client.several(d, greedy, 3 * TIMES);
	await Promise.all(all.map((c, k) => open(c, 2000,
		(i) => `c-${k}-${i}-`.padEnd(200, 'x'))));
	const list = (query) => api(d, greedy, 'GET', '/channels', { query });
	const whole = await list({});
	assert.equal(whole.status, 400);
	assert.match(whole.text, new RegExp(`larger than ${LIMIT / 64} bytes; ` +
		'narrow it with filter_by_prefix, or raise memory_limit'));
	const part = await list({ filter_by_prefix: 'c-1-' });
	assert.equal(Object.keys(part.json.channels).length, 2000);
	for (const c of all) c.sock.destroy();
	await check(r);
});
