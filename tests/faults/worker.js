// SPDX-License-Identifier: MIT
//
// One of four workers dies.  The clients of the others notice nothing, counts
// are right at once, who comes back within crash_grace was never away, and
// everybody else leaves once.
'use strict';

const assert = require('node:assert/strict');
const { Client } = require('../system/lib/client');
const { get } = require('../system/lib/http');
const { until, SLOW } = require('../system/lib/daemon');
const { Watcher, Publisher, sleep, settle } = require('./lib/actors');

const ROOM = 'presence-room';
// A sanitizer would report the first as an error of the program's own.
const SIGNAL = SLOW > 1 ? 'SIGKILL' : 'SIGSEGV';

async function fill(d, app, history, n) {
	const all = [];
	for (let i = 0; i < n; i += 50)
		all.push(...await Promise.all(Array.from(
			{ length: Math.min(50, n - i) }, (_, k) => Watcher.open(d, app,
				history, `watcher ${i + k}`, [`c${(i + k) % 20}`]))));
	return all;
}

module.exports = async function worker({ start, random, history, short }) {
	const n = short ? 200 : 8000;
	const { d, app } = await start({ workers: 4 }, {});
	d.allow(/was killed by signal (9|11)/);
	const watchers = await fill(d, app, history, n);
	const members = [];
	for (let i = 0; i < 40; i++)
		members.push(await Watcher.open(d, app, history, `m${i}`, [ROOM],
			{ data: { user_id: `m${i}` } }));
	const publisher = new Publisher(d, app, history,
		Array.from({ length: 20 }, (_, i) => `c${i}`));
	publisher.start(short ? 300 : 20); // each to n / 20 clients
	await sleep(300);
	const pid = random.pick(d.pidsOf('worker'));
	const at = performance.now();
	process.kill(pid, SIGNAL);
	for (const m of [...members, ...watchers]) m.mayClose = true;
	await until('the end of its clients', () =>
		members.some((m) => m.gone) && watchers.some((w) => w.gone));
	await sleep(200);
	const back = members.filter((m) => m.gone && random.below(2) === 0);
	const stay = members.filter((m) => !m.gone);
	assert.ok(stay.length > 0, 'members on other workers');
	const { subscription_count: count } =
		(await get(d, app, `/channels/c0`, { info: 'subscription_count' }));
	const left = watchers.filter((w) => !w.gone && w.seen.has('c0')).length;
	assert.equal(count, left, 'the count is right at once');
	// It is served again on the same socket.
	const again = [];
	for (const m of back)
		again.push(await Watcher.open(d, app, history, `${m.name} again`,
			[ROOM], { data: { user_id: m.name } }));
	await Promise.all(Array.from({ length: 50 }, async () => {
		await (await Client.connect(d, app)).close();
	}));
	const served = performance.now() - at;
	await until('a new worker', () => d.pidsOf('worker').length === 4);
	await sleep(3500);
	await publisher.stop();
	await settle(watchers);
	const here = [...stay, ...again].map((m) => m.name.split(' ')[0]);
	for (const m of [...stay, ...again]) m.roster.expect(here);
	for (const w of watchers) {
		if (w.gone) continue;
		w.mayClose = false;
		history.checkWatcher(w);
	}
	assert.ok(served < 3000, `served again after ${served} ms`);
	return { clients: n, lost: watchers.filter((w) => w.gone).length,
		'members lost': 40 - stay.length, 'came back': back.length,
		answers: publisher.status, 'ms to served again': Math.round(served) };
};
