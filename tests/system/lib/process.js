// SPDX-License-Identifier: MIT
//
// What the kernel says of a process.
'use strict';

const fs = require('node:fs');

// Bytes; what: VmRSS, in memory now, or VmHWM, the most that it ever was.
function memory(pid, what = 'VmRSS') {
	const text = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
	return Number(new RegExp(`^${what}:\\s+(\\d+)`, 'm').exec(text)[1]) * 1024;
}

// Open descriptors.
const descriptors = (pid) => fs.readdirSync(`/proc/${pid}/fd`).length;

module.exports = { descriptors, memory };
