// SPDX-License-Identifier: MIT
//
// Reasons why pusherd does not start, and how it says so: one clear sentence,
// an exit code that is not 0, and nothing left behind.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { test, describe } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, PUSHERCTL, PUSHERD, environment, options, until, SLOW, WRAP } =
	require('./lib/daemon');

// Runs pusherd to its end.
function run(d, args, { env = {}, conf = d.conf } = {}) {
	const r = spawnSync(PUSHERD, [...options(conf), ...args], {
		env: { ...environment(), ...env }, cwd: d.dir, encoding: 'utf8',
		timeout: 30000 * SLOW });
	assert.equal(r.error, undefined, `${r.error}`);
	assert.doesNotMatch(r.stderr, /Sanitizer|runtime error:/);
	return r;
}

function refuses(what, setup, pattern, { args = ['-F'], env, conf } = {}) {
	test(what, async () => {
		const d = new Daemon();
		d.app();
		Object.assign(d.conf, conf);
		const undo = await setup?.(d);
		const r = run(d, args, { env });
		undo?.();
		d.remove();
		assert.ok(r.status > 0, `exit ${r.status} ${r.signal}`);
		assert.match(r.stderr, pattern);
		if (!/usage:/.test(r.stderr))
			assert.ok(r.stderr.trim().split('\n').length <= 2,
				`one sentence:\n${r.stderr}`);
	});
}

// The first file that is written, and the database.
for (const kib of [0, 1])
	test(`no file may be larger than ${kib} KiB`, () => {
		const d = new Daemon();
		const limited = (program, ...args) => spawnSync('bash', ['-c',
			`ulimit -f ${kib}; exec "$0" "$@"`, program,
			...options(d.conf), ...args], { env: environment(),
			cwd: d.dir, encoding: 'utf8', timeout: 30000 * SLOW });
		const r = limited(PUSHERD, '-F');
		assert.equal(r.status, 1, `${r.signal} ${r.stderr}`);
		assert.match(r.stderr, /no file may be larger than \d+ bytes.*ulimit -f/);
		assert.match(r.stderr, /cannot .*(File too large|disk I\/O error)/);
		d.app();
		const ctl = limited(PUSHERCTL, 'app', 'create');
		assert.equal(ctl.status, 1, `${ctl.signal} ${ctl.stderr}`);
		assert.match(ctl.stderr, /full|I\/O error|too large/);
		d.remove();
	});

