// SPDX-License-Identifier: MIT
//
// A user is terminated while a connection of this user has ended, and waits
// for its turn because the broker has much to answer: the worker goes on.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon } = require('./lib/daemon');
const { onEachWorker } = require('./lib/http');

const ASKING = 150; // connections with 16 questions each

test('terminate_connections meets a connection that is lost', async () => {
	const d = new Daemon({ workers: 2 });
	const app = d.app();
	try {
		await d.start();
		const workers = d.pidsOf('worker');
		const [broker] = d.pidsOf('broker');
		const [h, other] = await onEachWorker(d);
		other.end();
		// All of one worker; h is of the other one.
		const all = await Client.several(d, app, ASKING * 3);
		const here = new Set(d.ctl(['connections', 'list'])
			.filter((c) => c.worker === 1).map((c) => c.socket_id));
		const [probe, lost, stays, ...rest] =
			all.filter((c) => here.has(c.sid));
		const asking = rest.slice(0, ASKING);
		for (const c of [lost, stays]) {
			await c.signin({ id: 'ann' });
			await c.subscribe('room');
		}
		process.kill(broker, 'SIGSTOP');
		// It is the first that the broker hears when it goes on.
		const r = await h.api(app, 'POST', '/users/ann/terminate_connections',
			{ body: {} });
		assert.equal(r.status, 200);
		for (const c of asking)
			for (let i = 0; i < 16; i++) c.sendSubscribe(`room-${i}`);
		await probe.sync();
		await probe.sync();
		lost.sock.end();
		await lost.ended();
		process.kill(broker, 'SIGCONT');
		await stays.expectFatal(4009, /connection terminated/);
		for (const c of asking) await c.sync();
		await probe.sync();
		assert.deepEqual(d.pidsOf('worker'), workers);
		h.end();
		await closeAll(all);
		await d.stop();
	} finally {
		d.kill();
	}
});
