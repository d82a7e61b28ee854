// SPDX-License-Identifier: MIT
//
// The memory that a worker and the broker share: one area for each link, also
// after a death or an upgrade, and a server that works when there is none.
// Events that nobody hears do not wake the broker at once, and that is nobody's
// loss.
'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { api, onEachWorker, publish } = require('./lib/http');

// The descriptors of a process that are rings, as files.
const ringFiles = (pid) => fs.readdirSync(`/proc/${pid}/fd`)
	.map((fd) => `/proc/${pid}/fd/${fd}`)
	.filter((file) => {
		try {
			return /memfd:ring/.test(fs.readlinkSync(file));
		} catch {
			return false; // closed meanwhile
		}
	});

// How many a process has: descriptors, and mappings.
const rings = (pid) => ({ fds: ringFiles(pid).length,
	maps: fs.readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')
		.filter((l) => /memfd:ring/.test(l)).length });

// Each worker has one ring, and the broker one for each of them.
const allHaveOne = (d, n) => d.pidsOf('worker').length === n &&
	d.pidsOf('worker').every((pid) =>
		rings(pid).fds === 1 && rings(pid).maps === 1) &&
	d.pidsOf('broker').length === 1 &&
	rings(d.pidsOf('broker')[0]).maps === n &&
	rings(d.pidsOf('broker')[0]).fds === 0;

async function arrives(d, app, clients, text) {
	await publish(d, app, 'room', 'e', text);
	for (const c of clients) assert.equal(await c.expect('e'), text);
}

async function running(n) {
	const d = new Daemon({ workers: n });
	const app = d.app();
	await d.start();
	const clients = await Client.onEachWorker(d, app);
	for (const c of clients) await c.subscribe('room');
	return { d, app, clients };
}

test('one ring for each link, whatever ends', async () => {
	const { d, app, clients } = await running(2);
	d.allow(/was killed by signal 9/, /another one in/);
	const have = (when) => until(`one ring each ${when}`, () =>
		allHaveOne(d, 2));
	await have('at the start');
	await arrives(d, app, clients, 'first');
	const [broker] = d.pidsOf('broker');
	process.kill(broker, 'SIGKILL');
	await until('another broker', () => d.pidsOf('broker').some((pid) =>
		pid !== broker));
	await have('after the death of the broker');
	await arrives(d, app, clients, 'second');
	const old = d.pidsOf('worker');
	for (const slot of ['0', '1']) d.ctl(['worker', 'replace', slot]);
	await until('other workers', () => d.pidsOf('worker').every((pid) =>
		!old.includes(pid)));
	await have('after the workers have been replaced');
	await arrives(d, app, clients, 'third');
	await closeAll(clients);
	process.kill(d.pidsOf('worker')[0], 'SIGKILL');
	await have('after the death of a worker');
	await d.stop();
});

test('a broker that cannot share memory serves by the sockets', async () => {
	const { d, app, clients } = await running(2);
	d.allow(/was killed by signal 9/, /another one in/,
		/no memory is shared with a worker/);
	await closeAll(clients);
	// No file, and no memory with a descriptor, may be that large.
	execFileSync('prlimit', ['--pid', String(d.pidsOf('broker')[0]),
		'--fsize=65536:']);
	const old = d.pidsOf('worker');
	for (const pid of old) process.kill(pid, 'SIGKILL');
	await until('other workers', () => d.pidsOf('worker').length === 2 &&
		d.pidsOf('worker').every((pid) => !old.includes(pid)));
	const others = await Client.onEachWorker(d, app);
	for (const c of others) await c.subscribe('room');
	for (let i = 0; i < 5; i++)
		await arrives(d, app, others, String(i).repeat(5000));
	for (const pid of d.pidsOf('worker'))
		assert.deepEqual(rings(pid), { fds: 0, maps: 0 });
	assert.match(d.readLog(), /broker.*link: no memory is shared with a worker/);
	const found = d.ctl(['doctor'])[0].findings.filter((f) =>
		f.kind === 'link');
	assert.equal(found.length, 1);
	assert.match(found[0].finding, /these workers go by a socket.*: 0, 1\./);
	assert.match(found[0].seen, /no memory is shared with a worker/);
	assert.match(found[0].mend, /LimitFSIZE=infinity/);
	await closeAll(others);
	await d.stop();
});

