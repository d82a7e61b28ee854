// SPDX-License-Identifier: MIT
//
// A small disk of its own, to be filled, made read-only and damaged.
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const run = (...args) => execFileSync(args[0], args.slice(1),
	{ stdio: ['ignore', 'pipe', 'pipe'] });

class Disk {
	// null: no right to mount one.
	static mount(size) {
		const d = new Disk();
		d.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-disk-'));
		try {
			run('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', d.dir);
		} catch {
			fs.rmdirSync(d.dir);
			return null;
		}
		return d;
	}

	path(name) {
		return path.join(this.dir, name);
	}

	// Not a byte is left, until empty().
	fill() {
		const fd = fs.openSync(this.path('ballast'), 'w');
		for (const size of [65536, 4096, 1]) {
			try {
				for (;;)
					if (fs.writeSync(fd, Buffer.alloc(size)) < size) break;
			} catch { /* full */ }
		}
		fs.closeSync(fd);
	}

	empty() {
		fs.unlinkSync(this.path('ballast'));
	}

	// 'ro' or 'rw'; false: somebody has a file open for writing.
	remount(how) {
		try {
			run('mount', '-o', `remount,${how}`, this.dir);
			return true;
		} catch {
			return false;
		}
	}

	remove() {
		try { run('umount', '-l', this.dir); } catch { /* said below */ }
		fs.rmSync(this.dir, { recursive: true, force: true });
	}
}

module.exports = { Disk };
