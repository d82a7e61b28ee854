// SPDX-License-Identifier: MIT
//
// Webhooks are delivered in order per channel, and a channel that its
// endpoint refuses delays no other channel.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { Receiver } = require('./lib/receiver');

const status = (d) => d.ctl(['status'])[0].webhooks;
const range = (n, prefix) => Array.from({ length: n }, (_, i) => prefix + i);

// A receiver; refuse(hook, res) is true when it has answered itself.
async function withReceiver(refuse, fn) {
	const d = new Daemon({ workers: 1, webhook_allow_private: 'on',
		webhook_timeout: 1 });
	const app = d.app({ client_events: 'on', max_subscriptions: 10000,
		max_client_events_per_second: 0 });
	d.allow(/courier|broker|given up/);
	await d.start();
	const taken = [];
	const r = await Receiver.start({ answer: (req, res, hook) => {
		if (refuse(hook, res)) return;
		taken.push(...hook.json.events.map((e) => ({ ...e, id: hook.id })));
		res.end();
	} });
	d.ctl(['webhook', 'add', app.id, r.url]);
	await until('the courier', () => status(d).state === 'up');
	const c = await Client.connect(d, app);
	try {
		await d.run(async () => {
			await fn({ d, app, r, c, taken });
			await c.close();
		});
	} finally {
		await r.stop();
	}
}

const channels = (taken) => new Set(taken.map((e) => e.channel));

const refuseWith = (code) => (res) => {
	res.statusCode = code;
	res.end();
};

for (const [what, n, fail] of [['404', 60, refuseWith(404)],
	['503', 200, refuseWith(503)], ['no answer', 24, () => {}]])
	test(`S6: ${n} channels get ${what}; 12 others are delivered at once`,
		() => withReceiver((hook, res) => {
			if (!hook.json.events[0].channel.startsWith('bad-')) return false;
			fail(res);
			return true;
		}, async ({ d, c, taken }) => {
			for (const name of range(n, 'bad-')) c.sendSubscribe(name);
			await until('bad ones to be retried', () => d.ctl(['webhook',
				'deliveries']).some((x) => x.attempts > 0));
			for (const name of range(12, 'good-')) c.sendSubscribe(name);
			await until('the good ones', () => channels(taken).size === 12,
				5000);
			await until('the others wait', () => status(d).waiting === n);
		}));

test('S6: each channel in order, over refusals and a killed courier', async () => {
	let n = 0;
	await withReceiver((hook, res) => {
		if (n++ % 5 !== 0) return false;
		res.statusCode = 500;
		res.end();
		return true;
	}, async ({ d, c, taken }) => {
		const names = range(10, 'private-');
		for (const name of names) await c.subscribe(name);
		for (let i = 0; i < 5; i++) {
			for (const name of names) c.trigger(name, 'client-n', String(i));
			if (i !== 2) continue;
			await until('some to be taken', () => taken.length > 15);
			process.kill(d.pidsOf('courier')[0], 'SIGKILL');
		}
		await until('all of them', () => new Set(taken.map((e) => e.id))
			.size === 60 && status(d).waiting === 0, 60000);
		for (const name of names) {
			// A delivery that is repeated has the id that it had.
			const ids = new Map();
			for (const e of taken)
				if (e.channel === name && !ids.has(e.id))
					ids.set(e.id, e.data ?? e.name);
			assert.deepEqual([...ids.values()],
				['channel_occupied', '0', '1', '2', '3', '4'], name);
		}
	});
});

// The broker sends the events of each app in turn: those of one worker reach
// the courier in another order than they had.
test('client events of two apps behind a courier that is stopped', async () => {
	const d = new Daemon({ webhook_allow_private: 'on' });
	const apps = [0, 1].map(() => d.app({ client_events: 'on',
		max_client_events_per_second: 0 }));
	const r = await Receiver.start();
	await d.start();
	await d.run(async () => {
		const clients = [];
		for (const app of apps) {
			d.ctl(['webhook', 'add', app.id, r.url]);
			const c = await Client.connect(d, app);
			await c.subscribe('private-x');
			clients.push(c);
		}
		await r.have(2);
		const [courier] = d.pidsOf('courier');
		process.kill(courier, 'SIGSTOP');
		// More than is on its way to the courier at a time, of the first.
		for (let i = 0; i < 200; i++)
			clients[0].trigger('private-x', 'client-a', 'x'.repeat(9000));
		await clients[0].sync();
		for (let i = 0; i < 20; i++) clients[1].trigger('private-x',
			'client-b', String(i));
		await clients[1].sync();
		process.kill(courier, 'SIGCONT');
		const events = await r.have(2 + 220, 20000);
		assert.deepEqual(events.filter((e) => e.event === 'client-b')
			.map((e) => e.data), Array.from({ length: 20 },
			(_, i) => String(i)));
		for (const c of clients) await c.close();
	});
	await r.stop();
});
