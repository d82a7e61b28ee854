// SPDX-License-Identifier: MIT
//
// The bounds of the outbox: what goes when it is full, what stays, and that it
// is said.  (The bound of what waits in the broker: tests/faults/outbox.js.)
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { Receiver } = require('./lib/receiver');

const status = (d) => d.ctl(['status'])[0].webhooks;

// A receiver that refuses everything until well is set.
async function withSick(conf, fn) {
	const d = new Daemon({ workers: 1, webhook_allow_private: 'on', ...conf });
	const app = d.app({ client_events: 'on', max_subscriptions: 10000,
		max_client_events_per_second: 0 });
	const sick = { well: false };
	d.allow(/outbox|webhook 1: |client events are dropped/);
	await d.start();
	const r = await Receiver.start({ answer: (req, res) => {
		res.statusCode = sick.well ? 200 : 503;
		res.end();
	} });
	d.ctl(['webhook', 'add', app.id, r.url]);
	const c = await Client.connect(d, app);
	await c.subscribe('private-x');
	c.onFrame = () => {};
	const talk = (from, to, pad = '') => {
		for (let i = from; i < to; i++)
			c.trigger('private-x', 'client-n', `${i} ${pad}`);
	};
	const enter = (from, to) => {
		for (let i = from; i < to; i++) c.sendSubscribe(`room-${i}`);
	};
	try {
		await d.run(async () => {
			await fn({ d, r, sick, talk, enter });
			await c.close();
		});
	} finally {
		await r.stop();
	}
}

// All that has arrived, each delivery once.
function arrived(r) {
	const first = new Map(r.hooks.map((h) => [h.id, h.json.events]));
	return [...first.values()].flat();
}

test('rows: dead letters and the oldest client events go, then all waits',
	() => withSick({ outbox_max_rows: 1000 }, async (x) => {
		const { d, r, sick } = x;
		x.enter(0, 100);
		await until('the rooms', () => status(d).waiting >= 101);
		x.talk(0, 2000);
		await until('drops', () => {
			const w = status(d);
			return w.queued === 0 && w.dropped + w.waiting === 2101;
		});
		assert.ok(status(d).waiting <= 1001);
		assert.match(d.readLog(), /the outbox is full, the oldest/);
		assert.equal(status(d).state, 'up');
		x.enter(100, 1600);
		await until('nothing may go any more', () => {
			const w = status(d);
			return w.state === 'stuck' && /is full/.test(w.trouble) &&
				w.waiting + w.queued === 1601;
		});
		r.hooks.length = 0; // all that was refused
		sick.well = true;
		await until('all rooms', () => new Set(arrived(r).filter((e) =>
			e.name === 'channel_occupied').map((e) => e.channel)).size ===
			1601, 60000);
		await until('well again', () => {
			const w = status(d);
			return w.state === 'up' && w.waiting === 0 && w.trouble === '';
		});
	}));

test('bytes: the newest client events stay', () => withSick(
	{ outbox_max_bytes: 1048576 }, async (x) => {
		const { d, r, sick } = x;
		x.talk(0, 300, 'x'.repeat(9000));
		await until('drops', () => {
			const w = status(d);
			return w.dropped > 150 && w.queued === 0 &&
				w.dropped + w.waiting === 301;
		});
		const { waiting } = status(d);
		assert.ok(waiting > 20 && waiting < 118, `${waiting} wait`);
		sick.well = true;
		await until('an empty outbox', () => status(d).waiting === 0, 60000);
		const numbers = arrived(r).filter((e) => e.event)
			.map((e) => Number(e.data.split(' ')[0]));
		const last = numbers.slice(-waiting + 2);
		last.forEach((n, i) => assert.equal(n, last[0] + i));
		assert.equal(last.at(-1), 299);
	}));

