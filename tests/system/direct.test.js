// SPDX-License-Identifier: MIT
//
// A lone worker delivers client events itself, ahead of the broker: when it
// does and when not, and that order, webhooks and counts are those of events
// that came by the broker.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test, describe } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, until, becomes, rows } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { Receiver } = require('./lib/receiver');

const FAST = { client_events: 'on', max_client_events_per_second: 0,
	max_subscriptions: 10000 };
const CHANNEL = 'private-d';

const count = (d, what) => d.readLog().split(what).length - 1;
const told = (d) => count(d, 'delivers client events itself');
const taken = (d) => count(d, 'is no longer alone');

// It has been told n times.
const isAlone = (d, n = 1) => until(`the worker is told ${n} times`,
	() => told(d) >= n);

// workers stands in a file, so that a reload can change it.
async function daemon(fn, conf = {}, settings = {}) {
	const d = new Daemon({ log_level: 'debug', ...conf });
	const app = d.app({ ...FAST, ...settings });
	d.allow(/broker was killed by signal 9/, /link to the broker lost/);
	delete d.conf.workers;
	d.file = path.join(d.dir, 'pusherd.conf');
	d.reload = async (workers) => {
		fs.writeFileSync(d.file, `workers ${workers}\n`);
		if (!d.child) return;
		const r = await d.ctlAsync(['-c', d.file, 'reload']);
		assert.equal(r.code, 0, r.err);
	};
	d.reload(1);
	await d.start(['-c', d.file]);
	await d.run(async () => {
		await isAlone(d);
		await fn(d, app);
	});
}

async function room(d, app, n) {
	const clients = await Client.several(d, app, n);
	for (const c of clients) await c.subscribe(CHANNEL);
	return clients;
}

// Is what the first one sends delivered while the broker is stopped?  All have
// read it, and what came before it, in the end.
async function isDirect(d, [from, ...others]) {
	const [broker] = d.pidsOf('broker');
	process.kill(broker, 'SIGSTOP');
	from.trigger(CHANNEL, 'client-probe', 'x');
	await from.sync();
	// Whatever its worker does with it, it has done before the pong.
	const is = (m) => m.event === 'client-probe';
	const direct = (await others[0].sync()).some(is);
	process.kill(broker, 'SIGCONT');
	for (const c of direct ? others.slice(1) : others)
		while (!is(await c.next()));
	return direct;
}

const becomesDirect = (d, clients) =>
	becomes(() => isDirect(d, clients), true);

// Two clients send, one after the other: each event goes when its sender has
// the one before.  publish(i) takes some of them; watchers see all.
async function conversation(clients, n, publish) {
	const [a, b, ...watchers] = clients;
	const want = [];
	for (let i = 0; i < n; i++) {
		const [from, to] = i % 2 ? [a, b] : [b, a];
		want.push(`${i}`);
		if (await publish?.(i)) {
			for (const c of [a, b])
				assert.equal((await c.next()).data, `${i}`);
			continue;
		}
		from.trigger(CHANNEL, 'client-e', `${i}`);
		assert.equal((await to.next()).data, `${i}`);
	}
	for (const w of watchers) {
		const got = [];
		while (got.length < n) got.push((await w.next()).data);
		assert.deepEqual(got, want);
		assert.deepEqual(await w.sync(), []);
	}
}

// All of them send as fast as they can while fault() runs, and n each; all
// watchers see one order, and all of each sender in its order.
async function storm(senders, watchers, n, fault, others = async () => 0) {
	let on = true;
	let more = 0;
	const sent = senders.map(() => 0);
	const sending = senders.map(async (c, p) => {
		while (on || sent[p] < n) {
			c.trigger(CHANNEL, 'client-e', `${p} ${sent[p]++}`);
			if (sent[p] % 5 === 0) await c.sync();
		}
	});
	const publishing = others(() => on).then((m) => { more = m; });
	await fault(() => sent.reduce((x, y) => x + y));
	on = false;
	await Promise.all([...sending, publishing]);
	const total = sent.reduce((x, y) => x + y, more);
	const seen = [];
	for (const w of watchers) {
		const got = [];
		while (got.length < total) got.push((await w.next()).data);
		assert.deepEqual((await w.sync()).map((m) => m.data), []);
		seen.push(got);
	}
	for (const got of seen) assert.deepEqual(got, seen[0]);
	const last = {};
	for (const line of seen[0]) {
		const [p, i] = line.split(' ');
		assert.equal(Number(i), (last[p] ?? -1) + 1, line);
		last[p] = Number(i);
	}
}

