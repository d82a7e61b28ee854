// SPDX-License-Identifier: MIT
//
// An orderly end of the courier: requests in progress get their answers, so
// that no receiver sees them twice, and one without an answer delays little.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { Receiver } = require('./lib/receiver');

const ACTIVE = 8; // requests of an endpoint that are in progress
const WAITS = /waiting for the answers to (\d+) webhook requests/g;

// A receiver answers when the test says so, and n channels become occupied.
async function withRequests(n, fn) {
	const d = new Daemon({ workers: 1, webhook_allow_private: 'on' });
	const app = d.app();
	const held = [];
	let answers = false;
	const r = await Receiver.start({ answer: (req, res) => {
		if (answers) res.end();
		else held.push(res);
	} });
	const answer = () => {
		answers = true;
		for (const res of held.splice(0)) res.end();
	};
	d.allow(/courier/);
	await d.start();
	try {
		d.ctl(['webhook', 'add', app.id, r.url, '--events',
			'channel_occupied']);
		const c = await Client.connect(d, app);
		for (let i = 0; i < n; i++) await c.subscribe(`c${i}`);
		await until('requests in progress', () =>
			r.hooks.length === Math.min(n, ACTIVE));
		await until('all on disk', () =>
			d.ctl(['status'])[0].webhooks.waiting === n);
		await fn({ d, app, r, answer });
		await d.stop();
	} catch (e) {
		d.kill();
		throw e;
	} finally {
		await r.stop();
	}
}

const waits = (d) => [...d.readLog().matchAll(WAITS)].map((m) => Number(m[1]));

async function startAgain(d) {
	await d.exited;
	assert.deepEqual(d.exit, { code: 0, signal: null });
	d.exit = null;
	await d.start();
}

test('another courier takes over: requests in progress are received once', () =>
	withRequests(ACTIVE + 4, async ({ d, r, answer }) => {
		process.kill(d.pidsOf('courier')[0], 'SIGTERM');
		await until('the courier to wait', () => waits(d).length > 0);
		assert.deepEqual(waits(d), [ACTIVE]);
		assert.equal(r.hooks.length, ACTIVE);
		answer();
		await until('all of them', () => r.hooks.length >= ACTIVE + 4);
		await until('no more to wait', () =>
			d.ctl(['status'])[0].webhooks.waiting === 0);
		assert.doesNotMatch(d.readLog(), /not answered in time/);
		assert.equal(r.hooks.length, ACTIVE + 4);
		assert.equal(new Set(r.hooks.map((h) => h.id)).size, ACTIVE + 4);
	}));

test('the server stops: no answer comes, and they are sent again', () =>
	withRequests(3, async ({ d, r, answer }) => {
		d.signal('SIGTERM');
		await d.exited;
		assert.deepEqual(waits(d), [3]);
		assert.match(d.readLog(), /3 webhook requests were not answered in/);
		assert.doesNotMatch(d.readLog(), /do not exit/);
		answer();
		await startAgain(d);
		await until('all of them again', () => r.hooks.length === 6);
		assert.equal(new Set(r.hooks.map((h) => h.id)).size, 3);
	}));

test('a quick stop: no answer is waited for', () =>
	withRequests(1, async ({ d, r, answer }) => {
		d.signal('SIGQUIT');
		await d.exited;
		assert.deepEqual(waits(d), []);
		answer();
		await startAgain(d);
		await until('it again', () => r.hooks.length === 2);
		assert.equal(r.hooks[1].id, r.hooks[0].id);
	}));
