// SPDX-License-Identifier: MIT
//
// Where the server lives: a directory that is somebody else's, the rest of a
// server that has died, the first process of a container, another user.
'use strict';

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, until, sleep, options, environment, PUSHERD, PUSHERCTL } =
	require('./lib/daemon');

const root = process.getuid() === 0;

test('T6: a stopped worker of a killed server, a stranger has its number',
	async () => {
		const d = new Daemon({ workers: 2 });
		const app = d.app();
		await d.start();
		const [, stopped] = d.pidsOf('worker');
		process.kill(stopped, 'SIGSTOP');
		d.signal('SIGKILL');
		await d.exited;
		await until('the others to leave', () =>
			Object.keys(d.processes()).length === 1);
		// The number in the file may be anybody's by now.
		fs.writeFileSync(path.join(d.conf.runtime_dir, 'lock'),
			`${process.pid}\n`);
		const next = new Daemon(d.conf);
		next.remove();
		next.dir = d.dir;
		next.allow(/waiting until the processes of a server that died/,
			new RegExp(`worker \\d \\(pid ${stopped}\\) is left over`),
			/the master is gone|link to the broker/);
		await next.start();
		assert.deepEqual(d.processes(), {});
		await (await Client.connect(next, app)).close();
		await next.stop();
	});

test('T6: a server that runs is named by who really holds the lock',
	async () => {
		const d = new Daemon({ workers: 1 });
		d.app();
		await d.start();
		const lock = path.join(d.conf.runtime_dir, 'lock');
		fs.writeFileSync(lock, `${process.pid}\n`);
		const r = spawnSync(PUSHERD, [...options(d.conf), '-F'], {
			env: environment(), encoding: 'utf8', timeout: 20000 });
		assert.equal(r.status, 1);
		assert.match(r.stderr, new RegExp(
			`another pusherd.*master \\(pid ${d.child.pid}\\)`));
		assert.doesNotMatch(r.stderr, new RegExp(`\\b${process.pid}\\b`));
		await d.stop();
	});

test('O6: as the first process of a container it stays, without -F',
	async () => {
		const d = new Daemon({ workers: 1 });
		d.app();
		const p = spawn('unshare', [...(root ? [] : ['--user', '--map-root']),
			'--pid', '--fork', '--kill-child', PUSHERD, ...options(d.conf)],
		{ env: environment(), cwd: d.dir,
			stdio: ['ignore', 'pipe', 'pipe'] });
		let text = '';
		p.stderr.on('data', (b) => { text += b; });
		const exited = new Promise((ok) => p.on('exit', ok));
		await until('it to serve', () => /ready: listening/.test(text));
		await sleep(300);
		assert.equal(p.exitCode, null, text);
		const inner = fs.readFileSync(
			`/proc/${p.pid}/task/${p.pid}/children`, 'utf8').trim();
		process.kill(Number(inner), 'SIGTERM');
		assert.equal(await exited, 0, text);
		d.remove();
	});

test('O7: runtime_dir that all may write into: a directory of its own in it',
	async () => {
		const d = new Daemon({ workers: 1 });
		const app = d.app();
		const shared = d.conf.runtime_dir;
		fs.mkdirSync(shared);
		fs.chmodSync(shared, 0o777);
		if (root) fs.chownSync(shared, 12345, 12345);
		d.spawn();
		d.conf.runtime_dir = path.join(shared, 'pusherd');
		const file = path.join(d.conf.runtime_dir, 'listen');
		await until('it to serve', () => fs.existsSync(file) &&
			/ready: listening/.test(d.readLog()));
		d.port = Number(/:(\d+)/.exec(fs.readFileSync(file, 'utf8'))[1]);
		await (await Client.connect(d, app)).close();
		assert.equal(fs.statSync(d.conf.runtime_dir).mode & 0o777, 0o700);
		const r = d.ctlRaw(['-o', `runtime_dir=${shared}`, 'status']);
		assert.equal(r.code, 0, r.err);
		await d.stop();
	});

