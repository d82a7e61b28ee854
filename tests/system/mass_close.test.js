// SPDX-License-Identifier: MIT
//
// All clients of an app, or of a user, are closed in portions.  Each one that
// was there is closed, whatever comes in between, and none that came later.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { onEachWorker } = require('./lib/http');

const MANY = 600; // several portions in each worker

async function crowded(conf = {}, settings = {}) {
	const d = new Daemon({ workers: 2, ...conf });
	const app = d.app({ max_connections: 0, ...settings }), other = d.app();
	await d.start();
	const all = await Client.several(d, app, MANY);
	await Promise.all(all.map(async (c, i) => {
		await c.subscribe(`room-${i % 7}`);
		await c.subscribe(`own-${i}`);
	}));
	return { d, app, other, all };
}

// Every one of them was told the code, and then its socket has ended.
async function closed(all, code) {
	for (const c of all) await c.expectFatal(code);
}

const stays = async (c) => {
	await c.sync();
	assert.ok(!c.gone);
};

const connections = (d) => d.ctl(['status'])[0].server.connections;

test('an app is disabled, enabled, and disabled again', async () => {
	const { d, app, other, all } = await crowded();
	const calm = await Client.connect(d, other);
	const off = d.ctlAsync(['app', 'disable', app.id]);
	await off;
	await assert.rejects(Client.connect(d, app), /4003/);
	await d.ctlAsync(['app', 'enable', app.id]);
	const late = await Client.several(d, app, 30);
	for (const c of late) await c.subscribe('room-0');
	await closed(all, 4003);
	for (const c of late) await stays(c);
	await until('the count', () => connections(d) === 31);
	await d.ctlAsync(['app', 'disable', app.id]);
	await closed(late, 4003);
	await stays(calm);
	await until('nobody', () => connections(d) === 1);
	assert.deepEqual(d.ctl(['channels', app.id]), []);
	await calm.close();
	await d.stop();
});

test('an app is deleted: the others go on, and the sums are right', async () => {
	const { d, app, other, all } = await crowded();
	const calm = await Client.connect(d, other);
	await d.ctlAsync(['app', 'delete', '--yes', app.id]);
	await assert.rejects(Client.connect(d, app), /4001/);
	await closed(all, 4001);
	await stays(calm);
	await until('nobody', () => connections(d) === 1);
	const sums = await until('all reports', () => {
		const { server } = d.ctl(['stats'])[0];
		return server.ended >= MANY && server;
	});
	assert.equal(sums.opened, MANY + 1);
	assert.equal(sums.ended, MANY);
	await calm.close();
	await d.stop();
});

test('a user with hundreds of connections is terminated, and comes back',
	async () => {
		const { d, app, all } = await crowded({ workers: 1 });
		const [h] = await onEachWorker(d);
		const terminate = async (id) => {
			const r = await h.api(app, 'POST',
				`/users/${id}/terminate_connections`, { body: {} });
			assert.equal(r.status, 200);
		};
		const [ann, bystander, ...crowd] = all;
		await Promise.all(crowd.map((c) => c.signin({ id: 'crowd' })));
		await ann.signin({ id: 'ann' });
		const back = await Client.connect(d, app);
		await terminate('crowd');
		await terminate('crowd');
		await back.signin({ id: 'crowd' });
		await terminate('ann');
		await ann.expectFatal(4009);
		await closed(crowd, 4009);
		await stays(back);
		await stays(bystander);
		await terminate('crowd');
		await back.expectFatal(4009);
		await bystander.close();
		h.end();
		await d.stop();
	});

for (const [what, disturb] of [
	['the broker dies', (d) => process.kill(d.pidsOf('broker')[0], 'SIGKILL')],
	['the broker stands still', async (d) => {
		const [pid] = d.pidsOf('broker');
		process.kill(pid, 'SIGSTOP');
		await new Promise((ok) => setTimeout(ok, 3000));
		process.kill(pid, 'SIGCONT');
	}],
	['the workers are replaced', async (d) => {
		for (const slot of ['0', '1'])
			await d.ctlAsync(['worker', 'replace', slot]);
	}],
	['the server is upgraded', (d) => d.ctlAsync(['upgrade'])],
	['there are fewer workers', (d) => d.ctlAsync(['config', 'set',
		'workers', '1'])],
])
	test(`${what} while an app is disabled`, async () => {
		const { d, app, other, all } = await crowded();
		d.allow(/killed by signal 9|another one in|link to the broker lost/,
			/nothing has changed|keeps its clients/);
		const calm = await Client.several(d, other, 6);
		const off = d.ctlAsync(['app', 'disable', app.id]);
		await all.at(-1).expectFatal(4003); // it has begun
		await disturb(d);
		await off;
		await closed(all.slice(0, -1), 4003);
		for (const c of calm) await stays(c);
		await until('the count', () => connections(d) === calm.length, 15000);
		assert.deepEqual(d.ctl(['channels', app.id]), []);
		await closeAll(calm);
		await d.stop();
	});
