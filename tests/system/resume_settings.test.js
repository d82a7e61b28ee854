// SPDX-License-Identifier: MIT
//
// resume_client_events, and what webhooks hear of presence_grace; both are
// changed while the server runs.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, sleep, until, SLOW } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { Receiver } = require('./lib/receiver');
const { newId, open, enter, settled } = require('./lib/resume');
const { suite } = require('./lib/suite');

suite('resume_client_events', (d) => {
	const app = d.app({ resume: 'on', client_events: 'on' });
	const shout = (c, data) => c.send({ event: 'client-shout',
		channel: 'private-x', data });

	// The events of a client that was away while another one shouted.
	async function heard(data) {
		const ids = [newId(), newId()];
		let away = await open(d, app, ids[0]);
		let sender = await open(d, app, ids[1]);
		for (const c of [away, sender]) {
			await enter(c, 'private-x');
			await settled(c);
		}
		const witness = await Client.connect(d, app);
		await witness.subscribe('private-x');
		away.reset();
		shout(sender, data);
		await witness.expect('client-shout', 'private-x');
		await publish(d, app, 'private-x', 'e', '1');
		await sender.expect('e', 'private-x');
		await settled(sender);
		sender.reset();
		away = await open(d, app, ids[0]);
		const got = await enter(away, 'private-x');
		assert.equal(got.status, 'continued');
		sender = await open(d, app, ids[1]);
		const own = await enter(sender, 'private-x');
		assert.equal(own.status, 'continued');
		assert.ok(own.events.every((m) => m.event === 'e'), 'its own');
		await closeAll([away, sender, witness]);
		return got.events.map((m) => [m.event, m.data]);
	}

	test('off, then on, then off', async () => {
		assert.deepEqual(await heard('a'), [['e', '1']]);
		d.ctl(['app', 'set', app.id, 'resume_client_events=on']);
		assert.deepEqual(await heard('b'), [['client-shout', 'b'],
			['e', '1']]);
		d.ctl(['app', 'set', app.id, 'resume_client_events=off']);
		assert.deepEqual(await heard('c'), [['e', '1']]);
	});
}, { resume_ack_interval: 10 });

test('presence_grace: no webhook within it; a new value counts from then on',
	async () => {
		const d = new Daemon({ workers: 1, webhook_allow_private: 'on',
			crash_grace: 0 });
		const app = d.app({ resume: 'on', presence_grace: 20 * SLOW });
		await d.start();
		const told = [];
		const r = await Receiver.start({ answer: (req, res, hook) => {
			told.push(...hook.json.events.map((e) => e.name));
			res.end();
		} });
		d.ctl(['webhook', 'add', app.id, r.url]);
		await until('the courier', () =>
			d.ctl(['status'])[0].webhooks.state === 'up');
		const left = () => told.filter((n) => n === 'member_removed').length;
		const id = newId();
		const join = async (c) => {
			await enter(c, 'presence-x', { data: { user_id: 'ann' } });
			return c;
		};
		let c = await join(await open(d, app, id));
		await until('member_added', () => told.includes('member_added'));
		c.reset();
		await sleep(4000); // longer than webhooks are held back
		c = await join(await open(d, app, id));
		assert.equal(left(), 0);
		c.reset(); // with the old value
		await until('it is away', () =>
			d.ctl(['sessions', app.id])[0].state !== 'connected');
		d.ctl(['app', 'set', app.id, 'presence_grace=0']);
		c = await join(await open(d, app, id));
		assert.equal(left(), 0);
		c.reset(); // with the new one
		await until('member_removed', () => left() === 1, 10000);
		assert.equal(told.filter((n) => n === 'member_added').length, 1);
		await r.stop();
		await d.stop();
	});
