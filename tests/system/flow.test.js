// SPDX-License-Identifier: MIT
//
// Flow control: what one client asks for as fast as it can is paid by that
// client.  Nobody else is closed, refused or kept waiting for it.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, frame, OP } = require('./lib/client');
const { sleep, SLOW } = require('./lib/daemon');
const { publish } = require('./lib/http');
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
});
