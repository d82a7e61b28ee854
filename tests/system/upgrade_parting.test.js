// SPDX-License-Identifier: MIT
//
// The slot of a worker is handed over while it closes a client with a session:
// the client has been asked for its last confirmation, and has not answered.  And
// a client whose TLS stays behind has its session only after that.
'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test, before, after } = require('node:test');
const tls = require('node:tls');
const { Client, OP } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { begin, datas, enter, newId, open } = require('./lib/resume');
const { Authority } = require('./lib/tls');

const EVENTS = ['0', '1', '2'];
const WAITS = /waits for last confirmations/g;

describe('a hand-over while a client is closed', () => {
	const d = new Daemon({ log_level: 'debug' });
	const app = d.app({ resume: 'on' });

	before(() => d.start());
	after(() => d.stop());

	// It has confirmed none of its events when it is closed.
	async function part() {
		const { id, c } = await begin(d, app, 'x');
		c.answerPings = false;
		for (const i of EVENTS) await publish(d, app, 'x', 'e', i);
		for (const i of EVENTS) assert.equal(await c.expect('e', 'x'), i);
		c.keepPings = true;
		d.ctl(['connections', 'kill', c.sid, '--reconnect']);
		return { id, c };
	}

	const waits = () => d.readLog().match(WAITS)?.length ?? 0;

	// .done: its answer
	async function replace() {
		const n = waits();
		const done = d.ctlAsync(['-j', 'worker', 'replace', '0']);
		await until('the hand-over to wait', () => waits() > n);
		return { done };
	}

	async function replaced({ done }) {
		const r = await done;
		assert.equal(r.code, 0, r.err);
		assert.equal(JSON.parse(r.out).closed, 0, r.out);
	}

	// It is read: the pings before the answer to one of its own.
	async function questions(c) {
		const all = [];
		c.sendFrame(OP.PING, 'here');
		for (;;) {
			const f = await c.nextFrame();
			if (f.opcode === OP.PONG) return all;
			assert.equal(f.opcode, OP.PING);
			all.push(f.payload);
		}
	}

	test('waits for its last confirmation', async () => {
		const { id, c } = await part();
		const hand = await replace();
		c.sendFrame(OP.PONG, (await questions(c)).at(-1));
		await c.expectFatal(4200);
		await replaced(hand);
		const again = await open(d, app, id);
		assert.deepEqual(datas(await enter(again, 'x')), []);
		await again.close();
	});

	test('waits no longer than for any client, and serves the others',
		async () => {
			const { id, c } = await part();
			const other = await Client.connect(d, app);
			const hand = await replace();
			await other.subscribe('x');
			await publish(d, app, 'x', 'e', '3');
			assert.equal(await other.expect('e', 'x'), '3');
			assert.ok((await questions(c)).length > 0); // not closed yet
			await c.expectFatal(4200);
			await replaced(hand);
			const again = await open(d, app, id);
			assert.deepEqual(datas(await enter(again, 'x')),
				[...EVENTS, '3']);
			for (const one of [other, again]) await one.close();
		});

	test('that fails meanwhile: the client is asked all the same', async () => {
		d.allow(/was killed by signal/, /is not replaced/, /new process has ended/);
		const { id, c } = await part();
		const before = Object.keys(d.processes());
		const hand = await replace();
		const [fresh] = Object.entries(d.processes()).filter(([pid, title]) =>
			!before.includes(pid) && /: worker 0$/.test(title));
		process.kill(Number(fresh[0]), 'SIGKILL');
		const r = await hand.done;
		assert.deepEqual([r.code, /new process has ended/.test(r.err)],
			[1, true], r.err);
		c.sendFrame(OP.PONG, (await questions(c)).at(-1));
		await c.expectFatal(4200);
		const again = await open(d, app, id);
		assert.deepEqual(datas(await enter(again, 'x')), []);
		await again.close();
	});
});

test('a session that begins by TLS of an earlier process ends that', async () => {
	const authority = new Authority();
	const d = new Daemon({ listen: ['127.0.0.1:0', '127.0.0.1:0 tls'],
		tls_certificate: authority.file('cert.pem'),
		tls_key: authority.file('key.pem') });
	const app = d.app({ resume: 'on' });
	await d.start();
	const sock = tls.connect({ port: d.ports[1], host: '127.0.0.1',
		ca: authority.ca, servername: 'localhost' });
	await once(sock, 'session'); // the ticket behind the server's handshake
	const r = await d.ctlAsync(['-j', 'worker', 'replace', '0']);
	assert.equal(JSON.parse(r.out).tls_lingers, 1, r.out);
	const id = newId();
	const c = await open(d, app, id, { sock: () => sock });
	await enter(c, 'x');
	await c.expectFatal(4200);
	await until('the earlier process to leave', () =>
		d.pidsOf('TLS').length === 0);
	const again = await open(d, app, id);
	assert.deepEqual(datas(await enter(again, 'x')), []);
	await again.close();
	await d.stop();
	authority.remove();
});
