// SPDX-License-Identifier: MIT
//
// Workers in their sandbox: everything that a worker does in its life, and no
// system call is refused.  The whole suite runs there, too, when
// PUSHERD_SANDBOX=on stands in the environment.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Client, OP, closeAll } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { get, publish } = require('./lib/http');
const { deflate } = require('./lib/window');

const field = (pid, name) => fs.readFileSync(`/proc/${pid}/status`, 'utf8')
	.match(new RegExp(`^${name}:\\s*(\\d+)`, 'm'))[1];

test('O15: a worker lives in its sandbox', { skip: /asan|valgrind/.test(
	process.env.PUSHERD_BIN ?? '') }, async () => {
	const d = new Daemon({ workers: 2, sandbox: 'on',
		log: path.join(fs.mkdtempSync('/tmp/pusherd-test-'), 'log'),
		log_format: 'json', drain_time: 1 });
	const app = d.app({ client_events: 'on' });
	d.spawn();
	const log = () => fs.existsSync(d.conf.log) ?
		fs.readFileSync(d.conf.log, 'utf8') : '';
	await until('the start', () => /ready: listening/.test(log()));
	d.port = Number(fs.readFileSync(path.join(d.conf.runtime_dir, 'listen'),
		'utf8').trim().split('\n')[0].replace(/^.*:/, ''));
	for (const pid of d.pidsOf('worker')) {
		assert.equal(field(pid, 'Seccomp'), '2');
		assert.equal(field(pid, 'NoNewPrivs'), '1');
	}
	const all = await Client.onEachWorker(d, app,
		{ headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' } });
	for (const [i, c] of all.entries()) {
		await c.subscribe('room');
		c.sendFrame(OP.TEXT, deflate('{"event":"pusher:ping","data":{}}'),
			{ rsv: 4 });
		await c.expect('pusher:pong');
		await c.join('presence-x', `u${i}`);
	}
	await publish(d, app, 'room', 'e', 'x'.repeat(9000));
	for (const c of all) {
		await c.wait('the event', () => c.frames.some(
			(f) => f.payload.includes('xxxx')));
		assert.equal(c.window.compressed, 1);
		c.frames.length = 0;
	}
	assert.equal((await get(d, app, '/channels/presence-x/users'))
		.users.length, 2);
	d.signal('SIGUSR1');
	d.ctl(['log-level', 'debug']);
	await until('a line of a worker', async () => {
		const c = new Client(d, '/app/nobody?protocol=7');
		await c.ended();
		return /"process":"worker/.test(log());
	});
	d.ctl(['reload']);
	const [broker] = d.pidsOf('broker');
	process.kill(broker, 'SIGKILL');
	await until('a new broker', () =>
		d.pidsOf('broker').some((p) => p !== broker));
	await until('a publish', () => publish(d, app, 'room', 'e', 'again')
		.then(() => true, () => false));
	for (const c of all)
		await c.wait('the event', () => c.frames.some(
			(f) => f.payload.includes('again')));
	await closeAll(await Client.several(d, app, 100));
	for (const c of all) c.destroy();
	await d.stop();
	assert.deepEqual(log().split('\n')
		.filter((l) => /sandbox: system call/.test(l)), []);
	fs.rmSync(path.dirname(d.conf.log), { recursive: true });
});
