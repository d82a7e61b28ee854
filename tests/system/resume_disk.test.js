// SPDX-License-Identifier: MIT
//
// The log of an app that gets another size, and one for whose file there is no
// room: the connection works, and what can be kept is kept.
'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { test } = require('node:test');
const { until } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { open, enter, begin, cut, datas } = require('./lib/resume');
const { suite } = require('./lib/suite');

const MIB = 1048576;

async function missed(d, app, between) {
	const { id, c } = await begin(d, app, 'x');
	await cut(c);
	for (const n of ['1', '2']) await publish(d, app, 'x', 'e', n);
	await between();
	await publish(d, app, 'x', 'e', '3');
	const back = await open(d, app, id);
	const r = await enter(back, 'x');
	await back.close();
	return r;
}

suite('resume: the size of the log', (d) => {
	const app = d.app({ resume: 'on', resume_bytes: String(MIB) });

	for (const mib of [4, 2])
		test(`${mib} MiB while it runs: what was missed comes`, async () => {
			const r = await missed(d, app, () => d.ctl(['app', 'set', app.id,
				`resume_bytes=${mib * MIB}`]));
			assert.deepEqual(datas(r), ['1', '2', '3']);
		});

	test('another size while it is stopped', async () => {
		const r = await missed(d, app, async () => {
			d.ctl(['app', 'set', app.id, `resume_bytes=${MIB}`]);
			d.signal('SIGTERM');
			await d.exited;
			d.exit = null;
			await d.start();
		});
		assert.deepEqual(datas(r), ['1', '2', '3']);
	});
});

suite('resume: no room for the log', (d) => {
	const app = d.app({ resume: 'off' });
	const CANNOT = /resume log of app .*: cannot make .* bytes: /;
	const lines = () => d.logLines().filter((l) => CANNOT.test(l)).length;

	// Larger files cannot be made, as on a disk that is full.
	const limit = (bytes) => {
		for (const pid of Object.keys(d.processes()))
			execFileSync('prlimit', ['--pid', pid, `--fsize=${bytes}`]);
	};

	test('it is in memory: one line, and clients continue', async () => {
		d.allow(CANNOT);
		limit(`${MIB}:unlimited`);
		d.ctl(['app', 'set', app.id, 'resume=on']);
		const r = await missed(d, app, () => {});
		assert.deepEqual(datas(r), ['1', '2', '3']);
		assert.equal(lines(), 1);
	});

	test('it ends with the broker: a gap, and the next one has a file',
		async () => {
			d.allow(/was killed by signal 9/, /link to the broker lost: /);
			limit('unlimited');
			const r = await missed(d, app, async () => {
				const [old] = d.pidsOf('broker');
				process.kill(old, 'SIGKILL');
				await until('another broker', () => d.pidsOf('broker')
					.some((pid) => pid !== old));
			});
			assert.deepEqual([r.status, r.reason], ['gap', 'restarted']);
			const again = await missed(d, app, () => {});
			assert.deepEqual(datas(again), ['1', '2', '3']);
			assert.equal(lines(), 1);
		});
});
