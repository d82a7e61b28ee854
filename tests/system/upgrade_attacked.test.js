// SPDX-License-Identifier: MIT
//
// Upgrades where something is missing: room on the disk, a path that can be
// written, the limits of before, a service manager.  Either the new program has
// every client, or the old one goes on with them.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { Disk } = require('../faults/lib/disk');
const { Client, closeAll, OP } = require('./lib/client');
const { Daemon, PUSHERD, until } = require('./lib/daemon');
const { api, Http, publish } = require('./lib/http');
const programs = require('./lib/programs');
const { begin, settled } = require('./lib/resume');

const MIB = 1 << 20;
const root = process.getuid() === 0;
const MOUNTS = { skip: root ? false : 'only root may mount a disk' };

const upgrade = (d, file) => d.ctlAsync(['-j', 'upgrade',
	...(file === undefined ? [] : ['--binary', file])]);

async function open(d, app, n = 4) {
	const all = await Client.several(d, app, n);
	for (const c of all) await c.subscribe('room');
	return all;
}

// Each of them gets an event that is published now, and nothing else.
async function served(d, app, all, text) {
	await publish(d, app, 'room', 'e', text);
	for (const c of all) {
		assert.equal(await c.expect('e'), text);
		assert.deepEqual(c.frames, []);
	}
}

const done = (r, version) => {
	assert.equal(r.code, 0, r.err);
	const report = JSON.parse(r.out);
	assert.deepEqual([report.to, report.closed], [version, 0]);
};

