// SPDX-License-Identifier: MIT
//
// etc/doc/backup.md, command by command, as it stands there: the copies hold
// what the server has, and what was deleted comes back from them.
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, PUSHERCTL, options, environment } = require('./lib/daemon');

const page = fs.readFileSync(
	path.resolve(__dirname, '../../etc/doc/backup.md'), 'utf8');
const blocks = [...page.matchAll(/^```sh\n(.*?)^```/gms)].map((m) => m[1]);

// Runs a block of the page; without blocking the clients of this process.
function run(d, block) {
	const state = path.dirname(d.conf.database);
	const call = [PUSHERCTL, ...options(d.conf)].map((w) => `'${w}'`).join(' ');
	const script = `set -e; pusherctl() { ${call} "$@"; }\n${
		block.replaceAll('/var/lib/pusherd', state)}`;
	return new Promise((resolve) => {
		const p = spawn('bash', ['-c', script], { cwd: d.dir,
			env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
		let out = '';
		p.stdout.on('data', (b) => { out += b; });
		p.stderr.on('data', (b) => { out += b; });
		p.on('close', (code) => resolve({ code, out }));
	});
}

test('backup.md: each command does what the page says', async () => {
	const d = new Daemon();
	const [one, two] = [d.app({ max_connections: 9 }), d.app()];
	await d.start();
	d.ctl(['webhook', 'add', one.id, 'https://hooks.example/a']);
	const c = await Client.connect(d, one);
	const reveal = () => [one, two].map((a) =>
		d.ctl(['app', 'show', '--reveal', a.id]));
	const before = reveal();
	assert.equal(blocks.length, 3);

	const saved = await run(d, blocks[0]);
	assert.equal(saved.code, 0, saved.out);
	for (const file of ['apps.json', 'apps-copy.db', 'outbox-copy.db'])
		assert.equal(fs.statSync(path.join(d.dir, file)).mode & 0o077, 0);

	d.ctl(['app', 'set', one.id, 'max_connections=5']);
	d.ctl(['webhook', 'remove', '1']);
	d.ctl(['app', 'delete', '--yes', two.id]);
	const back = await run(d, blocks[1]);
	assert.equal(back.code, 0, back.out);
	assert.match(back.out, /max_connections/);
	assert.deepEqual(reveal(), before);
	assert.equal(d.ctl(['webhook', 'list'])[0].url, 'https://hooks.example/a');
	await c.subscribe('still-there');
	await (await Client.connect(d, two)).close();

	// The copy of the database is one that a server can start with.
	const copy = new Daemon();
	fs.copyFileSync(path.join(d.dir, 'apps-copy.db'), copy.conf.database);
	await copy.start();
	await (await Client.connect(copy, one)).close();
	await copy.stop();

	const drained = await run(d, blocks[2]);
	assert.equal(drained.code, 0, drained.out);
	assert.deepEqual(d.pidsOf('worker'), []);
	await c.ended(5000);
	await d.stop();
});
