// SPDX-License-Identifier: MIT
//
// Statistics over time while the wall clock jumps, and over the hours in which
// summer time begins and ends: all sums stay those of the counters, and each
// event is in the hour, in UTC, in which it was published.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { WrongClock } = require('./lib/clock');
const { until } = require('./lib/daemon');
const { counted, scrape, settled, stored, withDaemon } =
	require('./lib/statistics');

// Each with what it is in Europe/Berlin.
const TURNS = [
	'2027-03-28T00:30:10Z', // 1:30, winter
	'2027-03-28T01:30:10Z', // 3:30, summer: there is no 2:30
	'2027-10-31T00:30:10Z', // 2:30, summer
	'2027-10-31T01:30:10Z', // 2:30 again, winter
	'2027-10-31T00:31:10Z', // put back by an hour
	'2027-10-31T00:30:10Z', // and into a minute that has its row
	'2027-11-02T05:00:10Z', // put forward by two days
	'2027-11-01T23:59:10Z', // and back over midnight
	'2027-11-02T05:03:10Z',
];
const seconds = (text) => Date.parse(text) / 1000;
const start = (text, step) => Math.floor(seconds(text) / step) * step;

async function turnAndPublish(d, app, c, clock, text, n) {
	clock.turn(text);
	await until('the broker to see it', () => d.ctl(['stats', '--minutes', '1'])
		.at(-1).time === start(text, 60));
	for (let i = 0; i < n; i++)
		d.ctl(['publish', app.id, 'room', 'e', '{}']);
	for (let i = 0; i < n; i++) await c.expect('e');
}

async function run(d, clock) {
	const app = d.app();
	clock.turn('2027-03-28T00:29:10Z');
	const began = performance.now();
	await d.start();
	const c = await Client.connect(d, app);
	await c.subscribe('room');
	const expected = { 3600: {}, 86400: {} };
	let all = 0;
	for (const [i, text] of TURNS.entries()) {
		await turnAndPublish(d, app, c, clock, text, i + 1);
		all += i + 1;
		await until('the counters', async () =>
			counted(await scrape(d), app).delivered === all);
		for (const [step, rows] of Object.entries(expected)) {
			const at = start(text, step);
			rows[at] = (rows[at] ?? 0) + i + 1;
		}
	}
	await c.close();
	const m = await settled(d);
	d.signal('SIGTERM');
	await d.exited;
	const ran = (performance.now() - began) / 1000;
	for (const who of [app, null])
		for (const [step, name] of [[3600, '1h'], [86400, '1d']]) {
			const { rows, sums } = stored(d, who, name, '394d');
			assert.deepEqual(sums, counted(m, who), `${who?.id} ${name}`);
			assert.deepEqual(Object.fromEntries(rows
				.filter((r) => r.published > 0)
				.map((r) => [r.time, r.published])), expected[step]);
			assert.ok(rows.every((r) => r.connections <= 1));
			// Seconds that went by, not those that the clock jumped.
			const sum = rows.reduce((n, r) => n + r.seconds, 0);
			assert.ok(sum <= ran + TURNS.length, `${sum} of ${ran} s`);
		}
}

test('the clock jumps, and summer time begins and ends', async () => {
	const clock = new WrongClock();
	try {
		// For the daemon, and for pusherctl, which reads the file.
		await clock.with({ TZ: 'Europe/Berlin' }, () => withDaemon(
			{ metrics_listen: '127.0.0.1:0' }, (d) => run(d, clock)));
	} finally {
		clock.remove();
	}
});
