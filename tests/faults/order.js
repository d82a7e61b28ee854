// SPDX-License-Identifier: MIT
//
// Many publish into the same channel at once, through all workers, and the
// broker is killed again and again, with much in its hands for a worker that is
// stopped at that moment.  Subscribers that stayed have seen the same events
// in the same order, on each worker.
'use strict';

const { Http } = require('../system/lib/http');
const { onePerWorker } = require('../system/lib/daemon');
const { BROKER_KILLED, Watcher, newBroker, settle, sleep } = require('./lib/actors');

const PAD = 'x'.repeat(2000); // a link is soon full

module.exports = async function order({ start, random, history, short }) {
	const size = short ? { publishers: 16, kills: 3, every: 700 } :
		{ publishers: 32, kills: 20, every: 11000 };
	const { d, app } = await start({ workers: 4,
		client_buffer: 64 << 20 });
	d.allow(...BROKER_KILLED);
	const channels = ['x', 'y'];
	const watchers = await onePerWorker(d, (i) => Watcher.open(d, app, history,
		`watcher ${i}`, channels), (w) => w.leave());
	let going = true;
	let seq = 0; // of all publishers together, in the order of asking
	const publishers = Array.from({ length: size.publishers }, async (_, i) => {
		const h = await Http.connect(d);
		const channel = channels[i % channels.length];
		while (going) {
			const mine = ++seq;
			const a = await h.api(app, 'POST', '/events', { body: {
				name: 'n', channel, data: `${mine} ${performance.now()} ${PAD}` } });
			history.published(channel, mine, a.status);
		}
		h.end();
	});
	for (let i = 0; i < size.kills; i++) {
		await sleep(size.every * (0.5 + random.next()));
		const [pid] = d.pidsOf('broker');
		const slow = random.pick(d.pidsOf('worker'));
		process.kill(slow, 'SIGSTOP');
		await sleep(300);
		process.kill(pid, 'SIGKILL');
		process.kill(slow, 'SIGCONT');
		await newBroker(d, pid);
	}
	await sleep(200);
	going = false;
	await Promise.all(publishers);
	await settle(watchers);
	for (const w of watchers) history.checkSame(w, watchers[0]);
	return { ...size, events: seq };
};
