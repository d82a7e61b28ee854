// SPDX-License-Identifier: MIT
//
// pusherctl doctor and the list of channels over many apps, each with many
// channels and with events for channels of other names: events go on meanwhile.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, SLOW, until } = require('./lib/daemon');
const { ask } = require('./lib/doctor');
const { api } = require('./lib/http');
const { scrape } = require('./lib/statistics');

const APPS = 40;
const CHANNELS = 4000;
const LONG = SLOW > 1 ? '0.5' : '0.1'; // seconds of a turn of the broker

async function fill(d, app) {
	const c = await Client.connect(d, app);
	let n = 0;
	let rest = '';
	c.onData = (b) => {
		const parts = (rest + b.toString('latin1'))
			.split('subscription_succeeded');
		n += parts.length - 1;
		rest = parts.pop().slice(-30);
	};
	for (let i = 0; i < CHANNELS; i++)
		c.sendSubscribe(`order.of.a.customer.with.a.name.${i}`);
	await until('its channels', () => n === CHANNELS, 60000);
	return c;
}

// Events for channels of other names; the doctor learns eight in a second.
async function mistake(d, app, first) {
	const batch = Array.from('abcdefgh', (x) => ({ name: 'e', data: '1',
		channel: `${first}s.of.the.customers.with.names.${x}` }));
	batch[0].channel = `${first}.of.a.customer.with.a.name.7`;
	const r = await api(d, app, 'POST', '/batch_events', { body: { batch } });
	assert.equal(r.status, 200, r.text);
}

// The slowest event of this pair of clients while `asked` is answered.
async function slowest(pair, asked) {
	let worst = 0;
	let over = false;
	const done = asked.finally(() => { over = true; });
	for (let n = 0; !over; n++) {
		const began = performance.now();
		pair[0].trigger('private-x', 'client-e', n);
		await pair[1].expect('client-e', 'private-x');
		worst = Math.max(worst, performance.now() - began);
	}
	return { worst, answer: await done };
}

async function longTurns(d) {
	const name = 'pusherd_broker_turn_seconds';
	const m = await scrape(d);
	return m.value(`${name}_count`) - m.value(`${name}_bucket`, { le: LONG });
}

test('many apps with many channels', async (t) => {
	const d = new Daemon({ workers: 1, metrics_listen: '127.0.0.1:0' });
	const apps = Array.from({ length: APPS }, () =>
		d.app({ max_subscriptions: 10000 }));
	const other = d.app({ client_events: 'on',
		max_client_events_per_second: 0 });
	await d.start();
	const all = [];
	for (const app of apps) {
		await mistake(d, app, 'Order');
		all.push(await fill(d, app));
	}
	for (const app of apps) await mistake(d, app, 'Ordes');
	const pair = await Client.several(d, other, 2);
	for (const c of pair) await c.subscribe('private-x');

	await t.test('doctor keeps no event waiting', async () => {
		const { worst, answer } = await slowest(pair, ask(d));
		const near = answer.findings
			.filter((f) => f.kind === 'channel_name').map((f) => f.app);
		assert.deepEqual(new Set(near), new Set(apps.map((app) => app.id)));
		assert.ok(worst < 500 * SLOW, `${worst} ms`);
	});

	await t.test('the list of channels keeps no event waiting, and is in order',
		async () => {
			const before = await longTurns(d);
			const { answer } = await slowest(pair, d.ctlAsync(['channels']));
			const long = await longTurns(d) - before;
			assert.equal(answer.code, 0, answer.err);
			const names = answer.out.trim().split('\n')
				.map((line) => line.split('\t').slice(0, 2).join(' '));
			assert.equal(names.length, APPS * CHANNELS + 1);
			assert.equal(new Set(names).size, names.length);
			assert.deepEqual(names, [...names].sort());
			t.diagnostic(`${long} long turns`);
			assert.equal(long, 0);
		});

	await closeAll(pair);
	for (const c of all) c.destroy();
	await d.stop();
});
