// SPDX-License-Identifier: MIT
//
// S2: what one client costs the others.  One connection sends each kind of
// message that a client can send, as fast as it is taken; beside it another
// client is published to, 200 times a second.  How long that takes is shown
// for each kind; the noise comes from a thread of its own.  `--short` is
// enough for the table of the README: node tests/faults/run.js cost
'use strict';

const assert = require('node:assert/strict');
const { Worker, isMainThread, workerData } = require('node:worker_threads');
const { Client, frame, OP } = require('../system/lib/client');
const { Http, publish } = require('../system/lib/http');
const { SLOW } = require('../system/lib/daemon');
const { channelAuth, userAuth, signedTarget } = require('../system/lib/sign');
const { sleep } = require('./lib/actors');

const MEMBERS = 100;
const MEMBER = 'presence-cost';

const text = (event, data, more = {}) => frame(OP.TEXT,
	JSON.stringify({ event, data, ...more }));
const many = (n, fn) => Buffer.concat(Array.from({ length: n }, (_, i) =>
	fn(i)).flat());
const inAndOut = (channel, more) => many(100, () => [
	text('pusher:subscribe', { channel, ...more }),
	text('pusher:unsubscribe', { channel })]);

function member(app, sid, id) {
	const data = JSON.stringify({ user_id: id,
		user_info: { x: 'y'.repeat(1000) } });
	return { channel: MEMBER, channel_data: data,
		auth: channelAuth(app, sid, MEMBER, data) };
}

// What one connection writes again and again.
const KINDS = {
	nothing: () => null,
	'in and out of a plain channel': () => inAndOut('plain'),
	'in and out of a cache channel, 10 KB': () => inAndOut('cache-cost'),
	'in and out of presence, 100 x 1 KB': (app, c) => inAndOut(MEMBER,
		member(app, c.sid, 'noise')),
	'presence, 100 x 1 KB, again and again': (app, c) => many(100, () =>
		text('pusher:subscribe', member(app, c.sid, 'noise'))),
	'sign-in': (app, c) => {
		const data = JSON.stringify({ id: 'noise' });
		return many(100, () => text('pusher:signin',
			{ user_data: data, auth: userAuth(app, c.sid, data) }));
	},
	'client events': (app, c) => Buffer.concat([text('pusher:subscribe',
		{ channel: 'private-n', auth: channelAuth(app, c.sid, 'private-n') }),
	many(200, () => text('client-e', { x: 1 }, { channel: 'private-n' }))]),
	pings: () => many(500, () => text('pusher:ping', {})),
	'bad messages': () => many(200, () => frame(OP.TEXT, '{"event":7}')),
	'GET /channels': (app) => many(50, () => Buffer.from(`GET ${signedTarget(
		app, 'GET', `/apps/${app.id}/channels`, {})} HTTP/1.1\r\n` +
		'Host: x\r\n\r\n')),
};

// The thread: one connection that writes until it is ended.
async function noise({ port, app, kind }) {
	const d = { port, workerOf: () => null };
	const c = kind.startsWith('GET') ? await Http.connect(d) :
		await Client.connect(d, app);
	const bytes = KINDS[kind](app, c);
	c.onData = () => {};
	c.sock.removeAllListeners('data');
	c.sock.on('data', () => {});
	const more = () => {
		while (!c.gone && !c.sock.destroyed)
			if (!c.sock.write(bytes)) return c.sock.once('drain', more);
	};
	more();
}

async function measure(d, app, honest, ms) {
	const end = performance.now() + ms;
	const all = [];
	for (let i = 0; performance.now() < end; i++) {
		const at = performance.now();
		await publish(d, app, 'calm', 'e', `${i}`);
		assert.equal(await honest.expect('e', 'calm'), `${i}`);
		all.push(performance.now() - at);
		await sleep(5);
	}
	all.sort((a, b) => a - b);
	return [0.5, 0.99].map((q) => Number(all[Math.floor(all.length * q)]
		.toFixed(1)));
}

async function cost({ start, short }) {
	const { d, app } = await start({ workers: 1, max_bad_messages: 1000000 },
		{ client_events: 'on', max_client_events_per_second: 0 });
	const honest = await Client.connect(d, app);
	await honest.subscribe('calm');
	await publish(d, app, 'cache-cost', 'e', 'x'.repeat(10000));
	const members = await Client.several(d, app, MEMBERS);
	for (const [i, c] of members.entries()) {
		await c.join(MEMBER, `u${i}`, { x: 'y'.repeat(1000) });
		c.onData = () => {};
	}
	const figures = {};
	for (const kind of Object.keys(KINDS)) {
		const worker = kind === 'nothing' ? null : new Worker(__filename,
			{ workerData: { port: d.port, app: { ...app }, kind } });
		await sleep(300);
		const [p50, p99] = await measure(d, app, honest, short ? 1500 : 5000);
		figures[kind] = `${p50} / ${p99} ms`;
		await worker?.terminate();
		assert.ok(p99 < 1000 * SLOW, `${kind}: ${p99} ms`);
		assert.ok(!honest.gone);
	}
	for (const c of [...members, honest]) c.sock.destroy();
	return figures;
}

if (isMainThread) module.exports = cost;
else noise(workerData);
