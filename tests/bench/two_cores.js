// SPDX-License-Identifier: MIT
//
// two_cores.js: how many operations a server would do in a second with two
// cores of its own, from the CPU time that each of its processes takes: the
// load generator needs a part of one, so that it cannot be seen.  A process
// uses one core at most: the busiest one is the limit if it has more than half
// of the work.
'use strict';

const fs = require('node:fs');

// The CPU time of a process and of each of its children, in ticks, by pid.
function ticks(pid) {
	const read = (name) => fs.readFileSync(`/proc/${name}`, 'utf8');
	const children = read(`${pid}/task/${pid}/children`).match(/\d+/g) ?? [];
	return new Map([pid, ...children.map(Number)].map((p) => {
		const [user, system] = read(`${p}/stat`).replace(/.*\) /s, '')
			.split(' ').slice(11, 13).map(Number);
		return [p, user + system];
	}));
}

// The record of run(), with `cores`, which the server would use, and
// `on_two_cores`, which it would do.  The share of the busiest process is that
// of the whole run, the connecting included.
function onTwoCores(pid, run) {
	const before = ticks(pid);
	const record = run();
	if (record.error) return record;
	const used = [...ticks(pid)].map(([p, n]) => n - (before.get(p) ?? 0));
	const cores = Math.min(2,
		used.reduce((a, b) => a + b) / Math.max(...used));
	return { ...record, limit: 'the cores', cores,
		on_two_cores: cores * 1e6 / record.server_cpu_us_each };
}

module.exports = { onTwoCores };
