// SPDX-License-Identifier: MIT
//
// The metrics of resume, and a table of sessions without a free row.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { closeAll } = require('./lib/client');
const { becomes, sleep, until, SLOW } = require('./lib/daemon');
const { Http, publish } = require('./lib/http');
const { parse } = require('./lib/prometheus');
const { newId, open, enter, settled, begin, cut } = require('./lib/resume');
const { suite } = require('./lib/suite');

async function scrape(d) {
	const h = await Http.connect({ ...d, port: d.metrics });
	const a = await h.ask('GET', '/metrics');
	h.sock.destroy();
	assert.equal(a.status, 200, a.text);
	return parse(a.text);
}

suite('resume: metrics', (d) => {
	const app = d.app({ resume: 'on', resume_time: '1' });
	const plain = d.app();

	test('every answer, gap and confirmation is counted', async () => {
		const of = (m, name, labels = {}) =>
			m.value(`pusherd_${name}`, { app: app.id, ...labels });
		const told = (m) => ['new', 'continued', 'gap', 'off'].map((status) =>
			of(m, 'resume_total', { status }));
		const before = await scrape(d);
		assert.deepEqual(told(before), [0, 0, 0, 0]);
		assert.equal(of(before, 'resume_log_bytes'), 0);
		assert.equal(of(before, 'delivery_confirmed_seconds_count'), 0);

		let { id, c } = await begin(d, app, 'x');
		await cut(c);
		for (const n of [1, 2]) await publish(d, app, 'x', 'e', `${n}`);
		c = await open(d, app, id);
		assert.equal((await enter(c, 'x')).replayed, 2);
		await cut(c);
		await until('its end', () => d.ctl(['sessions', app.id])
			.every((s) => s.state === 'expired'));
		c = await open(d, app, id);
		assert.equal((await enter(c, 'x')).reason, 'expired');
		const m = await scrape(d);
		assert.deepEqual(told(m), [1, 1, 1, 0]);
		assert.equal(of(m, 'resume_replayed_total'), 2);
		assert.equal(of(m, 'resume_gap_total', { reason: 'expired' }), 1);
		assert.equal(of(m, 'resume_gap_total', { reason: 'evicted' }), 0);
		assert.ok(of(m, 'resume_log_bytes') > 200);
		assert.ok(of(m, 'resume_log_oldest_seconds') >= 1);
		assert.ok(of(m, 'resume_log_oldest_seconds') < 100);
		await c.close();
		const p = await open(d, plain, newId());
		await enter(p, 'x');
		await p.close();
		assert.equal((await scrape(d)).value('pusherd_resume_total',
			{ app: plain.id, status: 'off' }), 1);
	});

	test('a session that moves to another process counts on', async () => {
		const own = d.app({ resume: 'on' });
		const id = newId();
		let c = await open(d, own, id);
		await enter(c, 'x');
		await settled(c);
		const read = async () => {
			const m = await scrape(d);
			const of = (name, labels = {}) =>
				m.value(`pusherd_${name}`, { app: own.id, ...labels });
			return { told: ['new', 'continued', 'gap', 'off'].map((status) =>
				of('resume_total', { status })),
			replayed: of('resume_replayed_total'),
			now: [of('connections'), of('subscriptions')],
			opened: of('connections_opened_total'),
			confirmed: of('delivery_confirmed_seconds_count') };
		};
		const before = await read();
		assert.deepEqual(before.told, [1, 0, 0, 0]);
		assert.deepEqual(before.now, [1, 1]);
		for (let i = 0; i < d.conf.workers; i++)
			assert.equal(d.ctl(['worker', 'replace', `${i}`])[0].closed, 0);
		await publish(d, own, 'x', 'e', '1');
		await c.expect('e', 'x');
		await settled(c);
		const moved = await read();
		assert.equal(moved.confirmed, before.confirmed + 1);
		assert.deepEqual({ ...moved, confirmed: 0 }, { ...before, confirmed: 0 });
		const [row, ...more] = d.ctl(['sessions', own.id]);
		assert.deepEqual(more, []);
		assert.equal(row.state, 'connected');
		c.reset();
		for (const n of [2, 3]) await publish(d, own, 'x', 'e', `${n}`);
		c = await open(d, own, id);
		assert.equal((await enter(c, 'x')).replayed, 2);
		await settled(c);
		const back = await read();
		assert.deepEqual(back.told, [1, 1, 0, 0]);
		assert.equal(back.replayed, 2);
		assert.equal(back.opened, before.opened + 1);
		assert.deepEqual(back.now, [1, 1]);
		await c.close();
	});

	test('delivery_confirmed_seconds is the time to the client', async () => {
		const own = d.app({ resume: 'on' });
		const c = await open(d, own, newId());
		await enter(c, 'x');
		await settled(c);
		const of = (m, what) => m.value(
			`pusherd_delivery_confirmed_seconds_${what}`, { app: own.id });
		const before = await scrape(d);
		c.sock.pause();
		await publish(d, own, 'x', 'e', '1');
		await sleep(400);
		c.sock.resume();
		await c.expect('e', 'x');
		await settled(c);
		const m = await scrape(d);
		const n = of(m, 'count') - of(before, 'count');
		const sum = of(m, 'sum') - of(before, 'sum');
		assert.ok(n >= 1 && n <= 2, `${n}`);
		assert.ok(sum > 0.35 && sum < 5 * SLOW, `${sum}`);
		await c.close();
	});
}, { resume_ack_interval: 10, metrics_listen: '127.0.0.1:0' });

