// SPDX-License-Identifier: MIT
//
// X-Idempotency-Key over deaths and replacements: a request that is repeated
// gets its first answer, and its event comes once, whichever process has gone
// between the two.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { describe, test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, sleep, until } = require('./lib/daemon');
const { Http, onEachWorker } = require('./lib/http');
const { enter, newId, open } = require('./lib/resume');

const KILLED = /was killed by signal 9|link to the broker lost/;

async function daemon(conf = {}) {
	const d = new Daemon({ workers: 2, log_level: 'info', ...conf });
	const app = d.app({ max_backend_events_per_second: 0 });
	d.allow(KILLED);
	await d.start();
	const c = await Client.connect(d, app);
	await c.subscribe('room');
	return { d, app, c };
}

// The answer has the number of subscribers, so that another one shows.
function send(h, app, key, more = {}) {
	return h.api(app, 'POST', '/events', {
		body: { name: 'e', channel: 'room', data: key,
			info: 'subscription_count' },
		headers: { 'X-Idempotency-Key': key, ...more } });
}

async function onOne(d, app, key, more) {
	const h = await Http.connect(d);
	const r = await send(h, app, key, more);
	h.end();
	return r;
}

// Repeats it through every worker; another subscriber would be counted.
async function repeat(d, app, key, first) {
	assert.equal(first.status, 200, first.text);
	for (const h of await onEachWorker(d)) {
		const r = await send(h, app, key);
		assert.equal(r.status, 200, r.text);
		assert.equal(r.text, first.text, key);
		h.end();
	}
}

async function killBroker(d) {
	const [pid] = d.pidsOf('broker');
	const open = () => d.readLog().split('resync: complete').length;
	const before = open();
	process.kill(pid, 'SIGKILL');
	await until('another broker', () => open() > before);
}

async function killWorkers(d) {
	const old = d.pidsOf('worker');
	for (const pid of old) process.kill(pid, 'SIGKILL');
	await until('other workers', () => {
		const now = d.pidsOf('worker');
		return now.length === old.length && now.every((p) => !old.includes(p));
	});
	await until('them to serve', async () => {
		const https = await onEachWorker(d);
		for (const h of https) h.end();
		return https.length === old.length;
	});
}

async function upgrade(d) {
	const old = d.pidsOf('broker').concat(d.pidsOf('worker'));
	d.signal('SIGUSR2');
	await until('the end of the upgrade', () =>
		/upgrade: done/.test(d.readLog()) &&
		old.every((pid) => !fs.existsSync(`/proc/${pid}`)));
}

async function replaceWorkers(d) {
	for (let n = 0; n < 2; n++) {
		const r = await d.ctlAsync(['-j', 'worker', 'replace', String(n)]);
		assert.equal(r.code, 0, r.err);
		await until('the old process to be gone', () =>
			!fs.existsSync(`/proc/${JSON.parse(r.out).was}`));
	}
}

// Each of these events has come, once, and no other one.
async function expectOnce(d, app, c, keys) {
	const got = [];
	assert.equal((await onOne(d, app, 'the end')).status, 200);
	do got.push(await c.expect('e', 'room'));
	while (got.at(-1) !== 'the end');
	assert.deepEqual(got.slice(0, -1).sort(), [...keys].sort());
}

describe('a key is known', () => {
	const ways = {
		'after the death of the broker': [killBroker],
		'after the deaths of two brokers': [killBroker, killBroker],
		'after an upgrade': [upgrade],
		'after an upgrade and a death': [upgrade, killBroker],
		'after worker replace and a death': [replaceWorkers, killBroker],
	};
	for (const [name, steps] of Object.entries(ways))
		test(name, async () => {
			const { d, app, c } = await daemon();
			await d.run(async () => {
				const long = 'k'.repeat(255);
				const first = [await onOne(d, app, 'a'),
					await onOne(d, app, long)];
				const more = await Client.connect(d, app);
				await more.subscribe('room');
				for (const step of steps) {
					await step(d);
					await repeat(d, app, 'a', first[0]);
				}
				await repeat(d, app, long, first[1]);
				await expectOnce(d, app, c, ['a', long]);
				await more.close();
				await c.close();
			});
		});

	test('after the deaths of all processes but the master', async () => {
		const { d, app, c } = await daemon();
		d.allow(/reset/);
		await d.run(async () => {
			const first = await onOne(d, app, 'a');
			const [broker] = d.pidsOf('broker');
			process.kill(broker, 'SIGSTOP');
			process.kill(broker, 'SIGKILL');
			await killWorkers(d);
			const other = await Client.connect(d, app);
			await other.subscribe('room');
			await repeat(d, app, 'a', first);
			await expectOnce(d, app, other, []);
			c.destroy();
			await other.close();
		});
	});
});

