// SPDX-License-Identifier: MIT
//
// pusherctl bench: each scenario, small: it works, and finds nothing lost.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { suite } = require('./lib/suite');

const CLEAN = { lost: 0, duplicate: 0, out_of_order: 0 };

suite('bench', (d) => {
	const app = d.app({ client_events: 'on',
		max_client_events_per_second: 0 });

	const resumable = d.app({ resume: 'on' });

	async function bench(...args) {
		const r = await d.ctlAsync(['-j', 'bench', '--app', app.id, ...args,
			'--port', String(d.port), '--seconds', '1',
			'--pid', String(d.child.pid)]);
		assert.equal(r.code, 0, r.err);
		return JSON.parse(r.out);
	}

	const clean = (r) => {
		for (const [k, v] of Object.entries(CLEAN)) assert.equal(r[k], v, k);
		assert.ok(r.delivered_per_second > 0);
		assert.ok(Number(r.server_cpu_us_each) >= 0);
		assert.ok(Number(r.server_switches_each) >= 0);
		assert.ok(r.server_memory > 0);
	};

	test('fanout, closed and open loop, batches', async () => {
		clean(await bench('fanout', '--clients', '20', '--channels', '2',
			'--in-flight', '2'));
		const open = await bench('fanout', '--clients', '4', '--channels', '8',
			'--subscriptions', '3', '--rate', '50');
		clean(open);
		assert.equal(open.loop, 'open');
		clean(await bench('fanout', '--clients', '5', '--batch', '4'));
	});

	test('several processes', async () => {
		clean(await bench('fanout', '--clients', '20', '--processes', '3'));
		clean(await bench('client-events', '--clients', '12', '--channels',
			'4', '--processes', '2'));
		clean(await bench('presence', '--clients', '12', '--channels', '1',
			'--processes', '2'));
	});

	test('publish', async () => {
		const r = await bench('publish');
		assert.ok(r.published_per_second > 0);
		assert.equal(r.refused, 0);
	});

	test('client events', async () => {
		clean(await bench('client-events', '--clients', '12', '--channels',
			'3', '--in-flight', '2'));
		clean(await bench('client-events', '--clients', '12', '--channels',
			'3', '--rate', '100'));
	});

	test('presence', async () => {
		const r = await bench('presence', '--clients', '30', '--channels',
			'3', '--in-flight', '3');
		clean(r);
		assert.ok(r.joins_per_second > 0);
		assert.ok(r.joins_and_leaves_per_second > 0);
	});

	test('connect and stampede', async () => {
		for (const scenario of ['connect', 'stampede']) {
			const r = await bench(scenario, '--clients', '100');
			assert.ok(r.connects_per_second > 0);
			assert.ok(r.rounds > 0);
		}
	});

	test('resume: cut off and back, nothing lost', async () => {
		const r = await bench('resume', '--clients', '100', '--app',
			resumable.id);
		assert.ok(r.rounds > 0);
		assert.equal(r.resumed, r.rounds * 100);
		assert.ok(r.replayed > 0);
		for (const k of ['lost', 'out_of_order', 'gaps', 'refused'])
			assert.equal(r[k], 0, k);
		const f = await bench('fanout', '--clients', '20', '--resume',
			'--app', resumable.id);
		clean(f);
	});

	test('slow readers do not disturb the others', async () => {
		const r = await bench('slow', '--clients', '10', '--slow', '3',
			'--size', '10000', '--in-flight', '4', '--publishers', '4');
		clean(r);
		assert.equal(r.slow_closed, 3);
	});

	test('idle', async () => {
		const r = await bench('idle', '--clients', '50', '--channels', '5');
		assert.ok(r.server_memory > 0);
	});

	test('another server: credentials by hand', async () => {
		const file = path.join(d.dir, 'secret');
		fs.writeFileSync(file, `${app.secret}\n`);
		const r = await d.ctlAsync(['-j', 'bench', 'fanout', '--clients', '5',
			'--host', '127.0.0.1', '--port', String(d.port), '--seconds',
			'1', '--app-id', app.id, '--key', app.key, '--secret-from',
			file]);
		assert.equal(r.code, 0, r.err);
		clean({ ...JSON.parse(r.out), server_cpu_us_each: 0,
			server_switches_each: 0, server_memory: 1 });
	});

	test('a value out of range is refused', () => {
		for (const args of [['nothing'], ['fanout', '--clients', 'x'],
			['presence', '--clients', '10', '--channels', '3'],
			['presence', '--clients', '4', '--channels', '2',
				'--in-flight', '2'],
			['client-events', '--clients', '4', '--channels', '4'],
			['fanout', '--subscriptions', '2']])
			assert.equal(d.ctlRaw(['bench', ...args]).code, 2, args.join(' '));
	});

	test('a wrong secret is told', async () => {
		const file = path.join(d.dir, 'wrong');
		fs.writeFileSync(file, 'wrong\n');
		const r = await d.ctlAsync(['bench', 'client-events', '--clients',
			'2', '--channels', '1', '--port', String(d.port), '--app-id',
			app.id, '--key', app.key, '--secret-from', file]);
		assert.equal(r.code, 1);
		assert.match(r.err, /refused/);
	});
});
