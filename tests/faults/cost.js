// SPDX-License-Identifier: MIT
//
// S2: what one client, or many together, cost the others.  Connections send
// each kind of message that a client can send, as fast as it is taken; beside
// them a client of another app is published to and subscribes to a channel, up
// to 100 times a second.  How long both take is shown for each kind.  The noise
// comes from a process of its own; where there are two cores it has the second
// one, and the daemon and this process share the first.  `--short` is enough
// for the table of the README: node tests/faults/run.js --short cost
'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { fork, spawnSync } = require('node:child_process');
const os = require('node:os');
const { Client, frame, OP } = require('../system/lib/client');
const { Http, publish } = require('../system/lib/http');
const { SLOW } = require('../system/lib/daemon');
const { channelAuth, userAuth, signedTarget } = require('../system/lib/sign');
const { sleep } = require('./lib/actors');

const BOUND_MS = 500; // of 99 %, with what the machine itself costs
const MEMBERS = 100;
const MEMBER = 'presence-cost';
const CORES = os.cpus().length;

const text = (event, data, more = {}) => frame(OP.TEXT,
	JSON.stringify({ event, data, ...more }));
const many = (n, fn) => Buffer.concat(Array.from({ length: n }, (_, i) =>
	fn(i)).flat());
const inAndOut = (channel, more) => many(20, () => [
	text('pusher:subscribe', { channel, ...more }),
	text('pusher:unsubscribe', { channel })]);

function member(app, sid, id) {
	const data = JSON.stringify({ user_id: id,
		user_info: { x: 'y'.repeat(1000) } });
	return { channel: MEMBER, channel_data: data,
		auth: channelAuth(app, sid, MEMBER, data) };
}

// The messages that one connection writes again and again.
const KINDS = {
	nothing: () => null,
	'in and out of a plain channel': () => inAndOut('plain'),
	'in and out of a cache channel, 10 KB': () => inAndOut('cache-cost'),
	'in and out of presence, 100 x 1 KB': (app, c) => inAndOut(MEMBER,
		member(app, c.sid, 'noise')),
	'presence, 100 x 1 KB, again and again': (app, c) => many(100, () =>
		text('pusher:subscribe', member(app, c.sid, 'noise'))),
	'the same from 50 connections': (app, c) =>
		KINDS['presence, 100 x 1 KB, again and again'](app, c),
	'in and out of presence, 300 connections': (app, c) =>
		KINDS['in and out of presence, 100 x 1 KB'](app, c),
	'in and out of a plain channel, 300 connections': () =>
		inAndOut('plain'),
	'in and out of presence, each a user of its own, 300 connections':
		(app, c) => inAndOut(MEMBER, member(app, c.sid, c.sid)),
	'sign-in': (app, c) => {
		const data = JSON.stringify({ id: 'noise' });
		return many(100, () => text('pusher:signin',
			{ user_data: data, auth: userAuth(app, c.sid, data) }));
	},
	'client events': (app, c) => Buffer.concat([text('pusher:subscribe',
		{ channel: 'private-n', auth: channelAuth(app, c.sid, 'private-n') }),
	many(50, () => text('client-e', { x: 1 }, { channel: 'private-n' }))]),
	'client events, 300 connections': (app, c) =>
		KINDS['client events'](app, c),
	pings: () => many(50, () => text('pusher:ping', {})),
	'pings, 300 connections': () => KINDS.pings(),
	'bad messages': () => many(200, () => frame(OP.TEXT, '{"event":7}')),
	'GET /channels': (app) => many(50, () => Buffer.from(`GET ${signedTarget(
		app, 'GET', `/apps/${app.id}/channels`, {})} HTTP/1.1\r\n` +
		'Host: x\r\n\r\n')),
	'GET /nothing, 300 connections': () => many(100, () =>
		Buffer.from('GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n')),
	'POST without a signature, 1 MB, 300 connections': (app) => Buffer.from(
		`POST /apps/${app.id}/events HTTP/1.1\r\nHost: x\r\n` +
		'Content-Length: 1000000\r\n\r\n' + 'x'.repeat(1000000)),
};

