// SPDX-License-Identifier: MIT
//
// from-soketi.md with soketi itself, from npm.  It runs with a configuration
// that it accepts; the page's commands take that over; pusherd listens where
// soketi did; and the client of before, which nobody has told anything, goes
// on, as do the server library and the webhooks.
'use strict';

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { test } = require('node:test');
const peers = require('../bench/peers/peers');
const { Daemon, PUSHERCTL, environment, options, until } =
	require('../system/lib/daemon');
const { client, connected, once, server } = require('../system/lib/official');
const { freePort } = require('../system/lib/port');
const { Receiver } = require('../system/lib/receiver');

const APP = { id: 'shop', key: 'shop-key', secret: 'shop-secret' };

// What soketi is started with, for this port and URL of webhooks.
const config = (port, url) => JSON.stringify({
	port, host: '127.0.0.1', 'metrics.enabled': false,
	'appManager.driver': 'array',
	'appManager.array.apps': [{ ...APP, maxConnections: 100, enabled: true,
		enableClientMessages: true, maxClientEventsPerSecond: 20,
		webhooks: [{ url, event_types: ['channel_occupied'],
			filter: { channel_name_starts_with: 'news' },
			headers: { 'X-Token': 'abc' } }] }] });

// The commands of the page, as they stand there.
const commands = /^```sh\n([^]*?)^```$/m.exec(fs.readFileSync(
	path.join(__dirname, '../../etc/doc/from-soketi.md'), 'utf8'))[1];

function takeOver(d) {
	const call = [PUSHERCTL, ...options(d.conf)].map((w) => `'${w}'`).join(' ');
	const r = spawnSync('bash', ['-c',
		`set -e; pusherctl() { ${call} "$@"; }\n${commands}`],
	{ cwd: d.dir, env: environment(), encoding: 'utf8', timeout: 30000 });
	assert.equal(r.status, 0, r.stdout + r.stderr);
	return r.stdout;
}

const listens = (port) => new Promise((ok) => {
	const s = net.connect(port, '127.0.0.1', () => { s.destroy(); ok(true); });
	s.on('error', () => ok(false));
});

async function works(lib, p) {
	const got = once(p.channel('news'), 'e');
	await lib.trigger('news', 'e', { n: 1 });
	assert.deepEqual(await got, { n: 1 });
}

test('from-soketi.md: clients, server library, webhooks', {
	timeout: 120000 }, async () => {
	assert.ok(peers.install(), 'npm has soketi');
	const port = await freePort();
	const receiver = await Receiver.start();
	const d = new Daemon({ listen: `127.0.0.1:${port}`,
		webhook_allow_private: 'on' });
	const hook = (h) => [h.headers['x-token'], h.headers['x-pusher-key'],
		h.json.events.map((e) => [e.name, e.channel])];
	const file = path.join(d.dir, 'config.json');
	const log = path.join(d.dir, 'soketi.log');
	fs.writeFileSync(file, config(port, receiver.url));
	const out = fs.openSync(log, 'a');
	const soketi = spawn('node', [`${peers.DIR}/node_modules/@soketi/soketi/` +
		'bin/server.js', 'start', `--config=${file}`],
	{ stdio: ['ignore', out, out], cwd: d.dir });
	fs.closeSync(out);
	let p;
	try {
		await until('soketi to listen', () => {
			assert.equal(soketi.exitCode, null, fs.readFileSync(log, 'utf8'));
			return listens(port);
		}, 30000);
		p = await connected(client(8, { port }, APP));
		const news = p.subscribe('news');
		await once(news, 'pusher:subscription_succeeded');
		const lib = server({ port }, APP);
		await works(lib, p);
		await receiver.have(1);
		const before = receiver.hooks.map(hook);

		assert.match(takeOver(d), /max_connections/);
		soketi.kill('SIGKILL');
		await until('its end', async () => !await listens(port));
		const again = once(news, 'pusher:subscription_succeeded', 30000);
		await d.start();
		await again;
		await works(lib, p);
		await receiver.have(2);
		assert.deepEqual(receiver.hooks.slice(1).map(hook), before);
		const [app] = d.ctl(['app', 'show', APP.id]);
		assert.deepEqual([app.max_connections, app.client_events,
			app.max_client_events_per_second], [100, true, 20]);
	} finally {
		p?.disconnect();
		soketi.kill('SIGKILL');
		await receiver.stop();
		await d.stop();
	}
});
