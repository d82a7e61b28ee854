// SPDX-License-Identifier: MIT
//
// The database's disk is full, read-only, or its bytes are wrong: publishing
// and subscribing go on, and admin commands say why they fail.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { Watcher, Publisher, sleep, settle } = require('./lib/actors');
const { Disk } = require('./lib/disk');

function refused(d, args, why) {
	const r = d.ctlRaw(args);
	assert.notEqual(r.code, 0, `pusherctl ${args.join(' ')} has to fail`);
	assert.match(r.err, why, r.err);
	return r.err.trim().split('\n')[0];
}

module.exports = async function storage({ start, history }) {
	const disk = Disk.mount('2m');
	if (disk === null) return { skipped: 'no right to mount a tmpfs' };
	const said = {};
	try {
		const { d, app } = await start({ workers: 1,
			database: disk.path('apps.db') });
		d.allow(/database|disk|apps/);
		const w = await Watcher.open(d, app, history, 'watcher', ['c0']);
		const publisher = new Publisher(d, app, history, ['c0']);
		publisher.start(200);
		await sleep(200);
		disk.fill();
		said.full = refused(d, ['app', 'create', '--name', 'x'],
			/full|space|disk/i);
		disk.empty();
		d.ctl(['app', 'create', '--name', 'y']);
		assert.ok(disk.remount('ro'));
		said.readonly = refused(d, ['app', 'create', '--name', 'z'],
			/read-?only/i);
		assert.ok(disk.remount('rw'));
		const file = disk.path('apps.db');
		const good = fs.readFileSync(file);
		for (const f of fs.readdirSync(disk.dir))
			if (/-wal$|-shm$/.test(f)) fs.unlinkSync(disk.path(f));
		fs.writeFileSync(file, Buffer.alloc(good.length, 0x5a));
		said.corrupt = refused(d, ['app', 'create', '--name', 'w'],
			/not a database|malformed|corrupt/i);
		fs.writeFileSync(file, good);
		await publisher.stop();
		await settle([w]);
		history.checkWatcher(w);
		assert.deepEqual(Object.keys(publisher.status), ['200']);
		await w.leave();
		await d.stop();
	} finally {
		await sleep(100);
		disk.remove();
	}
	return said;
};
