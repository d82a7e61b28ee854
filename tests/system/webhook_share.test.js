// SPDX-License-Identifier: MIT
//
// An app with many endpoints that do not answer: the requests in progress are
// bounded, other apps' webhooks are on time, and in the end all arrive.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { Receiver } = require('./lib/receiver');

const ENDPOINTS = 40;
const CHANNELS = 8;
const SHARE = 128; // IN_FLIGHT_MAX / 2

test('an app fills its share of the requests in progress, no more',
	async () => {
		const d = new Daemon({ webhook_allow_private: 'on',
			webhook_timeout: 60 });
		const held = [];
		let most = 0;
		let hold = true;
		const slow = await Receiver.start({ answer: (req, res) => {
			if (hold) most = Math.max(most, held.push(res));
			else res.end('ok');
		} });
		const good = await Receiver.start();
		try {
			const busy = d.app();
			const other = d.app();
			await d.start();
			for (let i = 0; i < ENDPOINTS; i++)
				d.ctl(['webhook', 'add', busy.id, `${slow.url}/${i}`]);
			d.ctl(['webhook', 'add', other.id, good.url]);
			const a = await Client.connect(d, busy);
			for (let i = 0; i < CHANNELS; i++) await a.subscribe(`c${i}`);
			await until('the share to be full', () => most >= SHARE);
			const b = await Client.connect(d, other);
			await b.subscribe('x');
			await good.have(1);
			assert.equal(most, SHARE);
			hold = false;
			for (const res of held) res.end('ok');
			const events = await slow.have(ENDPOINTS * CHANNELS);
			assert.equal(events.length, ENDPOINTS * CHANNELS);
			assert.equal(new Set(slow.hooks.map((h) => h.id)).size,
				ENDPOINTS * CHANNELS);
			await a.close();
			await b.close();
			await d.stop();
		} finally {
			d.kill();
			await slow.stop();
			await good.stop();
		}
	});
