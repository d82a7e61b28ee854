// SPDX-License-Identifier: MIT
//
// Files of runtime_dir are removed while the server runs: they come back, and
// neither a client nor the next broker misses anything.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Daemon, until } = require('./lib/daemon');
const { publish } = require('./lib/http');
const resume = require('./lib/resume');

const removeAll = (dir) => fs.readdirSync(dir)
	.forEach((f) => fs.unlinkSync(path.join(dir, f)));

for (const [what, remove] of [
	['the directory', (dir) => fs.rmSync(dir, { recursive: true })],
	['all files', removeAll],
	['the socket of the workers', (dir) =>
		fs.unlinkSync(path.join(dir, 'broker.sock'))],
	['the socket of pusherctl', (dir) =>
		fs.unlinkSync(path.join(dir, 'ctl.sock'))],
])
	test(`runtime_dir: ${what} removed: it works again`, async () => {
		const d = new Daemon({ workers: 2 });
		const app = d.app({ resume: 'on' });
		try {
			await d.start();
			d.allow(/files of runtime_dir .* were removed/,
				/broker was killed by signal 9/,
				/link to the broker lost/);
			const { id, c } = await resume.begin(d, app, 'x');
			await publish(d, app, 'x', 'e', 'before');
			assert.equal(await c.expect('e'), 'before');
			const [first] = d.pidsOf('broker');
			remove(d.conf.runtime_dir);
			await until('another broker', () => {
				const [pid] = d.pidsOf('broker');
				return pid && pid !== first;
			});
			await until('pusherctl to work', async () =>
				(await d.ctlAsync(['status'])).code === 0);
			await publish(d, app, 'x', 'e', 'between');
			assert.equal(await c.expect('e'), 'between');

			const [second] = d.pidsOf('broker');
			process.kill(second, 'SIGKILL');
			await until('the next broker', () =>
				d.readLog().includes('the one before was killed'));
			await publish(d, app, 'x', 'e', 'after');
			assert.equal(await c.expect('e'), 'after');
			await resume.confirmed(d, id);
			await resume.cut(c);
			await publish(d, app, 'x', 'e', 'missed');
			const back = await resume.open(d, app, id);
			assert.deepEqual(resume.datas(await resume.enter(back, 'x')),
				['missed']);
			await back.close();

			const other = new Daemon({ runtime_dir: d.conf.runtime_dir });
			other.app();
			other.spawn();
			assert.notEqual((await other.exited).code, 0);
			assert.match(other.readLog(), /another pusherd runs/);
			other.remove();
			await d.stop();
		} finally {
			d.kill();
		}
	});
