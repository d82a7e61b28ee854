// SPDX-License-Identifier: MIT
//
// Without /proc nobody can say what is resident: what is allocated counts.
'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { Client } = require('./lib/client');
const { Daemon, SLOW, until } = require('./lib/daemon');

// Sanitizers read their options in /proc, and cannot look for leaks without it.
const OPTIONS = SLOW === 1 ? '' : 'mkdir /proc/self && ' +
	'printf "ASAN_OPTIONS=detect_leaks=0\\0" >/proc/self/environ && ';
// As root, or in a user namespace of its own.
const HIDE = ['unshare', '-m', 'sh', '-c',
	`mount -t tmpfs none /proc && ${OPTIONS}exec "$0" "$@"`];

test('T8: no /proc: the memory of each process is known all the same',
	async () => {
		const d = new Daemon({ workers: 1 });
		if (process.getuid() !== 0) HIDE.splice(1, 0, '-r');
		assert.equal(spawnSync(HIDE[0], [...HIDE.slice(1), 'true']).status, 0,
			'the right to mount');
		d.wrap = HIDE;
		d.allow(/there is no \/proc/);
		// Of sanitizers, which miss it, too.
		d.allow(/reading executable name failed/, /^False positive error/,
			/ASan is ignoring requested/, /google\/sanitizers\/issues/);
		const app = d.app();
		await d.start();
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		// Each worker reports its memory once a second.
		await until('the memory of the worker', () =>
			/"memory[a-z_]*":[1-9]\d{4,}/.test(JSON.stringify(
				d.ctl(['status']).flatMap((o) => o.workers ?? o))));
		assert.equal(d.readLog().split('there is no /proc').length, 2, 'once');
		await c.close();
		await d.stop();
	});