suite('resume: a full table', (d) => {
	const app = d.app({ resume: 'on' });

	test('a client without a row gets off, full; later it has one', async () => {
		d.allow(/all 100 rows of resume_sessions/);
		const all = [];
		for (let i = 0; i < 100; i++) all.push(await open(d, app, newId()));
		await enter(all[0], 'x');
		const id = newId();
		const late = await open(d, app, id);
		assert.deepEqual(await enter(late, 'x'),
			{ status: 'off', reason: 'full', events: [] });
		const more = await open(d, app, newId());
		assert.equal((await enter(more, 'y')).reason, 'full');
		await more.close();
		assert.equal(d.logLines().filter((l) =>
			/all 100 rows of resume_sessions/.test(l)).length, 1);
		await publish(d, app, 'x', 'e', '1');
		assert.equal(await late.expect('e', 'x'), '1');
		await late.close();
		await all[1].close();
		await becomes(() => d.ctl(['sessions', app.id]).length, 99);
		const c = await open(d, app, id);
		assert.equal((await enter(c, 'x')).status, 'new');
		await c.close();
		await closeAll(all);
	});

	test('one address alone does not push out the others', async () => {
		const from = (ip) => ({ headers: { 'X-Forwarded-For': ip } });
		const id = newId();
		let c = await open(d, app, id, from('203.0.113.7'));
		await enter(c, 'z');
		await cut(c);
		for (let i = 0; i < 300; i++) {
			const x = await open(d, app, newId(), from(i % 2 ?
				'198.51.100.1' : `2001:db8::${i.toString(16)}`));
			await enter(x, 'z');
			x.reset();
		}
		await publish(d, app, 'z', 'e', '1');
		c = await open(d, app, id, from('203.0.113.9'));
		const got = await enter(c, 'z');
		assert.deepEqual([got.status, got.replayed], ['continued', 1]);
		await c.close();
	});

	test('a connection that subscribed nothing leaves no session', async () => {
		const before = d.ctl(['sessions', app.id]).length;
		for (let i = 0; i < 20; i++) (await open(d, app, newId())).destroy();
		await until('no session more', () =>
			d.ctl(['sessions', app.id]).length <= before);
	});

	test('rows of an app that is deleted are used again', async () => {
		const other = d.app({ resume: 'on' });
		for (let i = 0; i < 100; i++) {
			const x = await open(d, other, newId());
			await enter(x, 'y');
			x.destroy();
		}
		d.ctl(['app', 'delete', other.id, '--yes']);
		const c = await open(d, app, newId());
		assert.equal((await enter(c, 'x')).status, 'new');
		await c.close();
	});

	test('resume that is turned on meanwhile has its sessions', async () => {
		const other = d.app();
		const id = newId();
		let c = await open(d, other, id);
		assert.equal((await enter(c, 'x')).status, 'off');
		d.ctl(['app', 'set', other.id, 'resume=on']);
		assert.equal((await enter(c, 'y')).status, 'new');
		await cut(c);
		await publish(d, other, 'y', 'e', '1');
		c = await open(d, other, id);
		const r = await enter(c, 'y');
		assert.equal(r.status, 'continued');
		assert.equal(r.replayed, 1);
		await c.close();
	});
}, { resume_ack_interval: 10, resume_sessions: 100,
	trusted_proxies: '127.0.0.1' });
