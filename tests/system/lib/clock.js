// SPDX-License-Identifier: MIT
//
// A clock that is wrong, for processes with LD_PRELOAD=library (clock.c).
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

class WrongClock {
	constructor() {
		this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-clock-'));
		this.file = path.join(this.dir, 'wrong');
		this.library = path.join(this.dir, 'clock.so');
		execFileSync('cc', ['-std=c11', '-D_GNU_SOURCE', '-O2', '-shared',
			'-fPIC', `-DCLOCK_FILE="${this.file}"`, '-o', this.library,
			path.join(__dirname, 'clock.c'), '-ldl']);
	}

	// Wrong by so many seconds, from now on; pid: so far ahead is the
	// monotonic clock of this process.
	set(seconds, pid) {
		fs.writeFileSync(`${this.file}.new`, String(seconds));
		fs.renameSync(`${this.file}.new`,
			pid === undefined ? this.file : `${this.file}.${pid}`);
	}

	// What is started by fn and its promise has this clock.
	async with(env, fn) {
		const before = { ...process.env };
		const names = { ...env, LD_PRELOAD: this.library,
			ASAN_OPTIONS: 'verify_asan_link_order=0' };
		Object.assign(process.env, names);
		try {
			return await fn();
		} finally {
			for (const name of Object.keys(names))
				if (before[name] === undefined) delete process.env[name];
				else process.env[name] = before[name];
		}
	}

	// It is this time (text as of Date.parse).
	turn(text) {
		this.set(Math.round((Date.parse(text) - Date.now()) / 1000));
	}

	remove() {
		fs.rmSync(this.dir, { recursive: true, force: true });
	}
}

module.exports = { WrongClock };