describe('a request that is under way when the broker dies', () => {
	// The broker has given the key and reads nothing more: the event and the
	// answer are lost with it, and the worker sends both again.
	test('has been answered', async () => {
		const { d, app, c } = await daemon({ workers: 1 });
		await d.run(async () => {
			const [broker] = d.pidsOf('broker');
			const [worker] = d.pidsOf('worker');
			const h = await Http.connect(d);
			await h.ask('GET', '/up');
			const stopped = (pid) => until('it to stand still', () => / T /
				.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8')));
			const stop = async (pid) => {
				process.kill(pid, 'SIGSTOP');
				await stopped(pid);
			};
			await stop(broker);
			const asked = h.api(app, 'POST', '/events', { body:
				{ name: 'e', channel: 'room', data: 'x' },
			headers: { 'X-Idempotency-Key': 'x' } });
			await sleep(100); // the worker asks for the key
			await stop(worker);
			process.kill(broker, 'SIGCONT');
			await sleep(100); // the broker gives it
			await stop(broker);
			process.kill(worker, 'SIGCONT');
			const first = await asked;
			assert.equal(first.status, 200);
			await killBroker(d);
			for (let i = 0; i < 2; i++) {
				const r = await h.api(app, 'POST', '/events', { body:
					{ name: 'e', channel: 'room', data: 'again' },
				headers: { 'X-Idempotency-Key': 'x' } });
				assert.deepEqual([r.status, r.text], [200, first.text]);
			}
			await expectOnce(d, app, c, ['x']);
			h.end();
			await c.close();
		});
	});

	test('waits for receipts', async () => {
		const d = new Daemon({ workers: 2, log_level: 'info' });
		const app = d.app({ resume: 'on' });
		d.allow(KILLED);
		await d.start();
		await d.run(async () => {
			const mute = await open(d, app, newId());
			await enter(mute, 'room');
			mute.answerPings = false;
			const asked = onOne(d, app, 'a', { 'X-Pusherd-Confirm': '8s' });
			await mute.expect('e', 'room');
			await killBroker(d);
			const first = await asked;
			assert.equal(first.text, '{"channels":{}}');
			await repeat(d, app, 'a', first);
			await killBroker(d);
			await repeat(d, app, 'a', first);
			mute.destroy();
		});
	});

	// Whatever the moment: a client that repeats until it has an answer.
	test('at any moment', async () => {
		const { d, app, c } = await daemon();
		await d.run(async () => {
			const keys = [];
			const first = new Map();
			let going = true;
			const publisher = async (name) => {
				for (let i = 0; going; i++) {
					const key = `${name}-${i}`;
					let r;
					do r = await onOne(d, app, key);
					while (r.status === 503);
					assert.equal(r.status, 200, r.text);
					keys.push(key);
					first.set(key, r.text);
				}
			};
			const all = ['a', 'b', 'c', 'd'].map(publisher);
			for (let i = 0; i < 3; i++) {
				await sleep(200);
				await killBroker(d);
			}
			going = false;
			await Promise.all(all);
			assert.ok(keys.length > 100, `${keys.length}`);
			const https = await onEachWorker(d);
			for (const key of keys)
				for (const h of https)
					assert.equal((await send(h, app, key)).text,
						first.get(key), key);
			for (const h of https) h.end();
			await expectOnce(d, app, c, keys);
			await c.close();
		});
	});
});
