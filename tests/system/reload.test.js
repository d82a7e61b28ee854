// SPDX-License-Identifier: MIT
//
// A reload: what changes while clients stay, what needs a restart, and that
// after an error nothing has changed.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test, describe } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { Http, publish } = require('./lib/http');

// A daemon whose options stand in a file that the test writes again.
async function daemon(conf = {}, extra = {}) {
	const d = new Daemon(extra);
	const app = d.app();
	d.file = path.join(d.dir, 'pusherd.conf');
	d.write = (more = {}) => {
		const all = { ...conf, ...more };
		const lines = Object.entries(all).flatMap(([k, v]) =>
			(Array.isArray(v) ? v : [v]).map((x) => `${k} ${x}`));
		fs.writeFileSync(d.file, `# test\n${lines.join('\n')}\n`);
	};
	d.write();
	// The command line overrides, so what is to change stands only in
	// the file.
	d.conf = { ...d.conf };
	for (const key of Object.keys(conf)) delete d.conf[key];
	d.extra = ['-c', d.file];
	await d.start(d.extra);
	return { d, app };
}

const reload = (d) => d.ctlAsync(['-c', d.file, '-j', 'reload']);

async function reloaded(d) {
	const r = await reload(d);
	assert.equal(r.code, 0, r.err);
	return JSON.parse(r.out);
}

const readAddresses = (d) => fs.readFileSync(
	path.join(d.conf.runtime_dir, 'listen'), 'utf8').trim().split('\n');

const portOf = (a) => Number(a.replace(/^.*:/, ''));

// A message of 3,000 bytes that changes nothing.
const long = (c) => c.send({ event: 'pusher:pong',
	data: { x: 'x'.repeat(3000) } });

async function refused(port) {
	const c = new Client({ port }, '/app/x');
	await c.ended();
	return !c.head;
}

describe('reload', () => {
	for (const workers of [1, 4]) {
		test(`limits change at once, clients stay (${workers})`,
			async () => {
				const { d, app } = await daemon(
					{ max_message_bytes: 200000, workers });
				const c = await Client.connect(d, app);
				await c.subscribe('room');
				d.write({ max_message_bytes: 2000 });
				const r = await reloaded(d);
				assert.equal(r.workers, workers);
				assert.equal(r.needs_restart, null);
				await publish(d, app, 'room', 'e', 'still here');
				assert.equal(await c.expect('e'), 'still here');
				const other = await Client.connect(d, app);
				long(other);
				await other.expectClose(1009);
				long(c);
				await c.expectClose(1009);
				await d.stop();
			});
	}

	test('SIGHUP does the same', async () => {
		const { d, app } = await daemon({ max_message_bytes: 200000 });
		const c = await Client.connect(d, app);
		d.write({ max_message_bytes: 2000 });
		d.signal('SIGHUP');
		await until('the reload', () => /reload: done/.test(d.readLog()));
		long(c);
		await c.expectClose(1009);
		await d.stop();
	});

	test('after an error nothing has changed, and it has a place',
		async () => {
			const { d, app } = await daemon(
				{ pong_timeout: 20, max_message_bytes: 200000 });
			d.allow(/reload: nothing has changed/);
			const c = await Client.connect(d, app);
			for (const [more, pattern] of [
				[{ pong_timeout: 'x' },
					/pusherd\.conf:2: pong_timeout is "x"/],
				[{ nonsense: 1 },
					/pusherd\.conf:4: there is no option "nonsense"/],
				[{ log: '/proc/no/log' },
					/pusherd\.conf:4: log is "\/proc\/no\/log"/],
			]) {
				d.write({ max_message_bytes: 2000, ...more });
				const r = await reload(d);
				assert.equal(r.code, 1, r.out);
				assert.match(r.err, pattern);
				d.signal('SIGHUP');
				await until('a line in the log', () => d.logLines().some(
					(l) => /nothing has changed/.test(l) &&
						pattern.test(JSON.parse(l).msg)));
			}
			long(c);
			assert.deepEqual(await c.sync(), [], 'the old limit holds');
			d.write({ max_message_bytes: 2000 });
			await reloaded(d);
			long(c);
			await c.expectClose(1009);
			await d.stop();
		});

	test('an address that cannot be listened on changes nothing',
		async () => {
			const { d, app } = await daemon({ listen: '127.0.0.1:0',
				max_message_bytes: 200000 });
			d.allow(/reload: nothing has changed/);
			const c = await Client.connect(d, app);
			d.write({ listen: ['127.0.0.1:0', '203.0.113.7:6001'],
				max_message_bytes: 2000 });
			const r = await reload(d);
			assert.equal(r.code, 1);
			assert.match(r.err, /203\.0\.113\.7:6001/);
			assert.deepEqual(readAddresses(d), d.addresses);
			long(c);
			assert.deepEqual(await c.sync(), []);
			await (await Client.connect(d, app)).close();
			await c.close();
			await d.stop();
		});

	test('options that need a restart are named and kept', async () => {
		const { d } = await daemon();
		d.write({ outbox: path.join(d.dir, 'other.db'), pong_timeout: 21,
			pid_file: path.join(d.dir, 'other.pid'), resume_sessions: 100 });
		for (let i = 0; i < 2; i++)
			assert.equal((await reloaded(d)).needs_restart,
				'pid_file, resume_sessions, outbox');
		assert.match(d.readLog(), /needs a restart: pid_file, resume_sessions/);
		assert.ok(!fs.existsSync(path.join(d.dir, 'other.pid')));
		await d.stop();
	});
});

