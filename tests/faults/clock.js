// SPDX-License-Identifier: MIT
//
// The wall clock is put forward and back by an hour and a day while everything
// runs (system/lib/clock.js).  Nobody is closed, timeouts and the time to live
// of a cached event go on as if nothing had happened, and what the API is asked
// is judged by the new clock.
'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const { Client } = require('../system/lib/client');
const { WrongClock } = require('../system/lib/clock');
const { Http } = require('../system/lib/http');
const { SLOW, until } = require('../system/lib/daemon');
const { Watcher, sleep, settle } = require('./lib/actors');

const HOUR = 3600;
const DAY = 24 * HOUR;

// Signed as of now by a clock that is wrong by so many seconds.
function signed(h, app, wrong, method, what, body) {
	return h.api(app, method, what, { body, auth: { auth_timestamp:
		String(Math.floor(Date.now() / 1000) + wrong) } });
}

async function step(cast, wrong, before) {
	const { h, app, clock, history, w } = cast;
	clock.set(wrong);
	const seq = ++cast.seq;
	const event = { name: 'n', channel: 'c0',
		data: `${seq} ${performance.now()}` };
	const r = await signed(h, app, wrong, 'POST', '/events', event);
	history.published('c0', seq, r.status);
	assert.equal(r.status, 200, `by the new clock: ${r.text}`);
	const old = await signed(h, app, before, 'POST', '/events',
		{ ...event, data: '0 0' });
	assert.equal(old.status, 401, 'by the old clock');
	await cast.idle.sync();
	await cast.silent.sync();
	const late = await Client.connect(cast.d, app);
	await late.subscribe('cache-long');
	assert.equal(await late.expect('e', 'cache-long'), 'kept');
	await late.close();
	await settle([w]);
	assert.ok(!w.gone, 'nobody is closed');
}

// A second for the cached event, two and two for the silent client.
async function timeouts({ h, app, d, clock, wrong, silent }) {
	await signed(h, app, wrong, 'POST', '/events',
		{ name: 'e', channel: 'cache-short', data: 'soon over' });
	silent.answerPings = false;
	const began = performance.now();
	await sleep(500);
	clock.set(wrong - DAY);
	await silent.expectClose(4201);
	const ms = performance.now() - began;
	assert.ok(ms > 1500 && ms < 6500 * SLOW, `closed after ${ms} ms`);
	const late = await Client.connect(d, app);
	await late.subscribe('cache-short');
	await late.expect('pusher:cache_miss', 'cache-short');
	await late.close();
	return Math.round(ms);
}

// An endpoint that refuses the first two tries.
function receiver() {
	const times = [];
	const server = http.createServer((req, res) => {
		req.resume();
		req.on('end', () => {
			times.push(performance.now());
			res.writeHead(times.length > 2 ? 200 : 500).end();
		});
	});
	return new Promise((ok) => server.listen(0, '127.0.0.1',
		() => ok({ times, server, port: server.address().port })));
}

// Tries at 0, 1 and 3 s, whatever the wall clock does between them.
async function retries({ d, app, clock }) {
	const r = await receiver();
	d.ctl(['webhook', 'add', app.id, `http://127.0.0.1:${r.port}/`,
		'--events', 'channel_occupied']);
	const c = await Client.connect(d, app);
	await c.subscribe('occupied');
	await until('the first try', () => r.times.length === 1);
	clock.set(-DAY);
	await until('the second try', () => r.times.length === 2, 5000);
	clock.set(DAY);
	await until('the third try', () => r.times.length === 3, 8000);
	await c.close();
	r.server.closeAllConnections();
	r.server.close();
	return r.times.map((t) => Math.round(t - r.times[0]));
}

async function run({ start, history }, clock) {
	process.env.LD_PRELOAD = clock.library;
	let d;
	let app;
	try {
		({ d, app } = await start({ workers: 2, pong_timeout: 2,
			webhook_allow_private: 'on' },
			{ activity_timeout: 2, cache_ttl: 3600 }));
	} finally {
		delete process.env.LD_PRELOAD;
	}
	const h = await Http.connect(d);
	const w = await Watcher.open(d, app, history, 'watcher', ['c0']);
	const idle = await Client.connect(d, app);
	const silent = await Client.connect(d, app);
	const cast = { d, app, clock, history, h, w, idle, silent, seq: 0 };
	await signed(h, app, 0, 'POST', '/events',
		{ name: 'e', channel: 'cache-long', data: 'kept' });
	let before = 0;
	for (const wrong of [HOUR, -HOUR, DAY, -DAY, 10 * 365 * DAY]) {
		await step(cast, wrong, before);
		before = wrong;
		await sleep(1100); // the minute is noticed
	}
	cast.wrong = before;
	d.ctl(['app', 'set', app.id, 'cache_ttl=1']);
	// T8: they stay in order.
	for (const by of [['--minutes', '60'], ['--hours', '24']]) {
		const times = d.ctl(['stats', ...by]).map((r) => r.time);
		assert.ok(times.length >= 4, `${by}`);
		assert.deepEqual(times, [...new Set(times)].sort(), `${by}`);
	}
	const ms = await timeouts(cast);
	const tries = await retries(cast);
	assert.ok(!w.gone && !idle.gone, 'nobody else is closed');
	history.checkWatcher(w);
	for (const c of [w, idle]) c.destroy();
	h.end();
	return { steps: 8, 'ms to the pong timeout': ms, 'ms of tries': tries };
}

module.exports = async function clock(how) {
	if (SLOW > 1) return { skipped: 'a sanitizer wants to be preloaded first' };
	const wrong = new WrongClock();
	try {
		return await run(how, wrong);
	} finally {
		wrong.remove();
	}
};
