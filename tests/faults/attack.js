// SPDX-License-Identifier: MIT
//
// A hundred honest clients while somebody attacks: they are not closed, miss
// nothing, and hear of an event in time; behind the attack the memory comes
// back.  One attack after the other, on one server.  ATTACK=name runs one.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { SLOW } = require('../system/lib/daemon');
const { Watcher, Publisher, settle, sleep } = require('./lib/actors');
const { names } = require('./lib/attacks');

const HONEST = 100;
const MAX_P99_MS = 50;

function attack(name, d, app, seconds) {
	return new Promise((ok, fail) => {
		const p = spawn(process.execPath, [path.join(__dirname,
			'lib/attacks.js'), name, String(d.port), String(seconds)],
		{ stdio: ['pipe', 'pipe', 'inherit'] });
		let out = '';
		p.stdin.end(JSON.stringify(app));
		p.stdout.on('data', (b) => { out += b; });
		p.on('close', (code) => (code === 0 ? ok(Number(out.trim().split('\n').at(-1)))
			: fail(new Error(`${name} ended with code ${code}`))));
	});
}

// KiB of all processes of the server that are in memory, shared ones once.
function memory(d) {
	let sum = 0;
	for (const pid of Object.keys(d.processes())) {
		const text = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
		sum += Number(/^Pss:\s+(\d+)/m.exec(text)[1]);
	}
	return sum;
}

const percentile = (times, p) => {
	const ms = times.map((t) => t.at - t.sent).sort((a, b) => a - b);
	return ms[Math.min(ms.length - 1, Math.floor(ms.length * p))];
};

module.exports = async function attacked({ start, history, short, random }) {
	const { d, app } = await start({ workers: 2, handshake_timeout: 3,
		client_buffer_age: 3, keepalive_timeout: 5 }, { client_events: 'on' });
	d.allow(/./);
	const watchers = [];
	for (let i = 0; i < HONEST; i++)
		watchers.push(await Watcher.open(d, app, history, `honest ${i}`,
			['honest']));
	const publisher = new Publisher(d, app, history, ['honest']);
	publisher.start(20);
	const chosen = process.env.ATTACK ? process.env.ATTACK.split(',')
		: short ? [random.pick(names), random.pick(names)] : names;
	const figures = {};
	for (const name of chosen) {
		// What the first one of its kind makes grow may stay.
		const grown = [];
		for (let i = 0; i < (short ? 1 : 2); i++) {
			for (const w of watchers) w.times = [];
			const tried = await attack(name, d, app, short ? 1.5 : 3);
			const p99 = percentile(watchers.flatMap((w) => w.times), 0.99);
			figures[name] = { tried, p99: Number(p99.toFixed(1)) };
			// By hand only: a machine that runs tests has other work, too.
			if (!short && p99 > MAX_P99_MS * SLOW)
				history.wrong(`${name}: p99 of the honest ones ${p99} ms`);
			await sleep(short ? 0 : 5500);
			grown.push(memory(d));
		}
		if (grown.length > 1)
			figures[name].KiB = grown;
		if (grown.length > 1 && grown[1] > grown[0] * 1.02)
			history.wrong(`${name}: memory went from ${grown[0]} to ` +
				`${grown[1]} KiB`);
	}
	await publisher.stop();
	await settle(watchers);
	for (const w of watchers) history.checkWatcher(w);
	for (const w of watchers) await w.leave();
	return figures;
};
