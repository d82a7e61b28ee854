// SPDX-License-Identifier: MIT
//
// pusher-js itself, unmodified and in each major version, does not notice that
// another version of the server takes over.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Daemon, until } = require('./lib/daemon');
const { publish } = require('./lib/http');
const official = require('./lib/official');
const programs = require('./lib/programs');

// A page with the events of two channels, and everything that it was told of
// its connection and of the other members.
async function open(version, d, app, auth) {
	const p = official.client(version, d, app, auth,
		{ user: `user-${version}` });
	await official.connected(p);
	const page = { version, p, got: [], noticed: [],
		socketId: p.connection.socket_id };
	for (const name of ['private-room', 'presence-room']) {
		const channel = p.subscribe(name);
		await official.once(channel, 'pusher:subscription_succeeded');
		channel.bind('e', (n) => page.got.push(`${name} ${n}`));
	}
	return page;
}

function watch(page) {
	const note = (what) => (data) => page.noticed.push([what, data]);
	for (const e of ['state_change', 'error', 'disconnected'])
		page.p.connection.bind(e, note(e));
	for (const e of ['pusher:subscription_succeeded',
		'pusher:subscription_error', 'pusher:member_added',
		'pusher:member_removed'])
		for (const channel of page.p.allChannels())
			channel.bind(e, note(e));
}

test('pusher-js stays connected over upgrades there and back', async () => {
	const d = new Daemon({ workers: 2 });
	const app = d.app({ client_events: 'on' });
	await d.start();
	const auth = await official.authServer(official.server(d, app));
	const pages = [];
	for (const version of Object.keys(official.VERSIONS))
		pages.push(await open(version, d, app, auth));
	await until('each to know all members', () => pages.every((page) =>
		page.p.channel('presence-room').members.count === pages.length));
	pages.forEach(watch);

	const want = [];
	let over = false;
	const publisher = (async () => {
		for (let n = 0; !over; n++)
			for (const channel of ['private-room', 'presence-room']) {
				await publish(d, app, channel, 'e', String(n));
				want.push(`${channel} ${n}`);
			}
	})();
	const ends = publisher.catch(() => {}); // told below
	try {
		for (const version of ['0.1.1', '0.1.0']) {
			const r = await d.ctlAsync(['-j', 'upgrade', '--binary',
				programs.ofVersion(d, version)]);
			assert.equal(r.code, 0, r.err);
			assert.equal(JSON.parse(r.out).closed, 0);
		}
	} finally {
		over = true;
		await ends;
	}
	await publisher;

	// Messages of a page reach the others, as before.
	pages[0].p.channel('private-room').trigger('client-hello', 'x');
	await Promise.all(pages.slice(1).map((page) =>
		official.once(page.p.channel('private-room'), 'client-hello')));
	for (const page of pages) {
		const name = `pusher-js ${page.version}`;
		await until(`${name} to have all`, () =>
			page.got.length >= want.length);
		assert.deepEqual(page.got, want, name);
		assert.deepEqual(page.noticed, [], name);
		assert.equal(page.p.connection.state, 'connected');
		assert.equal(page.p.connection.socket_id, page.socketId);
	}
	for (const page of pages) page.p.disconnect();
	await auth.stop();
	await d.stop();
});
