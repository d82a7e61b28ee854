// SPDX-License-Identifier: MIT
//
// A log that takes no more lines: nothing waits for it, what is lost is
// counted, and no line is glued to half of another.
'use strict';

const assert = require('node:assert/strict');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, until, PUSHERD, options, environment } =
	require('./lib/daemon');
const { api } = require('./lib/http');

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = fs.constants;

// Its stderr is a pipe, which is read until the test says stuck = true.
class Piped extends Daemon {
	spawn(extra) {
		this.fifo = path.join(this.dir, 'fifo');
		execFileSync('mkfifo', [this.fifo]);
		this.reader = fs.openSync(this.fifo, O_RDONLY | O_NONBLOCK);
		this.text = '';
		// A pipe that the shell opens waits, as a log shipper's does.
		this.wrap = ['sh', '-c', 'exec "$0" "$@" 2>"$FIFO"'];
		this.env = { FIFO: this.fifo };
		return super.spawn(extra);
	}

	readLog() {
		const part = Buffer.alloc(65536);
		while (this.reader && !this.stuck) {
			let n = 0;
			try {
				n = fs.readSync(this.reader, part);
			} catch (e) {
				assert.equal(e.code, 'EAGAIN');
			}
			if (n === 0) break;
			this.text += part.toString('utf8', 0, n);
		}
		return this.text;
	}

	// Nobody reads, and there is no room for a line.
	fill() {
		this.readLog();
		this.stuck = true;
		const fd = fs.openSync(this.fifo, O_WRONLY | O_NONBLOCK);
		for (const n of [4096, 1])
			try {
				for (;;) fs.writeSync(fd, Buffer.alloc(n, '\n'));
			} catch (e) {
				assert.equal(e.code, 'EAGAIN');
			}
		fs.closeSync(fd);
	}

	unstick() {
		this.stuck = false;
		this.readLog();
	}
}

function up(d) {
	return new Promise((ok, no) => {
		http.get({ port: d.port, path: '/up', agent: false }, (res) => {
			res.resume();
			ok(res.statusCode);
		}).on('error', no);
	});
}

// Everything that logs a line, in every process.
async function everythingGoesOn(d, app) {
	const c = await Client.connect(d, app);
	await c.subscribe('room');
	for (let i = 0; i < 3; i++) {
		d.ctl(['log-level', 'debug']);
		const before = d.pidsOf('broker')[0];
		process.kill(before, 'SIGKILL');
		await until('another broker', () => {
			const [now] = d.pidsOf('broker');
			return now && now !== before;
		});
		await until('a publish', async () => (await api(d, app, 'POST',
			'/events', { body: { name: 'e', channel: 'room',
				data: String(i) } })).status === 200);
		await c.expect('e', 'room');
		d.ctl(['log-level', 'info']);
		d.ctl(['reload']);
		assert.equal(await up(d), 200);
	}
	await c.close();
}

test('O1: stderr is a pipe that nobody reads: all goes on, lines are counted',
	async () => {
		const d = new Piped({ workers: 2, drain_time: 0 });
		const app = d.app();
		await d.start();
		d.allow(/lines? lost: the log did not take/, /link to the broker/,
			/broker was killed by signal 9/);
		d.fill();
		await everythingGoesOn(d, app);
		d.unstick();
		await until('the number of lost lines of the master and a worker',
			() => ['master', 'worker 0', 'worker 1'].every((who) =>
				d.logLines().some((line) => line.includes(`"${who}"`) &&
					/[1-9]\d* lines? lost: the log did/.test(line))));
		d.text = d.text.replace(/\n+/g, '\n');
		await d.stop();
	});

test('O1: a SIGTERM is obeyed while nobody reads the log', async () => {
	const d = new Piped({ drain_time: 0 });
	d.app();
	await d.start();
	d.fill();
	const began = Date.now();
	d.signal('SIGTERM');
	await d.exited;
	assert.ok(Date.now() - began < 5000);
	await d.stop();
});

