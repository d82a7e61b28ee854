// SPDX-License-Identifier: MIT
//
// Hosts of a cluster: daemons with an app that all of them have.
'use strict';

const assert = require('node:assert/strict');
const { Daemon, rows, until } = require('./daemon');
const { Http, api } = require('./http');
const { parse } = require('./prometheus');

// d.shared is the app, whose number differs on each host.
function host(redis, name, more = {}) {
	const d = new Daemon({ cluster: redis.url, cluster_host: name,
		crash_grace: 1, metrics_listen: '127.0.0.1:0', ...more });
	if (name !== 'a') d.app({}, { id: '999', key: 'other', name: 'other' });
	d.shared = d.app({ client_events: 'on' },
		{ id: '42', key: 'shared', secret: 'secret', name: 'shared' });
	return d;
}

// The same, and the app has a webhook; it is not started yet.
function hostWithWebhook(redis, name, url, more = {}) {
	const d = host(redis, name, { webhook_allow_private: 'on', ...more });
	d.ctl(['webhook', 'add', '42', url]);
	d.allow(/host \w is gone/);
	return d;
}

async function get(at, path) {
	const h = await Http.connect(at);
	try {
		return await h.ask('GET', path);
	} finally {
		h.end();
	}
}

const isReady = async (d) => (await get(d, '/ready')).status === 200;
const becomesReady = (d, ms = 20000) => until('the host to be in its cluster',
	() => isReady(d), ms);

// A host that may see each trouble, in its cluster.
async function startReady(d) {
	d.allow(...TROUBLES);
	await d.start();
	await becomesReady(d);
}

// The answer to a publish.
const tryPublish = (d, channel = 'c', data = 'x', headers = {}) => api(d,
	d.shared, 'POST', '/events', { body: { name: 'e', channel, data }, headers });

// A metric of the daemon; labels: as { worker: '0' }.
async function metric(d, name, labels) {
	const { text } = await get({ ...d, port: d.metrics }, '/metrics');
	return parse(text).value(name, labels);
}

// A broker that begins again does not answer.
function ask(d) {
	const r = d.ctlRaw(['-j', 'cluster', 'status']);
	if (r.code === 0) return rows(r.out)[0];
	assert.match(r.err, /it is stopping or restarting/);
	return { cluster: {}, hosts: [] };
}

// How often the host has joined so far.
const joins = (d) => d.readLog().split('cluster: joined').length - 1;
const joined = (d, n = 1) => until('the host to be in the cluster',
	() => joins(d) >= n);
const hosts = (d) => ask(d).hosts;

// What `pusherctl cluster status` says of the cluster; {}: it begins again.
const status = (d) => ask(d).cluster;

const logSays = (d, pattern, ms = 20000) => until(`the log to say ${pattern}`,
	() => pattern.test(d.readLog()), ms);

// Where Redis has this session of an app.
const keyOf = async (redis, id, app = '42') => /pusherd:session:\S+/.exec(
	await redis.ask('KEYS', `pusherd:session:*:${app}:${id}`))?.[0];
// How far its client has come, as Redis has it: the bytes 16 to 23, which are
// one number.
const storedAcked = async (redis, id) => {
	const key = await keyOf(redis, id);
	return key && redis.ask('BITFIELD', key, 'GET u32 #4 GET u32 #5');
};
// The client has confirmed something, and Redis has the session; it may lack
// what came in the last seconds.
const stored = (redis, id) => until('the session to be in Redis', async () =>
	/:[1-9]/.test(await storedAcked(redis, id) ?? ''));

// Any line that a host may write while Redis has troubles.
const TROUBLES = [/cluster: /, /broker/, /events are missing/,
	/events may be missing/];

module.exports = { TROUBLES, becomesReady, host, hostWithWebhook, hosts, isReady, joined, joins,
	keyOf, logSays, metric, startReady, status, stored, storedAcked,
	tryPublish };
