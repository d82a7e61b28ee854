// SPDX-License-Identifier: MIT
//
// The disk of the outbox is full, read-only, damaged.  Events flow, `status`
// says why webhooks wait, what waits in the broker keeps its bound, and when
// the disk is well again all that was said of channels arrives.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { Client } = require('../system/lib/client');
const { until, SLOW } = require('../system/lib/daemon');
const { Watcher, Publisher, sleep, settle } = require('./lib/actors');
const { memory } = require('../system/lib/process');
const { Disk } = require('./lib/disk');
const { Mailbox } = require('./lib/mailbox');

const BROKER_MAX = 16 << 20; // bytes that wait for the courier

const status = (d) => d.ctl(['status'])[0].webhooks;

const trouble = (d, why) => until(`trouble: ${why}`, () => {
	const w = status(d);
	return w.state === 'stuck' && why.test(w.trouble) && w;
}, 20000);

// Comes in, and says that it does; with each room one more webhook.
class Visitor {
	static async open(cast) {
		const v = Object.assign(new Visitor(), cast, { n: 0, told: 0 });
		v.c = await Client.connect(v.d, v.app);
		await v.c.subscribe('private-x');
		v.c.onFrame = () => {};
		return v;
	}

	enter(n) {
		for (let i = 0; i < n; i++)
			this.c.sendSubscribe(`room-${this.n++}`);
	}

	// Client events of this size.
	talk(n, size) {
		for (let i = 0; i < n; i++)
			this.c.trigger('private-x', 'client-noise', 'x'.repeat(size));
	}

	// Every room that was entered so far has been told.
	async heard() {
		await until('all rooms', () => [...this.box.state].filter(
			([subject, said]) => / room-/.test(subject) &&
			said === 'channel_occupied').length === this.n, 120000);
		await until('it works', () => status(this.d).state === 'up', 30000);
	}
}

async function full({ d, disk, visitor }) {
	disk.fill();
	// Pages that the write-ahead log has already may be written again.
	for (let i = 0; i < 200 && status(d).state === 'up'; i++) {
		visitor.talk(50, 9000);
		await sleep(50);
	}
	const said = await trouble(d, /full/);
	visitor.enter(200);
	// More client events than there is room for in the broker.
	for (let sent = 0; sent < 2 * BROKER_MAX; sent += 100 * 9000) {
		visitor.talk(100, 9000);
		await sleep(20);
	}
	await until('some are dropped', () => status(d).dropped > 500);
	visitor.enter(200);
	await sleep(200);
	const [broker] = d.pidsOf('broker');
	const kib = memory(broker) / 1024;
	assert.ok(kib < 80000 * SLOW, `the broker has ${kib} KiB`);
	const { dropped, queued } = status(d);
	disk.empty();
	await visitor.heard();
	assert.match(d.readLog(), /oldest client events are dropped/);
	return { trouble: said.trouble.replace(/^.*: /, ''), dropped, queued,
		'broker KiB': kib };
}

// The courier has the file open, so it has to be caught without it.
async function readonly({ d, disk, visitor }) {
	await until('a moment for it', async () => {
		const [pid] = d.pidsOf('courier');
		if (pid) process.kill(pid, 'SIGKILL');
		for (let i = 0; i < 20; i++) {
			if (disk.remount('ro')) return true;
			await sleep(1);
		}
		return false;
	}, 60000);
	visitor.enter(50);
	const said = await trouble(d, /read-?only/i);
	assert.ok(disk.remount('rw'));
	await visitor.heard();
	return said.trouble.replace(/^.*: /, '');
}

// Pages in the middle, under the courier's hands.
async function damaged({ d, disk, visitor }) {
	const file = disk.path('outbox.db');
	const [pid] = d.pidsOf('courier');
	process.kill(pid, 'SIGSTOP');
	const fd = fs.openSync(file, 'r+');
	const { size } = fs.fstatSync(fd);
	assert.ok(size > 3 * 4096, 'something to damage');
	fs.writeSync(fd, Buffer.alloc(size - 4096, 0x5a), 0, size - 4096, 4096);
	fs.closeSync(fd);
	for (const end of ['-wal', '-shm']) fs.truncateSync(file + end);
	process.kill(pid, 'SIGKILL');
	visitor.enter(50);
	const said = await trouble(d, /is damaged or not an SQLite file: move it away/);
	for (const end of ['', '-wal', '-shm'])
		fs.rmSync(file + end, { force: true });
	visitor.enter(50);
	await visitor.heard();
	return said.trouble.replace(/^.*: /, '');
}

module.exports = async function outbox({ start, history }) {
	const disk = Disk.mount('96m');
	if (disk === null) return { skipped: 'no right to mount a tmpfs' };
	const said = {};
	let box;
	try {
		const { d, app } = await start({ workers: 2,
			outbox: disk.path('outbox.db'), webhook_allow_private: 'on' },
		{ client_events: 'on', max_client_events_per_second: 0,
			max_subscriptions: 10000 });
		d.allow(/webhook|courier/);
		const w = await Watcher.open(d, app, history, 'watcher', ['c0']);
		const publisher = new Publisher(d, app, history, ['c0']);
		publisher.start(200);
		box = await Mailbox.start(history, 'receiver', [app]);
		d.ctl(['webhook', 'add', app.id, box.url]);
		const visitor = await Visitor.open({ d, app, box });
		visitor.enter(100);
		await visitor.heard();
		const cast = { d, disk, visitor };
		said.full = await full(cast);
		said['read-only'] = await readonly(cast);
		said.damaged = await damaged(cast);
		await publisher.stop();
		await settle([w]);
		history.checkWatcher(w);
		assert.deepEqual(Object.keys(publisher.status), ['200']);
		await w.leave();
		await visitor.c.close();
		await d.stop();
	} finally {
		await sleep(100);
		disk.remove();
		await box?.stop();
	}
	return said;
};
