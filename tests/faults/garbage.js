// SPDX-License-Identifier: MIT
//
// Garbage on the internal sockets: whoever sends it loses its link, and
// nobody else notices.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { Watcher, Publisher, settle } = require('./lib/actors');

function throwAt(file, bytes) {
	return new Promise((ok) => {
		const s = net.connect(file, () => s.write(bytes));
		const t = setTimeout(() => s.destroy(), 200);
		s.on('error', () => {});
		s.on('close', () => { clearTimeout(t); ok(); });
		s.resume();
	});
}

function nonsense(random) {
	const n = random.pick([1, 7, 8, 20, 100, 5000]);
	const b = Buffer.from(Array.from({ length: n },
		() => random.below(256)));
	// Half of them look like a message.
	if (n >= 8 && random.below(2)) {
		b.writeUInt32LE(random.pick([4, n - 4, 0x7fffffff]), 0);
		b.writeUInt32LE(random.below(40), 4);
	}
	return b;
}

module.exports = async function garbage({ start, random, history, short }) {
	const { d, app } = await start({ workers: 2 });
	d.allow(/^(?!.*(was killed|Sanitizer)).*(link|control)/);
	const w = await Watcher.open(d, app, history, 'watcher', ['c0']);
	const publisher = new Publisher(d, app, history, ['c0']);
	const pids = Object.keys(d.processes()).sort();
	const files = fs.readdirSync(d.conf.runtime_dir)
		.map((f) => path.join(d.conf.runtime_dir, f))
		.filter((f) => fs.statSync(f).isSocket());
	assert.ok(files.length >= 2, 'internal and control socket');
	publisher.start(100);
	const n = short ? 30 : 2000;
	for (let i = 0; i < n; i++)
		await throwAt(random.pick(files), nonsense(random));
	await publisher.stop();
	await settle([w]);
	history.checkWatcher(w);
	assert.deepEqual(Object.keys(d.processes()).sort(), pids,
		'every process lives');
	return { thrown: n, answers: publisher.status };
};
