// SPDX-License-Identifier: MIT
//
// pusherctl config: what the running daemon has, what this command reads, and
// where each value comes from.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { test } = require('node:test');
const { PUSHERCTL, PUSHERD, environment, options } = require('./lib/daemon');
const { suite } = require('./lib/suite');

suite('config', (d) => {
	test('every option of the daemon, with its origin', () => {
		const rows = d.ctl(['config']);
		const dump = spawnSync(PUSHERD, [...options(d.conf), '-T'],
			{ env: environment(), encoding: 'utf8' });
		assert.equal(dump.status, 0, dump.stderr);
		const want = dump.stdout.trim().split('\n')
			.map((l) => /^(\S+) (?:"(.*)"|(\S+)) {4}# (.*)$/.exec(l))
			.map((m) => [m[1], m[2] ?? m[3], m[4]]);
		assert.deepEqual(rows.map((r) => [r.option, r.value, r.origin]), want);
		assert.deepEqual(d.ctl(['config', 'workers']), [{ option: 'workers',
			value: String(d.conf.workers), origin: 'command line' }]);
	});

	test('--here: the values that this command reads', () => {
		const [a] = d.ctl(['-o', 'drain_time=7', 'config', 'drain_time']
			.slice(2));
		const r = spawnSync(PUSHERCTL, [...options(d.conf), '-j', '-o',
			'drain_time=7', 'config', '--here', 'drain_time'],
		{ env: environment(), encoding: 'utf8' });
		assert.deepEqual(JSON.parse(r.stdout), [{ option: 'drain_time',
			value: '7', origin: 'command line' }]);
		assert.equal(a.value, '0');
	});

	test('no such option; no daemon', () => {
		const r = d.ctlRaw(['config', 'drain_tim']);
		assert.equal(r.code, 2);
		assert.match(r.err, /did you mean drain_time/);
		const off = spawnSync(PUSHERCTL, [...options({ ...d.conf,
			runtime_dir: `${d.dir}/nowhere` }), 'config', 'workers'],
		{ env: environment(), encoding: 'utf8' });
		assert.equal(off.status, 0);
		assert.match(off.stdout, /^workers\t\d+\tcommand line\n$/);
		assert.match(off.stderr, /not running/);
	});
});