test('S5: a dead endpoint fills the outbox; another app gets its webhooks',
	() => withSick({ outbox_max_rows: 1000 }, async (x) => {
		const { d } = x;
		const other = d.app();
		const good = await Receiver.start();
		d.ctl(['webhook', 'add', other.id, good.url]);
		x.enter(0, 3000);
		await until('it is full', () => status(d).dropped > 500, 20000);
		const c = await Client.connect(d, other);
		for (let i = 0; i < 20; i++) await c.subscribe(`good-${i}`);
		await good.have(20);
		assert.equal(status(d).state, 'up');
		assert.match(d.readLog(), /webhook 1: the outbox is full and it holds/);
		await c.close();
		await good.stop();
	}));

test('S5: webhook list says which endpoint fills the outbox, also after the ' +
	'death of the courier', () => withSick({ outbox_max_rows: 1000 },
	async (x) => {
		const { d, sick } = x;
		d.allow(/courier was killed/);
		const other = d.app();
		const good = await Receiver.start();
		d.ctl(['webhook', 'add', other.id, good.url]);
		const list = () => d.ctl(['webhook', 'list']);
		x.enter(0, 2000);
		await until('drops', () => {
			const w = status(d);
			return w.queued === 0 && w.dropped > 900 &&
				w.dropped + w.waiting === 2001;
		}, 20000);
		const c = await Client.connect(d, other);
		await c.subscribe('good');
		await good.have(1);
		const check = async () => {
			await until('the numbers', () => {
				const [a] = list();
				return a.dropped + a.waiting === 2001 && a.oldest >= 3 &&
					a.failing >= 3 && a.failing <= 600;
			});
			const [a, b] = list();
			assert.ok(a.dropped > 900);
			assert.equal(a.state, 'failing');
			assert.deepEqual([b.state, b.failing, b.waiting, b.oldest,
				b.dropped], ['up', null, 0, null, 0]);
		};
		await check();
		process.kill(d.pidsOf('courier')[0], 'SIGKILL');
		await until('the next one', () => status(d).state === 'up', 15000);
		await check();
		sick.well = true;
		await until('nothing waits', () => {
			const [a] = list();
			return a.waiting === 0 && a.state === 'up' &&
				a.failing === null && a.dropped > 900;
		}, 60000);
		d.ctl(['webhook', 'set', '1', 'enabled=off']);
		assert.equal(list()[0].state, 'disabled');
		await c.close();
		await good.stop();
	}));

test('S5: one app fills the way to a courier that is stopped; another loses ' +
	'nothing and is served in turn', () => withSick({}, async (x) => {
	const { d, r, sick } = x;
	const other = d.app({ client_events: 'on' });
	const good = await Receiver.start();
	d.ctl(['webhook', 'add', other.id, good.url]);
	const c = await Client.connect(d, other);
	await c.subscribe('private-y');
	await good.have(1);
	sick.well = true;
	const [courier] = d.pidsOf('courier');
	d.signal('SIGSTOP'); // the master would end what does not move
	process.kill(courier, 'SIGSTOP');
	const apps = (id) => d.ctl(['stats', id])[0].app;
	for (let i = 0; i < 40 && apps('101').webhooks_dropped === 0; i++) {
		x.talk(i * 50, (i + 1) * 50, 'x'.repeat(9000));
		await until('them to be queued', () => {
			const a = apps('101');
			return a.webhooks_dropped > 0 || a.webhooks_queued >= i * 50;
		});
	}
	assert.ok(apps('101').webhooks_dropped > 0);
	for (let i = 0; i < 5; i++) c.trigger('private-y', 'client-n', String(i));
	for (let i = 0; i < 20; i++) await c.subscribe(`good-${i}`);
	await until('25 to wait', () => apps(other.id).webhooks_queued === 25);
	assert.equal(apps(other.id).webhooks_dropped, 0);
	assert.match(d.readLog(), /does not keep up.*app.{1,5}101/);
	const before = r.hooks.length;
	process.kill(courier, 'SIGCONT');
	await good.have(26);
	d.signal('SIGCONT');
	assert.ok(r.hooks.length - before < 700, 'not behind the others');
	await c.close();
	await good.stop();
}));
