// SPDX-License-Identifier: MIT
//
// Resume when the log is not the one that a session knows: resume was off, or
// the file is gone.  A client that may have missed something gets a gap.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { publish } = require('./lib/http');
const { newId, open, enter, settled, datas, begin, cut } =
	require('./lib/resume');
const { suite } = require('./lib/suite');

suite('resume with another log', (d) => {
	const app = d.app({ resume: 'on' });

	test('events published while resume is off are a gap', async () => {
		const set = (value) =>
			d.ctl(['app', 'set', app.id, `resume=${value}`]);
		const ids = [newId(), newId(), newId()];
		const [away, live, down] = await Promise.all(
			ids.map((id) => open(d, app, id)));
		for (const c of [away, live, down]) await enter(c, 'x');
		await settled(live);
		away.reset();
		set('off');
		await publish(d, app, 'x', 'e', '1');
		set('on');
		assert.equal(await live.expect('e', 'x'), '1');
		live.reset();
		await publish(d, app, 'x', 'e', '2');
		for (const id of ids.slice(0, 2)) {
			const c = await open(d, app, id);
			assert.equal((await enter(c, 'x')).reason, 'restarted');
			await cut(c);
		}
		d.signal('SIGTERM');
		await d.exited;
		d.exit = null;
		set('off');
		await d.start();
		await publish(d, app, 'x', 'e', '3');
		set('on');
		for (const id of ids) {
			const c = await open(d, app, id);
			assert.equal((await enter(c, 'x')).reason, 'restarted');
			await publish(d, app, 'x', 'e', '4');
			assert.equal(await c.expect('e', 'x'), '4');
			await cut(c);
		}
		const c = await open(d, app, ids[0]);
		assert.deepEqual(datas(await enter(c, 'x')), ['4', '4']);
		await c.close();
	});

	test('a channel that was left before the broker died is a gap', async () => {
		d.allow(/link to the/, /broker was killed/);
		let { id, c } = await begin(d, app, 'x');
		await enter(c, 'left');
		c.unsubscribe('left');
		await c.sync();
		await publish(d, app, ['left', 'x'], 'e', '1');
		await cut(c);
		process.kill(d.pidsOf('broker')[0], 'SIGKILL');
		c = await open(d, app, id);
		assert.deepEqual(await enter(c, 'left'),
			{ status: 'gap', reason: 'restarted', events: [] });
		await c.close();
	});

	test('a living client whose log is lost has a gap at its next cut',
		async () => {
			d.allow(/resume log of app .* damaged/, /link to the/,
				/broker was killed/);
			let { id, c } = await begin(d, app, 'x');
			await publish(d, app, 'x', 'e', '1');
			await c.expect('e', 'x');
			await settled(c);
			const [file] = fs.readdirSync(d.conf.runtime_dir)
				.filter((name) => name.endsWith('.log'));
			const fd = fs.openSync(path.join(d.conf.runtime_dir, file), 'r+');
			fs.writeSync(fd, 'damaged', 4096 + 20);
			fs.closeSync(fd);
			process.kill(d.pidsOf('broker')[0], 'SIGKILL');
			await publish(d, app, 'x', 'e', '2');
			assert.equal(await c.expect('e', 'x'), '2');
			await cut(c);
			await publish(d, app, 'x', 'e', '3');
			c = await open(d, app, id);
			assert.deepEqual(await enter(c, 'x'),
				{ status: 'gap', reason: 'restarted', events: [] });
			await cut(c);
			await publish(d, app, 'x', 'e', '4');
			c = await open(d, app, id);
			assert.deepEqual(datas(await enter(c, 'x')), ['4']);
			await c.close();
		});
}, { resume_ack_interval: 10 });
