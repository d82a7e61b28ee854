// SPDX-License-Identifier: MIT
//
// A worker that is stopped.  First while it has nothing to do: it is found
// out, ended and replaced.  Then under load, until the broker has 64 MiB for
// it: its link is dropped, and when it goes on it leaves, for its clients lack
// events.  The others' clients notice nothing, the broker's memory comes back.
'use strict';

const assert = require('node:assert/strict');
const { Http, get } = require('../system/lib/http');
const { until, SLOW } = require('../system/lib/daemon');
const { Watcher, Publisher, sleep, settle } = require('./lib/actors');
const { memory } = require('../system/lib/process');

const BIG = Array.from({ length: 10 }, (_, i) => `big${i}`);
const PAD = ` ${'x'.repeat(500000)}`;

// Watchers of the channel, so many on the worker that will suffer and so many
// elsewhere.
async function cast(d, app, history, name, channels, n) {
	const lost = [];
	const rest = [];
	let victim = null;
	for (let i = 0; lost.length < n || rest.length < n; i++) {
		assert.ok(i < 200, 'every worker has clients');
		const w = await Watcher.open(d, app, history, `${name} ${i}`,
			channels);
		victim ??= w.worker;
		const group = w.worker === victim ? lost : rest;
		if (group.length < n) group.push(w);
		else await w.leave();
	}
	for (const w of lost) w.mayClose = true;
	return { victim, lost, rest };
}

async function replaced(d, pid, n, ms) {
	await until('another worker', () => {
		const now = d.pidsOf('worker');
		return now.length === n && !now.includes(pid);
	}, ms);
}

async function idle(d, app, history) {
	const { victim, lost, rest } = await cast(d, app, history, 'idle', ['c0'],
		6);
	const publisher = new Publisher(d, app, history, ['c0']);
	publisher.start(50);
	const at = performance.now();
	process.kill(victim, 'SIGSTOP');
	await replaced(d, victim, 3, 20000);
	const ms = performance.now() - at;
	await until('the end of its clients', () => lost.every((w) => w.gone));
	await sleep(300);
	await publisher.stop();
	await settle(rest);
	for (const w of rest) history.checkWatcher(w);
	for (const w of rest) await w.leave();
	return { lost: lost.length, 'ms to a new worker': Math.round(ms) };
}

// A connection to a worker that is not stopped.
async function elsewhere(d, victim) {
	const all = [];
	for (let i = 0; i < 200; i++) {
		const h = await Http.connect(d);
		// Those in its accept queue have no owner yet.
		const owner = d.workerOf(h.sock.localPort);
		if (owner !== null && owner !== victim) {
			for (const x of all) x.end();
			return h;
		}
		all.push(h);
		await sleep(10);
	}
	throw new Error('only one worker answers');
}

// Publishes large events until the broker gives up on the stopped worker.
async function flood(d, app, history, http) {
	const answers = {};
	const [broker] = d.pidsOf('broker');
	let most = 0;
	for (let seq = 1; seq <= 60; seq++) {
		most = Math.max(most, memory(broker));
		if (/does not read/.test(d.readLog())) break;
		const { status } = await http.api(app, 'POST', '/events', { body: {
			name: 'n', channels: BIG,
			data: `${seq} ${performance.now()}${PAD}` } });
		for (const c of BIG) history.published(c, seq, status);
		answers[status] = (answers[status] ?? 0) + 1;
	}
	return { answers, most };
}

async function full(d, app, history) {
	const { victim, lost, rest } = await cast(d, app, history, 'full',
		[BIG[0]], 1);
	for (const c of BIG.slice(1)) {
		lost[0].seen.set(c, []);
		lost[0].sendSubscribe(c);
	}
	await until('all its subscriptions', async () => (await get(d, app,
		`/channels/${BIG.at(-1)}`)).occupied);
	const [broker] = d.pidsOf('broker');
	const before = memory(broker);
	const h = await elsewhere(d, victim);
	process.kill(victim, 'SIGSTOP');
	const { answers, most } = await flood(d, app, history, h);
	h.end();
	const slow = !/does not read: \d+ bytes queued/.test(d.readLog());
	try {
		process.kill(victim, 'SIGCONT');
	} catch { /* the watchdog was faster */ }
	await replaced(d, victim, 3, 20000);
	await until('the end of its clients', () => lost.every((w) => w.gone));
	await settle(rest);
	for (const w of rest) history.checkWatcher(w);
	assert.deepEqual(d.pidsOf('broker'), [broker], 'the broker lives');
	await until('the memory to come back', () =>
		// Sanitizers keep what is freed: theirs is the leak checker.
		SLOW > 1 || memory(broker) < before + (24 << 20), 10000);
	for (const w of rest) await w.leave();
	assert.ok(!slow || SLOW > 1, 'the bound was reached before the watchdog');
	return { answers, told: lost.filter((w) => /^4200/.test(w.closed)).length,
		lost: lost.length, 'MiB at most': most >> 20,
		'MiB in the end': memory(broker) >> 20 };
}

module.exports = async function stuck({ start, history }) {
	const { d, app } = await start({ workers: 3, client_buffer: 256 << 20 },
		{ max_event_bytes: 600000 });
	d.allow(/worker \d:? (was killed|stuck|exited with|does not read)/,
		/no answer for|link to the broker lost|had dropped this worker/,
		/events may be missing: closing 1 connections/);
	return { idle: await idle(d, app, history),
		full: await full(d, app, history) };
};
