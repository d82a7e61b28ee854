// SPDX-License-Identifier: MIT
//
// Another machine: every object compiles for 64-bit ARM, with warnings as
// errors, so that no flag and no type belongs to one architecture only.
'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const path = require('node:path');
const { spawnSync } = require('node:child_process');

test('O12: every object compiles for ARM', () => {
	const env = { ...process.env, CI: '1' };
	for (const name of ['MAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'BUILD', 'OPT',
		'SAN', 'CC'])
		delete env[name];
	const r = spawnSync('make', ['cross'], { env, encoding: 'utf8',
		cwd: path.resolve(__dirname, '../..'), maxBuffer: 1 << 26 });
	assert.equal(r.status, 0, r.stdout.slice(-2000) + r.stderr.slice(-4000));
	assert.match(r.stdout, /every object compiles for ARM/);
});
