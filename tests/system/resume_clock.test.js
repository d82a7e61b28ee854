// SPDX-License-Identifier: MIT
//
// Resume while the wall clock is put right: sessions live for resume_time of
// real time, and tombstones for a day, also over a restart.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { WrongClock } = require('./lib/clock');
const { Daemon, until } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { open, enter, begin, cut, datas } = require('./lib/resume');

const DAY = 86400;

async function withClock(fn) {
	const clock = new WrongClock();
	const d = new Daemon({ workers: 1 });
	try {
		await clock.with({}, async () => {
			await fn(d, clock);
			await d.stop();
		});
	} catch (e) {
		d.kill();
		throw e;
	} finally {
		clock.remove();
	}
}

const states = (d, app) => d.ctl(['sessions', app.id]).map((s) => s.state);

// A session of another app that lives for a second, begun when the clock has
// changed: when it ends, the broker has looked at all of them.
async function passes(d, brief) {
	const { id, c } = await begin(d, brief, 'x');
	await cut(c);
	await until('the end of a session that was away for its time', () =>
		d.ctl(['sessions', 'show', id])[0].session.state === 'expired');
}

test('the clock jumps by ten days: nobody who is away is forgotten', () =>
	withClock(async (d, clock) => {
		const app = d.app({ resume: 'on', resume_time: 3600 });
		const brief = d.app({ resume: 'on', resume_time: 1 });
		await d.start();
		const { id, c } = await begin(d, app, 'x');
		await cut(c);
		await publish(d, app, 'x', 'e', 'missed');
		for (const wrong of [10 * DAY, -10 * DAY, 0]) {
			clock.set(wrong);
			await passes(d, brief);
			assert.deepEqual(states(d, app), ['away'], `${wrong} s`);
			const now = Date.now() / 1000 + wrong;
			const [{ since }] = d.ctl(['sessions', app.id]);
			assert.ok(since > now - 600 && since < now + 2, 'in that time');
		}
		clock.set(10 * DAY);
		d.signal('SIGTERM'); // and over a restart
		await d.exited;
		d.exit = null;
		clock.set(0);
		await d.start();
		await passes(d, brief);
		const back = await open(d, app, id);
		assert.deepEqual(datas(await enter(back, 'x')), ['missed']);
		await back.close();
	}));

test('a session that ended is known as such though the clock jumps', () =>
	withClock(async (d, clock) => {
		const app = d.app({ resume: 'on', resume_time: 1 });
		await d.start();
		const { id, c } = await begin(d, app, 'x');
		await cut(c);
		await until('its end', () => states(d, app)
			.every((state) => state === 'expired'));
		for (const wrong of [3 * DAY, -3 * DAY]) {
			clock.set(wrong);
			const back = await open(d, app, id);
			const word = await enter(back, 'x');
			assert.equal(word.reason, 'expired', `${wrong} s`);
			await cut(back);
			await until('its end', () => states(d, app)
				.every((state) => state === 'expired'));
		}
	}));
