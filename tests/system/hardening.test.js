// SPDX-License-Identifier: MIT
//
// How the binaries are built, read from them with readelf, and what a running
// process may be asked by others.
'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const { test, describe } = require('node:test');
const { Daemon, PUSHERD, PUSHERCTL } = require('./lib/daemon');

const readelf = (...args) => execFileSync('readelf', ['-W', ...args],
	{ encoding: 'utf8', maxBuffer: 1 << 28 });
const sanitized = /asan|cover|fuzz/.test(PUSHERD);

for (const bin of [PUSHERD, PUSHERCTL])
	describe(bin.replace(/^.*\//, ''), () => {
		test('is position independent, and its stack is no code', () => {
			assert.match(readelf('-h', bin), /Type: +DYN/);
			assert.match(readelf('-l', bin),
				/GNU_STACK +\S+ +\S+ +\S+ +\S+ +\S+ +RW +/);
			assert.doesNotMatch(readelf('-l', bin), /\bRWE\b/);
		});

		test('is bound at its start, and then read-only', () => {
			assert.match(readelf('-l', bin), /GNU_RELRO/);
			assert.match(readelf('-d', bin), /FLAGS.*(BIND_NOW|NOW)/);
			assert.doesNotMatch(readelf('-d', bin),
				/TEXTREL|RPATH|RUNPATH/);
		});

		test('checks its stack and its buffers', { skip: sanitized }, () => {
			const symbols = readelf('--dyn-syms', bin);
			assert.match(symbols, /__stack_chk_fail/);
			assert.match(symbols, /__(snprintf|memcpy|vsnprintf)_chk/);
		});

		test('has a build id', () => {
			assert.match(readelf('-n', bin), /Build ID: [0-9a-f]{40}/);
		});
	});

describe('a running process', () => {
	for (const [value, size] of [['off', '0'], ['on', null]])
		test(`core_dumps ${value}`, { skip: sanitized }, async () => {
			const d = new Daemon({ core_dumps: value, user: '' });
			await d.start();
			for (const pid of Object.keys(d.processes())) {
				const limits = fs.readFileSync(
					`/proc/${pid}/limits`, 'utf8');
				const core = limits.match(
					/^Max core file size +(\S+)/m)[1];
				if (size !== null) assert.equal(core, size);
				// Root's own, when nobody may read it.
				const uid = fs.statSync(`/proc/${pid}/mem`).uid;
				if (process.getuid() !== 0)
					assert.equal(uid, size === null ?
						process.getuid() : 0);
			}
			await d.stop();
		});
});
