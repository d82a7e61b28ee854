// SPDX-License-Identifier: MIT
//
// pusherctl worker replace, when the old or the new process is killed or
// stopped at each step: the old one goes on, or the clients come back as after
// a crash.  The steps are picked by what the log says.
'use strict';

const assert = require('node:assert/strict');
const { describe, beforeEach, afterEach, test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { api } = require('./lib/http');
const { descriptors } = require('./lib/process');

const event = (channel, data) => ({ body: { name: 'e', channel, data } });

describe('worker replace, when a process dies', () => {
	let d;
	let app;
	let c;      // its client
	let old;    // the processes
	let fresh;
	let asked;  // the answer of pusherctl
	let broker;

	const has = (pattern) => pattern.test(d.readLog());
	const kill = async (pid) => {
		process.kill(pid, 'SIGKILL');
		await until('its end', () => d.processes()[pid] === undefined);
	};

	beforeEach(async () => {
		d = new Daemon({ workers: 1, log_level: 'debug' });
		app = d.app();
		await d.start();
		d.allow(/move: /, /replace: /, /worker 0 /, /worker 0: /);
		c = await Client.connect(d, app);
		await c.subscribe('x');
		[old] = d.pidsOf('worker');
		[broker] = d.pidsOf('broker');
	});
	afterEach(async () => {
		for (const pid of [old, fresh, broker])
			try { process.kill(pid, 'SIGCONT'); } catch { /* it is gone */ }
		d.signal('SIGCONT');
		try {
			await d.stop();
		} finally {
			d.kill();
		}
	});

	const begin = async () => {
		asked = d.ctlAsync(['-j', 'worker', 'replace', '0']);
		fresh = await until('another process', () =>
			d.pidsOf('worker').find((pid) => pid !== old), 3000);
	};

	// The old process does not read its clients any more, and waits for the
	// answer to a request, until the broker goes on.
	const waiting = async () => {
		d.signal('SIGSTOP'); // the master
		const begun = begin();
		await until('the broker to pass it on', () =>
			has(/asks the master: worker-replace/));
		process.kill(broker, 'SIGSTOP');
		const answer = api(d, app, 'GET', '/channels');
		answer.catch(() => {}); // a test may kill the process
		// When a later request has its answer, that one has been read.
		await api(d, app, 'POST', '/events', event('y', 'for nobody'));
		d.signal('SIGCONT');
		await begun;
		await until('the old one to wait', () => has(/no client is read/));
		const goOn = () => {
			process.kill(broker, 'SIGCONT');
			return answer;
		};
		return { goOn };
	};

	// The new process has begun, and is stopped; all has been sent to it.
	const sent = async () => {
		const { goOn } = await waiting();
		process.kill(fresh, 'SIGSTOP');
		await goOn();
		await until('all to be sent', () => has(/move: all is sent/));
	};

	// One process serves, and the client is there, or not.
	const settled = async (there, code) => {
		const r = await asked;
		assert.equal(r.code, code, r.out + r.err);
		await until('one worker', () => d.pidsOf('worker').length === 1 &&
			d.ctlRaw(['status']).code === 0);
		if (there) {
			await api(d, app, 'POST', '/events', event('x', 'y'));
			assert.equal(await c.expect('e'), 'y');
			await c.close();
		} else {
			await c.ended();
		}
	};

	// Its socket is at the new process already, which must not keep it.
	test('a client is lost while the old one waits', async () => {
		const gone = await Client.connect(d, app);
		await gone.subscribe('y');
		const before = descriptors(old);
		const { goOn } = await waiting();
		gone.sock.resetAndDestroy();
		assert.equal((await goOn()).status, 200);
		const row = JSON.parse((await asked).out);
		assert.deepEqual([row.moved, row.closed], [2, 0],
			'the client, and the request');
		await until('the others only', () => descriptors(fresh) <= before);
		await settled(true, 0);
	});

	test('the new one is killed before all is sent', async () => {
		const { goOn } = await waiting();
		await kill(fresh);
		assert.equal((await goOn()).status, 200);
		await settled(true, 1);
		assert.deepEqual(await until('the old one', () => d.pidsOf('worker')),
			[old]);
	});

	test('the old one is killed before all is sent', async () => {
		const { goOn } = await waiting();
		await kill(old);
		assert.equal(await goOn().catch(() => 'lost'), 'lost');
		await settled(false, 1);
	});

	test('the new one is killed when all is sent', async () => {
		await sent();
		await kill(fresh);
		await settled(true, 1);
		assert.deepEqual(d.pidsOf('worker'), [old]);
	});

	test('the old one is killed when all is sent', async () => {
		await sent();
		await kill(old);
		process.kill(fresh, 'SIGCONT');
		await settled(false, 1);
	});

	test('the new one is late', async () => {
		await sent();
		process.kill(fresh, 'SIGCONT');
		await settled(true, 0);
		assert.deepEqual(d.pidsOf('worker'), [fresh]);
	});

	test('the new one is too late', async () => {
		await sent();
		await settled(true, 1);
		assert.deepEqual(d.pidsOf('worker'), [old]);
	});

	test('the new one is killed when it has the clients', async () => {
		await begin();
		assert.equal((await asked).code, 0);
		await kill(fresh);
		await settled(false, 0);
	});
});
