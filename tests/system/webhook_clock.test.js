// SPDX-License-Identifier: MIT
//
// Webhooks of events that happen after the wall clock was set: each is tried at
// once, and again when the endpoint does not take it, as with a right clock.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { WrongClock } = require('./lib/clock');
const { Daemon, SLOW, until } = require('./lib/daemon');
const { Receiver } = require('./lib/receiver');

// Set while the server runs; the receiver refuses the first two tries.
for (const wrong of [-3600, 60, 3600])
	test(`the clock is set by ${wrong} s: a webhook is tried again`, async () => {
		const clock = new WrongClock();
		let tries = 0;
		const r = await Receiver.start({ answer: (req, res) =>
			res.writeHead(++tries > 2 ? 200 : 500).end() });
		const d = new Daemon({ webhook_allow_private: 'on' });
		try {
			await clock.with({}, () => d.run(async () => {
				const app = d.app();
				await d.start();
				d.ctl(['webhook', 'add', app.id, r.url, '--events',
					'channel_occupied']);
				clock.set(wrong);
				const c = await Client.connect(d, app);
				await c.subscribe('x');
				await until('the first try', () => tries === 1, 5000);
				await until('the third try', () => tries === 3);
				const [hook] = r.hooks;
				assert.ok(Math.abs(hook.json.time_ms - Date.now() -
					wrong * 1000) < 30000, 'its time is that of the clock');
				await until('the answer is recorded', () =>
					d.ctl(['webhook', 'deliveries'])[0].state === 'done');
				await c.close();
			}));
		} finally {
			clock.remove();
			await r.stop();
		}
	});

test('the clock is an hour ahead: a test of a webhook is tried once', async () => {
	const clock = new WrongClock();
	const r = await Receiver.start({ answer: (req, res) =>
		res.writeHead(500).end() });
	const d = new Daemon({ webhook_allow_private: 'on' });
	d.allow(/given up after 1 tries/);
	try {
		await clock.with({}, () => d.run(async () => {
			const app = d.app();
			await d.start();
			const [w] = d.ctl(['webhook', 'add', app.id, r.url]);
			clock.set(3600);
			const t = await d.ctlAsync(['webhook', 'test',
				String(w.webhook)]);
			assert.match(t.out + t.err, /500/);
			assert.equal(d.ctl(['webhook', 'deliveries'])[0].state, 'dead');
			assert.equal(r.hooks.length, 1);
		}));
	} finally {
		clock.remove();
		await r.stop();
	}
});

// The endpoint refuses all requests; tries() counts them.
async function refused(settings, fn) {
	const clock = new WrongClock();
	const r = await Receiver.start({ answer: (req, res) =>
		res.writeHead(500).end() });
	const d = new Daemon({ webhook_allow_private: 'on', ...settings });
	const tries = (n) => until(`${n} tries`, () => r.hooks.length >= n);
	d.allow(/given up after \d+ tries/);
	try {
		await clock.with({}, () => d.run(async () => {
			const app = d.app();
			await d.start();
			d.ctl(['webhook', 'add', app.id, r.url, '--events',
				'channel_occupied']);
			const c = await Client.connect(d, app);
			await c.subscribe('x');
			await tries(1);
			await fn({ d, r, clock, tries });
			await c.close();
		}));
	} finally {
		clock.remove();
		await r.stop();
	}
}

const state = (d) => d.ctl(['webhook', 'deliveries'])[0].state;

for (const wrong of [-3600, 3600])
	test(`the clock is set by ${wrong} s: webhook retry tries as long`, () =>
		refused({ webhook_retry_time: 4 }, async ({ d, r, clock, tries }) => {
			await until('a dead letter', () => state(d) === 'dead');
			clock.set(wrong);
			const n = r.hooks.length;
			const began = Date.now();
			assert.deepEqual(d.ctl(['webhook', 'retry', '1']), [{ retried: 1 }]);
			await tries(n + 2);
			await until('a dead letter', () => state(d) === 'dead', 20000);
			assert.ok(Date.now() - began > 3000, 'tried for four seconds');
		}));

for (const wrong of [-3600, 3600])
	test(`the clock is set by ${wrong} s and the courier dies: a webhook is ` +
		'tried as long', () =>
		refused({ webhook_retry_time: 12 }, async ({ d, r, clock, tries }) => {
			d.allow(/courier.* was killed by signal 9|another one in/);
			clock.set(wrong);
			const began = Date.now();
			const [pid] = d.pidsOf('courier');
			process.kill(pid, 'SIGKILL');
			const n = r.hooks.length;
			await tries(n + 2);
			await until('a dead letter', () => state(d) === 'dead', 30000);
			const took = Date.now() - began;
			assert.ok(took > 5000 && took < 20000 * SLOW, `it took ${took} ms`);
		}));