describe('start errors', () => {
	for (const [key, value, pattern] of [
		['workers', '0', /workers.*0.*1/], ['workers', '65', /workers.*64/],
		['workers', 'many', /workers.*many/], ['workers', '-1', /workers/],
		['listen', 'nonsense', /listen.*nonsense/],
		['listen', '127.0.0.1', /listen.*127\.0\.0\.1/],
		['listen', '127.0.0.1:99999', /listen.*99999/],
		['listen', '[::1:6001', /listen/], ['listen', '1.2.3:1', /listen/],
		['log_level', 'loud', /log_level.*loud.*(error|warn|info)/],
		['log_format', 'xml', /log_format/],
		['max_message_bytes', '1', /max_message_bytes.*1024/],
		['max_message_bytes', '10k', /max_message_bytes/],
		['drain_time', '-1', /drain_time/],
		['strict_protocol', 'maybe', /strict_protocol.*maybe/],
		['wrkers', '1', /wrkers.*workers/s], ['', '1', /option|key|name/i],
	])
		refuses(`${key}=${value}`, undefined, pattern,
			{ conf: { [key]: value } });

	refuses('a listen address twice', undefined, /listen.*127|twice|in use/,
		{ conf: { listen: ['127.0.0.1:34567', '127.0.0.1:34567'] } });

	refuses('a port in use', async (d) => {
		const s = net.createServer().listen(0, '127.0.0.1');
		await new Promise((ok) => s.once('listening', ok));
		d.conf.listen = `127.0.0.1:${s.address().port}`;
		return () => s.close();
	}, /in use/);

	refuses('an address that is not here',
		(d) => { d.conf.listen = '203.0.113.7:6001'; }, /203\.0\.113\.7/);

	refuses('a database that others may read',
		(d) => fs.chmodSync(d.conf.database, 0o644),
		/apps\.db.*(0600|chmod|others)/s);
	refuses('a database that is none', (d) => {
		fs.writeFileSync(d.conf.database, 'this is no database'.repeat(100));
	}, /apps\.db/);
	refuses('a database from a newer version', (d) => {
		// user_version: 4 bytes at offset 60 of the header.
		const fd = fs.openSync(d.conf.database, 'r+');
		fs.writeSync(fd, Buffer.from([0, 0, 0xff, 0]), 0, 4, 60);
		fs.closeSync(fd);
	}, /newer/);
	refuses('a directory as database',
		(d) => { d.conf.database = d.dir; }, /director|database/);
	refuses('a database directory that cannot be made',
		(d) => { d.conf.database = '/proc/no/apps.db'; }, /\/proc\/no/);
	refuses('a runtime_dir that cannot be made',
		(d) => { d.conf.runtime_dir = '/proc/nonsense'; },
		/proc\/nonsense/);
	refuses('a file as runtime_dir',
		(d) => { d.conf.runtime_dir = d.conf.database; },
		/apps\.db is not a directory: choose another one$/m);
	refuses('a runtime_dir too long for a socket', (d) => {
		d.conf.runtime_dir = path.join(d.dir, 'x'.repeat(120));
	}, /runtime_dir|long/);
	refuses('an unknown user', (d) => { d.conf.user = 'nobody-at-all'; },
		/nobody-at-all/);
	refuses('a pid file that cannot be written',
		(d) => { d.conf.pid_file = '/proc/nonsense/x.pid'; },
		/nonsense\/x\.pid/);

	refuses('D15 an unreadable config file', undefined,
		/none\.conf: .*: -c has to name a file that exists$/m,
		{ args: ['-F', '-c', '/nonexistent/none.conf'] });
	refuses('a directory as config file', undefined,
		/ \/tmp: .*: -c has to name a file$/m, { args: ['-F', '-c', '/tmp'] });
	refuses('an unknown command line option', undefined, /'x'\nusage: .*\nmore: /,
		{ args: ['-x'] });
	refuses('an argument too many', undefined, /more|usage/i,
		{ args: ['-F', 'more'] });
	refuses('D16 an unknown name in the environment', undefined,
		/PUSHERD_WRKERS/, { env: { PUSHERD_WRKERS: '1' } });
	refuses('a wrong value in the environment', undefined,
		/environment.*workers|PUSHERD_WORKERS/i,
		{ env: { PUSHERD_WORKERS: '0' }, conf: { workers: [] } });

	for (const [line, pattern] of [['nonsense', /:2/], ['wrkers 1', /:2.*wrkers.*workers/s],
		['workers', /:2/], ['workers 0', /:2.*workers/s],
		['log_level "info', /:2/], ['workers 1 2', /:2/],
		['listen = 127.0.0.1:1', /:2/]])
		refuses(`D07 a config file with "${line}"`, (d) => {
			fs.writeFileSync(path.join(d.dir, 'p.conf'), `# c\n${line}\n`);
			d.conf.workers = [];
		}, pattern, { args: ['-F', '-c', 'p.conf'] });

	for (const [what, args, pattern] of [
		['a file', "-c $'caf\\xe9.conf'",
			/path of the configuration file .+caf.+\.conf is not UTF-8: rename/],
		['the directory of a file', '-c p.conf',
			/path of the configuration file .+\/p\.conf is not UTF-8: rename/],
		['the directory of a database', '-o database=apps.db',
			/database is "apps\.db", and the current directory is not UTF-8: write/],
	])
		test(`a name that is not UTF-8: ${what}`, () => {
			const d = new Daemon();
			d.app();
			const r = spawnSync('bash', ['-c', `${what === 'a file' ? ''
				: "mkdir $'caf\\xe9' && cd $'caf\\xe9' && "}touch p.conf && ` +
				`touch $'caf\\xe9.conf' && exec "$0" "$@" ${args}`, PUSHERD,
			...options(d.conf), '-t'], { env: environment(), cwd: d.dir,
				encoding: 'utf8', timeout: 30000 * SLOW });
			d.remove();
			assert.equal(r.status, 1, r.stderr);
			assert.match(r.stderr, pattern);
		});

	test('a second daemon on the same directory', async () => {
		const d = new Daemon();
		const app = d.app();
		await d.start();
		const r = run(d, ['-F'], { conf: { ...d.conf } });
		assert.ok(r.status > 0);
		assert.match(r.stderr, /running|pid|lock/);
		await (await Client.connect(d, app)).close();
		await d.stop();
	});
});

