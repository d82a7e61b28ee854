// SPDX-License-Identifier: MIT
//
// Resume at its limits: more than a session may get, more than the log
// holds, and a client that reads slowly.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { OP } = require('./lib/client');
const { sleep, until, SLOW } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { open, enter, begin, cut } = require('./lib/resume');
const { suite } = require('./lib/suite');

const conf = { resume_ack_interval: 10 };

suite('resume and limits', (d) => {
	const app = d.app({ resume: 'on', resume_bytes: '1048576',
		max_event_bytes: '100000' });

	test('too many, and evicted', async () => {
		let { id, c } = await begin(d, app, 'many');
		await cut(c);
		for (let i = 0; i < 6; i++) await publish(d, app, 'many', 'e', `${i}`);
		c = await open(d, app, id);
		assert.deepEqual(await enter(c, 'many'),
			{ status: 'gap', reason: 'too_many', events: [] });
		await cut(c);
		await publish(d, app, 'many', 'e', 'x');
		for (let i = 0; i < 14; i++)
			await publish(d, app, 'other', 'e', 'y'.repeat(90000));
		c = await open(d, app, id);
		assert.deepEqual(await enter(c, 'many'),
			{ status: 'gap', reason: 'evicted', events: [] });
		await c.close();
	});

	test('a slow reader is closed, and caught up without doubles', async () => {
		let { id, c } = await begin(d, app, 'slow');
		c.sock.pause();
		const data = 'z'.repeat(90000);
		let n = 0;
		const first = [];
		for (; n < 120; n++)
			await publish(d, app, 'slow', 'e', `${n}:${data}`);
		await until('its end', () => /4100/.test(
			JSON.stringify(d.ctl(['closes']))), 20000);
		c.sock.resume();
		for (;;) {
			const f = await c.nextFrame();
			if (f === null || f.opcode === OP.CLOSE) break;
			const m = JSON.parse(f.payload.toString());
			if (m.event === 'e') first.push(Number(m.data.split(':')[0]));
		}
		c.close();
		await sleep(200 * SLOW);
		c = await open(d, app, id);
		const r = await enter(c, 'slow');
		const then = r.events.map((m) => Number(m.data.split(':')[0]));
		assert.deepEqual(first, first.map((_, i) => i));
		if (r.status === 'continued')
			assert.deepEqual([...first, ...then],
				Array.from({ length: n }, (_, i) => i));
		else
			assert.match(r.reason, /evicted|too_many/);
		await c.close();
	});
}, { ...conf, resume_max_events: 5, client_buffer: 1048576 });