// Publishes while on() is true; how many.
const publisher = (d, app) => async (on) => {
	let i = 0;
	for (; on(); i++) await publish(d, app, CHANNEL, 'e', `h ${i}`);
	return i;
};

describe('a lone worker', () => {
	test('delivers client events without the broker', () =>
		daemon(async (d, app) => {
			const clients = await room(d, app, 3);
			await becomesDirect(d, clients);
			await closeAll(clients);
		}));

	test('does so again behind each thing that goes by the broker', () =>
		daemon(async (d, app) => {
			const clients = await room(d, app, 4);
			await conversation(clients, 600, async (i) => {
				if (i % 7 === 3) {
					await publish(d, app, CHANNEL, 'e', `${i}`);
					return true;
				}
				if (i % 50 === 20) {
					d.ctl(['publish', app.id, CHANNEL, 'e', `${i}`]);
					return true;
				}
				return false;
			});
			await becomesDirect(d, clients);
			await closeAll(clients);
		}));

	test('what pusherctl has published comes before a later client event', () =>
		daemon(async (d, app) => {
			const clients = await room(d, app, 3);
			const [a, , watcher] = clients;
			await becomesDirect(d, clients);
			for (let i = 0; i < 40; i++) {
				const how = i % 4 === 0 ? ['--wait', '1ms'] : [];
				const r = await d.ctlAsync(
					['publish', app.id, CHANNEL, 'e', `${i}`, ...how]);
				assert.equal(r.code, 0, r.err);
				a.trigger(CHANNEL, 'client-e', `${i}`);
				for (const event of ['e', 'client-e']) {
					const m = await watcher.next();
					assert.deepEqual([m.event, m.data], [event, `${i}`]);
				}
			}
			await closeAll(clients);
		}));

	test('events of all kinds in a storm: one order for everyone', () =>
		daemon(async (d, app) => {
			const senders = await Client.several(d, app, 3);
			for (const c of senders) await c.subscribe(CHANNEL);
			const watchers = await room(d, app, 3);
			const guests = async (on) => {
				let n = 0;
				for (; on(); n++) {
					const c = await Client.connect(d, app);
					await c.join('presence-x', `u${n}`);
					await c.close();
				}
			};
			let on = true;
			const coming = guests(() => on);
			await storm(senders, watchers, 400, async () => {},
				publisher(d, app));
			on = false;
			await coming;
			await closeAll([...senders, ...watchers]);
		}));

	test('with resume_client_events the broker says when', () =>
		daemon(async (d, app) => {
			const clients = await room(d, app, 2);
			assert.equal(await isDirect(d, clients), false);
			await closeAll(clients);
		}, {}, { resume: 'on', resume_client_events: 'on' }));

	test('webhooks and statistics count each event once, in order', async () => {
		const r = await Receiver.start();
		await daemon(async (d, app) => {
			d.ctl(['webhook', 'add', app.id, r.url, '--events',
				'client_event']);
			await until('the courier', () =>
				d.ctl(['status'])[0].webhooks.state === 'up');
			const clients = await room(d, app, 3);
			const [a, , watcher] = clients;
			await becomesDirect(d, clients);
			const sent = () => r.hooks.flatMap((h) => h.json.events)
				.filter((e) => e.event === 'client-e').map((e) => e.data);
			for (let i = 0; i < 200; i++)
				a.trigger(CHANNEL, 'client-e', `${i}`);
			for (let i = 0; i < 200; i++)
				assert.equal(await watcher.expect('client-e'), `${i}`);
			const want = Array.from({ length: 200 }, (_, i) => `${i}`);
			await becomes(sent, want);
			await closeAll(clients);
		}, { webhook_allow_private: 'on' });
		await r.stop();
	});

	test('tail shows each once, in order', () =>
		daemon(async (d, app) => {
			const clients = await room(d, app, 2);
			await becomesDirect(d, clients);
			let out;
			const tail = d.ctlAsync(['-j', 'tail', app.id, '--limit', '50'])
				.then((r) => { out = rows(r.out); });
			for (let i = 0; !out; i++) {
				clients[0].trigger(CHANNEL, 'client-e', `${i}`);
				await clients[0].sync();
			}
			await tail;
			const first = Number(out[0].data);
			assert.deepEqual(out.map((m) => Number(m.data)),
				out.map((_, i) => first + i));
			assert.equal(out.length, 50);
			await closeAll(clients);
		}));
});

