// SPDX-License-Identifier: MIT
//
// The queue from worker to broker is driven to its bound (8 MiB) while the
// broker is stopped: publishes above it are refused with 503 and are never
// delivered, those below it are delivered when it goes on.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { Http } = require('../system/lib/http');
const { until } = require('../system/lib/daemon');
const { Watcher, sleep, settle } = require('./lib/actors');

const N = 200;
const PAD = ` ${'x'.repeat(90000)}`;

function rss(pid) {
	const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
	return Number(/VmRSS:\s*(\d+)/.exec(status)[1]) * 1024;
}

module.exports = async function bound({ start, history }) {
	const { d, app } = await start({ workers: 1, client_buffer: 64 << 20 },
		{ max_event_bytes: 100000 });
	const w = await Watcher.open(d, app, history, 'watcher',
		Array.from({ length: N }, (_, i) => `c${i}`));
	const [worker] = d.pidsOf('worker');
	const [broker] = d.pidsOf('broker');
	const before = rss(worker);
	process.kill(broker, 'SIGSTOP');
	const status = {};
	const all = Array.from({ length: N }, async (_, i) => {
		const h = await Http.connect(d);
		const a = await h.api(app, 'POST', '/events', { body: { name: 'n',
			channel: `c${i}`, data: `1 ${performance.now()}${PAD}` } });
		status[a.status] = (status[a.status] ?? 0) + 1;
		if (a.status === 503) assert.equal(a.headers['retry-after'], '1');
		history.published(`c${i}`, 1, a.status);
		h.end();
	});
	await until('refusals', () => status[503] > 50);
	await sleep(500);
	const grown = rss(worker) - before;
	assert.ok(grown < 64 << 20, `the worker has grown by ${grown} bytes`);
	process.kill(broker, 'SIGCONT');
	await Promise.all(all);
	await settle([w]);
	history.checkWatcher(w);
	assert.ok(status[200] > 50 && status[503] > 50, JSON.stringify(status));
	return { answers: status, 'MiB that the worker grew': grown >> 20 };
};