describe('listeners', () => {
	for (const workers of [1, 4])
		test(`added and removed, ${workers} workers`, async () => {
			const { d, app } = await daemon(
				{ listen: '127.0.0.1:0', workers });
			const old = await Client.several(d, app, 10);
			d.write({ listen: ['127.0.0.1:0', '127.0.0.2:0'] });
			await reloaded(d);
			const both = readAddresses(d);
			assert.equal(both.length, 2);
			assert.equal(both[0], d.addresses[0]);
			const second = { ...d, port: portOf(both[1]),
				workerOf: () => null };
			const how = { host: '127.0.0.2' };
			const fresh = await Client.several(second, app, 20, how);
			d.write({ listen: '127.0.0.2:0' });
			await reloaded(d);
			assert.deepEqual(readAddresses(d), [both[1]]);
			assert.ok(await refused(d.port), 'nobody listens there');
			for (const c of [...old, ...fresh])
				assert.deepEqual(await c.sync(), []);
			const more = await Client.several(second, app, 20, how);
			await closeAll([...old, ...fresh, ...more]);
			await d.stop();
		});

	test('a worker that is replaced has the new ones', async () => {
		const { d, app } = await daemon(
			{ listen: '127.0.0.1:0', workers: 2 });
		d.allow(/worker/);
		d.write({ listen: ['127.0.0.1:0', '127.0.0.2:0'] });
		await reloaded(d);
		const port = portOf(readAddresses(d)[1]);
		for (const pid of d.pidsOf('worker')) process.kill(pid, 'SIGKILL');
		const second = { ...d, port };
		await until('new workers', () => d.pidsOf('worker').length === 2);
		await closeAll(await Client.several(second, app, 20,
			{ host: '127.0.0.2' }));
		await d.stop();
	});
});

describe('workers', () => {
	test('more, and fewer again, nobody on the others notices', async () => {
		const { d, app } = await daemon({ workers: 2, drain_time: 1 });
		const old = await Client.onEachWorker(d, app);
		for (const c of old) await c.subscribe('room');
		d.write({ workers: 4 });
		assert.equal((await reloaded(d)).workers, 4);
		await until('four', () => d.pidsOf('worker').length === 4);
		assert.equal(d.ctl(['status']).flatMap((o) => o.workers ?? o)
			.filter((w) => w.slot !== undefined).length, 4);
		const all = await Client.onEachWorker(d, app);
		assert.equal(all.length, 4);
		for (const c of all) await c.subscribe('room');
		await publish(d, app, 'room', 'e', '1');
		for (const c of [...old, ...all])
			assert.equal(await c.expect('e'), '1');
		d.write({ workers: 2 });
		const r = await reloaded(d);
		assert.equal(r.workers, 2);
		assert.ok(r.moved >= 2, JSON.stringify(r));
		assert.deepEqual([r.closed, r.leaving], [0, 0]);
		await until('two', () => d.pidsOf('worker').length === 2);
		await publish(d, app, 'room', 'e', '2');
		for (const c of [...old, ...all])
			assert.equal(await c.expect('e'), '2');
		d.write({ workers: 3 });
		assert.equal((await reloaded(d)).workers, 3);
		await closeAll([...old, ...all,
			...await Client.onEachWorker(d, app)]);
		await d.stop();
	});

	test('beyond the room of the broker, which is replaced', async () => {
		const { d, app } = await daemon({ workers: 2 });
		const old = await Client.onEachWorker(d, app);
		for (const c of old) await c.subscribe('room');
		const [broker] = d.pidsOf('broker');
		d.allow(/link to the broker/);
		d.write({ workers: 10 });
		assert.equal((await reloaded(d)).workers, 10);
		await until('ten', () => d.pidsOf('worker').length === 10 &&
			/reload: done/.test(d.readLog()), 20000);
		assert.notEqual(d.pidsOf('broker')[0], broker);
		await until('a publish', () => publish(d, app, 'room', 'e', '1')
			.then(() => true, () => false));
		for (const c of old) assert.equal(await c.expect('e'), '1');
		await closeAll(old);
		await d.stop();
	});
});

