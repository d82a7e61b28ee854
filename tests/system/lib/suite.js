// SPDX-License-Identifier: MIT
//
// suite(name, fn, conf): the same tests against a daemon with one worker and
// against one with four.  fn(d) declares tests; d is started before the first
// and stopped, with all its checks, after the last.
'use strict';

const { describe, before, after } = require('node:test');
const { Daemon } = require('./daemon');

const WORKERS = (process.env.TEST_WORKERS || '1,4')
	.split(',').map(Number);

function suite(name, fn, conf = {}) {
	for (const workers of WORKERS) {
		describe(`${name}, ${workers} worker${workers > 1 ? 's' : ''}`, () => {
			const d = new Daemon({ workers, ...conf });
			before(() => d.start());
			after(() => d.stop());
			fn(d);
		});
	}
}

module.exports = { suite, WORKERS };
