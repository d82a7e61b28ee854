// SPDX-License-Identifier: MIT
//
// Compression with the clients of five languages and Chromium, as they offer
// it: each of them reads, in order, what was published to two channels, and the
// server reads what they compress.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { describe, test, before, after } = require('node:test');
const { launch, serve } = require('./lib/browser');
const { Client } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { Http } = require('./lib/http');
const { WIRES, Wire } = require('./lib/wires');

const EVENTS = 60;

// A list of rows after so many changes; small ones, too.
const state = (i) => JSON.stringify(i % 7 === 0 ? { é: i } : {
	rows: Array.from({ length: 12 + i % 5 }, (_, k) =>
		({ id: k * 7919, name: `Bestellung € ${k}`, n: k === i % 9 ? i : 0 })),
});

describe('compression: clients', () => {
	const d = new Daemon({ workers: 2 });
	const app = d.app();
	let chromium;

	before(async () => {
		chromium = await launch();
		await d.start();
	});
	after(async () => {
		await chromium?.close();
		await d.stop();
	});

	const publish = async () => {
		const h = await Http.connect(d);
		for (let i = 0; i < EVENTS; i++) {
			const r = await h.api(app, 'POST', '/events', { body: { name: 'e',
				channel: i % 3 ? 'a' : 'b', data: state(i) } });
			assert.equal(r.status, 200, r.text);
		}
		h.end();
	};
	const agreed = (sid) => {
		const [{ connection: c }] = d.ctl(['connections', 'show', sid]);
		assert.match(c.compression, /^permessage-deflate/);
		assert.ok(c.bytes_saved > 5 * state(1).length, String(c.bytes_saved));
	};

	for (const [name, command] of Object.entries(WIRES))
		test(name, async () => {
			const url = `ws://127.0.0.1:${d.port}/app/${app.key}` +
				'?protocol=7';
			const beside = await Client.connect(d, app); // plain
			await beside.subscribe('a');
			const c = new Wire(command, url);
			const { socket_id: sid } = JSON.parse(
				(await c.find('pusher:connection_established')).data);
			// Long enough for every client to compress it.
			for (const channel of ['a', 'b'])
				c.send({ event: 'pusher:subscribe', data: { channel,
					x: 'compress me '.repeat(200) } });
			await until('both', () => c.lines.filter((m) => m.event ===
				'pusher_internal:subscription_succeeded').length === 2);
			await publish();
			const got = () => c.lines.filter((m) => m.event === 'e');
			await until('all events', () => got().length >= EVENTS);
			assert.deepEqual(got().map((m) => m.data),
				Array.from({ length: EVENTS }, (_, i) => state(i)));
			agreed(sid);
			await c.end();
			await beside.close();
		});

	test('Chromium with pusher-js', async () => {
		const script = require.resolve('pusher-js/dist/web/pusher.js');
		assert.ok(fs.existsSync(script));
		const site = await serve({ '/pusher.js': script,
			'/': '<script src=/pusher.js></script>' });
		const page = await (await chromium.newContext()).newPage();
		await page.goto(site.url);
		await page.evaluate(([key, port]) => {
			window.got = [];
			window.pusher = new window.Pusher(key, { wsHost: '127.0.0.1',
				wsPort: port, forceTLS: false, enabledTransports: ['ws'],
				disableStats: true, cluster: 'local' });
			return Promise.all(['a', 'b'].map((name) => new Promise((ok) => {
				const channel = window.pusher.subscribe(name);
				channel.bind('e', (data) => window.got.push(data));
				channel.bind('pusher:subscription_succeeded', ok);
			})));
		}, [app.key, d.port]);
		await publish();
		await page.waitForFunction((n) => window.got.length >= n, EVENTS);
		assert.deepEqual(await page.evaluate(() => window.got),
			Array.from({ length: EVENTS }, (_, i) => JSON.parse(state(i))));
		agreed(await page.evaluate(() =>
			window.pusher.connection.socket_id));
		await page.close();
		await site.stop();
	});
});
