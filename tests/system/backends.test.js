// SPDX-License-Identifier: MIT
//
// The programs of etc/doc/backends.md, as the page prints them: unmodified
// pusher-js is let in by their endpoints and gets what they publish.
'use strict';

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const WebSocket = require('ws');
const Pusher = require('pusher-js');
const { blocksOf } = require('./lib/blocks');
const { Daemon, SLOW, until } = require('./lib/daemon');
const { needs } = require('./lib/deps');
const { connected, once } = require('./lib/official');
const { freePort } = require('./lib/port');

const PAGE = fs.readFileSync(path.resolve(__dirname,
	'../../etc/doc/backends.md'), 'utf8');
// The credentials, and the client, of every program.
const [EXPORT] = blocksOf('backends.md', 'sh');
const [CLIENT] = blocksOf('backends.md', 'js');
// The blocks of code below a heading.
const blocks = (heading) => [...PAGE.split(`\n## ${heading}\n`)[1]
	.split('\n## ')[0].matchAll(/^```\w+\n([^]*?)^```/gm)].map((m) => m[1]);

const python = (dir, text) => {
	fs.writeFileSync(`${dir}/server.py`, text);
	return [`${__dirname}/python/venv/bin/python`, [`${dir}/server.py`]];
};

// By heading: how to start its program, in a directory of its own.
const PROGRAMS = {
	'Node.js'(dir, text) {
		fs.writeFileSync(`${dir}/server.js`, text);
		return [process.execPath, [`${dir}/server.js`]];
	},
	Python: python,
	Django: python,
	Rails(dir, text, port) {
		needs('rails');
		fs.writeFileSync(`${dir}/config.ru`, text);
		return ['rackup', ['-E', 'production', '-o', '127.0.0.1',
			'-p', String(port), `${dir}/config.ru`]];
	},
	Java(dir, text) {
		fs.writeFileSync(`${dir}/Server.java`, text);
		return ['java', ['-cp', `${__dirname}/java/jars/*`,
			`${dir}/Server.java`]];
	},
	Go(dir, text) {
		for (const file of ['go.mod', 'go.sum'])
			fs.copyFileSync(`${__dirname}/go/${file}`, `${dir}/${file}`);
		fs.writeFileSync(`${dir}/main.go`, text);
		const r = spawnSync('go', ['build', '-buildvcs=false', '-o', 'server',
			'.'], { cwd: dir, encoding: 'utf8', timeout: 120000 * SLOW,
			env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly' } });
		assert.equal(r.status, 0, r.stderr);
		return [`${dir}/server`, []];
	},
};

describe('backends.md', () => {
	const d = new Daemon({ workers: 1 });
	let app;
	let env;

	before(async () => {
		app = d.app();
		await d.start();
		const r = spawnSync('bash', ['-ec', `${EXPORT.replace('101', app.id)
			.replace('KEY=…', `KEY=${app.key}`)
			.replace('SECRET=…', `SECRET=${app.secret}`)
			.replace('6001', d.port)}\nprintenv -0`], { encoding: 'utf8' });
		assert.equal(r.status, 0, r.stderr);
		env = Object.fromEntries(r.stdout.split('\0').filter(Boolean)
			.map((line) => /^([^=]+)=([^]*)$/.exec(line).slice(1)));
	});
	after(() => d.stop());

	for (const [heading, make] of Object.entries(PROGRAMS))
		test(heading, async () => {
			const dir = fs.mkdtempSync(path.join(d.dir, 'backend-'));
			const port = await freePort();
			const [text] = blocks(heading);
			const p = spawn(...make(dir, text, port), { stdio: 'ignore', env: {
				...env, PORT: port, no_proxy: '*',
				NODE_PATH: `${__dirname}/node_modules` } });
			const url = `http://127.0.0.1:${port}`;
			let c;
			try {
				// Java compiles it first.
				await until('the program to listen', () => fetch(url,
					{ method: 'POST' }).then((r) => r.ok, () => false),
				60000);
				c = await connected(new Function('Pusher', 'KEY', 'here',
					`return ${CLIENT.replace('/* host and port */', '...here,')
						.replace('/pusher', `${url}/pusher`)}`)(Pusher, app.key,
				{ wsHost: '127.0.0.1', wsPort: d.port, forceTLS: false,
					enabledTransports: ['ws'], cluster: 'local' }));
				const room = c.subscribe('presence-room');
				await once(room, 'pusher:subscription_succeeded');
				assert.deepEqual(room.members.me, { id: '1',
					info: { name: 'Ann' } });
				const orders = c.subscribe('private-orders');
				await once(orders, 'pusher:subscription_succeeded');
				const paid = once(orders, 'paid');
				await fetch(url, { method: 'POST' });
				assert.deepEqual(await paid, { order: 7 });
			} finally {
				c?.disconnect();
				p.kill();
			}
		});

	test('a page without a library', async () => {
		const [text, call] = blocks('A page without a library');
		const listen = new Function('WebSocket', `${text}; return listen`)(
			WebSocket);
		const got = [];
		const socket = new Function('listen', 'KEY', 'console',
			`return ${call.replace('6001', d.port)}`)(listen, app.key,
			{ log: (event, data) => got.push([event, data]) });
		try {
			await until('the subscription', () => got.length > 0);
			d.ctl(['publish', app.id, 'news', 'e', '{"a":1}']);
			await until('the event', () => got.length > 1);
			assert.deepEqual(got.map(([e]) => e),
				['pusher_internal:subscription_succeeded', 'e']);
			assert.deepEqual(JSON.parse(got[1][1]), { a: 1 });
		} finally {
			socket.close();
		}
	});
});
