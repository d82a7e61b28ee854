// SPDX-License-Identifier: MIT
//
// A client that comes back to its channels one after the other, when nothing
// new happens meanwhile: a confirmation of one channel must not count for the
// replay of another one, which has the same number and is still on its way.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { publish } = require('./lib/http');
const { newId, open, enter, settled, datas, cut } = require('./lib/resume');
const { suite } = require('./lib/suite');

suite('resume: one channel after another', (d) => {
	const app = d.app({ resume: 'on' });

	test('a replay that was not confirmed comes again', async () => {
		const id = newId();
		let c = await open(d, app, id);
		for (const name of ['a', 'b']) await enter(c, name);
		await cut(c);
		await publish(d, app, 'b', 'e', '1');
		await publish(d, app, 'a', 'e', '2');
		c = await open(d, app, id);
		assert.deepEqual(datas(await enter(c, 'a')), ['2']);
		await settled(c); // everything so far, says the number
		c.answerPings = false;
		assert.deepEqual(datas(await enter(c, 'b')), ['1']);
		c.reset();
		c = await open(d, app, id);
		assert.deepEqual(datas(await enter(c, 'b')), ['1']);
		assert.deepEqual(datas(await enter(c, 'a')), []);
		await cut(c);
		c = await open(d, app, id);
		assert.deepEqual(datas(await enter(c, 'b')), []);
		await c.close();
	});

	test('a gap that was not confirmed is told again', async () => {
		const id = newId();
		let c = await open(d, app, id);
		for (const name of ['c', 'd']) await enter(c, name);
		await cut(c);
		for (const value of ['off', 'on'])
			d.ctl(['app', 'set', app.id, `resume=${value}`]);
		c = await open(d, app, id);
		assert.equal((await enter(c, 'c')).reason, 'restarted');
		await settled(c);
		c.answerPings = false;
		assert.equal((await enter(c, 'd')).status, 'gap');
		c.reset();
		c = await open(d, app, id);
		assert.equal((await enter(c, 'd')).status, 'gap');
		assert.deepEqual(datas(await enter(c, 'c')), []);
		await c.close();
	});
}, { resume_ack_interval: 10 });
