// SPDX-License-Identifier: MIT
//
// A tenth of the clients stops reading.  They are closed by bytes or by age,
// and the others miss nothing.
'use strict';

const assert = require('node:assert/strict');
const { until } = require('../system/lib/daemon');
const { Watcher, Publisher, settle } = require('./lib/actors');

module.exports = async function slow({ start, history, short }) {
	const { d, app } = await start({ workers: 2, client_buffer: 65536,
		client_buffer_age: 3 }, { max_event_bytes: 100000 });
	const watchers = [];
	for (let i = 0; i < 50; i++)
		watchers.push(await Watcher.open(d, app, history, `watcher ${i}`,
			['c0', 'big']));
	const stalled = watchers.filter((_, i) => i % 10 === 0);
	const honest = watchers.filter((_, i) => i % 10 !== 0);
	for (const w of stalled) {
		w.mayClose = true;
		w.sock.pause();
	}
	const publisher = new Publisher(d, app, history, ['c0']);
	publisher.pad = 'x'.repeat(2000);
	publisher.start(short ? 100 : 200);
	// A server that gives up on a client has one socket less.
	const began = performance.now();
	await until('the stalled ones to be closed', () => {
		return openSockets(d) <= honest.length;
	}, 15000);
	const ms = performance.now() - began;
	await publisher.stop();
	await settle(honest);
	for (const w of honest) history.checkWatcher(w);
	assert.ok(honest.every((w) => !w.gone));
	for (const w of stalled) w.sock.resume();
	await until('their ends', () => stalled.every((w) => w.gone));
	return { stalled: stalled.length, 'ms until all are closed':
		Math.round(ms), answers: publisher.status };
};

// Established connections of clients, as the kernel sees them.
function openSockets(d) {
	const fs = require('node:fs');
	const port = d.port.toString(16).toUpperCase().padStart(4, '0');
	return fs.readFileSync('/proc/net/tcp', 'utf8').split('\n')
		.map((l) => l.trim().split(/\s+/))
		.filter((f) => f[1]?.endsWith(`:${port}`) && f[3] === '01').length - 1;
}
