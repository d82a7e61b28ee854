// SPDX-License-Identifier: MIT
//
// Random choices that a seed repeats.
'use strict';

// A seeded generator (mulberry32), so that a run can be repeated.
function random(seed) {
	let a = seed >>> 0;
	const next = () => {
		a = (a + 0x6d2b79f5) >>> 0;
		let t = Math.imul(a ^ (a >>> 15), 1 | a);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
	return { next, below: (n) => Math.floor(next() * n),
		pick: (list) => list[Math.floor(next() * list.length)] };
}

module.exports = { random };
