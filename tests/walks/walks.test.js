// SPDX-License-Identifier: MIT
//
// from-soketi.md with soketi itself, from npm, and from-sockudo.md with Sockudo
// itself, which is the program SOCKUDO.  It runs with a configuration that it
// accepts; the page's commands take that over; pusherd listens where the other
// server did; and the client of before, which nobody has told anything, goes
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
const { client, connected, once, server: libraryOf } =
	require('../system/lib/official');
const { freePort } = require('../system/lib/port');
const { Receiver } = require('../system/lib/receiver');

const APP = { id: 'shop', key: 'shop-key', secret: 'shop-secret' };

// By page: the server's configuration for this port and URL of webhooks, and
// the command that starts it with the file.
const SERVERS = {
	soketi: {
		file: 'config.json',
		config: (port, url) => JSON.stringify({
			port, host: '127.0.0.1', 'metrics.enabled': false,
			'appManager.driver': 'array',
			'appManager.array.apps': [{ ...APP, maxConnections: 100,
				enabled: true, enableClientMessages: true,
				maxClientEventsPerSecond: 20,
				webhooks: [{ url, event_types: ['channel_occupied'],
					filter: { channel_name_starts_with: 'news' },
					headers: { 'X-Token': 'abc' } }] }] }),
		command(file) {
			assert.ok(peers.install(), 'npm has soketi');
			return ['node', `${peers.DIR}/node_modules/@soketi/soketi/` +
				'bin/server.js', 'start', `--config=${file}`];
		},
	},
	sockudo: {
		file: 'config.toml',
		config: (port, url) => `host = "127.0.0.1"
port = ${port}
[metrics]
enabled = false
[queue]
driver = "memory"
[app_manager]
driver = "memory"
[[app_manager.array.apps]]
id = "${APP.id}"
key = "${APP.key}"
secret = "${APP.secret}"
enabled = true
[app_manager.array.apps.policy.limits]
max_connections = 100
max_client_events_per_second = 20
[app_manager.array.apps.policy.features]
enable_client_messages = true
[[app_manager.array.apps.policy.webhooks]]
url = "${url}"
event_types = ["channel_occupied"]
request_timeout_ms = 5000
[app_manager.array.apps.policy.webhooks.filter]
channel_prefix = "news"
[app_manager.array.apps.policy.webhooks.headers]
X-Token = "abc"
`,
		command: (file) => [process.env.SOCKUDO, '--config', file],
	},
};

// The commands of a page, as they stand there.
const commands = (page) => [...fs.readFileSync(path.join(__dirname,
	`../../etc/doc/from-${page}.md`), 'utf8').matchAll(/^```sh\n([^]*?)^```$/gm)]
	.map((m) => m[1]).join('');

function takeOver(d, page) {
	const call = [PUSHERCTL, ...options(d.conf)].map((w) => `'${w}'`).join(' ');
	const r = spawnSync('bash', ['-c',
		`set -e; pusherctl() { ${call} "$@"; }\n${
		commands(page).replace('set APP ', `set ${APP.id} `)}`],
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
	// As large as these servers let it be if they are not told otherwise.
	const data = { text: 'x'.repeat(100000) };
	await lib.trigger('news', 'e', data);
	assert.deepEqual(await got, data);
}

for (const [name, server] of Object.entries(SERVERS))
	test(`from-${name}.md: clients, server library, webhooks`, {
		timeout: 120000 }, async () => {
		const port = await freePort();
		const receiver = await Receiver.start();
		const d = new Daemon({ listen: `127.0.0.1:${port}`,
			webhook_allow_private: 'on' });
		const hook = (h) => [h.headers['x-token'], h.headers['x-pusher-key'],
			h.json.events.map((e) => [e.name, e.channel])];
		const file = path.join(d.dir, server.file);
		const log = path.join(d.dir, `${name}.log`);
		fs.writeFileSync(file, server.config(port, receiver.url));
		const out = fs.openSync(log, 'a');
		const [program, ...args] = server.command(file);
		const other = spawn(program, args,
			{ stdio: ['ignore', out, out], cwd: d.dir });
		fs.closeSync(out);
		let p;
		try {
			await until(`${name} to listen`, () => {
				assert.equal(other.exitCode, null,
					fs.readFileSync(log, 'utf8'));
				return listens(port);
			}, 30000);
			p = await connected(client(8, { port }, APP));
			const news = p.subscribe('news');
			await once(news, 'pusher:subscription_succeeded');
			const lib = libraryOf({ port }, APP);
			await works(lib, p);
			await receiver.have(1);
			const before = receiver.hooks.map(hook);

			assert.match(takeOver(d, name), /max_connections/);
			other.kill('SIGKILL');
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
			other.kill('SIGKILL');
			await receiver.stop();
			await d.stop();
		}
	});
