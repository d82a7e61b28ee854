// SPDX-License-Identifier: MIT
//
// The file of a Unix socket that clients connect to: its owner, its mode, also
// after a reload, and what happens when it is removed.
'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, becomes, until } = require('./lib/daemon');

const NOBODY = 65534;
const root = process.getuid() === 0;

// A daemon that also listens on d.sock; d.write() writes its configuration.
async function start(conf, mode) {
	const d = new Daemon({ workers: 2, ...conf, listen: undefined });
	delete d.conf.listen;
	d.sock = path.join(d.dir, 'web.sock');
	d.file = path.join(d.dir, 'p.conf');
	d.write = (unix, more = '') => fs.writeFileSync(d.file,
		`listen 127.0.0.1:0\nlisten unix:${d.sock} ${unix}\n${more}`);
	d.write(mode);
	d.served = d.app();
	if (conf.user) {
		fs.chmodSync(d.file, 0o644);
		execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, d.dir]);
		fs.chmodSync(d.dir, 0o755);
	}
	await d.start(['-c', d.file]);
	return d;
}

const modeOf = (d) => fs.statSync(d.sock).mode & 0o777;
const reload = (d) => d.ctlRaw(['-c', d.file, 'reload']);
const connect = (d) => Client.connect(d, d.served,
	{ sock: () => net.connect({ path: d.sock }) });

for (const [what, conf] of [['as it is', {}],
	...(root ? [['by root, as nobody', { user: 'nobody' }]] : [])]) {
	test(`started ${what}: the group may connect, and a reload sets the mode`,
		async () => {
			const d = await start(conf, 'mode=0660');
			try {
				const s = fs.statSync(d.sock);
				const want = conf.user ? NOBODY : process.getuid();
				assert.deepEqual([s.uid, s.gid], [want, conf.user ? NOBODY :
					process.getgid()]);
				assert.equal(modeOf(d), 0o660);
				d.allow(/reload: nothing has changed/);
				d.write('mode=0600', 'listen 127.0.0.1:0 role=nobody\n');
				assert.equal(reload(d).code, 1);
				assert.equal(modeOf(d), 0o660, 'after an error');
				d.write('mode=0600');
				assert.equal(reload(d).code, 0);
				assert.equal(modeOf(d), 0o600);
				await (await connect(d)).close();
				await d.stop();
			} finally {
				d.kill();
			}
		});

	test(`started ${what}: a socket that is removed is made again`, async () => {
		const d = await start(conf, 'mode=0606');
		try {
			d.allow(/unix:.*web\.sock was removed: it is made again/,
				/worker \d was killed by signal 9/);
			const stays = await connect(d);
			fs.unlinkSync(d.sock);
			await until('the socket', () => fs.existsSync(d.sock));
			await becomes(() => modeOf(d), 0o606);
			await (await connect(d)).close();
			// The next processes have it, too.
			const [{ worker }] = d.ctl(['connections', 'list']);
			const [other] = d.pidsOf(`worker ${1 - worker}`);
			process.kill(other, 'SIGKILL');
			await until('the next worker', () =>
				/worker \d: ready again/.test(d.readLog()));
			await stays.sync();
			for (let i = 0; i < 8; i++) await (await connect(d)).close();
			fs.unlinkSync(d.sock);
			await until('the socket again', () => fs.existsSync(d.sock));
			assert.equal(reload(d).code, 0);
			await (await connect(d)).close();
			await stays.close();
			await d.stop();
			assert.ok(!fs.existsSync(d.sock), 'it goes with the server');
		} finally {
			d.kill();
		}
	});
}

test('a socket that cannot be made again is told, and nothing else ends',
	async () => {
		const d = await start({}, 'mode=0600');
		try {
			d.allow(/unix:.* was removed, and no client can connect there/);
			const stays = await connect(d);
			const away = `${d.dir}-away`;
			const sub = path.join(d.dir, 'sub');
			fs.mkdirSync(sub);
			const old = d.sock;
			d.sock = path.join(sub, 'web.sock');
			d.write('mode=0600');
			assert.equal(reload(d).code, 0);
			assert.ok(!fs.existsSync(old));
			fs.renameSync(sub, away);
			await until('the warning', () =>
				/was removed, and no client can/.test(d.readLog()));
			await stays.sync();
			fs.renameSync(away, sub);
			await (await connect(d)).close();
			await stays.close();
			await d.stop();
		} finally {
			d.kill();
		}
	});
