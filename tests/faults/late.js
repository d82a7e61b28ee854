// SPDX-License-Identifier: MIT
//
// L2: no broker for longer than a worker waits for the answer to its pings:
// what was answered 200 arrives, or the client is closed.
'use strict';

const assert = require('node:assert/strict');
const { Watcher, newBroker, sleep } = require('./lib/actors');
const { until } = require('../system/lib/daemon');
const { api, onEachWorker } = require('../system/lib/http');

const PINGS_MS = 21000; // four pings of a worker

// Watchers of channel c0, by the pid of the worker that serves them.
async function crowd(d, app, history) {
	const all = [];
	for (let i = 0; i < 16; i++) {
		const w = await Watcher.open(d, app, history, `watcher ${i}`,
			['c0', 'presence-x'], { data: { user_id: `u${i}` } });
		w.pid = d.workerOf(w.sock.localPort);
		all.push(w);
	}
	return all;
}

async function publish(d, app, http, seq) {
	const r = await http.api(app, 'POST', '/events', { body: { name: 'n',
		channel: 'c0', data: `${seq} ${performance.now()}` } });
	return r.status === 200 ? seq : null;
}

const hasAll = (w, seqs) => seqs.every((s) => w.seen.get('c0').includes(s));

// Each watcher has them all, or was told to come back.
async function judge(watchers, seqs) {
	await until('each watcher to have all events, or to be closed', () =>
		watchers.every((w) => w.closed || hasAll(w, seqs)), 10000);
	for (const w of watchers)
		if (w.closed) assert.match(w.closed, /^4200 /, w.name);
}

async function noBroker(d, app, history) {
	const watchers = await crowd(d, app, history);
	const https = await onEachWorker(d);
	const [broker] = d.pidsOf('broker');
	d.signal('SIGSTOP'); // the master: nobody starts another one
	let seqs;
	try {
		// Events that a worker takes before it has noticed are kept,
		// and answered 200.
		process.kill(broker, 'SIGSTOP');
		const asked = https.map((h, i) => publish(d, app, h, 200 + i));
		await sleep(200);
		process.kill(broker, 'SIGKILL');
		seqs = await Promise.all(asked);
		await sleep(PINGS_MS);
	} finally {
		d.signal('SIGCONT');
	}
	for (const h of https) h.end();
	assert.ok(seqs.some((s) => s !== null), 'events were answered 200');
	await newBroker(d, broker, 5000);
	await judge(watchers, seqs.filter((s) => s !== null));
	const open = watchers.filter((w) => !w.closed);
	await until('a publish goes through again', async () =>
		(await api(d, app, 'POST', '/events', { body: { name: 'n',
			channel: 'c0', data: `300 ${performance.now()}` } })).status === 200,
	10000);
	await judge(open, [300]);
	for (const w of watchers) await w.leave();
	return seqs.filter((s) => s !== null).length;
}

// The broker was only late.  The workers have given it up meanwhile, so that
// nothing which it says to them on the old links counts.
async function lateBroker(d, app, history) {
	const watchers = await crowd(d, app, history);
	const https = await onEachWorker(d);
	const [broker] = d.pidsOf('broker');
	d.signal('SIGSTOP'); // the master: it would kill the broker
	let seqs;
	try {
		process.kill(broker, 'SIGSTOP');
		seqs = await Promise.all(https.flatMap((h, i) =>
			[400, 410].map((seq) => publish(d, app, h, seq + i))));
		await sleep(PINGS_MS);
	} finally {
		process.kill(broker, 'SIGCONT');
		await sleep(500); // it is late, not hung
		d.signal('SIGCONT');
	}
	for (const h of https) h.end();
	seqs = seqs.filter((s) => s !== null);
	assert.ok(seqs.length > 0, 'events were answered 200');
	await judge(watchers, seqs);
	for (const w of watchers) await w.leave();
	return seqs.length;
}

module.exports = async function late({ start, history }) {
	const { d, app } = await start({ workers: 2 }, {});
	d.allow(/broker was killed by signal 9|link to the broker lost/,
		/resync: not every worker connected in time/,
		/events may be missing/, /stuck/,
		/had dropped this worker|exited with code 0/);
	return { 'events that waited 21 s for a broker':
		await noBroker(d, app, history),
	'events that a broker had when it stood still for 21 s':
		await lateBroker(d, app, history) };
};