describe('a lone worker when something dies or changes', () => {
	const steady = (what, fault, settings = {}) => test(what, () =>
		daemon(async (d, app) => {
			const senders = await Client.several(d, app, 3);
			for (const c of senders) await c.subscribe(CHANNEL);
			const watchers = await room(d, app, 3);
			await storm(senders, watchers, 300, () => fault(d),
				publisher(d, app));
			await becomesDirect(d, [...senders, ...watchers]);
			await closeAll([...senders, ...watchers]);
		}, {}, settings));

	const killBroker = async (d) => {
		for (let i = 0; i < 3; i++) {
			const n = told(d);
			process.kill(d.pidsOf('broker')[0], 'SIGKILL');
			await isAlone(d, n + 1);
		}
	};

	test('the broker is killed: nothing is lost, doubled or moved', () =>
		daemon(async (d, app) => {
			const senders = await Client.several(d, app, 3);
			for (const c of senders) await c.subscribe(CHANNEL);
			const watchers = await room(d, app, 3);
			await storm(senders, watchers, 300, () => killBroker(d));
			await closeAll([...senders, ...watchers]);
		}));

	test('the broker is stopped and killed: the same', () =>
		daemon(async (d, app) => {
			const senders = await Client.several(d, app, 3);
			for (const c of senders) await c.subscribe(CHANNEL);
			const watchers = await room(d, app, 3);
			const [broker] = d.pidsOf('broker');
			await storm(senders, watchers, 0, async (sent) => {
				process.kill(broker, 'SIGSTOP');
				// That is more than the worker delivers without it.
				await until('3000 events', () => sent() > 3000);
				process.kill(broker, 'SIGKILL');
			});
			await closeAll([...senders, ...watchers]);
		}));

	steady('workers are replaced', async (d) => {
		for (let i = 0; i < 3; i++) {
			const r = await d.ctlAsync(['worker', 'replace', '0']);
			assert.equal(r.code, 0, r.err);
		}
	});

	steady('upgrades', async (d) => {
		for (let i = 0; i < 2; i++) {
			const r = await d.ctlAsync(['-j', 'upgrade']);
			assert.equal(r.code, 0, r.err);
		}
	});

	test('a second worker comes and goes: the word is back before', () =>
		daemon(async (d, app) => {
			const senders = await Client.several(d, app, 3);
			for (const c of senders) await c.subscribe(CHANNEL);
			const watchers = await room(d, app, 3);
			for (let i = 1; i <= 3; i++) {
				await storm(senders, watchers, 300, async () => {
					await d.reload(2);
					assert.equal(taken(d), i);
				}, publisher(d, app));
				const all = [...senders, ...watchers];
				assert.equal(await isDirect(d, all), false);
				// Clients of the second worker are among the watchers.
				const more = await Client.onEachWorker(d, app);
				for (const c of more) await c.subscribe(CHANNEL);
				await storm(senders, [...watchers, ...more], 300,
					async () => {}, publisher(d, app));
				await closeAll(more);
				await d.reload(1);
				await isAlone(d, i + 1);
			}
			await closeAll([...senders, ...watchers]);
		}));
});
