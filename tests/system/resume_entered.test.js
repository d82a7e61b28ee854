// SPDX-License-Identifier: MIT
//
// A client comes back to one of its channels only, goes on confirming, and
// enters the other one after another cut and the death of the broker, which
// alone knew the channels: it must never be told `continued` with a hole.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { until } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { open, enter, begin, cut, datas } = require('./lib/resume');
const { suite } = require('./lib/suite');

async function newBroker(d) {
	const [old] = d.pidsOf('broker');
	process.kill(old, 'SIGKILL');
	await until('another broker', () => {
		const pids = d.pidsOf('broker');
		return pids.length === 1 && pids[0] !== old;
	});
}

// without: what runtime_dir has is lost, too, as after a power failure.
async function newMaster(d, { without = false } = {}) {
	d.signal('SIGKILL');
	await d.exited;
	await until('the end of all', () =>
		Object.keys(d.processes()).length === 0);
	d.exit = null;
	if (without)
		fs.rmSync(d.conf.runtime_dir, { recursive: true });
	await d.start();
}

suite('resume: a channel that is entered late', (d) => {
	const app = d.app({ resume: 'on' });
	const B = 'private-b';
	d.allow(/link to the/, /broker was killed/, /the master is gone/,
		/accepted events are lost: no broker/);

	// Comes back to a alone, gets what comes there, and is cut again.
	async function onlyA(id, status) {
		const c = await open(d, app, id);
		assert.equal((await enter(c, 'a')).status, status);
		await publish(d, app, B, 'e', 'missed');
		await publish(d, app, 'a', 'e', 'seen');
		assert.equal(await c.expect('e', 'a'), 'seen');
		await cut(c);
	}

	async function two() {
		const { id, c } = await begin(d, app, 'a');
		await enter(c, B);
		await cut(c);
		return id;
	}

	async function lateB(id) {
		const c = await open(d, app, id);
		const word = await enter(c, B);
		await c.close();
		return word;
	}

	test('the same broker: all that was missed', async () => {
		const id = await two();
		await onlyA(id, 'continued');
		await onlyA(id, 'continued');
		assert.deepEqual(datas(await lateB(id)), ['missed', 'missed']);
	});

	test('another broker: a gap', async () => {
		const id = await two();
		await onlyA(id, 'continued');
		await newBroker(d);
		assert.equal((await lateB(id)).reason, 'restarted');
	});

	test('another log, then another broker: a gap', async () => {
		const id = await two();
		for (const value of ['off', 'on'])
			d.ctl(['app', 'set', app.id, `resume=${value}`]);
		await onlyA(id, 'gap');
		await newBroker(d);
		assert.equal((await lateB(id)).reason, 'restarted');
	});

	test('another log, and its connection outlives the broker: a gap',
		async () => {
			const id = await two();
			for (const value of ['off', 'on'])
				d.ctl(['app', 'set', app.id, `resume=${value}`]);
			let c = await open(d, app, id);
			assert.equal((await enter(c, 'a')).status, 'gap');
			await publish(d, app, B, 'e', 'missed');
			await newBroker(d);
			await publish(d, app, 'a', 'e', 'seen');
			assert.equal(await c.expect('e', 'a'), 'seen');
			await cut(c);
			c = await open(d, app, id);
			assert.equal((await enter(c, B)).status, 'gap');
			assert.deepEqual(datas(await enter(c, 'a')), []);
			await c.close();
		});

	for (const without of [false, true])
		test(`another master${without ? ', an empty runtime_dir' : ''}, ` +
			'then another broker: a gap', async () => {
			const id = await two();
			await newMaster(d, { without });
			await onlyA(id, 'new');
			await newBroker(d);
			assert.equal((await lateB(id)).reason, 'restarted');
		});

	test('a first start, then another broker: nothing is lost', async () => {
		d.signal('SIGTERM');
		await d.exited;
		d.exit = null;
		for (const file of fs.readdirSync(path.dirname(d.conf.database)))
			if (file.includes('-resume-'))
				fs.unlinkSync(path.join(
					path.dirname(d.conf.database), file));
		fs.rmSync(d.conf.runtime_dir, { recursive: true });
		await d.start();
		const id = await two();
		await publish(d, app, B, 'e', 'missed');
		await newBroker(d);
		assert.deepEqual(datas(await lateB(id)), ['missed']);
	});
}, { resume_ack_interval: 10 });
