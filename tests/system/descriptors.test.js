// SPDX-License-Identifier: MIT
//
// The broker runs out of descriptors: it does not spin, publishes go on, and
// pusherctl is answered with the descriptor that is kept for it.  The courier
// does: no attempt is counted, and webhooks go on afterwards.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, sleep, until } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { TICKS, cpuTicks, limitDescriptors } = require('./lib/process');
const { Receiver } = require('./lib/receiver');

const highest = (pid) => Math.max(...fs.readdirSync(`/proc/${pid}/fd`)
	.map(Number));

async function running() {
	const d = new Daemon({ workers: 1 });
	const app = d.app();
	await d.start();
	d.allow(/accept paused/);
	const [broker] = d.pidsOf('broker');
	const c = await Client.connect(d, app);
	await c.subscribe('room');
	return { d, app, broker, c };
}

const visit = (d, name, n) => Array.from({ length: n }, () =>
	net.connect(path.join(d.conf.runtime_dir, name)).on('error', () => {}));

for (const [what, name] of [['control', 'ctl.sock'], ['link', 'broker.sock']]) {
	test(`T3: no descriptor for who waits at the ${what} socket: no ` +
		'spinning, publishes go on, then all are let in', async () => {
		const { d, app, broker, c } = await running();
		limitDescriptors(broker, 3);
		const waiting = visit(d, name, 8);
		await until('the log to say so', () =>
			/accept paused/.test(d.readLog()));
		const before = cpuTicks(broker);
		for (let i = 0; i < 10; i++) {
			await publish(d, app, 'room', 'e', String(i));
			assert.equal(await c.expect('e', 'room'), String(i));
			await sleep(100);
		}
		const share = (cpuTicks(broker) - before) / TICKS;
		assert.ok(share < 0.3, `it spins: ${share} of a core`);
		limitDescriptors(broker, 500);
		for (const s of waiting) s.destroy();
		assert.equal(d.ctl(['status']).length > 0, true);
		await c.close();
		await d.stop();
	});
}

test('T3: pusherctl is answered by a broker without a free descriptor, ' +
	'again and again', async () => {
	const { d, broker, c } = await running();
	limitDescriptors(broker, highest(broker) + 1);
	// The number of free descriptors below the highest one; nobody else
	// comes.
	const taken = visit(d, 'broker.sock', 20);
	await until('all to be in use', () => /link: accept paused/
		.test(d.readLog()));
	for (let i = 0; i < 5; i++)
		assert.equal(d.ctl(['status']).length > 0, true);
	for (const s of taken) s.destroy();
	await c.close();
	await d.stop();
});

for (const [what, host] of [['socket', '127.0.0.1'],
	['name lookup', 'localhost'], ['new outbox', '127.0.0.1']])
	test(`T8: a courier without a descriptor for a ${what} waits, and counts ` +
		'no attempt', async () => {
		const d = new Daemon({ workers: 1, webhook_allow_private: 'on',
			webhook_retry_time: 1 });
		const app = d.app();
		// The last one when a minute ends meanwhile.
		d.allow(/no free descriptor/, /not kept on disk.*open files/,
			/statistics over time are dropped: .*open files/);
		await d.start();
		const r = await Receiver.start();
		const status = () => d.ctl(['status'])[0].webhooks;
		const [courier] = d.pidsOf('courier');
		if (what === 'new outbox') limitDescriptors(courier, 3);
		d.ctl(['webhook', 'add', app.id, r.url.replace('127.0.0.1', host)]);
		if (what !== 'new outbox') {
			await until('the courier', () => status().state === 'up');
			limitDescriptors(courier, 3);
		}
		const c = await Client.connect(d, app);
		for (let i = 0; i < 20; i++) await c.subscribe(`room-${i}`);
		await until('it to be told', () =>
			/no free descriptor/.test(status().trouble));
		await sleep(2500);
		assert.equal(r.hooks.length, 0);
		assert.equal(d.readLog().match(/no free descriptor/g).length, 1);
		limitDescriptors(courier, 500);
		await r.have(20);
		await until('the records', () => d.ctl(['webhook', 'deliveries'])
			.every((x) => x.state === 'done' && x.attempts === 1));
		assert.equal(status().trouble, '');
		await c.close();
		await d.stop();
		await r.stop();
	});
