// SPDX-License-Identifier: MIT
//
// What the kernel says of a process.
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');

// Bytes; what: VmRSS, in memory now, or VmHWM, the most that it ever was.
function memory(pid, what = 'VmRSS') {
	const text = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
	return Number(new RegExp(`^${what}:\\s+(\\d+)`, 'm').exec(text)[1]) * 1024;
}

// Open descriptors.
const descriptors = (pid) => fs.readdirSync(`/proc/${pid}/fd`).length;

// The processor time that it has used, in ticks of the kernel's clock.
const TICKS = 100; // in a second

function cpuTicks(pid) {
	const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
	const f = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	return Number(f[11]) + Number(f[12]);
}

// From now on it may have so many descriptors.
const limitDescriptors = (pid, n) => execFileSync('prlimit',
	['--pid', String(pid), `--nofile=${n}:`]);

module.exports = { TICKS, cpuTicks, descriptors, limitDescriptors, memory };
