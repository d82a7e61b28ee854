// SPDX-License-Identifier: MIT
//
// pusherctl as a process beside the test.
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { PUSHERCTL, environment, options, until } = require('./daemon');

// A pusherctl that goes on until it is told, or ends by itself.
class Running {
	constructor(d, args, json = true) {
		this.out = '';
		this.err = '';
		this.p = spawn(PUSHERCTL, [...options(d.conf),
			...(json ? ['-j'] : []), ...args], { env: environment(),
			stdio: ['ignore', 'pipe', 'pipe'] });
		this.p.stdout.on('data', (b) => { this.out += b; });
		this.p.stderr.on('data', (b) => { this.err += b; });
		this.ended = new Promise((ok) => this.p.on('close', (code) => {
			this.code = code;
			ok(code);
		}));
	}

	get lines() {
		return this.out.split('\n').filter(Boolean);
	}

	get rows() {
		return this.lines.map((l) => JSON.parse(l));
	}

	async have(n) {
		await until(`${n} lines, not ${this.out} ${this.err}`,
			() => this.lines.length >= n || this.code !== undefined);
		assert.ok(this.lines.length >= n, this.err);
		return this.rows;
	}

	async stop() {
		this.p.kill('SIGTERM');
		await this.ended;
		assert.doesNotMatch(this.err, /Sanitizer|runtime error:/);
	}
}

module.exports = { Running };
