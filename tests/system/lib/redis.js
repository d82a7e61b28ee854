// SPDX-License-Identifier: MIT
//
// Debian's redis-server on a free port, in a directory of its own.  host: its
// address; wrap: the program that runs it, with its options.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { until } = require('./daemon');
const { freePort } = require('./port');

// Those that run end with this process, also when a test has failed before
// remove().
const running = new Set();
process.on('exit', () => {
	for (const r of running) {
		r.child.kill('SIGKILL');
		fs.rmSync(r.dir, { recursive: true, force: true });
	}
});

class Redis {
	constructor({ host = '127.0.0.1', wrap = [] } = {}) {
		Object.assign(this, { host, wrap });
		this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-redis-'));
	}

	// more: lines of its configuration, as ['requirepass', 'x'].
	async start(more = []) {
		this.port ??= await freePort();
		const args = [['port', this.port], ['bind', this.host],
			['protected-mode', 'no'], ['save', ''], ['appendonly', 'no'],
			['dir', this.dir], ...more];
		return this.run('redis-server', args.flatMap(([k, ...v]) =>
			[`--${k}`, ...v.map(String)]));
	}

	async run(program, options) {
		const [file, ...args] = [...this.wrap, program, ...options];
		this.child = spawn(file, args, { stdio: 'ignore' });
		this.exited = new Promise((ok) => this.child.on('exit', ok))
			.then(() => running.delete(this));
		running.add(this);
		this.child.unref();
		await until(program, () => this.answers());
		return this;
	}

	answers() {
		return new Promise((ok) => {
			const s = net.connect(this.port, this.host);
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
			const s = net.connect(this.port, this.host);
			const next = () => s.write(`${lines.shift()}\r\n`);
			s.on('connect', next);
			s.on('data', (b) => {
				if (lines.length > 0) return next();
				s.destroy();
				return ok(b.toString());
			});
			s.on('error', failed);
			s.on('close', () => failed(new Error('closed')));
		});
	}

	get url() {
		return `redis://${this.host}:${this.port}/0`;
	}

	async stop(sig = 'SIGKILL') {
		this.child.ref();
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
		fs.writeFileSync(file, [`port ${this.port}`, `bind ${this.host}`,
			`dir ${this.dir}`,
			`sentinel monitor main ${redis.host} ${redis.port} 1`,
			'sentinel down-after-milliseconds main 1000',
			'sentinel failover-timeout main 5000', ...more, ''].join('\n'));
		return this.run('redis-sentinel', [file]);
	}

	get url() {
		return `sentinel://${this.host}:${this.port}/main`;
	}

	// It has learnt of so many replicas of the primary.
	knows(n) {
		return until(`the Sentinel to know ${n} replicas`, async () =>
			new RegExp(`slaves=${n},`).test(await this.ask('INFO', 'sentinel')));
	}
}

module.exports = { Redis, Sentinel };