describe('an upgrade', () => {
	test('on a full disk', MOUNTS, async () => {
		const disk = Disk.mount('32m');
		const d = new Daemon({ workers: 2, runtime_dir: disk.path('run'),
			database: disk.path('apps.db') });
		d.allow(/No space left on device/, /disk (is )?full/);
		const app = d.app({ resume: 'on' });
		await d.start();
		const all = await open(d, app);
		disk.fill();
		for (const version of ['0.1.1', '0.1.0']) {
			done(await upgrade(d, programs.ofVersion(d, version)), version);
			await served(d, app, all, version);
		}
		disk.empty();
		done(await upgrade(d, programs.ofVersion(d, '0.1.1')), '0.1.1');
		await served(d, app, all, 'with room');
		await closeAll(all);
		await d.stop();
		disk.remove();
	});

	test('from a path that cannot be written, or not be executed', MOUNTS,
		async () => {
			const disk = Disk.mount('32m');
			const file = disk.path('pusherd');
			const d = new Daemon({ workers: 1 });
			d.allow(/nothing has changed/);
			const app = d.app();
			await d.start();
			const all = await open(d, app);
			fs.copyFileSync(programs.ofVersion(d, '0.1.1'), file);
			fs.chmodSync(file, 0o555);
			disk.remount('ro,noexec');
			const r = await upgrade(d, file);
			assert.equal(r.code, 1);
			assert.match(r.err, /is not a program that pusherd may execute/);
			await served(d, app, all, 'refused');
			disk.remount('ro,exec');
			done(await upgrade(d, file), '0.1.1');
			await served(d, app, all, 'read-only');
			// Its own path, while no byte can be written to it.
			done(await upgrade(d), '0.1.1');
			done(await upgrade(d, PUSHERD), '0.1.0');
			await served(d, app, all, 'back');
			await closeAll(all);
			await d.stop();
			disk.remove();
		});

	test('with limits below what is there', async () => {
		const d = new Daemon({ workers: 2 });
		d.allow(/near or over memory_limit/);
		const app = d.app();
		const file = path.join(d.dir, 'pusherd.conf');
		fs.writeFileSync(file, '');
		await d.start(['-c', file]);
		const all = await open(d, app, 8);
		fs.writeFileSync(file, 'max_connections 2\nmemory_limit 16777216\n' +
			'client_buffer 16384\n');
		done(await upgrade(d, programs.ofVersion(d, '0.1.1')), '0.1.1');
		await served(d, app, all, 'low');
		done(await upgrade(d, programs.ofVersion(d, '0.1.0')), '0.1.0');
		await served(d, app, all, 'still low');
		const late = await Client.connect(d, app).catch((e) => e);
		assert.ok(late instanceof Error, 'no place for another one');
		await closeAll(all);
		await d.stop();
	});

	test('while a publish waits for receipts that do not come', async () => {
		const d = new Daemon({ workers: 2 });
		const app = d.app({ resume: 'on' });
		await d.start();
		const all = await open(d, app);
		const { c } = await begin(d, app, 'room');
		await settled(c);
		c.sock.pause(); // it confirms nothing
		const waiting = await Promise.all([1, 2, 3].map(async () => {
			const h = await Http.connect(d);
			return { h, answer: h.api(app, 'POST', '/events', {
				body: { name: 'e', channel: 'room', data: 'x' },
				headers: { 'X-Pusherd-Confirm': '8s' } }) };
		}));
		for (const x of all)
			for (let i = 0; i < 3; i++) await x.expect('e');
		done(await upgrade(d, programs.ofVersion(d, '0.1.1')), '0.1.1');
		for (const { h, answer } of waiting) {
			const { status, text } = await answer;
			assert.deepEqual([status, text], [200, '{"channels":{}}']);
			await h.closed();
		}
		await served(d, app, all, 'after');
		c.destroy();
		await closeAll(all);
		await d.stop();
	});

	// More waits for them than may be handed over.
	async function behind() {
		const d = new Daemon({ workers: 1, client_buffer: 8 * MIB,
			client_buffer_age: 60 });
		const app = d.app();
		await d.start();
		const all = await open(d, app);
		const mute = await Client.several(d, app, 12);
		for (const c of mute) {
			await c.subscribe('busy');
			c.sock.pause();
		}
		const queued = () => d.ctl(['connections', 'list'])
			.reduce((n, c) => n + c.queued, 0);
		const batch = Array(10).fill({ name: 'e', channel: 'busy',
			data: 'x'.repeat(10000) });
		let n = 0;
		for (; queued() < 48 * MIB; n += batch.length)
			await api(d, app, 'POST', '/batch_events', { body: { batch } });
		return { d, app, all, mute, queued, n };
	}

	test('while clients do not read: the others do not wait for them', async () => {
		const { d, app, all, mute, queued } = await behind();
		const r = await upgrade(d, programs.ofVersion(d, '0.1.1'));
		assert.equal(r.code, 0, r.err);
		const { closed } = JSON.parse(r.out);
		assert.ok(closed > 2 && closed < 10, `${closed} of ${mute.length}`);
		const left = queued();
		assert.ok(left > 16 * MIB && left < 33 * MIB, `${left} bytes`);
		await served(d, app, all, 'after');
		for (const c of mute) c.destroy();
		await closeAll(all);
		await d.stop();
	});

	test('while clients are behind: it waits until they have read', async () => {
		const { d, app, all, mute, n } = await behind();
		const upgraded = upgrade(d, programs.ofVersion(d, '0.1.1'));
		await until('the new worker', () => d.pidsOf('worker').length === 2);
		await served(d, app, all, 'meanwhile');
		for (const c of mute) c.sock.resume();
		done(await upgraded, '0.1.1');
		for (const c of mute) {
			for (let i = 0; i < n; i++) await c.expect('e');
			assert.deepEqual(c.frames, []);
		}
		await served(d, app, all, 'after');
		await closeAll([...mute, ...all]);
		await d.stop();
	});

	test('while clients send half a message: the others do not wait', async () => {
		const d = new Daemon({ workers: 1 });
		const app = d.app();
		await d.start();
		const all = await open(d, app);
		const half = await Client.several(d, app, 300);
		for (const c of half) {
			c.sendFrame(OP.TEXT, 'x'.repeat(60000), { fin: false });
			c.sendFrame(OP.CONT, 'x'.repeat(60000), { fin: false });
			c.sendFrame(OP.PING, 'read');
			assert.equal((await c.nextFrame()).opcode, OP.PONG);
		}
		const r = await upgrade(d, programs.ofVersion(d, '0.1.1'));
		assert.equal(r.code, 0, r.err);
		const { closed } = JSON.parse(r.out);
		assert.ok(closed > 15 && closed < 60, `${closed} of ${half.length}`);
		await served(d, app, all, 'after');
		for (const c of half) c.destroy();
		await closeAll(all);
		await d.stop();
	});

	test('of process 1, as in a container', async () => {
		const d = new Daemon({ workers: 2 });
		d.wrap = ['unshare', ...(root ? [] : ['--user', '--map-root']),
			'--pid', '--fork', '--kill-child'];
		const app = d.app();
		await d.start();
		const all = await open(d, app);
		const master = d.pidsOf('master')[0];
		for (const version of ['0.1.1', '0.1.0']) {
			done(await upgrade(d, programs.ofVersion(d, version)), version);
			await served(d, app, all, version);
		}
		assert.deepEqual(d.pidsOf('master'), [master]);
		assert.match(fs.readFileSync(`/proc/${master}/status`, 'utf8'),
			/^NSpid:\t\d+\t1$/m);
		await closeAll(all);
		process.kill(master, 'SIGTERM');
		await d.stop();
	});

	test('tells its progress in lines of 80 columns', async () => {
		const d = new Daemon({ workers: 2 });
		const app = d.app();
		await d.start();
		const all = await open(d, app);
		const r = await d.ctlAsync(['upgrade']);
		assert.equal(r.code, 0, r.err);
		const lines = `${r.err}${r.out}`.trim().split('\n');
		assert.deepEqual(lines.filter((line) => line.length > 80), []);
		assert.ok(r.err.includes(' moved, '), r.err);
		await closeAll(all);
		await d.stop();
	});
});