const limit = (pid, n) => execFileSync('prlimit',
	['--pid', String(pid), `--nofile=${n}:`]);

// A limit that leaves room for one or two of the descriptors of a worker's link,
// when it has closed those that it has: each takes the lowest free number.
const roomForFew = (pid) => 1 + Number(path.basename(ringFiles(pid)[0]));

for (const [what, room, says] of [['a ring', roomForFew,
	/worker 0.*link: the broker's memory cannot be used/],
['its link', () => 3, /worker 0.*cannot read from the master: Too many open/]])
	test(`a worker without descriptors for ${what} goes on`, async () => {
		const { d, app, clients } = await running(1);
		const [worker] = d.pidsOf('worker');
		const killBroker = async () => {
			const [broker] = d.pidsOf('broker');
			process.kill(broker, 'SIGKILL');
			await until('another broker', () => d.pidsOf('broker').some((pid) =>
				pid !== broker));
		};
		d.allow(/was killed by signal 9/, /accept paused/, says);
		limit(worker, room(worker));
		await killBroker();
		await until('the log to say so', () => says.test(d.readLog()));
		if (what === 'its link') limit(worker, 500);
		await until('the link', async () => (await api(d, app, 'POST',
			'/events', { body: { channel: 'other', name: 'e', data: '' } }))
			.status === 200);
		await arrives(d, app, clients, 'first');
		assert.deepEqual(rings(worker), what === 'its link' ?
			{ fds: 1, maps: 1 } : { fds: 0, maps: 0 });
		const found = () => d.ctl(['doctor'])[0].findings.filter((f) =>
			f.kind === 'link');
		assert.equal(found().length, what === 'its link' ? 0 : 1);
		for (const f of found()) {
			assert.match(f.finding, /these workers go by a socket.*: 0\./);
			assert.match(f.mend, /LimitNOFILE/);
		}
		limit(worker, 500);
		await killBroker();
		await until('a ring', () => rings(worker).maps === 1);
		assert.deepEqual(found(), []);
		await arrives(d, app, clients, 'second');
		assert.deepEqual(d.pidsOf('worker'), [worker]);
		await closeAll(clients);
		await d.stop();
	});

// As a worker does that has been taken over: the positions are at the front.
const SPOILS = [['noise in its positions', (file) => {
	const fd = fs.openSync(file, 'r+');
	fs.writeSync(fd, crypto.randomBytes(256), 0, 256, 0);
	fs.closeSync(fd);
}], ['noise in all of it', (file) => {
	const { size } = fs.statSync(file);
	const fd = fs.openSync(file, 'r+');
	fs.writeSync(fd, crypto.randomBytes(size), 0, size, 0);
	fs.closeSync(fd);
}], ['holes', (file) => execFileSync('fallocate', ['--punch-hole',
	'--length', String(fs.statSync(file).size), file])]];

for (const [what, spoil] of SPOILS)
	test(`${what}: the broker and the other worker go on`, async () => {
		const { d, app, clients: [hit, other] } = await running(2);
		const https = await onEachWorker(d);
		const [broker] = d.pidsOf('broker');
		let sent = 0;
		const goesOn = async () => {
			const r = await https[1].api(app, 'POST', '/events',
				{ body: { channel: 'room', name: 'e', data: `${++sent}` } });
			assert.equal(r.status, 200, r.text);
			assert.equal(await other.expect('e'), `${sent}`);
		};
		d.allow(/worker \d.*(had dropped|events may be missing|exited with)/);
		spoil(ringFiles(hit.worker)[0]);
		await until('its end', async () => {
			await goesOn();
			return /worker \d: link ended/.test(d.readLog());
		});
		await until('another ring', () => allHaveOne(d, 2));
		await goesOn();
		assert.deepEqual(d.pidsOf('broker'), [broker]);
		assert.ok(d.pidsOf('worker').includes(other.worker));
		hit.sock.destroy();
		for (const h of https) h.end();
		await other.close();
		await d.stop();
	});

// What the broker sends in the moment of the hand-over is the next process's.
test('no event is lost between two processes of a slot', async () => {
	const { d, app, clients } = await running(2);
	let published = 0;
	let busy = true;
	const publisher = async () => {
		while (busy) {
			const batch = Array.from({ length: 10 }, () => (
				{ channel: 'room', name: 'e', data: String(published++) }));
			const r = await api(d, app, 'POST', '/batch_events',
				{ body: { batch } });
			assert.equal(r.status, 200, r.text);
		}
	};
	const publishers = Promise.all(Array.from({ length: 8 }, publisher));
	try {
		for (let i = 0; i < 30; i++)
			await until('another process', async () => (await d.ctlAsync(
				['worker', 'replace', String(i % 2)])).code === 0);
	} finally {
		busy = false;
	}
	await publishers;
	for (const c of clients) {
		const seen = new Set();
		while (seen.size < published) seen.add(await c.expect('e'));
	}
	assert.ok(!/link to the broker lost/.test(d.readLog()), 'one link');
	await closeAll(clients);
	await d.stop();
});

// Some connections to each worker, and events that have no subscriber until
// the workers know it.
async function unheard(d, app) {
	const https = [];
	for (let i = 0; i < 6; i++) https.push(...await onEachWorker(d));
	const send = async (h, channel, data) => {
		const r = await h.api(app, 'POST', '/events', { body: {
			name: 'e', channel, data } });
		assert.equal(r.status, 200, r.text);
	};
	for (let i = 0; i < 100; i++)
		await Promise.all(https.map((h) => send(h, 'nobody', String(i))));
	return { https, send };
}

const events = (d) => d.ctl(['status'])[0].server.events;

test('an event without subscribers is known once it is answered', async () => {
	const d = new Daemon({ workers: 2 });
	const app = d.app();
	await d.start();
	const { https, send } = await unheard(d, app);
	assert.equal(events(d), 100 * https.length);
	// The broker looks for itself: no worker can tell it anything.
	const sizes = [];
	for (let i = 0; i < 10; i++) {
		for (let k = 0; k < 10; k++)
			await Promise.all(https.map((h) =>
				send(h, 'cache-a', 'x'.repeat(k < 9 ? 99 : i))));
		for (const pid of d.pidsOf('worker')) process.kill(pid, 'SIGSTOP');
		const [channel] = d.ctl(['channel', app.name, 'cache-a']);
		for (const pid of d.pidsOf('worker')) process.kill(pid, 'SIGCONT');
		sizes.push(channel.channel.cached_bytes);
	}
	assert.deepEqual(sizes, sizes.map((_, i) => sizes[0] + i));
	// Through the other worker: the stored event of now, then the next ones.
	const clients = await Client.onEachWorker(d, app);
	for (let i = 0; i < 10; i++) {
		const name = `cache-${i}`;
		for (const h of https) await send(h, name, 'old');
		for (const c of clients) {
			await c.subscribe(name);
			assert.equal(await c.expect('e', name), 'old');
		}
		for (const h of https) await send(h, name, 'new');
		for (const c of clients)
			for (const h of https)
				assert.equal(await c.expect('e', name), 'new', h);
	}
	await closeAll(clients);
	for (const h of https) h.end();
	await d.stop();
});

test('no event without subscribers is lost with its worker', async () => {
	const d = new Daemon({ workers: 1 });
	const app = d.app();
	await d.start();
	d.allow(/was killed by signal 9/, /another one in/);
	for (let round = 0; round < 5; round++) {
		const { https, send } = await unheard(d, app);
		const before = events(d);
		await Promise.all(https.map((h) => send(h, 'nobody', 'last')));
		const [pid] = d.pidsOf('worker');
		if (round % 2 === 0) process.kill(pid, 'SIGKILL');
		else d.ctl(['worker', 'replace', '0']);
		assert.equal(events(d), before + https.length);
		for (const h of https) h.end();
		await until('another worker', () => d.pidsOf('worker').length === 1 &&
			d.pidsOf('worker')[0] !== pid);
	}
	await d.stop();
});
