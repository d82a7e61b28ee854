// SPDX-License-Identifier: MIT
//
// pusherctl doctor over many apps, each with many channels and with events for
// channels of other names: events go on meanwhile.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, SLOW, until } = require('./lib/daemon');
const { ask } = require('./lib/doctor');
const { api } = require('./lib/http');

const APPS = 40;
const CHANNELS = 4000;

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

test('doctor over many apps keeps no event waiting', async (t) => {
	const d = new Daemon({ workers: 1 });
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
	let over = false;
	const asked = ask(d).finally(() => { over = true; });
	let worst = 0;
	for (let n = 0; !over; n++) {
		const began = performance.now();
		pair[0].trigger('private-x', 'client-e', n);
		await pair[1].expect('client-e', 'private-x');
		worst = Math.max(worst, performance.now() - began);
	}
	const near = (await asked).findings
		.filter((f) => f.kind === 'channel_name').map((f) => f.app);
	assert.deepEqual(new Set(near), new Set(apps.map((app) => app.id)));
	t.diagnostic(`${Math.round(worst)} ms`);
	assert.ok(worst < 500 * SLOW, `${worst} ms`);
	await closeAll(pair);
	for (const c of all) c.destroy();
	await d.stop();
});