// The process of the clients that cost: it keeps the members, and for each
// kind that it is told it opens connections which write until the next kind.
async function noise({ port, app }) {
	const d = { port, workerOf: () => null };
	const members = await Client.several(d, app, MEMBERS);
	for (const [i, c] of members.entries()) {
		await c.join(MEMBER, `u${i}`, { x: 'y'.repeat(1000) });
		c.onData = () => {};
	}
	let all = [];
	process.on('message', async (kind) => {
		for (const c of all.splice(0)) c.sock.destroy();
		const n = /(\d+) connections/.exec(kind)?.[1] ?? 1;
		if (/^(GET|POST)/.test(kind))
			all = await Promise.all(Array.from({ length: n },
				() => Http.connect(d)));
		else if (kind !== 'nothing')
			all = await Client.several(d, app, n);
		for (const c of all) writeForEver(c, { d, app, kind, all });
		process.send('all write');
	});
	process.send('the members are there');
}

function writeForEver(c, how) {
	const bytes = KINDS[how.kind](how.app, c);
	c.onData = () => {};
	c.sock.removeAllListeners('data');
	c.sock.on('data', () => {});
	c.sock.on('error', () => {});
	if (how.kind.startsWith('POST')) // refused and closed: comes again
		c.sock.once('close', async () => {
			if (!how.all.includes(c)) return; // this kind is over
			const next = await Http.connect(how.d).catch(() => null);
			how.all[how.all.indexOf(c)] = next ?? c;
			if (next) writeForEver(next, how);
		});
	const more = () => {
		if (c.gone || c.sock.destroyed) return;
		if (c.sock.write(bytes)) setImmediate(more);
		else c.sock.once('drain', more);
	};
	more();
}

function pin(core, ...pids) {
	if (CORES > 1)
		for (const pid of pids)
			spawnSync('taskset', ['-a', '-p', '-c', `${core}`, `${pid}`]);
}

async function measure(d, app, honest, ms) {
	const end = performance.now() + ms;
	const events = [], answers = [];
	for (let i = 0; performance.now() < end; i++) {
		const at = performance.now();
		await publish(d, app, 'calm', 'e', `${i}`);
		assert.equal(await honest.expect('e', 'calm'), `${i}`);
		events.push(performance.now() - at);
		await sleep(5);
		const asked = performance.now();
		await honest.subscribe('side');
		answers.push(performance.now() - asked);
		honest.unsubscribe('side');
	}
	const part = (all, q) => Number(all.sort((a, b) => a - b)[
		Math.floor(all.length * q)].toFixed(1));
	return [part(events, 0.5), part(events, 0.99), part(answers, 0.99)];
}

async function cost({ start, short }) {
	let calm;
	const { d, app } = await start({ workers: 1, max_bad_messages: 1000000 },
		{ client_events: 'on', max_client_events_per_second: 0,
			max_presence_members: 1000 },
		(daemon) => {
			calm = daemon.app();
			return [];
		});
	pin(0, process.pid, d.child.pid, ...['broker', 'courier', 'worker']
		.flatMap((role) => d.pidsOf(role)));
	const honest = await Client.connect(d, calm);
	await honest.subscribe('calm');
	await publish(d, app, 'cache-cost', 'e', 'x'.repeat(10000));
	const others = fork(__filename,
		[JSON.stringify({ port: d.port, app: { ...app } })], { silent: true });
	pin(1, others.pid);
	await once(others, 'message');
	const figures = {};
	for (const kind of Object.keys(KINDS)) {
		others.send(kind);
		await once(others, 'message');
		await sleep(short ? 100 : 300);
		const [p50, p99, answer] = await measure(d, calm, honest,
			short ? 500 : 5000);
		figures[kind] = `${p50} / ${p99} / ${answer} ms`;
		assert.ok(p99 < BOUND_MS * SLOW, `${kind}: ${p99} ms`);
		assert.ok(answer < BOUND_MS * SLOW,
			`${kind}: subscribed in ${answer} ms`);
		assert.ok(!honest.gone);
	}
	others.kill('SIGKILL');
	honest.sock.destroy();
	pin(`0-${CORES - 1}`, process.pid);
	return figures;
}

if (require.main === module) noise(JSON.parse(process.argv[2]));
else module.exports = cost;
