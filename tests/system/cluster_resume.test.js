// SPDX-License-Identifier: MIT
//
// A client with a session moves from one host of a cluster to another, and gets
// what it missed, in order, each event once; or it is told that events may be
// missing.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { TROUBLES, becomesReady, host, hosts, joined, joins, stored } =
	require('./lib/cluster');
const { until } = require('./lib/daemon');
const { api, publish } = require('./lib/http');
const { client } = require('./lib/official');
const { Line } = require('./lib/line');
const { Redis } = require('./lib/redis');
const { confirmed, cut, datas, enter, newId, open, settled } = require('./lib/resume');

const MAX = 20; // resume_max_events

describe('a session and the hosts of a cluster', () => {
	const redis = new Redis();
	let a, b, c, app, n = 0;

	const start = async (name) => {
		const d = host(redis, name, { workers: 2, resume_ack_interval: 10,
			resume_max_events: MAX, client_buffer_age: 3 });
		d.allow(...TROUBLES);
		d.ctl(['app', 'set', '42', 'resume=on', 'client_events=on']);
		await d.start();
		await joined(d);
		return d;
	};
	before(async () => {
		await redis.start();
		a = await start('a');
		b = await start('b');
		app = a.shared;
	});
	after(async () => {
		for (const d of [a, b, c]) await d?.stop();
		await redis.remove();
	});

	// Events with the next numbers, by any host.
	const send = async (count, channel = 'c', from = [a, b]) => {
		const sent = [];
		for (let i = 0; i < count; i++) {
			sent.push(String(++n));
			await publish(from[n % from.length], app, [channel], 'e',
				String(n));
		}
		return sent;
	};
	const live = async (x, channel = 'c') => {
		const sent = await send(2, channel);
		for (const data of sent)
			assert.equal(await x.expect('e', channel), data);
		await settled(x);
	};

	// A session in this channel at host d, of which the client has confirmed
	// some events.
	const begin = async (d, channel = 'c', how = undefined) => {
		const id = newId();
		const x = await open(d, app, id);
		assert.equal((await enter(x, channel, how)).status, 'new');
		await live(x, channel);
		return { id, x };
	};
	const back = async (d, id, channel = 'c') => {
		const x = await open(d, app, id);
		return { x, r: await enter(x, channel) };
	};
	// A session that has begun again, at the first host.
	const continues = async (y, id) => {
		await live(y);
		await cut(y);
		const missed = await send(2);
		const z = await back(a, id);
		assert.deepEqual(datas(z.r), missed);
		z.x.destroy();
	};

	test('from host to host, and back', async () => {
		const { id, x } = await begin(a);
		await cut(x);
		for (const d of [b, a, a, b, b]) {
			const missed = await send(5);
			const y = await back(d, id);
			assert.deepEqual(datas(y.r), missed);
			await live(y.x);
			await cut(y.x);
		}
	});

	test('without a confirmation of what was sent again, it is sent again',
		async () => {
			const { id, x } = await begin(a);
			await cut(x);
			const missed = await send(3);
			const y = await open(b, app, id);
			y.answerPings = false;
			assert.deepEqual(datas(await enter(y, 'c')), missed);
			y.reset();
			missed.push(...await send(1));
			const z = await back(a, id);
			assert.deepEqual(datas(z.r), missed);
			z.x.destroy();
		});

	test('many channels of all kinds', async () => {
		const id = newId();
		const names = ['c1', 'private-c2', 'presence-c3', 'cache-c4'];
		const how = (name) => (name.startsWith('presence')
			? { data: { user_id: 'u' } } : {});
		const x = await open(a, app, id);
		for (const name of names) {
			assert.equal((await enter(x, name, how(name))).status, 'new');
			await live(x, name);
		}
		await cut(x);
		const missed = {};
		for (const name of names) missed[name] = await send(3, name);
		const y = await open(b, app, id);
		for (const name of names)
			assert.deepEqual(datas(await enter(y, name, how(name))),
				missed[name]);
		assert.equal((await enter(y, 'another')).status, 'new');
		y.destroy();
	});

	test('the old connection is half open: the new one has the session',
		async () => {
			const { id, x } = await begin(a);
			const y = await back(b, id);
			assert.deepEqual(datas(y.r), []);
			const [data] = await send(1);
			for (const z of [x, y.x])
				assert.equal(await z.expect('e', 'c'), data);
			x.sendSubscribe('d');
			await x.expect('pusher_internal:subscription_succeeded', 'd');
			assert.deepEqual(await x.expect('pusher:resume', 'd'),
				{ status: 'off', reason: 'taken' });
			x.destroy();
			y.x.destroy();
		});

	test('an event that excludes an earlier socket id does not come',
		async () => {
			const { id, x } = await begin(a);
			await cut(x);
			await api(b, app, 'POST', '/events', { body: { name: 'e',
				channel: 'c', data: 'own', socket_id: x.sid } });
			const missed = await send(1);
			const y = await back(b, id);
			assert.deepEqual(datas(y.r), missed);
			await cut(y.x);
			for (const { sid } of [x, y.x])
				await api(a, app, 'POST', '/events', { body: { name: 'e',
					channel: 'c', data: 'own', socket_id: sid } });
			const z = await back(a, id);
			assert.deepEqual(datas(z.r), []);
			z.x.destroy();
		});

	test('more than resume_max_events: gap', async () => {
		const { id, x } = await begin(a);
		await cut(x);
		await send(MAX + 1);
		const { x: y, r } = await back(b, id);
		assert.deepEqual([r.status, r.reason, r.events],
			['gap', 'too_many', []]);
		await continues(y, id);
	});

	test('both hosts are asked for it at once: one has it', async () => {
		for (let i = 0; i < 5; i++) {
			const { id, x } = await begin(i % 2 ? a : b);
			await cut(x);
			const missed = await send(2);
			const all = await Promise.all([a, b, a, b].map((d) =>
				open(d, app, id)));
			const words = [];
			for (const y of all) {
				const r = await enter(y, 'c');
				words.push(r.status === 'gap' ? 'gap' : r.reason ?? r.status);
				assert.deepEqual(r.events.map((m) => m.data),
					r.status === 'continued' ? missed : []);
				y.destroy();
			}
			assert.equal(words.filter((w) => w === 'taken').length, 3,
				words.join());
		}
	});

	test('the broker of the old host dies', async () => {
		const { id, x } = await begin(a);
		await settled(x);
		const times = joins(a);
		process.kill(a.pidsOf('broker')[0], 'SIGKILL');
		await joined(a, times + 1);
		await becomesReady(a);
		x.reset();
		const missed = await send(3);
		const y = await back(b, id);
		assert.deepEqual(datas(y.r), missed);
		await cut(y.x);
		await send(1, 'c', [a]).then((more) => missed.splice(0, 3, ...more));
		const z = await back(a, id);
		assert.deepEqual(datas(z.r), missed);
		z.x.destroy();
	});

	// It continues: what it had already can come again, in order.
	const continuesLate = (r, missed) => {
		const got = datas(r).map(Number);
		const from = got.indexOf(Number(missed[0]));
		assert.deepEqual(got.slice(from, from + missed.length),
			missed.map(Number));
		assert.deepEqual(got, [...new Set(got)].sort((p, q) => p - q));
	};

	test('the broker of the old host stands still: it continues',
		async () => {
			const { id, x } = await begin(a);
			await stored(redis, id);
			await cut(x);
			const stays = await begin(a, 'd');
			await stored(redis, stays.id);
			await cut(stays.x);
			const [pid] = a.pidsOf('broker');
			process.kill(pid, 'SIGSTOP');
			const missed = await send(2, 'c', [b]);
			const y = await back(b, id);
			continuesLate(y.r, missed);
			process.kill(pid, 'SIGCONT');
			await becomesReady(a);
			await continues(y.x, id);
			// The late host still has the other session.
			const more = await send(1, 'd');
			const z = await back(a, stays.id, 'd');
			assert.deepEqual(datas(z.r), more);
			z.x.destroy();
		});

	test('pusher-js comes back to another host', async () => {
		const to = { port: a.port };
		const line = await Line.open(to);
		const id = newId();
		const p = client(8, line, app, undefined,
			{ wsPath: `/app/resume/${id}` });
		const got = [];
		const words = [];
		const channel = p.subscribe('js');
		channel.bind('e', (data) => got.push(String(data)));
		channel.bind('pusher:resume', (w) => words.push(w.status));
		await until('its first word', () => words.length === 1);
		let at = a, sent = await send(3, 'js');
		for (const [how, d] of [['RST', b], ['FIN', a], ['RST', a], ['RST', b]]) {
			const { length } = words;
			await until('all', () => got.length === sent.length);
			await confirmed(at, id);
			at = d;
			to.port = d.port;
			line.cut(how);
			sent = sent.concat(await send(3, 'js'));
			await until('its return', () => words.length > length, 20000);
			sent = sent.concat(await send(1, 'js'));
		}
		await until('all', () => got.length === sent.length);
		assert.deepEqual(got, sent);
		assert.deepEqual(words, ['new', ...Array(4).fill('continued')]);
		p.disconnect();
		await line.close();
	});

	test('a client has a place in max_connections, too', async () => {
		a.ctl(['app', 'set', '42', 'max_connections=50']);
		const { id, x } = await begin(a);
		await cut(x);
		const missed = await send(2);
		const y = await back(b, id);
		assert.deepEqual(datas(y.r), missed);
		y.x.destroy();
		a.ctl(['app', 'set', '42', 'max_connections=0']);
	});

	test('a host that joins later has the events since then', async () => {
		const { id, x } = await begin(a);
		const other = await begin(a, 'd');
		await cut(x);
		await settled(other.x);
		await send(2);
		c = await start('c');
		await live(other.x, 'd');
		await cut(other.x);
		const missed = await send(2, 'd');
		const y = await back(c, other.id, 'd');
		assert.deepEqual(datas(y.r), missed);
		y.x.destroy();
		const z = await back(c, id);
		assert.deepEqual([z.r.status, z.r.reason], ['gap', 'evicted']);
		z.x.destroy();
	});

	// pusherctl cluster leave, or a stop; then the host is started again.
	for (const how of ['leave', 'stop'])
		test(`a host leaves by ${how}: its sessions go to the others`,
			async () => {
				const away = await begin(c);
				await cut(away.x);
				const there = await begin(c, 'd');
				const third = await begin(c, 'g');
				await cut(third.x);
				const missed = await send(2);
				if (how === 'leave') c.ctl(['cluster', 'leave']);
				else c.signal('SIGTERM');
				await there.x.expectFatal(how === 'leave' ? 4200 : 4100);
				await until('the others to know', () =>
					[a, b].every((d) => hosts(d).length === 2));
				missed.push(...await send(2));
				const y = await back(b, away.id);
				assert.deepEqual(datas(y.r), missed);
				y.x.destroy();
				const more = await send(1, 'd');
				const z = await back(b, there.id, 'd');
				assert.deepEqual(datas(z.r), more);
				z.x.destroy();
				const last = await send(3, 'g');
				if (how === 'leave') c.signal('SIGTERM');
				await c.exited;
				c.exit = null;
				const times = joins(c);
				await c.start();
				await joined(c, times + 1);
				last.push(...await send(1, 'g'));
				const w = await back(c, third.id, 'g');
				assert.deepEqual(datas(w.r), last);
				w.x.destroy();
			});

	test('a host is killed: its clients continue on the others', async () => {
		const all = [];
		for (let i = 0; i < 4; i++) {
			const id = newId();
			const x = await open(c, app, id);
			assert.equal((await enter(x, 'c')).status, 'new');
			all.push({ id, x });
		}
		const other = await begin(b, 'd');
		for (const { id } of all) await stored(redis, id);
		const had = await send(2);
		for (const { x } of all)
			for (const data of had)
				assert.equal(await x.expect('e', 'c'), data);
		c.kill();
		await c.exited;
		c.remove();
		for (const { x } of all) x.destroy();
		await cut(other.x);
		const missed = await send(3);
		const elsewhere = await send(1, 'd');
		// Before the others know, and two at once; ...
		const y = await back(b, all[0].id);
		continuesLate(y.r, missed);
		await continues(y.x, all[0].id);
		const both = await Promise.all([a, b].map((d) =>
			open(d, app, all[1].id)));
		const words = [];
		for (const w of both) {
			const r = await enter(w, 'c');
			words.push(r.reason ?? r.status);
			w.destroy();
		}
		assert.ok(words.includes('taken'), words.join());
		const z = await back(a, other.id, 'd');
		assert.deepEqual(datas(z.r), elsewhere);
		z.x.destroy();
		await until('the others to know', () =>
			[a, b].every((d) => hosts(d).length === 2), 20000);
		// ... and when they know.
		const w = await back(a, all[2].id);
		continuesLate(w.r, missed);
		w.x.destroy();
		// A session that its host had no time to store, or none at all.
		const none = await back(a, newId());
		assert.equal(none.r.status, 'new');
		none.x.destroy();
		c = undefined;
	});

	test('Redis does not answer while a host stops: its clients continue',
		async () => {
			c = await start('c');
			const { id, x } = await begin(c);
			await stored(redis, id);
			redis.child.kill('SIGSTOP');
			c.signal('SIGTERM');
			await c.exited;
			redis.child.kill('SIGCONT');
			assert.match(c.readLog(), /before Redis had taken all sessions/);
			await c.stop();
			c = undefined;
			x.destroy();
			const missed = await send(2);
			const y = await back(b, id);
			continuesLate(y.r, missed);
			await continues(y.x, id);
			await until('the others to know', () =>
				[a, b].every((d) => hosts(d).length === 2), 20000);
		});

	test('Redis comes back empty: gap', async () => {
		const { id, x } = await begin(a);
		await settled(x);
		const times = [a, b].map(joins);
		await redis.ask('FLUSHALL');
		await until('all to join again', () =>
			[a, b].every((d, i) => joins(d) > times[i]), 30000);
		for (const d of [a, b]) await becomesReady(d);
		x.destroy();
		await send(1);
		const y = await back(b, id);
		assert.deepEqual([y.r.status, y.r.reason], ['gap', 'restarted']);
		await continues(y.x, id);
	});
});