if (root) {
	test('T8: a daemon without /dev/null says what is missing', () => {
		const d = new Daemon({ workers: 1 });
		d.app();
		const r = spawnSync('unshare', ['--mount', 'sh', '-c',
			'mount -t tmpfs none /dev && exec "$0" "$@"', PUSHERD,
			...options(d.conf)],
		{ env: environment(), encoding: 'utf8', timeout: 20000 });
		assert.equal(r.status, 1);
		assert.match(r.stderr, /become a daemon: \/dev\/null: No such file/);
		d.remove();
	});

	test('a database on a file system that is read-only', () => {
		const d = new Daemon();
		d.app();
		const db = path.join(d.dir, 'ro');
		fs.mkdirSync(db, { mode: 0o700 });
		fs.renameSync(d.conf.database, `${db}/apps.db`);
		const r = spawnSync('unshare', ['--mount', 'sh', '-c',
			`mount --bind ${db} ${db} && mount -o remount,bind,ro ${db} && ` +
			'exec "$0" "$@"', PUSHERD, ...options({ ...d.conf,
				database: `${db}/apps.db` }), '-t'],
		{ env: environment(), encoding: 'utf8', timeout: 20000 });
		assert.equal(r.status, 1);
		assert.match(r.stderr, /apps\.db: its file system is read-only: mount it/);
		d.remove();
	});

	test('O8: -t reads what a reload reads, with the rights of the user',
		() => {
			const d = new Daemon({ user: 'nobody' });
			d.app();
			fs.chmodSync(d.dir, 0o755);
			const key = path.join(d.dir, 'key.pem');
			const cert = path.join(d.dir, 'cert.pem');
			assert.equal(spawnSync('openssl', ['req', '-x509', '-newkey',
				'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-days', '90',
				'-keyout', key, '-out', cert]).status, 0);
			fs.chmodSync(cert, 0o644);
			const file = path.join(d.dir, 'p.conf');
			fs.writeFileSync(file, '');
			fs.chmodSync(file, 0o644);
			const t = () => spawnSync(PUSHERD, [...options({ ...d.conf,
				listen: '127.0.0.1:0 tls', tls_certificate: cert,
				tls_key: key }), '-t', '-c', file],
			{ env: environment(), encoding: 'utf8' });
			fs.chmodSync(key, 0o600);
			let r = t();
			assert.equal(r.status, 1);
			assert.match(r.stderr, /key\.pem/);
			fs.chownSync(key, 65534, 65534);
			r = t();
			assert.equal(r.status, 0, r.stderr);
			fs.chmodSync(file, 0o600);
			r = t();
			assert.equal(r.status, 1);
			assert.match(r.stderr,
				/p\.conf as the user nobody: .*: give the file to a group/);
			// The default file, too, which no -c names.
			const etc = path.join(d.dir, 'etc');
			fs.mkdirSync(`${etc}/pusherd`, { recursive: true });
			for (const name of ['passwd', 'group'])
				fs.copyFileSync(`/etc/${name}`, `${etc}/${name}`);
			fs.writeFileSync(`${etc}/pusherd/pusherd.conf`, '', { mode: 0o600 });
			r = spawnSync('unshare', ['--mount', 'sh', '-c',
				`mount --bind ${etc} /etc && exec "$0" "$@"`, PUSHERD,
				...options(d.conf), '-t'],
			{ env: environment(), encoding: 'utf8' });
			assert.match(r.stderr,
				/\/etc\/pusherd\/pusherd\.conf as the user nobody: /);
			assert.equal(r.status, 1);
			// Who calls pusherctl is told, too.
			r = spawnSync('setpriv', ['--reuid=65534', '--clear-groups',
				PUSHERCTL, '-c', file, 'status'],
			{ env: environment(), encoding: 'utf8' });
			assert.equal(r.status, 1);
			assert.match(r.stderr,
				/p\.conf: Permission denied: run this as root, or as a user /);
			d.remove();
		});

	test('O13: links planted beside the database lead root nowhere',
		async () => {
			const d = new Daemon({ user: 'nobody', workers: 1 });
			const db = path.join(d.dir, 'db');
			const mine = path.join(d.dir, 'of-root');
			fs.chmodSync(d.dir, 0o755);
			fs.mkdirSync(db);
			fs.chownSync(db, 65534, 65534);
			d.conf.database = path.join(db, 'apps.db');
			const start = () => spawnSync(PUSHERD, [...options(d.conf), '-F'],
				{ env: environment(), encoding: 'utf8', timeout: 10000 });
			const create = () => spawnSync(PUSHERCTL, [...options(d.conf),
				'app', 'create'], { env: environment(), encoding: 'utf8' });
			const untouched = (text) => {
				const st = fs.statSync(mine);
				assert.deepEqual([st.uid, st.size, st.mode & 0o777],
					[0, text.length, 0o600]);
				assert.equal(fs.readFileSync(mine, 'utf8'), text);
			};
			const plant = { 'symbolic link': () => fs.symlinkSync(mine,
				d.conf.database),
			'hard link': () => fs.linkSync(mine, d.conf.database) };
			for (const [name, link] of Object.entries(plant))
				for (const text of ['', 'a secret of root']) {
					fs.writeFileSync(mine, text, { mode: 0o600 });
					link();
					for (const run of [start, create]) {
						const r = run();
						assert.equal(r.status, 1, `${name}: ${r.stderr}`);
						untouched(text);
					}
					fs.rmSync(d.conf.database);
				}
			// One that leads to where there is nothing yet.
			fs.rmSync(mine);
			fs.symlinkSync(mine, d.conf.database);
			for (const run of [start, create]) {
				assert.equal(run().status, 1);
				assert.ok(!fs.existsSync(mine));
			}
			fs.rmSync(d.conf.database);
			// The same beside the lock and the pid file.
			d.app();
			assert.equal(fs.statSync(d.conf.database).uid, 65534);
			for (const file of [path.join(d.conf.runtime_dir, 'lock'),
				path.join(db, 'pid')]) {
				fs.mkdirSync(d.conf.runtime_dir, { recursive: true });
				fs.chownSync(d.conf.runtime_dir, 65534, 65534);
				fs.writeFileSync(mine, 'text', { mode: 0o600 });
				fs.linkSync(mine, file);
				d.conf.pid_file = path.join(db, 'pid');
				const r = start();
				assert.equal(r.status, 1, r.stderr);
				untouched('text');
				fs.rmSync(file);
			}
			await d.start();
			await d.stop();
		});

	test('O11: started by root: the group may use the control socket',
		async () => {
			const d = new Daemon({ user: 'nobody', workers: 1 });
			d.app();
			fs.chmodSync(d.dir, 0o755);
			fs.mkdirSync(path.join(d.dir, 'db'));
			fs.renameSync(d.conf.database, path.join(d.dir, 'db/apps.db'));
			d.conf.database = path.join(d.dir, 'db/apps.db');
			fs.chownSync(path.join(d.dir, 'db'), 65534, 65534);
			await d.start();
			const st = fs.statSync(d.conf.runtime_dir);
			assert.equal(st.mode & 0o777, 0o710);
			assert.equal(st.uid, 65534);
			const as = (gid) => spawnSync('setpriv', ['--reuid=12345',
				`--regid=${gid}`, '--clear-groups', PUSHERCTL,
				...options(d.conf), 'status'],
			{ env: environment(), encoding: 'utf8' });
			const r = as(65534);
			assert.equal(r.status, 0, r.stderr);
			assert.notEqual(as(12345).status, 0);
			await d.stop();
		});
}
