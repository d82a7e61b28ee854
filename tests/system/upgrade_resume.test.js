// SPDX-License-Identifier: MIT
//
// pusher-js with a session, while another version takes over.  By TLS (see
// over_tls.test.js) it is told to come back once, and gets each event once;
// without TLS it notices nothing.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { publish } = require('./lib/http');
const official = require('./lib/official');
const programs = require('./lib/programs');
const { newId } = require('./lib/resume');

async function open(version, d, app) {
	const id = newId();
	const p = official.client(version, d, app, undefined,
		{ wsPath: `/app/resume/${id}` });
	const page = { version, p, got: [], words: [] };
	const channel = p.subscribe('room');
	channel.bind('e', (n) => page.got.push(n));
	channel.bind('pusher:resume', (w) => page.words.push(w.status));
	await until('its session', () => page.words.length === 1);
	return page;
}

test('pusher-js with a session gets each event once', async () => {
	const d = new Daemon({ workers: 2, drain_time: 1 });
	const app = d.app({ resume: 'on' });
	await d.start();
	const pages = [];
	for (const version of Object.keys(official.VERSIONS))
		pages.push(await open(version, d, app));
	const plain = await Client.connect(d, app); // it has no session
	await plain.subscribe('room');
	let n = 0;
	let over = false;
	const publisher = (async () => {
		while (!over) await publish(d, app, 'room', 'e', String(n++));
	})();
	const ends = publisher.catch(() => {}); // told below
	const moves = d.tls ? pages.length : 0;
	try {
		const r = await d.ctlAsync(['-j', 'upgrade', '--binary',
			programs.ofVersion(d, '0.1.1')]);
		assert.equal(r.code, 0, r.err);
		const report = JSON.parse(r.out);
		assert.equal(report.closed, 0);
		// The publisher's connection is one of them.
		assert.ok(d.tls ? report.tls_lingers > moves :
			report.tls_lingers === 0, r.out);
		await until('all that are to come back', () => pages.filter((page) =>
			page.words.length === 2).length === moves, 30000);
	} finally {
		over = true;
		await ends;
	}
	await publisher;
	const want = Array.from({ length: n }, (_, i) => i);
	for (const page of pages) {
		const name = `pusher-js ${page.version}`;
		await until(`${name} to have all`, () => page.got.length >= n);
		assert.deepEqual(page.got, want, name);
		assert.deepEqual(page.words,
			d.tls ? ['new', 'continued'] : ['new'], name);
		page.p.disconnect();
	}
	for (const i of want)
		assert.equal(await plain.expect('e'), String(i));
	await plain.close();
	await d.stop();
});
