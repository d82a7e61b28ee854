// SPDX-License-Identifier: MIT
//
// Tens of thousands of clients end in the same instant.  New clients are greeted
// in time, the old ones get every event, and the server counts right when the
// connections are removed.
'use strict';

const { spawn } = require('node:child_process');
const { Client } = require('../system/lib/client');
const { PUSHERCTL, SLOW, environment, options, until } =
	require('../system/lib/daemon');
const { Watcher, Publisher, settle, sleep } = require('./lib/actors');

const MAX_MS = 250;
const CALM_MS = 3000; // how long is looked at

function connections(d) {
	return d.ctl(['status'])[0].server.connections;
}

// The load generator, with its own processes; it is killed, not asked.
function crowd(d, app, n) {
	const p = spawn(PUSHERCTL, [...options(d.conf), 'bench', '--port',
		String(d.port), '--app', app.id, '--clients', String(n),
		'--processes', '4', '--sources', '8', '--seconds', '600', 'idle'],
	{ env: environment(), detached: true, stdio: ['ignore', 'ignore', 'inherit'] });
	const gone = new Promise((ok) => p.on('exit', ok));
	return async () => {
		process.kill(-p.pid, 'SIGKILL');
		await gone;
	};
}

// How long greetings took, one client after the other.
async function greetings(d, app, ms) {
	const took = [];
	const end = performance.now() + ms;
	while (performance.now() < end) {
		const began = performance.now();
		const c = await Client.connect(d, app);
		took.push(performance.now() - began);
		await c.close();
		await sleep(5);
	}
	return took;
}

module.exports = async function closing({ start, history, short }) {
	const n = short ? 4000 : 50000;
	const { d, app } = await start({ workers: 4 });
	const watchers = [];
	for (let i = 0; i < 20; i++)
		watchers.push(await Watcher.open(d, app, history, `watcher ${i}`,
			['c0']));
	const kill = crowd(d, app, n);
	await until('all to be there', () => connections(d) >= n + 20,
		short ? 30000 : 120000);
	const before = Math.max(...await greetings(d, app, 500));
	const publisher = new Publisher(d, app, history, ['c0']);
	publisher.start(100);
	await kill();
	const began = performance.now();
	const took = await greetings(d, app, CALM_MS);
	await publisher.stop();
	await until('the dead to be buried', () => connections(d) === 20);
	const worst = Math.max(...took);
	// By hand only: a machine that runs tests has other work, too.
	if (!short && worst > MAX_MS * SLOW)
		history.wrong(`a client waited ${worst} ms for its greeting`);
	await settle(watchers);
	for (const w of watchers) history.checkWatcher(w);
	for (const w of watchers) await w.leave();
	return { clients: n, greeted: took.length,
		'worst ms before': Math.round(before), 'worst ms': Math.round(worst),
		'ms until counted out': Math.round(performance.now() - began) };
};
