// SPDX-License-Identifier: MIT
//
// pusherctl and resume: sessions show, channel --events, tail --since,
// subscribe --resume.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { sleep, until, SLOW } = require('./lib/daemon');
const { api, publish } = require('./lib/http');
const { newId, open, enter, settled } = require('./lib/resume');
const { Running } = require('./lib/running');
const { suite } = require('./lib/suite');

const jsonLines = (text) => text.split('\n').filter(Boolean)
	.map((l) => JSON.parse(l));

suite('pusherctl and resume', (d) => {
	const app = d.app({ resume: 'on', resume_time: '2' });
	const plain = d.app();

	test('sessions show: the answer that it would get now', async () => {
		const id = newId();
		const c = await open(d, app, id);
		for (const name of ['one', 'two']) await enter(c, name);
		await publish(d, app, 'one', 'e', '1');
		await c.expect('e', 'one');
		await settled(c);
		const show = () => d.ctl(['sessions', 'show', id])[0];
		let s = show();
		assert.equal(s.session.session, id);
		assert.equal(s.session.state, 'connected');
		assert.equal(s.channels.length, 2);
		assert.ok(s.channels.every((r) => r.answer === 'connected'));
		assert.deepEqual(s.channels.map((r) => r.channel).sort(),
			[null, 'one'].sort());
		c.reset();
		await until('its parting', () => show().session.state === 'away');
		for (const n of [2, 3]) await publish(d, app, 'two', 'e', `${n}`);
		s = show();
		const of = (name) => s.channels.find((r) => r.channel === name);
		assert.deepEqual(of('one'),
			{ channel: 'one', answer: 'continued', missed: 0 });
		assert.deepEqual(of('two'),
			{ channel: 'two', answer: 'continued', missed: 2 });
		const again = await open(d, app, id);
		assert.equal((await enter(again, 'two')).replayed, 2);
		await again.close();
		for (const [bad, why] of [[newId(), /no session[^]*: .* sessions$/m],
			['x', /16 to 64/]]) {
			const r = d.ctlRaw(['sessions', 'show', bad]);
			assert.equal(r.code, 1);
			assert.match(r.err, why);
		}
	});

	test('channel --events: the newest of the log, oldest first', async () => {
		for (let i = 0; i < 5; i++) await publish(d, app, 'ev', 'e', `${i}`);
		const r = d.ctlRaw(['-j', 'channel', app.id, 'ev', '--events', '3']);
		assert.equal(r.code, 0, r.err);
		assert.deepEqual(jsonLines(r.out).map((e) => [e.event, e.data]),
			[['e', '2'], ['e', '3'], ['e', '4']]);
		const text = d.ctlRaw(['channel', app.id, 'ev', '--events', '1000']);
		assert.equal(text.out.split('\n').length, 6);
		assert.match(text.out, /ev e 4\n$/);
		assert.equal(d.ctlRaw(['channel', app.id, 'none', '--events', '3'])
			.out, '');
		for (const n of ['0', '1001', 'x', '-1'])
			assert.match(d.ctlRaw(['channel', app.id, 'ev', '--events', n])
				.err, /from 1 to 1000/);
		assert.match(d.ctlRaw(['channel', plain.id, 'ev', '--events', '3'])
			.err, /resume=on/);
	});

	test('tail --since: the log, then live, no gap and nothing twice',
		async () => {
			const own = d.app({ resume: 'on', max_batch_events: '1000' });
			let next = 0;
			const some = (n) => api(d, own, 'POST', '/batch_events', { body: {
				batch: Array.from({ length: n }, () =>
					({ name: 'e', data: `${next++}`, channel: 'a' })) } });
			for (let i = 0; i < 10; i++) await some(1000);
			await publish(d, own, 'other', 'e', 'no');
			const tail = new Running(d, ['tail', own.id, 'a', '--since', '5m']);
			for (let i = 0; i < 40; i++) await some(50);
			await until('all', () => tail.lines.length >= 12000, 20000);
			await some(1);
			await until('live', () => tail.lines.length >= 12001);
			await tail.stop();
			assert.deepEqual(tail.rows.map((e) => Number(e.data)),
				tail.rows.map((_, i) => i));
			for (const args of [['tail', '--since', '5m'],
				['tail', own.id, '--since', '5'],
				['tail', own.id, '--since', 'm']])
				assert.match(d.ctlRaw(args).err, /--since/);
			assert.match(d.ctlRaw(['tail', plain.id, '--since', '5m']).err,
				/resume=on/);
		});

	test('tail --since says where the log begins', async () => {
		const own = d.app({ resume: 'on', resume_bytes: '1048576',
			max_event_bytes: '100000' });
		for (let i = 0; i < 14; i++)
			await publish(d, own, 'c', 'e', 'y'.repeat(90000));
		const r = d.ctlRaw(['tail', own.id, '--since', '1h', '--limit', '3']);
		assert.match(r.err, /the log begins at 20/);
		assert.equal(r.out.split('\n').length, 4);
	});

	test('subscribe --resume: a client that continues', async () => {
		const id = newId();
		const args = ['subscribe', app.id, 'sub', '--resume', id];
		let s = new Running(d, args);
		let first = await s.have(1);
		assert.equal(first[0].event, 'pusher:resume');
		assert.match(first[0].data, /"status":"new"/);
		await publish(d, app, 'sub', 'e', '1');
		first = await s.have(2);
		assert.equal(first[1].data, '1');
		await sleep(400 * SLOW);
		await s.stop();
		await until('its parting', () => d.ctl(['sessions', app.id])
			.some((r) => r.session === id && r.state === 'away'));
		await publish(d, app, 'sub', 'e', '2');
		s = new Running(d, args);
		const then = await s.have(2);
		await s.stop();
		assert.equal(then[0].data, '2');
		assert.match(then[1].data, /"continued","replayed":1/);
		assert.match(d.ctlRaw(['subscribe', app.id, 'sub', '--resume', 'short'])
			.err, /16 to 64/);
	});
}, { max_request_bytes: 1048576, resume_ack_interval: 10 });
