// SPDX-License-Identifier: MIT
//
// One real pusherd in a directory of its own: start it, talk to it with
// pusherctl, stop it, and look at what it left behind.  stop() fails on
// sanitizer output, on warnings that the test did not announce, on a wrong
// exit code, and on leftover processes, sockets and pid files.
'use strict';

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { after } = require('node:test');
const tls = require('node:tls');
const util = require('node:util');

const BUILD = path.resolve(__dirname, '../../../build');
const PUSHERD = path.resolve(process.env.PUSHERD_BIN || `${BUILD}/pusherd`);
const PUSHERCTL = path.resolve(process.env.PUSHERCTL_BIN ||
	path.join(path.dirname(PUSHERD), 'pusherctl'));
// A slow machine, or one with sanitizers, gets more time everywhere.
const SLOW = Number(process.env.TEST_SLOW || 1);
// The program that runs the daemon (make valgrind), with its options.
const WRAP = (process.env.TEST_WRAP ?? '').split(' ').filter(Boolean);
// The product's own bounds, which it may be too slow for in there.
const LATE = WRAP.length > 0 ? [/stop: \d+ \w+ do not exit: killing them/,
	/resync: not every worker connected in time/] : [];

// Processes that a failed test left running end with its file.
const started = new Set();
const endAll = () => started.forEach((d) => d.kill());
after(endAll);
for (const sig of ['SIGINT', 'SIGTERM'])
	process.once(sig, () => { endAll(); process.exit(1); });

// A directory of lib/tls.js: clients come by TLS (over_tls.test.js).
const OVER_TLS = process.env.TEST_TLS;

const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms));

// Calls fn until it gives something true; fails with `what` after ms.
async function until(what, fn, ms = 10000) {
	const end = Date.now() + ms * SLOW;
	for (;;) {
		const got = await fn();
		if (got) return got;
		if (Date.now() > end) assert.fail(`waited in vain for: ${what}`);
		await sleep(10);
	}
}

// Asks until the answer is `want`: the other workers, the API and pusherctl
// learn a little later what a connection or a worker did.
async function becomes(ask, want, ms = 10000) {
	const end = Date.now() + ms * SLOW;
	for (;;) {
		const got = await ask();
		if (util.isDeepStrictEqual(got, want)) return;
		if (Date.now() > end) assert.deepEqual(got, want);
		await sleep(10);
	}
}

// One of what open() gives on every worker, in the order of the workers' pids;
// close() ends what is one too many.
async function onePerWorker(d, open, close) {
	const want = d.pidsOf('worker').length;
	const found = new Map();
	for (let i = 0; i < 400 && found.size < want; i++) {
		const c = await open(i);
		if (found.has(c.worker)) await close(c);
		else found.set(c.worker, c);
	}
	assert.equal(found.size, want, 'one on each worker');
	return [...found.keys()].sort((a, b) => a - b)
		.map((pid) => found.get(pid));
}

function environment() {
	const env = {
		ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0',
		UBSAN_OPTIONS: 'print_stacktrace=1',
		...process.env,
	};
	// The options under test are the ones of the test, not of the caller.
	// PUSHERD_SANDBOX=on puts every worker of the suite into its sandbox.
	for (const name of Object.keys(env))
		if (name.startsWith('PUSHERD_') && name !== 'PUSHERD_SANDBOX')
			delete env[name];
	return env;
}

function options(conf) {
	const args = [];
	for (const [key, value] of Object.entries(conf))
		for (const v of Array.isArray(value) ? value : [value])
			args.push('-o', `${key}=${v}`);
	return args;
}

class Daemon {
	constructor(conf = {}) {
		this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-test-'));
		this.conf = {
			listen: '127.0.0.1:0',
			metrics_listen: '',
			database: path.join(this.dir, 'apps.db'),
			runtime_dir: path.join(this.dir, 'run'),
			workers: 1,
			log_format: 'json',
			drain_time: 0,
			...conf,
		};
		if (OVER_TLS && !conf.listen) {
			this.tls = true;
			Object.assign(this.conf, {
				listen: ['127.0.0.1:0', '127.0.0.1:0 tls'],
				tls_certificate: path.join(OVER_TLS, 'cert.pem'),
				tls_key: path.join(OVER_TLS, 'key.pem') });
		}
		this.log = '';
		this.allowed = [...LATE];
		this.exit = null;
	}

	// pusherctl with the options of this daemon; { code, out, err }.
	ctlRaw(args, input) {
		const r = spawnSync(PUSHERCTL, [...options(this.conf), ...args], {
			env: environment(), input: input ?? '', encoding: 'utf8',
			timeout: 30000 * SLOW, maxBuffer: 1 << 28,
		});
		// It may end before it reads its input.
		if (r.error && r.error.code !== 'EPIPE')
			throw r.error;
		assert.doesNotMatch(r.stderr, /Sanitizer|runtime error:/);
		return { code: r.status, out: r.stdout, err: r.stderr };
	}

