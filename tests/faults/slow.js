// SPDX-License-Identifier: MIT
//
// A tenth of the clients stops reading.  They are closed by bytes or by age,
// the others miss nothing, and it costs them nothing: how long an event takes
// to them is measured with and without the stalled ones, in one run.
'use strict';

const assert = require('node:assert/strict');
const { until } = require('../system/lib/daemon');
const { Watcher, Publisher, sleep, settle } = require('./lib/actors');

// Far above what is seen: both halves share this machine with others.
const RATIO = 5;
const SLACK_MS = 500;
const ROUNDS = 3;

function p99(watchers, from, to) {
	const ms = watchers.flatMap((w) => w.times)
		.filter((t) => t.sent >= from && t.sent < to)
		.map((t) => t.at - t.sent).sort((a, b) => a - b);
	assert.ok(ms.length > 100, `only ${ms.length} deliveries`);
	return ms[Math.floor(ms.length * 0.99)];
}

// By a process of its own, now and then: this one is the clock.
async function areClosed(d, ports) {
	await sleep(300);
	const { out } = await d.ctlAsync(['-j', 'closes']);
	const rows = JSON.parse(out);
	return ports.every((port) => rows.some((r) => r.code === 4100 &&
		r.address.endsWith(`:${port}`)));
}

// One daemon, once without and once with stalled clients.
async function compare({ start, history, short }, round) {
	const { d, app } = await start({ workers: 2, client_buffer: 65536,
		client_buffer_age: 3 }, { max_event_bytes: 100000 });
	const open = (i, ...channels) => Watcher.open(d, app, history,
		`watcher ${round}.${i}`, channels);
	const honest = [];
	for (let i = 0; i < 45; i++)
		honest.push(await open(i, 'c0'));
	const publisher = new Publisher(d, app, history, ['c0']);
	publisher.pad = 'x'.repeat(2000);
	publisher.start(short ? 100 : 200);
	// Fills the sockets of those who stall, also where all is slow.
	const filler = new Publisher(d, app, history, ['big']);
	filler.pad = 'x'.repeat(20000);
	filler.start(10);
	await sleep(500); // both halves begin warm
	const calm = performance.now();
	await sleep(3000);
	const began = performance.now();
	const stalled = [];
	for (let i = 45; i < 50; i++) {
		// New ones: who has read for long has a large window.
		const w = await open(i, 'big');
		w.seen.set('c0', []);
		w.sendSubscribe('c0');
		w.mayClose = true;
		w.sock.pause();
		stalled.push(w);
	}
	// They do not read that they are closed.
	const ports = stalled.map((w) => w.sock.localPort);
	await until('the stalled ones to be closed', () => areClosed(d, ports),
		30000);
	const ended = performance.now();
	await filler.stop();
	await publisher.stop();
	await settle(honest);
	for (const w of honest) history.checkWatcher(w);
	assert.ok(honest.every((w) => !w.gone));
	for (const w of stalled) w.sock.resume();
	await until('their ends', () => stalled.every((w) => w.gone));
	const without = p99(honest, calm, began);
	const beside = p99(honest, began, ended);
	return { dear: beside >= RATIO * without + SLACK_MS, stalled: stalled.length, 'ms until all are closed':
		Math.round(ended - began), answers: publisher.status,
	'p99 without, ms': Number(without.toFixed(1)),
	'p99 beside them, ms': Number(beside.toFixed(1)) };
};

// The machine has others to serve, and what they do between the halves looks
// like a cost; a real one is there every time.
module.exports = async function slow(how) {
	const seen = [];
	for (let round = 0; round < ROUNDS; round++) {
		how.history.answers.clear(); // its channels begin anew
		const { dear, ...figures } = await compare(how, round);
		if (!dear) return figures;
		seen.push(figures);
	}
	return assert.fail(`the stalled ones cost: ${JSON.stringify(seen)}`);
};
