// SPDX-License-Identifier: MIT
//
// A hundred honest clients while somebody attacks: they are not closed, miss
// nothing, and hear of an event in time; behind the attack the memory comes
// back.  One attack after the other, on one server.  ATTACK=name runs one.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { Client } = require('../system/lib/client');
const { SLOW } = require('../system/lib/daemon');
const { Http, get } = require('../system/lib/http');
const { parse } = require('../system/lib/prometheus');
const { Watcher, Publisher, settle, sleep } = require('./lib/actors');
const { names } = require('./lib/attacks');

const HONEST = 100;
const MAX_P99_MS = 50;
// In the short form, beside whatever else the machine does.
const SHORT_P99_MS = 1000;
const GUESSES = ['guesses', 'api-guesses'];

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

// How often guessing at signatures was stopped.
async function throttled(d) {
	const h = await Http.connect({ ...d, port: d.metrics });
	const { text } = await h.ask('GET', '/metrics');
	h.end();
	return parse(text).sum('pusherd_rate_limited_total', { kind: 'auth' });
}

// From the address of the attacker, and right.
async function honestNewcomer(d, app) {
	const c = await Client.connect(d, app);
	await c.subscribe('private-mine');
	await c.signin({ id: 'honest' });
	await c.close();
	await get(d, app, '/channels');
}

// A guessing attack, with somebody who comes in the middle of it.
async function guessed(name, d, app, seconds, history) {
	const before = await throttled(d);
	const done = attack(name, d, app, seconds);
	await sleep(seconds * 700);
	await honestNewcomer(d, app);
	const tried = await done;
	const n = await throttled(d) - before;
	if (n === 0)
		history.wrong(`${name}: ${tried} tries, none was throttled`);
	return { tried, throttled: n };
}

module.exports = async function attacked({ start, history, short, random }) {
	const { d, app } = await start({ workers: 2, handshake_timeout: 3,
		client_buffer_age: 3, keepalive_timeout: 5,
		metrics_listen: '127.0.0.1:0' }, { client_events: 'on' });
	d.allow(/./);
	const watchers = [];
	for (let i = 0; i < HONEST; i++)
		watchers.push(await Watcher.open(d, app, history, `honest ${i}`,
			['honest']));
	const publisher = new Publisher(d, app, history, ['honest']);
	publisher.start(20);
	const chosen = process.env.ATTACK ? process.env.ATTACK.split(',')
		: short ? [random.pick(names), random.pick(GUESSES)] : names;
	const figures = {};
	for (const name of chosen) {
		// Memory that the first one of its kind needs may stay.
		const grown = [];
		for (let i = 0; i < (short ? 1 : 2); i++) {
			for (const w of watchers) w.times = [];
			const seconds = short ? 1.5 : 3;
			const did = GUESSES.includes(name)
				? await guessed(name, d, app, seconds, history)
				: { tried: await attack(name, d, app, seconds) };
			const p99 = percentile(watchers.flatMap((w) => w.times), 0.99);
			figures[name] = { ...did, p99: Number(p99.toFixed(1)) };
			if (p99 > (short ? SHORT_P99_MS : MAX_P99_MS) * SLOW)
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
