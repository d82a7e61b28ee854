// SPDX-License-Identifier: MIT
//
// Fewer workers by a reload, when the worker that leaves, its receiver or the
// broker is killed or stopped at each step: before the mark the one that leaves
// goes on, behind it its clients are the receiver's, or are closed.  Never both.
'use strict';

const assert = require('node:assert/strict');
const { describe, beforeEach, afterEach, test } =
	require('node:test');
const { Client } = require('./lib/client');
const { sleep, until } = require('./lib/daemon');
const { check } = require('./lib/publisher');
const { onEachWorker } = require('./lib/http');
const reloads = require('./lib/reloads');

const N = 20; // events of each part

describe('fewer workers, when a process dies', () => {
	let d;
	let app;
	let all;    // clients: by worker, see pid
	let pid;    // leaving, receiver, other, broker
	let http;   // to the other worker
	let stopped;
	let n;

	const slot = (i) => Number(Object.entries(d.processes()).find(
		([, title]) => new RegExp(`worker ${i}\\b`).test(title))[0]);
	const log = (p, pattern) => d.readLog().split('\n').some((l) =>
		l.includes(`"${p}"`) && pattern.test(l));
	const stop = (p) => {
		process.kill(p, 'SIGSTOP');
		stopped.add(p);
	};
	const go = (p) => {
		process.kill(p, 'SIGCONT');
		stopped.delete(p);
	};
	const kill = async (p) => {
		process.kill(p, 'SIGKILL');
		stopped.delete(p);
		await until('its end', () => d.processes()[p] === undefined);
	};

	beforeEach(async () => {
		stopped = new Set();
		n = 0;
		d = reloads.daemon({ workers: 3 }, { log_level: 'debug',
			crash_grace: 1, drain_time: 1 });
		app = d.app();
		await d.start(d.extra);
		d.allow(/move: /, /was killed by signal/, /link to the broker/,
			/its clients/, /reload: incomplete/, /clients are lost/,
			/not every worker connected/); // the one that leaves had left
		all = [];
		for (let i = 0; i < 3; i++)
			all.push(...await Client.onEachWorker(d, app));
		await Client.joinAll(all, 'presence-m', (c, i) => ({ id: `u${i}` }));
		for (const c of all) c.was = c.worker;
		pid = { receiver: slot(0), other: slot(1), leaving: slot(2),
			broker: d.pidsOf('broker')[0] };
		const https = await onEachWorker(d);
		http = https.find((h) => h.worker === pid.other);
		for (const h of https) if (h !== http) h.end();
		await publish();
	});
	afterEach(async () => {
		for (const p of stopped)
			try { go(p); } catch { /* it is gone */ }
		try {
			await d.stop();
		} finally {
			d.kill();
		}
	});

	// N more, each behind the answer to the one before it.
	async function publish() {
		for (const end = n + N; n < end; n++) {
			const r = await http.api(app, 'POST', '/events', { body: {
				name: 'e', channel: 'presence-m', data: String(n) } });
			assert.equal(r.status, 200, r.text);
		}
	}

	// The worker that leaves has said all, and asks the broker, which does
	// not answer.
	async function asked() {
		stop(pid.broker);
		d.write({ workers: 2 });
		process.kill(d.child.pid, 'SIGHUP');
		await until('the question', () =>
			log('worker 2', /waits for the mark/), 8000);
	}

	// The receiver has not read its mark, or the one that leaves has not.
	async function marked(late) {
		await asked();
		stop(pid[late]);
		go(pid.broker);
		await until('the mark', () =>
			log('broker', /worker 0 takes over its \d+ clients/));
		if (late === 'leaving')
			await until('the receiver to wait', () =>
				log('worker 0', /the mark has come/));
	}

	// The one that leaves has read its mark, and sends its clients.
	const sends = () => until('all to be sent', () => !d.pidsOf('worker')
		.includes(pid.leaving) || log('worker 2', /all is sent/));

	const of = (p) => all.filter((c) => c.was === p);

	// The clients of these workers have been closed; each other one is there
	// and has all events, and no member has left but those.
	async function settled(closed) {
		const [gone, there] = [
			closed.flatMap((p) => of(p)),
			all.filter((c) => !closed.includes(c.was))];
		for (const c of gone) {
			await c.ended();
			assert.deepEqual(c.frames.filter((f) => f.opcode !== 1), []);
		}
		await until('a publish', () => publish().then(() => true, () => false));
		for (const c of there) {
			await until(`all events (${c.sid})`, () => c.gone ||
				c.frames.filter((f) => /"event":"e"/.test(f.payload))
					.length >= n);
			check(c, 'presence-m', n, `client of ${c.was}`);
			const left = () => c.frames.map((f) => JSON.parse(f.payload))
				.filter((m) => m.event !== 'e');
			await until('who has left', () => left().length >= gone.length);
			assert.deepEqual(left().map((m) => m.event).filter((e) =>
				e !== 'pusher_internal:member_removed'), []);
			assert.deepEqual(left().map((m) => JSON.parse(m.data).user_id)
				.sort(), gone.map((c) => `u${all.indexOf(c)}`).sort());
			c.frames = [];
		}
		await until('two workers', () => d.pidsOf('worker').length === 2 &&
			d.ctlRaw(['status']).code === 0, 20000);
		// New clients see exactly those that are there.
		const late = await Client.connect(d, app);
		assert.equal((await late.join('presence-m', 'late')).count,
			there.length + 1);
		for (const c of there) {
			assert.deepEqual(JSON.parse((await c.next()).data).user_id, 'late');
			assert.deepEqual(await c.sync(), []);
		}
		for (const c of [...there, late]) await c.close();
		http.end();
	}

	test('asked: the one that leaves is killed', async () => {
		await asked();
		await kill(pid.leaving);
		go(pid.broker);
		await settled([pid.leaving]);
	});

	test('asked: the receiver is killed', async () => {
		await asked();
		await kill(pid.receiver);
		go(pid.broker);
		await settled([pid.receiver]);
	});

	test('asked: the broker is killed', async () => {
		await asked();
		await kill(pid.broker);
		await settled([]);
	});

	test('the receiver is late, not dead', async () => {
		await marked('receiver');
		go(pid.receiver);
		await settled([]);
	});

	test('the receiver is late: the one that leaves is killed', async () => {
		await marked('receiver');
		await sends();
		await kill(pid.leaving);
		go(pid.receiver);
		await settled([]);
	});

	test('the receiver is killed behind the mark', async () => {
		await marked('receiver');
		await kill(pid.receiver);
		await settled([pid.receiver, pid.leaving]);
	});

	test('the receiver is late: the broker is killed', async () => {
		await marked('receiver');
		await sends();
		await kill(pid.broker);
		go(pid.receiver);
		await settled([]);
	});

	test('the one that leaves is late, not dead', async () => {
		await marked('leaving');
		go(pid.leaving);
		await settled([]);
	});

	test('the one that leaves is too late', async () => {
		await marked('leaving');
		await until('the receiver to go on', () =>
			log('worker 0', /did not send its clients in time/));
		go(pid.leaving);
		await settled([pid.leaving]);
	});

	test('the one that leaves is killed behind the mark', async () => {
		await marked('leaving');
		await kill(pid.leaving);
		await settled([pid.leaving]);
	});

	test('the one that leaves is late: the receiver is killed', async () => {
		await marked('leaving');
		await kill(pid.receiver);
		go(pid.leaving);
		await settled([pid.receiver, pid.leaving]);
	});

	test('the one that leaves is late: the broker is killed', async () => {
		await marked('leaving');
		await kill(pid.broker);
		go(pid.leaving);
		await settled([]);
	});

	// The broker cannot be asked again for what has come behind the mark.
	test('events are behind the mark: the broker is killed', async () => {
		await marked('leaving');
		await publish();
		await sleep(100); // they are acknowledged
		await kill(pid.broker);
		await sleep(1200); // the receiver writes to it meanwhile
		go(pid.leaving);
		await settled([]);
	});
});
