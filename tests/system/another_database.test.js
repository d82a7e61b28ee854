// SPDX-License-Identifier: MIT
//
// The database is replaced or deleted while the server runs: an app with the
// number of another one is another app.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { api, get } = require('./lib/http');

// A server with an app "first", and beside it a database in which the same
// number belongs to an app "other".
async function setting(workers) {
	const d = new Daemon({ workers });
	const other = d.app({}, { id: '902' });
	fs.renameSync(d.conf.database, `${d.conf.database}.other`);
	const first = d.app({}, { id: '901' });
	await d.start();
	return { d, first, other };
}

for (const died of [false, true])
	test(`T1: another database, ${died ? 'and a new broker' : 'and a reload'}`,
		async () => {
			const { d, first, other } = await setting(2);
			d.allow(/broker was killed by signal 9|link to the broker lost/);
			const c = await Client.connect(d, first);
			await c.subscribe('cache-a');
			await c.expect('pusher:cache_miss', 'cache-a');
			assert.equal((await api(d, first, 'POST', '/events', { body: {
				name: 'e', channel: 'cache-a', data: 'of the first' } }))
				.status, 200);
			await c.expect('e', 'cache-a');
			fs.renameSync(`${d.conf.database}.other`, d.conf.database);
			if (died) {
				const [pid] = d.pidsOf('broker');
				process.kill(pid, 'SIGKILL');
				await until('a new broker', () => {
					const now = d.pidsOf('broker');
					return now.length === 1 && now[0] !== pid;
				});
			} else {
				assert.equal((await d.ctlAsync(['reload'])).code, 0);
			}
			await c.expectFatal(4001);
			const n = await until('the other app', async () => {
				try {
					return await Client.connect(d, other);
				} catch {
					return null;
				}
			});
			n.sendSubscribe('cache-a');
			await n.expect('pusher_internal:subscription_succeeded', 'cache-a');
			await n.expect('pusher:cache_miss', 'cache-a');
			assert.deepEqual((await get(d, other, '/channels')).channels,
				{ 'cache-a': {} });
			await n.close();
			await d.stop();
		});

test('T1: no database is made below a running server', async () => {
	const d = new Daemon({ workers: 1 });
	const app = d.app();
	await d.start();
	fs.renameSync(d.conf.database, `${d.conf.database}.away`);
	const r = await d.ctlAsync(['app', 'create', '--name', 'other']);
	assert.notEqual(r.code, 0, r.out);
	assert.match(r.err, /is gone, and the server that uses it is running/);
	assert.ok(!fs.existsSync(d.conf.database));
	fs.renameSync(`${d.conf.database}.away`, d.conf.database);
	assert.equal((await d.ctlAsync(['app', 'create', '--name', 'other'])).code,
		0);
	await (await Client.connect(d, app)).close();
	await d.stop();
});
