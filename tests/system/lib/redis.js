// SPDX-License-Identifier: MIT
//
// Debian's redis-server on a free port, in a directory of its own.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { until } = require('./daemon');
const { freePort } = require('./port');

class Redis {
	constructor() {
		this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-redis-'));
	}

	// more: lines of its configuration, as ['requirepass', 'x'].
	async start(more = []) {
		this.port ??= await freePort();
		const args = [['port', this.port], ['bind', '127.0.0.1'],
			['save', ''], ['appendonly', 'no'], ['dir', this.dir], ...more];
		this.child = spawn('redis-server', args.flatMap(([k, ...v]) =>
			[`--${k}`, ...v.map(String)]), { stdio: 'ignore' });
		this.exited = new Promise((ok) => this.child.on('exit', ok));
		await until('redis-server', () => this.answers());
		return this;
	}

	answers() {
		return new Promise((ok) => {
			const s = net.connect(this.port, '127.0.0.1');
			s.on('connect', () => s.write('PING\r\n'));
			s.on('data', () => { s.destroy(); ok(true); });
			s.on('error', () => ok(false));
		});
	}

	// One command, its words without blanks or in ''; the bytes of the answer.
	// Set `password` if the server has one.
	ask(...words) {
		const lines = [words.join(' ')];
		if (this.password) lines.unshift(`AUTH ${this.password}`);
		return new Promise((ok, failed) => {
			const s = net.connect(this.port, '127.0.0.1');
			const next = () => s.write(`${lines.shift()}\r\n`);
			s.on('connect', next);
			s.on('data', (b) => {
				if (lines.length > 0) return next();
				s.destroy();
				return ok(b.toString());
			});
			s.on('error', failed);
		});
	}

	get url() {
		return `redis://127.0.0.1:${this.port}/0`;
	}

	async stop(sig = 'SIGKILL') {
		this.child.kill(sig);
		await this.exited;
	}

	// A replica has what its primary has.
	follows() {
		return until('the replica to follow', async () =>
			/master_link_status:up/.test(await this.ask('INFO',
				'replication')));
	}

	async remove() {
		if (this.child.exitCode === null && this.child.signalCode === null)
			await this.stop();
		fs.rmSync(this.dir, { recursive: true, force: true });
	}
}

// Debian's redis-sentinel, alone, for the primary `redis` called "main".
class Sentinel extends Redis {
	// more: lines of its configuration.
	async start(redis, more = []) {
		this.port ??= await freePort();
		const file = path.join(this.dir, 'sentinel.conf');
		fs.writeFileSync(file, [`port ${this.port}`, 'bind 127.0.0.1',
			`dir ${this.dir}`, `sentinel monitor main 127.0.0.1 ${redis.port} 1`,
			'sentinel down-after-milliseconds main 1000',
			'sentinel failover-timeout main 5000', ...more, ''].join('\n'));
		this.child = spawn('redis-sentinel', [file], { stdio: 'ignore' });
		this.exited = new Promise((ok) => this.child.on('exit', ok));
		await until('redis-sentinel', () => this.answers());
		return this;
	}

	get url() {
		return `sentinel://127.0.0.1:${this.port}/main`;
	}

	// It has learnt of so many replicas of the primary.
	knows(n) {
		return until(`the Sentinel to know ${n} replicas`, async () =>
			new RegExp(`slaves=${n},`).test(await this.ask('INFO', 'sentinel')));
	}
}

module.exports = { Redis, Sentinel };
