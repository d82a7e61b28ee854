// SPDX-License-Identifier: MIT
//
// Cache channels whose last event changes all the time, each change through
// another worker than the one before and only after that one's 200.  The
// broker is killed again and again: what a channel holds then is never older
// than what was answered, or what a subscriber has seen.
'use strict';

const assert = require('node:assert/strict');
const { Client } = require('../system/lib/client');
const { Http, get } = require('../system/lib/http');
const { until } = require('../system/lib/daemon');
const { BROKER_KILLED, Watcher, newBroker, settle, sleep } =
	require('./lib/actors');

// One who changes one channel; `last` is the number that was answered.
class Writer {
	constructor(d, app, history, channel, workers) {
		Object.assign(this, { d, app, history, channel, workers });
		this.last = this.sent = 0;
	}

	start() {
		this.going = true;
		this.done = this.run();
		this.done.catch(() => {}); // stop() tells
	}

	stop() {
		this.going = false;
		return this.done;
	}

	async run() {
		while (this.going) {
			const seq = ++this.sent;
			const h = this.workers[seq % this.workers.length];
			const a = await h.api(this.app, 'POST', '/events', { body: {
				name: 'n', channel: this.channel,
				data: `${seq} ${performance.now()}` } });
			this.history.published(this.channel, seq, a.status);
			if (a.status === 200) this.last = seq;
		}
		for (const h of this.workers) h.end();
	}
}

// The cached event of each channel, as a new client gets it.
async function look(d, app, writers, before) {
	const c = await Client.connect(d, app);
	for (const [i, w] of writers.entries()) {
		await c.subscribe(w.channel);
		const m = await c.next();
		assert.equal(m.event, 'n', `${w.channel}: ${c.text}`);
		const seq = Number(m.data.split(' ')[0]);
		if (seq < before[i])
			w.history.wrong(`${w.channel} holds ${seq}, but ${before[i]} ` +
				'was there before');
		c.unsubscribe(w.channel);
		await c.sync();
	}
	await c.close();
}

// Connections; the kernel spreads them over the workers.
const several = (d, n) => Promise.all(Array.from({ length: n }, () =>
	Http.connect(d)));

async function kill(d, pid) {
	process.kill(pid, 'SIGKILL');
	await newBroker(d, pid);
}

module.exports = async function cached({ start, random, history, short }) {
	const size = short ? { channels: 2, kills: 3, every: 700 } :
		{ channels: 8, kills: 20, every: 11000 };
	const { d, app } = await start({ workers: 4 });
	d.allow(...BROKER_KILLED);
	const names = Array.from({ length: size.channels }, (_, i) =>
		`cache-${i}`);
	const watcher = await Watcher.open(d, app, history, 'watcher', []);
	for (const c of names) {
		watcher.seen.set(c, []);
		watcher.sendSubscribe(c);
	}
	await until('all subscriptions', async () => Object.keys((await get(d,
		app, '/channels')).channels).length === names.length);
	let changes = 0;
	for (let i = 0; i < size.kills; i++) {
		const writers = [];
		for (const c of names) {
			const w = new Writer(d, app, history, c, await several(d, 8));
			w.sent = w.last = watcher.seen.get(w.channel).at(-1) ?? 0;
			writers.push(w);
		}
		const [broker] = d.pidsOf('broker');
		for (const w of writers) w.start();
		await sleep(size.every * (0.5 + random.next()));
		// Nothing more is asked for, so nothing new hides what is old.
		for (const w of writers) w.going = false;
		await kill(d, broker);
		await Promise.all(writers.map((w) => w.stop()));
		await settle([watcher]);
		await look(d, app, writers, writers.map((w) => Math.max(w.last,
			watcher.seen.get(w.channel).at(-1) ?? 0)));
		changes = writers.reduce((n, w) => n + w.last, 0);
	}
	history.checkWatcher(watcher);
	return { ...size, changes };
};