test('O1: stderr is a socket that nobody reads', async () => {
	const d = new Daemon({ workers: 2 });
	const app = d.app();
	// The other end is held by a process that does not read it.
	d.wrap = ['python3', '-c', `
import os, socket, sys
a, b = socket.socketpair()
b.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
log = os.dup(2)
if os.fork() == 0:
    import select
    os.setsid()
    b.close()
    stuck = False
    while True:
        stuck = os.path.exists("stuck")
        if not stuck and select.select([a], [], [], 0.02)[0]:
            part = a.recv(65536)
            if not part:
                break
            os.write(log, part)
        elif stuck:
            select.select([], [], [], 0.02)
    os._exit(0)
os.dup2(b.fileno(), 2)
a.close()
b.close()
os.execvp(sys.argv[1], sys.argv[1:])
`];
	await d.start();
	d.allow(/lines? lost: the log did not take/, /link to the broker/,
		/broker was killed by signal 9/);
	fs.writeFileSync(path.join(d.dir, 'stuck'), '');
	for (let i = 0; i < 80; i++) d.ctl(['log-level', 'info']);
	await everythingGoesOn(d, app);
	fs.unlinkSync(path.join(d.dir, 'stuck'));
	await until('the number', () => /[1-9]\d* lines lost/.test(d.readLog()));
	await d.stop();
});

test('O1: pusherctl and a start that fails do not wait for their stderr',
	() => {
		const d = new Daemon();
		const fifo = path.join(d.dir, 'fifo');
		execFileSync('mkfifo', [fifo]);
		const r = fs.openSync(fifo, O_RDONLY | O_NONBLOCK);
		const w = fs.openSync(fifo, O_WRONLY | O_NONBLOCK);
		try {
			for (;;) fs.writeSync(w, Buffer.alloc(4096));
		} catch (e) {
			assert.equal(e.code, 'EAGAIN');
		}
		const say = (command, args) => {
			const p = spawnSync('sh', ['-c', 'exec "$0" "$@" 2>"$FIFO"',
				command, ...options(d.conf), ...args], {
				env: { ...environment(), FIFO: fifo }, timeout: 8000 });
			assert.equal(p.error, undefined);
			assert.ok(p.status > 0);
		};
		say(path.join(path.dirname(PUSHERD), 'pusherctl'),
			['app', 'show', 'no such app']);
		say(PUSHERD, ['-F', '-o', 'workers=0']);
		fs.closeSync(r);
		fs.closeSync(w);
		d.remove();
	});

// The limit of a file's size cuts a line in two, as a full disk does.
test('T7: a log on a full disk: no half line is glued, lost ones are counted',
	async () => {
		const d = new Daemon({ workers: 2 });
		d.app();
		await d.start();
		const file = path.join(d.dir, 'log');
		const limit = 8 << 20;
		for (const pid of Object.keys(d.processes()))
			execFileSync('prlimit', ['--pid', pid, `--fsize=${limit}`]);
		const before = d.readLog();
		// All but 40 bytes of the disk is taken by one line.
		fs.truncateSync(file, limit - 41);
		fs.appendFileSync(file, '\n');
		for (let i = 0; i < 20; i++) d.ctl(['log-level', 'debug']);
		assert.equal(fs.statSync(file).size, limit);
		// Now a little room, behind the half line.
		const fd = fs.openSync(file, 'r');
		const tail = Buffer.alloc(40);
		fs.readSync(fd, tail, 0, 40, limit - 40);
		fs.closeSync(fd);
		fs.writeFileSync(file, before + tail);
		d.ctl(['log-level', 'info']);
		await until('the number', () => d.logLines().some((line) =>
			/\b[12]\d lines lost: the log did not take them/.test(line)));
		const lines = d.logLines().slice(before.split('\n').length - 1);
		assert.equal(lines.shift(), `${tail}`);
		for (const line of lines) JSON.parse(line);
		fs.writeFileSync(file, '');
		await d.stop();
	});

test('T7: a log file that ends with half a line is gone on with on a new one',
	async () => {
		const d = new Daemon();
		d.app();
		const file = path.join(d.dir, 'own.log');
		fs.writeFileSync(file, '{"time":"2026');
		d.spawn(['-o', `log=${file}`]);
		await until('ready', () => /ready: listening/.test(
			fs.readFileSync(file, 'utf8')));
		const [half, ...lines] = fs.readFileSync(file, 'utf8').trim()
			.split('\n');
		assert.equal(half, '{"time":"2026');
		for (const line of lines) JSON.parse(line);
		await d.stop();
	});
