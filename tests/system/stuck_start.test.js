// SPDX-License-Identifier: MIT
//
// Processes that stand still where they do not serve: one that has not become
// ready, and a broker that has been told to make room for another one.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { describe, test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { publish } = require('./lib/http');

const ALLOWED = [/stuck, no sign of life/, /was killed by signal [69]/,
	/link to the broker lost/, /resync: not every worker/,
	/events may be missing/, /reload: incomplete/, /no answer for 15 seconds/];

async function stops(conf, stop, ms) {
	const d = new Daemon(conf);
	const app = d.app();
	await d.start();
	d.allow(...ALLOWED);
	try {
		const pid = await stop(d);
		await until('its end', () => !d.processes()[pid], ms);
		const c = await until('a client to be served', () =>
			Client.connect(d, app).catch(() => null));
		await c.subscribe('x');
		await publish(d, app, 'x', 'e', 'y');
		assert.equal(await c.expect('e'), 'y');
		await c.close();
		await d.stop();
	} finally {
		d.kill();
	}
}

describe('a process that stands still', { concurrency: true }, () => {
	test('a worker, before it is ready', () =>
		stops({ workers: 1 }, async (d) => {
			const [broker] = d.pidsOf('broker');
			const [old] = d.pidsOf('worker');
			process.kill(broker, 'SIGSTOP'); // no worker becomes ready
			process.kill(old, 'SIGKILL');
			const pid = await until('another worker', () =>
				d.pidsOf('worker').find((p) => p !== old));
			process.kill(pid, 'SIGSTOP');
			process.kill(broker, 'SIGCONT');
			return pid;
		}, 40000));

	test('the broker, when more workers need another one', () =>
		stops({ workers: 1 }, async (d) => {
			const [pid] = d.pidsOf('broker');
			const r = await d.ctlAsync(['config', 'set', 'workers', '9']);
			assert.equal(r.code, 0, r.err);
			process.kill(pid, 'SIGSTOP');
			return pid;
		}, 15000));
});

// A daemon whose broker is stopped before it serves.
async function starting(conf, file) {
	for (;;) {
		const d = new Daemon(conf);
		d.app();
		d.spawn(['-c', file]);
		const broker = await until('the broker', () => d.pidsOf('broker')[0]);
		process.kill(broker, 'SIGSTOP');
		if (!/ready: listening/.test(d.readLog())) return { d, broker };
		process.kill(broker, 'SIGCONT');
		await d.stop();
	}
}

test('a SIGHUP while the server starts is obeyed behind it', async () => {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-test-'));
	const file = path.join(dir, 'pusherd.conf');
	fs.writeFileSync(file, 'pong_timeout 17\n');
	const { d, broker } = await starting({ workers: 1 }, file);
	try {
		fs.writeFileSync(file, 'pong_timeout 18\n');
		d.signal('SIGHUP');
		await until('the master to read it', () =>
			/^ShdPnd:\s+0+$/m.test(fs.readFileSync(
				`/proc/${d.child.pid}/status`, 'utf8')));
		process.kill(broker, 'SIGCONT');
		await until('the reload', () => /reload: done/.test(d.readLog()));
		assert.match(d.ctlRaw(['config', 'pong_timeout']).out, /^pong_timeout\t18\t/);
		await d.stop();
	} finally {
		d.kill();
		fs.rmSync(dir, { recursive: true });
	}
});
