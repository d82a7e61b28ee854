// SPDX-License-Identifier: MIT
//
// The broker is stopped for 1.5 s: nothing happens but a pause.  Then it is
// stopped for good: it is found out, ended and replaced, and still nobody is
// closed and nothing lost.
'use strict';

const assert = require('node:assert/strict');
const { Watcher, Publisher, newBroker, sleep, settle } = require('./lib/actors');

module.exports = async function hang({ start, history, short }) {
	const { d, app } = await start({ workers: 2 }, {});
	d.allow(/broker was killed by/, /link to the broker lost/,
		/broker: stuck/);
	const channels = Array.from({ length: 10 }, (_, i) => `c${i}`);
	const watchers = [];
	for (let i = 0; i < 30; i++)
		watchers.push(await Watcher.open(d, app, history, `watcher ${i}`,
			[channels[i % 10]]));
	const publishers = channels.map((c) =>
		new Publisher(d, app, history, [c]));
	publishers.forEach((p) => p.start(short ? 20 : 200));
	await sleep(300);
	const [pid] = d.pidsOf('broker');
	process.kill(pid, 'SIGSTOP');
	await sleep(1500);
	process.kill(pid, 'SIGCONT');
	await sleep(300);
	assert.deepEqual(d.pidsOf('broker'), [pid], 'no restart');
	history.fault('broker stopped');
	process.kill(pid, 'SIGSTOP');
	await newBroker(d, pid, 9000);
	const replaced = performance.now() - history.faults[0].at;
	await sleep(1000);
	await Promise.all(publishers.map((p) => p.stop()));
	await settle(watchers);
	for (const w of watchers) history.checkWatcher(w);
	const recovered = history.recovery(watchers, 'broker stopped');
	const answers = {};
	for (const p of publishers)
		for (const [k, v] of Object.entries(p.status))
			answers[k] = (answers[k] ?? 0) + v;
	return { answers, 'ms to a new broker': Math.round(replaced),
		'ms to a new event': Math.round(recovered) };
};
