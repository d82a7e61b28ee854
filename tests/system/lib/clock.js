// SPDX-License-Identifier: MIT
//
// A wall clock that is wrong, for processes with LD_PRELOAD=library (clock.c).
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

	// Wrong by so many seconds, from now on.
	set(seconds) {
		fs.writeFileSync(`${this.file}.new`, String(seconds));
		fs.renameSync(`${this.file}.new`, this.file);
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
