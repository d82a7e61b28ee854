// SPDX-License-Identifier: MIT
//
// Flow control: what one client asks for as fast as it can is paid by that
// client.  Nobody else is closed, refused or kept waiting for it.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, frame, OP } = require('./lib/client');
const { sleep, SLOW } = require('./lib/daemon');
const { Http, publish } = require('./lib/http');
const { channelAuth, signedTarget } = require('./lib/sign');
const { suite } = require('./lib/suite');

const FLOOD_MS = 2500;

const say = (event, data) => frame(OP.TEXT, JSON.stringify({ event, data }));

// Writes `bytes` again and again, as fast as they are taken; what comes back
// is thrown away.  Returns how often they were taken.
function flood(c, bytes, ms) {
	const end = performance.now() + ms;
	let n = 0;
	c.onData = () => {};
	return new Promise((ok) => {
		const more = () => {
			while (performance.now() < end && !c.gone) {
				n++;
				if (!c.sock.write(bytes)) return c.sock.once('drain', more);
			}
			ok(n);
		};
		setTimeout(() => ok(n), ms + 200);
		more();
	});
}

// In and out of each channel, many times.
const inAndOut = (...channels) => Buffer.concat(Array.from({ length: 100 },
	(_, i) => channels[i % channels.length]).flatMap((channel) => [
	say('pusher:subscribe', { channel }),
	say('pusher:unsubscribe', { channel })]));

// Publishes to `honest` during `ms`; all of it is accepted and arrives.
async function serve(d, app, honest, ms) {
	const end = performance.now() + ms;
	let worst = 0;
	for (let i = 0; performance.now() < end; i++) {
		const at = performance.now();
		await publish(d, app, 'calm', 'e', `${i}`);
		assert.equal(await honest.expect('e', 'calm'), `${i}`);
		worst = Math.max(worst, performance.now() - at);
		await sleep(5);
	}
	return worst;
}

suite('flow', (d) => {
	const app = d.app();

	const floods = {
		'S1: in and out of a cache channel that holds 10 KB': [3,
			inAndOut('cache-big')],
		'S1: one channel asked for again and again': [3, Buffer.concat(
			Array.from({ length: 200 }, () => say('pusher:subscribe',
				{ channel: 'cache-big' })))],
		'S3: in and out of plain channels': [8,
			inAndOut('p1', 'p2', 'p3', 'p4', 'p5')],
		'S2: pings': [2, Buffer.concat(Array.from({ length: 500 },
			() => say('pusher:ping', {})))],
	};
	for (const [name, [n, bytes]] of Object.entries(floods))
		test(name, async (t) => {
			const honest = await Client.connect(d, app);
			await honest.subscribe('calm');
			await publish(d, app, 'cache-big', 'e', 'x'.repeat(10000));
			const noisy = await Client.several(d, app, n);
			const done = noisy.map((c) => flood(c, bytes, FLOOD_MS));
			const worst = await serve(d, app, honest, FLOOD_MS);
			const sent = await Promise.all(done);
			t.diagnostic(`slowest ${worst.toFixed(0)} ms, writes ${sent}`);
			assert.ok(worst < 2000 * SLOW, `${worst} ms`);
			assert.ok(!honest.gone);
			assert.ok(noisy.every((c) => !c.gone), 'nobody is closed for it');
			for (const c of noisy) c.sock.destroy();
			await honest.close();
			assert.doesNotMatch(d.readLog(),
				/link (ended|to the broker lost)|does not read/);
		});

	test('S1: a refused subscription that was asked for again', async () => {
		const small = d.app({ max_presence_members: 1 });
		const [first, c] = await Client.several(d, small, 2);
		await first.join('presence-full', 'first');
		const data = JSON.stringify({ user_id: 'second' });
		const ask = say('pusher:subscribe', { channel: 'presence-full',
			channel_data: data,
			auth: channelAuth(small, c.sid, 'presence-full', data) });
		for (let i = 0; i < 10; i++) {
			c.sock.write(Buffer.concat(Array(40).fill(ask)));
			await sleep(20);
		}
		c.sock.write(say('pusher:ping', {}));
		let m;
		do m = await c.next();
		while (m.event !== 'pusher:pong');
		for (const x of [first, c]) await x.close();
	});

	test('L10: 150 cache channels of 10 KB asked for at once', async () => {
		const names = Array.from({ length: 150 }, (_, i) => `cache-l10-${i}`);
		for (let i = 0; i < names.length; i += 50)
			await publish(d, app, names.slice(i, i + 50), 'e',
				'x'.repeat(10000));
		const c = await Client.connect(d, app);
		c.sock.write(Buffer.concat(names.map((channel) =>
			say('pusher:subscribe', { channel }))));
		for (const name of names) {
			await c.expect('pusher_internal:subscription_succeeded', name);
			assert.equal((await c.expect('e', name)).length, 10000);
		}
		await c.close();
	});

	test('L10: 6 MB of batches at once for a client that reads', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('burst');
		const batch = Array.from({ length: 10 }, () =>
			({ channel: 'burst', name: 'e', data: 'x'.repeat(10000) }));
		// Prepared before: while this process computes, the client does not
		// read.
		const body = JSON.stringify({ batch });
		const target = signedTarget(app, 'POST',
			`/apps/${app.id}/batch_events`, { body });
		const https = await Promise.all(Array.from({ length: 60 },
			() => Http.connect(d)));
		const all = await Promise.all(https.map(async (h) =>
			(await h.ask('POST', target, body)).status));
		assert.deepEqual(all, Array(60).fill(200));
		for (let i = 0; i < 600; i++) await c.expect('e', 'burst');
		await c.close();
		for (const h of https) h.end();
	});
});

suite('a small client_buffer', (d) => {
	const app = d.app();

	test('L10: a list of members that is larger', async () => {
		const all = await Client.several(d, app, 60);
		for (const [i, c] of all.entries())
			await c.join('presence-large', `u${i}`, { x: 'y'.repeat(900) });
		const last = await Client.connect(d, app);
		const list = await last.join('presence-large', 'last', {});
		assert.equal(list.count, 61);
		await publish(d, app, 'presence-large', 'e', '1');
		assert.equal(await last.expect('e', 'presence-large'), '1');
		for (const c of [...all, last]) c.sock.destroy();
	});

	test('L10: a client that does not read is closed', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('slow');
		c.sock.pause();
		for (let i = 0; i < 400; i++) {
			await publish(d, app, 'slow', 'e', 'x'.repeat(10000));
			await sleep(2);
		}
		c.sock.resume();
		let n = 0;
		let f = await c.nextFrame();
		for (; f.opcode === OP.TEXT && /"e"/.test(f.payload); n++)
			f = await c.nextFrame();
		assert.match(String(f.payload), /client reads too slowly/);
		assert.ok(n < 400, `${n} events`);
		c.sock.destroy();
	});
}, { client_buffer: 32768 });
