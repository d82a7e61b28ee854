// SPDX-License-Identifier: MIT
//
// memory_limit and the number of workers: `auto` starts no more than there is
// memory for, as in a small container on a large machine, and a limit that
// leaves nothing for clients is refused.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const os = require('node:os');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, PUSHERD, becomes, environment, options } = require('./lib/daemon');

const MIB = 1 << 20;
const cores = Math.min(os.availableParallelism(), 64);

// Sanitizers need more system calls than a sandbox has.
for (const sandbox of /asan|valgrind/.test(PUSHERD) ? ['off'] : ['off', 'on'])
	test(`workers auto, sandbox ${sandbox}: as many as have memory`, async () => {
		const d = new Daemon({ workers: 'auto', memory_limit: 40 * MIB,
			sandbox });
		d.allow(/near or over memory_limit/); // with sanitizers
		const app = d.app();
		const set = (name, value) => d.ctl(['config', 'set', name, value]);
		const workers = () => d.pidsOf('worker').length;
		try {
			await d.start();
			assert.equal(workers(), 1);
			set('memory_limit', String(64 * MIB));
			await becomes(workers, Math.min(cores, 2));
			set('pong_timeout', '17');
			set('memory_limit', String(96 * MIB));
			await becomes(workers, Math.min(cores, 3));
			set('workers', '1');
			await becomes(workers, 1);
			set('memory_limit', String(4096 * MIB));
			assert.equal(workers(), 1);
			await (await Client.connect(d, app)).close();
			await d.stop();
		} finally {
			d.kill();
		}
	});

test('a memory_limit below what idle workers have is refused', async () => {
	const d = new Daemon({ workers: 2 });
	d.app();
	try {
		for (const [workers, limit, least] of [[1, 1, 8 * MIB],
			['auto', 8 * MIB - 1, 8 * MIB], [16, 100 * MIB, 128 * MIB]]) {
			const r = spawnSync(PUSHERD, [...options({ ...d.conf, workers,
				memory_limit: limit }), '-t'],
			{ env: environment(), encoding: 'utf8' });
			assert.equal(r.status, 1, r.stdout);
			assert.match(r.stderr, new RegExp(`memory_limit is ${limit}: ` +
				`must be 0, or at least ${least}: 8 MiB for each worker`));
		}
		await d.start();
		const r = d.ctlRaw(['config', 'set', 'memory_limit', '1']);
		assert.equal(r.code, 1);
		assert.match(r.err, /memory_limit is 1: must be 0, or at least 16777216: 8 MiB/);
		d.allow(/reload: nothing has changed/);
		await d.stop();
	} finally {
		d.kill();
	}
});