	// The same with -j; has to succeed; the objects it printed.
	ctl(args, input) {
		const r = this.ctlRaw(['-j', ...args], input);
		assert.equal(r.code, 0, `pusherctl ${args.join(' ')}: ${r.err}`);
		return rows(r.out);
	}

	// Without blocking this process, for calls that need its clients.
	ctlAsync(args) {
		return new Promise((resolve) => {
			const p = spawn(PUSHERCTL, [...options(this.conf), ...args],
				{ env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
			let out = '';
			let err = '';
			p.stdout.on('data', (b) => { out += b; });
			p.stderr.on('data', (b) => { err += b; });
			p.on('close', (code) => resolve({ code, out, err }));
		});
	}

	// Makes an app; settings: { client_events: 'on', ... }.
	app(settings = {}, given = {}) {
		this.napps = (this.napps || 0) + 1;
		const app = {
			id: String(100 + this.napps),
			key: `key-${this.napps}`,
			secret: `secret-${this.napps}`,
			name: `app-${this.napps}`,
			...given,
		};
		const args = ['app', 'create', '--id', app.id, '--key', app.key,
			'--name', app.name, '--secret-from', '-'];
		for (const [k, v] of Object.entries(settings))
			args.push('--set', `${k}=${v}`);
		this.ctl(args, `${app.secret}\n`);
		return app;
	}

	spawn(extra = []) {
		const out = fs.openSync(path.join(this.dir, 'log'), 'a');
		const [command, ...args] = [...(this.wrap ?? []), ...WRAP,
			PUSHERD];
		this.child = spawn(command,
			[...args, ...options(this.conf), '-F', ...extra], {
				env: { ...environment(), ...this.env }, cwd: this.dir,
				detached: true,
				stdio: ['ignore', out, out],
			});
		fs.closeSync(out);
		started.add(this);
		this.exited = new Promise((resolve, reject) => {
			this.child.on('error', reject);
			this.child.on('exit', (code, signal) => {
				if (Object.keys(this.processes()).length === 0)
					started.delete(this);
				this.exit = { code, signal };
				resolve(this.exit);
			});
		});
		this.exited.catch(() => {});
		return this;
	}

	async start(extra) {
		if (!fs.existsSync(this.conf.database)) this.app();
		const file = path.join(this.conf.runtime_dir, 'listen');
		this.spawn(extra);
		await until('the daemon to be ready', async () => {
			if (this.exit)
				assert.fail(`pusherd ended at start:\n${this.readLog()}`);
			if (!fs.existsSync(file)) return false;
			const text = fs.readFileSync(file, 'utf8');
			this.addresses = text.trim().split('\n');
			this.ports = this.addresses.map((a) =>
				parseInt(a.replace(/^.*:/, ''), 10));
			this.port = this.ports[this.tls ? 1 : 0];
			this.metrics = Number((/:(\d+) \(metrics\)/.exec(text) ||
				[])[1]);
			// One worker may serve before the others do.
			return text.endsWith('\n') && await ready(this.ports[0], this.outside) &&
				/ready: listening/.test(this.readLog());
		});
		return this;
	}

	readLog() {
		return fs.readFileSync(path.join(this.dir, 'log'), 'utf8');
	}

	logLines() {
		return this.readLog().split('\n').filter(Boolean);
	}

	// Warnings that this test causes on purpose.
	allow(...patterns) {
		this.allowed.push(...patterns);
	}

	// pid -> what ps shows, for the master and all its children.
	processes() {
		const all = {};
		for (const pid of fs.readdirSync('/proc')) {
			if (!/^\d+$/.test(pid)) continue;
			try {
				const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
				const rest = stat.slice(stat.lastIndexOf(')') + 2);
				const [state, , pgrp] = rest.split(' ');
				if (Number(pgrp) !== this.child.pid || state === 'Z')
					continue;
				// The command line of what it runs in says
				// nothing; of the name the kernel keeps 15
				// bytes.
				const file = WRAP.length > 0 ? 'comm' : 'cmdline';
				all[pid] = fs.readFileSync(`/proc/${pid}/${file}`, 'utf8')
					.replace(/\0+$|\n/, '').replace(/\0/g, ' ')
					.replace(/: courie$/, ': courier');
			} catch { /* it is gone */ }
		}
		return all;
	}

	pidsOf(role) {
		return Object.entries(this.processes())
			.filter(([, title]) => title.includes(`: ${role}`))
			.map(([pid]) => Number(pid)).sort((a, b) => a - b);
	}

	// The worker (pid) that serves a client's local port.
	workerOf(localPort) {
		const inode = inodeOf(this.port, localPort);
		for (const pid of this.pidsOf('worker')) {
			for (const fd of fs.readdirSync(`/proc/${pid}/fd`)) {
				try {
					if (fs.readlinkSync(`/proc/${pid}/fd/${fd}`) ===
					    `socket:[${inode}]`)
						return pid;
				} catch { /* closed meanwhile */ }
			}
		}
		return null;
	}

	signal(sig) {
		this.child.kill(sig);
	}

	// To all its processes.
	signalAll(sig) {
		process.kill(-this.child.pid, sig);
	}

	// Ends it and checks that nothing is left; safe to call twice.
	async stop({ sig = 'SIGTERM', within = 10000, code = 0 } = {}) {
		if (!this.child || this.stopped) return;
		this.stopped = true;
		if (!this.exit) this.signal(sig);
		await this.end(within);
		try {
			assert.deepEqual(this.exit, { code, signal: null },
				`exit of pusherd; its log:\n${this.readLog().slice(-4000)}`);
			assert.deepEqual(this.processes(), {}, 'leftover processes');
			this.checkFiles();
			this.checkLog();
		} catch (e) {
			this.kill();
			throw e;
		} finally {
			this.remove();
		}
	}

	// Calls fn, then ends it with all checks; when fn fails, at once.
	async run(fn) {
		try {
			await fn(this);
		} catch (e) {
			this.kill();
			throw e;
		}
		await this.stop();
	}

	async end(within) {
		let timer;
		const late = new Promise((ok) => {
			timer = setTimeout(ok, within * SLOW, 'late');
		});
		const got = await Promise.race([this.exited, late]);
		clearTimeout(timer);
		if (got !== 'late') return;
		const log = this.readLog().slice(-4000);
		this.kill();
		assert.fail(`pusherd did not end in ${within} ms:\n${log}`);
	}

	// Without ceremony, for tests that failed.
	kill() {
		try {
			this.signalAll('SIGKILL');
		} catch { /* nobody left */ }
	}

	remove() {
		if (!process.env.TEST_KEEP)
			fs.rmSync(this.dir, { recursive: true, force: true });
	}

	checkFiles() {
		if (!fs.existsSync(this.conf.runtime_dir)) return;
		const left = fs.readdirSync(this.conf.runtime_dir)
			.filter((name) => !/^resume-/.test(name)); // for the next one
		assert.deepEqual(left, [], 'leftover files in runtime_dir');
	}

	checkLog() {
		const text = this.readLog();
		const bad = /Sanitizer|runtime error:|Assertion|stack smashing/;
		assert.doesNotMatch(text, bad, text.slice(0, 6000));
		const wrong = this.logLines().filter((line) => isWarning(line) &&
			!this.allowed.some((p) => p.test(line)));
		assert.deepEqual(wrong, [], 'unexpected warnings in the log');
	}
}

// A connection to where clients go; d: at least { port }.
function connect(d, options) {
	const how = { port: d.port, host: '127.0.0.1', ...options };
	const raw = net.connect(how);
	if (!d.tls) return raw;
	return Object.assign(tls.connect({ ...how, socket: raw }), { raw });
}

function isWarning(line) {
	try {
		return ['warn', 'error'].includes(JSON.parse(line).level);
	} catch {
		return true; // not a line of the log at all
	}
}

// The output of -j: one array, or one value a line.
function rows(text) {
	if (!text.trim()) return [];
	try {
		const all = JSON.parse(text);
		return Array.isArray(all) ? all : [all];
	} catch {
		return text.trim().split('\n').map((line) => JSON.parse(line));
	}
}

function inodeOf(serverPort, clientPort) {
	const hex = (n) => n.toString(16).toUpperCase().padStart(4, '0');
	for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
		if (!fs.existsSync(file)) continue;
		for (const line of fs.readFileSync(file, 'utf8').split('\n')) {
			const f = line.trim().split(/\s+/);
			if (f.length > 9 && f[1].endsWith(`:${hex(serverPort)}`) &&
			    f[2].endsWith(`:${hex(clientPort)}`))
				return f[9];
		}
	}
	return null;
}

// outside: a host whose cluster cannot be reached will do.
function ready(port, outside) {
	const http = require('node:http');
	return new Promise((resolve) => {
		const req = http.get({ port, host: '127.0.0.1', path: '/ready',
			agent: false }, (res) => {
			let text = '';
			res.on('data', (b) => { text += b; });
			res.on('end', () => resolve(res.statusCode === 200 ||
				(outside === true && /degraded/.test(text))));
		});
		req.on('error', () => resolve(false));
	});
}

module.exports = { Daemon, connect, until, becomes, sleep, onePerWorker,
	options, environment, rows, PUSHERD, PUSHERCTL, SLOW, WRAP };
