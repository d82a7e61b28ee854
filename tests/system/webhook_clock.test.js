// SPDX-License-Identifier: MIT
//
// Webhooks of events that happen after the wall clock was set: each is tried at
// once, and again when the endpoint does not take it, as with a right clock.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { WrongClock } = require('./lib/clock');
const { Daemon, until } = require('./lib/daemon');
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
