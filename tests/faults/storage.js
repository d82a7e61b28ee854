// SPDX-License-Identifier: MIT
//
// The database's disk is full, read-only, or its bytes are wrong: publishing
// and subscribing go on, and admin commands say why they fail.
'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { Watcher, Publisher, sleep, settle } = require('./lib/actors');

const run = (...args) => execFileSync(args[0], args.slice(1),
	{ stdio: ['ignore', 'pipe', 'pipe'] });

function mount() {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-disk-'));
	try {
		run('mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', dir);
	} catch {
		fs.rmdirSync(dir);
		return null;
	}
	return dir;
}

function fill(file) {
	const fd = fs.openSync(file, 'w');
	for (const size of [65536, 4096, 1]) {
		try {
			for (;;) if (fs.writeSync(fd, Buffer.alloc(size)) < size) break;
		} catch { /* full */ }
	}
	fs.closeSync(fd);
}

function refused(d, args, why) {
	const r = d.ctlRaw(args);
	assert.notEqual(r.code, 0, `pusherctl ${args.join(' ')} has to fail`);
	assert.match(r.err, why, r.err);
	return r.err.trim().split('\n')[0];
}

module.exports = async function storage({ start, history }) {
	const dir = mount();
	if (dir === null) return { skipped: 'no right to mount a tmpfs' };
	const said = {};
	try {
		const { d, app } = await start({ workers: 1,
			database: path.join(dir, 'apps.db') });
		d.allow(/database|disk|apps/);
		const w = await Watcher.open(d, app, history, 'watcher', ['c0']);
		const publisher = new Publisher(d, app, history, ['c0']);
		publisher.start(200);
		await sleep(200);
		fill(path.join(dir, 'ballast'));
		said.full = refused(d, ['app', 'create', '--name', 'x'],
			/full|space|disk/i);
		fs.unlinkSync(path.join(dir, 'ballast'));
		d.ctl(['app', 'create', '--name', 'y']);
		run('mount', '-o', 'remount,ro', dir);
		said.readonly = refused(d, ['app', 'create', '--name', 'z'],
			/read-?only/i);
		run('mount', '-o', 'remount,rw', dir);
		const file = path.join(dir, 'apps.db');
		const good = fs.readFileSync(file);
		for (const f of fs.readdirSync(dir))
			if (/-wal$|-shm$/.test(f)) fs.unlinkSync(path.join(dir, f));
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
		try { run('umount', '-l', dir); } catch { /* it says so below */ }
		fs.rmSync(dir, { recursive: true, force: true });
	}
	return said;
};
