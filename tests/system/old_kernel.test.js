// SPDX-License-Identifier: MIT
//
// A kernel before 5.9 has no close_range(2), and the profiles of old
// containers forbid it: the server starts, and passes on no descriptor.
'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon } = require('./lib/daemon');
const { publish } = require('./lib/http');

const CLOSE_RANGE = '436'; // on every architecture
const ENOSYS = '38';
const EPERM = '1';

for (const [what, error] of [['ENOSYS', ENOSYS], ['EPERM', EPERM]])
	test(`close_range gives ${what}`, async () => {
		const d = new Daemon({ workers: 2 });
		const without = path.join(d.dir, 'without');
		const secret = path.join(d.dir, 'secret');
		execFileSync('cc', ['-O1', '-o', without,
			path.join(__dirname, 'lib/without.c')]);
		fs.writeFileSync(secret, '');
		// The caller has left descriptor 77 open.
		d.wrap = ['bash', '-c', `exec 77<${secret} "$0" "$@"`, without,
			CLOSE_RANGE, error];
		const app = d.app();
		try {
			await d.start();
			for (const pid of Object.keys(d.processes()))
				for (const fd of fs.readdirSync(`/proc/${pid}/fd`))
					assert.notEqual(fs.readlinkSync(
						`/proc/${pid}/fd/${fd}`), secret);
			const c = await Client.connect(d, app);
			await c.subscribe('room');
			await publish(d, app, 'room', 'e', 'x');
			assert.equal(await c.expect('e', 'room'), 'x');
			await c.close();
			await d.stop();
		} finally {
			d.kill();
		}
	});
