// SPDX-License-Identifier: MIT
//
// Output that nobody reads, with every bound at its default: a WebSocket
// client over client_buffer (1 MiB), one below it for client_buffer_age
// (10 s), an HTTP client that asks and asks and reads nothing, and a pusherctl
// that is stopped.  Each ends or waits as the documentation says, and the
// memory of the processes stays bounded meanwhile.
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { Client } = require('../system/lib/client');
const { Http, publish } = require('../system/lib/http');
const { signedTarget } = require('../system/lib/sign');
const { until, options, environment, PUSHERCTL, SLOW } =
	require('../system/lib/daemon');
const { Watcher, settle, sleep, isOpen } = require('./lib/actors');
const { memory } = require('../system/lib/process');

const MIB = 1 << 20;
const EVENT = 50000; // bytes of one that fills
const AGE_MS = 10000;
const MOST = 18 * MIB; // client_buffer, what a busy client may add, the kernel
const CACHED = 60000; // channels: 5 MiB of rows

const worst = (d) => Math.max(...d.pidsOf('worker').map((pid) => memory(pid)));

// A new client of `channel` that stops reading.
async function stalled(d, app, history, name, channel) {
	const w = await Watcher.open(d, app, history, name, [channel]);
	w.mayClose = true;
	w.port = w.sock.localPort;
	w.sock.pause();
	return w;
}

// The bytes that wait for it in the server, by pusherctl; null: it is gone.
function queued(d, w) {
	const row = d.ctl(['connections', 'list', '--sort', 'queued'])
		.find((r) => r.socket_id === w.sid);
	return row ? row.queued : null;
}

const closeOf = (d, w) => d.ctl(['closes'])
	.find((r) => r.address.endsWith(`:${w.port}`));

async function byBytes(d, app, history) {
	const w = await stalled(d, app, history, 'bytes', 'big');
	const honest = await Watcher.open(d, app, history, 'honest', ['big']);
	const before = worst(d);
	let most = 0;
	let seq = 0;
	for (let now = 0; now !== null && seq < 1000; now = queued(d, w)) {
		most = Math.max(most, now);
		if (closeOf(d, w)) break;
		for (let i = 0; i < 4; i++, seq++)
			await publish(d, app, 'big', 'n', `${seq + 1} ` +
				`${performance.now()} ${'x'.repeat(EVENT)}`);
	}
	for (let i = 1; i <= seq; i++) history.published('big', i, 200);
	const said = await until('its end', () => closeOf(d, w));
	assert.equal(said.code, 4100);
	assert.match(said.reason, /client_buffer \(1048576\)/);
	// Over the limit it is given 0.3 s to take something, in case that it
	// is only busy, and 16 MiB at most.
	assert.ok(seq * EVENT > MIB && seq * EVENT < MOST,
		`closed after ${seq} events`);
	assert.ok(most <= MOST, `${most} bytes waited`);
	assert.ok(worst(d) < before + MOST, `${worst(d) - before} bytes`);
	await settle([honest]);
	history.checkWatcher(honest);
	// All that is queued is still given to one who reads again.
	w.sock.resume();
	await until('the close frame', () => w.closed);
	assert.match(w.closed, /^4100 client reads too slowly/);
	assert.deepEqual(w.seen.get('big'), w.seen.get('big').map((_x, i) =>
		i + 1), 'nothing is skipped inside the open stream');
	await honest.leave();
	return { 'events until the close': seq, 'most bytes seen': most };
}

async function byAge(d, app, history) {
	const w = await stalled(d, app, history, 'age', 'small');
	let n = 0;
	while (queued(d, w) < 2 * EVENT && n++ < 1000)
		await publish(d, app, 'small', 'n', `${n} 0 ${'x'.repeat(EVENT)}`);
	const began = performance.now();
	const open = queued(d, w);
	assert.ok(open > 0 && open < MIB, `${open} bytes`);
	await until('its end', () => !isOpen(d, w.port), 3 * AGE_MS);
	const ms = performance.now() - began;
	assert.ok(ms > AGE_MS - 3000 && ms < AGE_MS + 5000 * SLOW, `${ms} ms`);
	const said = await until('the count', () => closeOf(d, w));
	assert.equal(said.code, 4100);
	assert.match(said.reason, /client_buffer_age/);
	w.sock.resume();
	await until('its end here', () => w.gone);
	return Math.round(ms);
}

// Many questions at once; no answer is read.
async function http(d, app) {
	const c = await Client.connect(d, app);
	for (let i = 0; i < 90; i++)
		await c.subscribe(`room-${i}-${'x'.repeat(140)}`);
	const h = await Http.connect(d);
	const target = signedTarget(app, 'GET', `/apps/${app.id}/channels`, {});
	const { text } = await h.ask('GET', target);
	assert.ok(text.length > 10000);
	h.sock.pause();
	const port = h.sock.localPort;
	const before = worst(d);
	const began = performance.now();
	const one = `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`;
	// 200 MiB of answers, if they were made.
	h.sock.write(one.repeat(Math.ceil(200 * MIB / text.length)));
	let most = 0;
	await until('its end', () => {
		most = Math.max(most, worst(d) - before);
		return !isOpen(d, port);
	}, 3 * AGE_MS);
	const ms = performance.now() - began;
	// Its socket may take a little more meanwhile, and the time begins
	// anew.
	assert.ok(ms > AGE_MS - 3000, `${ms} ms`);
	assert.ok(most < 8 * MIB * SLOW, `the worker has grown by ${most} bytes`);
	h.end();
	await c.close();
	return { ms: Math.round(ms), 'MiB grown': most >> 20 };
}

async function fill(d, app) {
	const h = await Http.connect(d);
	for (let i = 0; i < CACHED; i += 10) {
		const batch = Array.from({ length: 10 }, (_, k) => ({ name: 'e',
			channel: `cache-${i + k}`, data: '1' }));
		const a = await h.api(app, 'POST', '/batch_events',
			{ body: { batch } });
		assert.equal(a.status, 200);
	}
	h.end();
}

// A pusherctl that is stopped in the middle of a long list.
async function control(d, app) {
	await fill(d, app);
	const [broker] = d.pidsOf('broker');
	const before = memory(broker);
	const p = spawn(PUSHERCTL, [...options(d.conf), '-j', 'channels', app.id],
		{ env: environment(), stdio: ['ignore', 'pipe', 'inherit'] });
	let out = '';
	const ended = new Promise((ok) => p.on('close', ok));
	await new Promise((ok) => p.stdout.once('data', (b) => {
		p.kill('SIGSTOP');
		out += b;
		ok();
	}));
	p.stdout.on('data', (b) => { out += b; });
	await sleep(500);
	const grown = memory(broker) - before;
	assert.ok(grown < 8 * MIB * SLOW, `the broker has grown by ${grown} bytes`);
	// Nobody else waits for it.
	assert.ok(d.ctl(['status']).length > 0);
	await publish(d, app, 'cache-0', 'e', '2');
	p.kill('SIGCONT');
	assert.equal(await ended, 0);
	const rows = JSON.parse(out).filter((r) => /^cache-/.test(r.channel));
	assert.equal(rows.length, CACHED, 'the list is whole');
	return { rows: rows.length, 'MiB grown': grown >> 20 };
}

module.exports = async function output({ start, history }) {
	const { d, app } = await start({ workers: 2 },
		{ max_event_bytes: 100000 });
	const bytes = await byBytes(d, app, history);
	const [age, asks] = await Promise.all([byAge(d, app, history),
		http(d, app)]);
	return { bytes, 'ms by age': age, http: asks,
		control: await control(d, app) };
};
