// SPDX-License-Identifier: MIT
//
// A broker that dies so often that the master waits before the next one.  A
// publish waits for a second, is refused with 503, and is never delivered;
// clients come and subscribe meanwhile, and are served when it is there.
'use strict';

const assert = require('node:assert/strict');
const { Client } = require('../system/lib/client');
const { api, onEachWorker } = require('../system/lib/http');
const { until } = require('../system/lib/daemon');
const { Watcher } = require('./lib/actors');

const DEATHS = 5; // the fifth one in a row costs two seconds

module.exports = async function gap({ start, history }) {
	const { d, app } = await start({ workers: 2 }, { client_events: 'on' });
	d.allow(/broker was killed by signal 9|link to the broker lost/);
	const w = await Watcher.open(d, app, history, 'watcher', ['c0']);
	const [a, b] = await Client.several(d, app, 2);
	await a.subscribe('private-x');
	await b.subscribe('private-x');
	const https = await onEachWorker(d);
	let last = 0;
	for (let i = 0; i < DEATHS; i++) {
		const pid = await until('a broker', () => d.pidsOf('broker')
			.find((p) => p !== last));
		process.kill(pid, 'SIGKILL');
		last = pid;
	}
	// Events that a worker takes before it has noticed are kept, and
	// answered 200.
	await until('all workers to miss it', async () => (await Promise.all(
		https.map((h) => h.ask('GET', '/ready'))))
		.every((r) => r.status === 503));
	for (const h of https) h.end();
	const began = performance.now();
	const refused = api(d, app, 'POST', '/events', { body: { name: 'n',
		channel: 'c0', data: `1 ${began}` } });
	a.trigger('private-x', 'client-e', 'kept');
	const late = await Client.connect(d, app);
	late.sendSubscribe('c0');
	const r = await refused;
	const ms = performance.now() - began;
	assert.equal(r.status, 503);
	assert.equal(r.headers['retry-after'], '1');
	assert.ok(ms > 900 && ms < 1800, `${ms} ms`);
	history.published('c0', 1, r.status);
	await late.expect('pusher_internal:subscription_succeeded', 'c0');
	assert.equal(await b.expect('client-e', 'private-x'), 'kept');
	const then = await api(d, app, 'POST', '/events', { body: { name: 'n',
		channel: 'c0', data: `2 ${performance.now()}` } });
	history.published('c0', 2, then.status);
	await late.expect('n', 'c0');
	assert.equal(then.status, 200);
	// The watcher may sit in the other worker, and hear of it later.
	await until('the watcher has it', () => w.seen.get('c0').at(-1) === 2);
	history.checkWatcher(w);
	await Promise.all([a, b, late].map((c) => c.close()));
	return { 'ms until 503': Math.round(ms) };
};