describe('drain', () => {
	test('pusherctl drain --time: idle ones first', async () => {
		const { d, app } = await daemon({ workers: 1, drain_time: 60 });
		const busy = await Client.several(d, app, 60);
		for (const c of busy) await c.subscribe('room');
		const idle = await Client.several(d, app, 60);
		const order = [];
		const seen = [...busy.map((c) => [c, 'busy']),
			...idle.map((c) => [c, 'idle'])].map(async ([c, kind]) => {
			await c.expectError(4200);
			order.push(kind);
			await c.expectClose(4200);
		});
		const r = d.ctl(['-c', d.file, 'drain', '--time', '1']);
		assert.equal(r[0].drain_ms, 1000);
		await Promise.all(seen);
		const first = order.slice(0, 60).filter((k) => k === 'idle').length;
		assert.ok(first >= 55, `${first} of the first 60 are idle`);
		await d.stop();
	});

	test('pusherctl drain: wrong times', async () => {
		const { d } = await daemon();
		assert.equal(d.ctlRaw(['drain', '--time', 'x']).code, 2);
		assert.equal(d.ctlRaw(['drain', '--time', '-1']).code, 2);
		assert.equal(d.ctlRaw(['drain', '--time', '3601']).code, 2);
		await d.stop();
	});
});

describe('log', () => {
	test('pusherctl log-level, live in all processes', async () => {
		const { d, app } = await daemon({ workers: 2, log_level: 'info' });
		const has = (level) => d.logLines().some((l) =>
			JSON.parse(l).level === level &&
			/worker/.test(JSON.parse(l).process));
		await (await Client.connect(d, app)).close();
		assert.ok(!has('debug'));
		assert.deepEqual(d.ctl(['log-level', 'debug']),
			[{ level: 'debug', was: 'info' }]);
		const h = await Http.connect(d);
		await until('a line', async () => {
			const c = new Client(d, '/app/nobody?protocol=7');
			await c.ended();
			return has('debug');
		});
		h.end();
		const bad = d.ctlRaw(['log-level', 'loud']);
		assert.equal(bad.code, 1);
		assert.match(bad.err, /loud.*error\|warn\|info\|debug/);
		d.write();
		await reloaded(d);
		assert.match(d.readLog(), /reload: done/);
		await d.stop();
	});

	test('a file, reopened on SIGUSR1; and another one', async () => {
		const { d, app } = await daemon({ workers: 2 });
		const [a, b] = ['a.log', 'b.log'].map((n) => path.join(d.dir, n));
		const read = (f) => fs.existsSync(f) ? fs.readFileSync(f, 'utf8') : '';
		d.write({ log: a, log_level: 'debug' });
		await reloaded(d);
		assert.match(read(a), /reload: done/);
		assert.equal(fs.statSync(a).mode & 0o777, 0o600);
		fs.renameSync(a, `${a}.1`);
		d.signal('SIGUSR1');
		await until('the new file', () => /reopened/.test(read(a)));
		await until('a line of a worker', async () => {
			const c = new Client(d, '/app/nobody?protocol=7');
			await c.ended();
			return /worker [01]/.test(read(a));
		});
		const size = fs.statSync(`${a}.1`).size;
		await closeAll(await Client.several(d, app, 10));
		assert.equal(fs.statSync(`${a}.1`).size, size);
		d.write({ log: b });
		await reloaded(d);
		assert.match(read(b), /reload: done/);
		d.write({});
		await reloaded(d);
		assert.match(d.readLog().split('\n').at(-2), /reload: done/);
		await d.stop();
	});
});
