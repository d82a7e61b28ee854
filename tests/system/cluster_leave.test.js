// SPDX-License-Identifier: MIT
//
// `pusherctl cluster leave`: the clients of the host go to the others, which
// forget it at once; it stays out until pusherd is started again.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Client } = require('./lib/client');
const { TROUBLES, becomesReady, host, hostWithWebhook, hosts, joined,
	metric, status, tryPublish } = require('./lib/cluster');
const { Daemon, becomes, until } = require('./lib/daemon');
const { Http, publish } = require('./lib/http');
const { Receiver } = require('./lib/receiver');
const { Redis } = require('./lib/redis');

const ADDED = 'pusher_internal:member_added';
const REMOVED = 'pusher_internal:member_removed';

const leave = (d) => d.ctlRaw(['-j', 'cluster', 'leave']);
const names = (d) => hosts(d).map((h) => h.host).sort();
const ready = async (d) => {
	const h = await Http.connect(d);
	const r = await h.ask('GET', '/ready');
	h.end();
	return r.json;
};

function refused(d, pattern) {
	const r = leave(d);
	assert.equal(r.code, 1);
	assert.match(r.err, pattern);
}

test('without a cluster it is refused', async () => {
	const d = await new Daemon().start();
	try {
		refused(d, /in no cluster: the option cluster is empty/);
	} finally {
		await d.stop();
	}
});

describe('cluster leave', () => {
	const redis = new Redis();
	const all = {};
	let r, a, b, app;

	const start = async (n, more) => {
		const d = hostWithWebhook(redis, n, r.url, more);
		all[n] = await d.start();
		await joined(d);
		return d;
	};

	before(async () => {
		await redis.start();
		r = await Receiver.start();
		b = await start('b', { workers: 2 }); // the first: sends webhooks
		a = await start('a');
		app = a.shared;
	});

	after(async () => {
		for (const d of Object.values(all)) await d.stop();
		await r.stop();
		await redis.remove();
	});

	test('a second server of one name is told so, and disturbs nothing',
		async () => {
			const second = host(redis, 'a');
			second.allow(/another server is host a/);
			second.spawn(); // its /ready is never 200
			try {
				await until('the log to say it', () =>
					/another server is host a: give each its own/
						.test(second.readLog()));
				assert.equal(status(second).state, 'joining');
				assert.match(status(second).error, /another server is host a/);
				refused(second, /not in its cluster: state joining: another/);
				assert.match(second.ctlRaw(['publish', '42', 'c', 'e', 'x'])
					.err, /takes no events now/);
			} finally {
				await second.stop();
			}
			await becomes(async () => names(b), ['a', 'b']);
			assert.equal(await redis.ask('HLEN', 'pusherd:hosts'), ':2\r\n');
			assert.equal((await tryPublish(a)).status, 200);
			assert.doesNotMatch(b.readLog(), /host a is gone/);
		});

	test('clients are closed with 4200, members go, Redis forgets it',
		async () => {
			const x = await Client.connect(a, app);
			const y = await Client.connect(b, app);
			await x.join('presence-l', 'u1');
			await y.join('presence-l', 'u2');
			await x.expect(ADDED, 'presence-l');
			await x.subscribe('l');
			let last = 0, stop = false;
			const publishes = (async () => {
				while (!stop) {
					const { status: s } = await tryPublish(b, 'l',
						String(last + 1));
					if (s !== 200) break;
					last++;
				}
			})();
			await x.expect('e', 'l');
			const row = await b.ctlAsync(['-j', 'cluster', 'leave']);
			stop = true;
			await publishes;
			assert.deepEqual(JSON.parse(row.out),
				{ left: 'pusherd', host: 'b', clients: 1 });
			await y.expectFatal(4200, /has left its cluster/);
			const rest = [];
			while (rest.length < last)
				rest.push(await x.next());
			const gone = rest.findIndex((m) => m.event === REMOVED);
			assert.ok(gone >= 0, 'member_removed comes before the end');
			rest.splice(gone, 1);
			assert.deepEqual(rest.map((m) => m.data), rest.map((m, i) =>
				String(i + 2)));
			await becomes(async () => names(a), ['a']);
			assert.equal(await redis.ask('HEXISTS', 'pusherd:hosts', 'b'),
				':0\r\n');
			assert.equal(await redis.ask('EXISTS', 'pusherd:alive:b'),
				':0\r\n');
			await x.close();
		});

	test('the next host sends the webhooks, each once', async () => {
		await becomes(async () => hosts(a)[0].webhooks, true);
		await until('the channel to be vacated', () => r.events.some((e) =>
			e.channel === 'presence-l' && e.name === 'channel_vacated'));
		assert.deepEqual(r.events.filter((e) => e.channel === 'presence-l')
			.map((e) => [e.name, e.user_id].join(' ')).sort(),
		['channel_occupied ', 'channel_vacated ', 'member_added u1',
			'member_added u2', 'member_removed u1', 'member_removed u2']);
	});

	async function isOut() {
		assert.equal(status(b).state, 'left');
		assert.deepEqual(hosts(b), []);
		assert.equal(await metric(b, 'pusherd_cluster_hosts'), 0);
		assert.deepEqual(await ready(b),
			{ ready: false, reason: 'left the cluster' });
		const p = await tryPublish(b);
		assert.equal(p.status, 503);
		assert.match(p.json.error, /has left its cluster/);
		const c = new Client(b, `/app/${app.key}?protocol=7`);
		await c.expectFatal(4100, /has left its cluster/);
		assert.equal(JSON.parse(leave(b).out).clients, 0);
	}

	test('it answers when all its workers were killed', async () => {
		b.allow(/worker \d was killed/, /worker \d: link/);
		const pids = b.pidsOf('worker');
		pids.forEach((pid) => process.kill(pid, 'SIGKILL'));
		await until('other workers', () => b.pidsOf('worker').filter((pid) =>
			!pids.includes(pid)).length === pids.length);
		await isOut();
	});

	test('it serves no one, also after kill -9 of its broker and a worker',
		async () => {
			await isOut();
			b.allow(/broker/, /worker/, /killed/);
			const pids = [b.pidsOf('broker')[0], b.pidsOf('worker 0')[0]];
			pids.forEach((pid) => process.kill(pid, 'SIGKILL'));
			await until('another broker', () => b.pidsOf('broker')
				.some((pid) => pid !== pids[0]));
			await becomes(async () => (await ready(b)).reason,
				'left the cluster');
			await until('both workers', () => b.pidsOf('worker 0').length === 1
				&& b.pidsOf('worker 0')[0] !== pids[1]);
			await becomes(async () => status(b).state, 'left');
			await isOut();
			assert.deepEqual(names(a), ['a']);
		});

	test('a restart brings it back', async () => {
		b.signal('SIGTERM');
		await b.exited;
		b.exit = null;
		await b.start();
		await becomesReady(b);
		await becomes(async () => names(a), ['a', 'b']);
		const x = await Client.connect(b, app);
		await x.subscribe('back');
		await publish(a, app, ['back'], 'e', '1');
		await x.expect('e', 'back');
		await x.close();
	});

	test('while Redis is away it is refused, with the reason', async () => {
		for (const d of [a, b]) d.allow(...TROUBLES);
		await redis.stop();
		await becomes(async () => status(b).state, 'away');
		refused(b, /not in its cluster: state away: \w.*; to stop it/);
		await redis.start();
		await becomesReady(b);
	});
});