describe('start', () => {
	test('-t, -T, -V', () => {
		const d = new Daemon({ workers: 3 });
		d.app();
		let r = run(d, ['-t']);
		assert.equal(r.status, 0, r.stderr);
		r = run(d, ['-T'], { env: { PUSHERD_PONG_TIMEOUT: '17' } });
		assert.equal(r.status, 0);
		assert.match(r.stdout, /^workers +"?3"? +# command line/m);
		assert.match(r.stdout, /^pong_timeout +17 +# .*environment/m);
		assert.match(r.stdout, /^max_head_bytes +16384 +# default/m);
		r = run(d, ['-V']);
		assert.equal(r.status, 0);
		assert.match(r.stdout, /\d+\.\d+\.\d+/);
		r = run(d, ['-t', '-o', 'workers=0']);
		assert.ok(r.status > 0);
		assert.equal(fs.existsSync(d.conf.runtime_dir), false);
		d.remove();
	});

	for (const [option, value, why] of [
		['log', '/proc/none/log', /log is "\/proc\/none\/log": cannot write it: .* there$/m],
		['log', '/tmp', /Is a directory/],
		['pid_file', '/proc/none/pid', /pid_file .* cannot write it/],
		['listen', 'unix:/proc/none/s', /cannot listen on unix:\/proc\/none\/s/],
		['console_url', 'ws.example.com', /must begin with https:\/\/ or http:\/\//],
		['webhook_ca_file', '/proc/none', /cannot read webhook_ca_file \/proc\/none: No such file/],
		['webhook_ca_file', '/etc/hostname', /must have the certificates of authorities as PEM/],
	])
		test(`-t says what the start would: ${option} ${value}`, () => {
			const d = new Daemon();
			d.app();
			d.conf[option] = value;
			const tried = run(d, ['-t']);
			assert.equal(tried.status, 1);
			assert.match(tried.stderr, why);
			assert.equal(fs.existsSync(d.conf.runtime_dir), false);
			const started = run(d, ['-F']);
			assert.equal(started.status, 1);
			assert.ok(started.stderr.includes(value), started.stderr);
			d.remove();
		});

	for (const option of ['outbox', 'log', 'pid_file'])
		test(`${option} is the database: it stays whole`, () => {
			const d = new Daemon();
			const app = d.app();
			for (const args of [['-t'], ['-F']]) {
				const r = run(d, [...args, '-o',
					`${option}=${d.conf.database}`]);
				assert.equal(r.status, 1);
				assert.match(r.stderr, new RegExp('command line: database ' +
					`and ${option} are the same file, .*apps\\.db`));
			}
			assert.equal(d.ctl(['app', 'list'])[0].id, app.id);
			d.remove();
		});

	test('-t with an outbox that cannot be made: only webhooks wait', () => {
		const d = new Daemon({ outbox: '/proc/none/outbox.db' });
		d.app();
		const r = run(d, ['-t']);
		assert.equal(r.status, 0);
		assert.match(r.stderr, /^pusherd: webhooks will wait: .*\/proc\/none\/outbox\.db/m);
		d.remove();
	});

	test('-T is a configuration that gives the same', () => {
		const d = new Daemon({ workers: 3 });
		const first = run(d, ['-T']).stdout;
		fs.writeFileSync(path.join(d.dir, 'p.conf'), first);
		const again = run(d, ['-T', '-c', 'p.conf'], { conf: {} }).stdout;
		const plain = (t) => t.replace(/ +#.*$/gm, '');
		assert.equal(plain(again), plain(first));
		d.remove();
	});

	test('C10: each value of a list has its own origin', async () => {
		const d = new Daemon();
		const file = path.join(d.dir, 'p.conf');
		const origins = (args, env = {}) => {
			const r = run(d, ['-T', '-c', 'p.conf', ...args],
				{ conf: {}, env });
			assert.equal(r.status, 0, r.stderr);
			return r.stdout.split('\n').filter((l) => /^listen /.test(l))
				.map((l) => l.replace(/^listen (\S+) +# /, '$1 '));
		};
		fs.writeFileSync(file, 'listen 127.0.0.1:7001\n\n' +
			'listen 127.0.0.1:7002, 127.0.0.1:7003\n' +
			'pong_timeout 5\nlisten 127.0.0.1:7004\n');
		assert.deepEqual(origins([]), ['127.0.0.1:7001 p.conf:1',
			'127.0.0.1:7002 p.conf:3', '127.0.0.1:7003 p.conf:3',
			'127.0.0.1:7004 p.conf:5']);
		const env = { PUSHERD_LISTEN: '127.0.0.1:7005,127.0.0.1:7006' };
		assert.deepEqual(origins([], env), ['127.0.0.1:7005 environment',
			'127.0.0.1:7006 environment']);
		assert.deepEqual(origins(['-o', 'listen=127.0.0.1:7007', '-o',
			'listen=127.0.0.1:7008'], env), ['127.0.0.1:7007 command line',
			'127.0.0.1:7008 command line']);
		// A sentence names the line that is wrong, not the last one.
		fs.writeFileSync(file, 'listen 127.0.0.1:7001\nlisten nonsense\n' +
			'listen 127.0.0.1:7002\ntrusted_proxies 10.0.0.0/8\n' +
			'trusted_proxies x\ntrusted_proxies ::1\n');
		const wrong = () => run(d, ['-t', '-c', 'p.conf'], { conf: {} }).stderr;
		assert.match(wrong(), /p\.conf:5: trusted_proxies/);
		fs.writeFileSync(file, fs.readFileSync(file, 'utf8')
			.replace('proxies x', 'proxies ::2'));
		assert.match(wrong(), /p\.conf:2: listen/);
		// Of the running daemon, whose broker got it from the master.
		fs.writeFileSync(file, 'trusted_proxies 10.0.0.0/8\n' +
			'trusted_proxies ::1\n');
		d.app();
		await d.start(['-c', file]);
		assert.deepEqual(d.ctl(['config', 'trusted_proxies']).map((o) =>
			[o.value, o.origin]), [['10.0.0.0/8', `${file}:1`],
			['::1', `${file}:2`]]);
		await d.stop();
	});

	test('default < file < environment < command line', () => {
		const d = new Daemon();
		fs.writeFileSync(path.join(d.dir, 'p.conf'),
			'pong_timeout 11\nmax_head_bytes 2048\ndrain_time 1\n');
		const r = run(d, ['-T', '-c', 'p.conf', '-o', 'drain_time=3'], {
			conf: {}, env: { PUSHERD_DRAIN_TIME: '2',
				PUSHERD_MAX_HEAD_BYTES: '4096' } });
		assert.equal(r.status, 0, r.stderr);
		assert.match(r.stdout, /^pong_timeout +11 +# .*p\.conf:1/m);
		assert.match(r.stdout, /^max_head_bytes +4096 +# .*environment/m);
		assert.match(r.stdout, /^drain_time +3 +# command line/m);
		d.remove();
	});

	test('several listeners, IPv4 and IPv6', async () => {
		const six = fs.existsSync('/proc/net/if_inet6') &&
			fs.readFileSync('/proc/net/if_inet6', 'utf8').includes(' lo');
		const listen = ['127.0.0.1:0', '127.0.0.1:0'];
		if (six) listen.push('[::1]:0');
		const d = new Daemon({ listen, workers: 2 });
		const app = d.app();
		await d.start();
		assert.equal(d.addresses.length, listen.length);
		for (const a of d.addresses) {
			const port = Number(a.replace(/^.*:/, ''));
			const host = a.startsWith('[') ? '::1' : '127.0.0.1';
			const c = await Client.connect({ ...d, port }, app, { host });
			await c.close();
		}
		await d.stop();
	});

	test('as a daemon: pid file, background, stop by signal', async () => {
		const d = new Daemon();
		const app = d.app();
		const r = run(d, []);
		assert.equal(r.status, 0, r.stderr);
		// Ready when the command returns.
		const pidFile = path.join(d.conf.runtime_dir, 'pusherd.pid');
		const pid = Number(fs.readFileSync(pidFile, 'utf8'));
		assert.ok(pid > 1);
		d.port = Number(fs.readFileSync(
			path.join(d.conf.runtime_dir, 'listen'), 'utf8').trim()
			.replace(/^.*:/, ''));
		const c = await Client.connect(d, app);
		assert.match(fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8'),
			/^pusherd: master/);
		await c.close();
		process.kill(pid, 'SIGTERM');
		await until('the end of the daemon',
			() => !fs.existsSync(`/proc/${pid}`));
		assert.deepEqual(fs.readdirSync(d.conf.runtime_dir), []);
		d.remove();
	});

	test('a stale pid file and stale sockets do not matter', async () => {
		const d = new Daemon();
		d.app();
		fs.mkdirSync(d.conf.runtime_dir, { mode: 0o700 });
		fs.writeFileSync(path.join(d.conf.runtime_dir, 'pusherd.pid'),
			'999999999\n');
		await d.start();
		d.allow(/master/);
		d.kill();
		await d.exited;
		const again = new Daemon();
		again.remove();
		Object.assign(again, { conf: d.conf, dir: d.dir });
		await until('the killed processes to go', () =>
			Object.keys(d.processes()).length === 0);
		await again.start();
		again.allow(/./);
		await again.stop();
	});

	test('a missing database is made, for its owner only', async () => {
		const d = new Daemon();
		d.conf.database = path.join(d.dir, 'new/apps.db');
		d.spawn();
		await until('the database', () => fs.existsSync(d.conf.database));
		assert.equal(fs.statSync(d.conf.database).mode & 0o777, 0o600);
		await until('the listeners', () =>
			fs.existsSync(path.join(d.conf.runtime_dir, 'listen')));
		d.port = Number(fs.readFileSync(
			path.join(d.conf.runtime_dir, 'listen'), 'utf8').trim()
			.replace(/^.*:/, ''));
		const app = d.app();
		await (await Client.connect(d, app)).close();
		await d.stop();
	});

	test('process titles say the role', { skip: WRAP.length > 0 }, async () => {
		const d = new Daemon({ workers: 3 });
		d.app();
		await d.start();
		// A child carries its parent's title until it has set its own.
		await until('all titles', () => Object.values(d.processes()).sort()
			.join() === 'pusherd: broker,pusherd: courier,pusherd: master,' +
			'pusherd: worker 0,pusherd: worker 1,pusherd: worker 2');
		assert.match(d.readLog(), /descriptor|nofile/i);
		await d.stop();
	});

	test('B48 an idle run logs no warning', async () => {
		const d = new Daemon({ workers: 4, log_level: 'debug' });
		d.app();
		await d.start();
		await new Promise((ok) => setTimeout(ok, 1500));
		await d.stop();
	});
});
