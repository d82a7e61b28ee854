// SPDX-License-Identifier: MIT
//
// pusherctl config set and config rewrite: one option changes live in all
// processes and outlives them; the file keeps everything else.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Daemon, PUSHERCTL, SLOW, environment, until } = require('./lib/daemon');

describe('config set', () => {
	const d = new Daemon({ workers: 2 });
	const file = path.join(d.dir, 'pusherd.conf');
	let text;

	function run(argv0, args) {
		const r = spawnSync(argv0, args, { env: environment(),
			encoding: 'utf8', timeout: 30000 * SLOW });
		return { code: r.status, out: r.stdout, err: r.stderr };
	}
	const ctl = (...args) => run(PUSHERCTL, ['-c', file, ...args]);
	const value = (name) => ctl('config', name).out;
	const set = (name, to) => {
		const r = ctl('config', 'set', name, to);
		assert.equal(r.code, 0, r.err);
		return r.out;
	};

	before(async () => {
		const { conf } = d;
		const written = { ...conf };
		delete written.drain_time;
		text = `# head\n${Object.entries(written)
			.map(([k, v]) => `${k} "${v}" # of ${k}\n`).join('')}` +
			'#client_buffer_age 10\n  trusted_proxies 10.0.0.0/8 # one\n' +
			'trusted_proxies ::1';
		fs.writeFileSync(file, text);
		fs.chmodSync(file, 0o640);
		d.app();
		d.allow(/reload: nothing has changed: /);
		// Only drain_time comes from the command line.
		d.spawn = function spawn(extra = []) {
			this.conf = { drain_time: 0 };
			try {
				return Daemon.prototype.spawn.call(this, ['-c', file, ...extra]);
			} finally {
				this.conf = conf;
			}
		};
		await d.start();
	});
	after(() => d.stop());

	test('it counts at once, and in processes that come later', async () => {
		assert.equal(set('client_buffer_age', '11'),
			'client_buffer_age\t11\tconfig set\n');
		const app = d.app();
		assert.equal(set('max_request_bytes', '1024'),
			'max_request_bytes\t1024\tconfig set\n');
		const big = () => ctl('publish', app.id, 'c', 'e', 'x'.repeat(2000));
		const post = () => fetch(`http://127.0.0.1:${d.port}/apps/${app.id}/` +
			'events', { method: 'POST', body: 'x'.repeat(2000) })
			.then((r) => r.status, () => 0);
		await until('413', async () => await post() === 413);
		assert.equal(big().code, 0); // not by HTTP
		const were = d.pidsOf('worker');
		d.allow(/worker \d .*pid=/, /link of the broker|link to/);
		were.forEach((pid) => process.kill(pid, 'SIGKILL'));
		await until('two other workers', () => {
			const now = d.pidsOf('worker');
			return now.length === 2 && !now.some((p) => were.includes(p));
		});
		await until('413 again', async () => await post() === 413);
		assert.equal(value('client_buffer_age'),
			'client_buffer_age\t11\tconfig set\n');
	});

	for (const [name, to, why] of [
		['client_bufer', '3', /config set: there is no option .*did you mean client_buffer\?/],
		['client_buffer', '1', /must be a number of bytes from 16384 to 1073741824/],
		['client_buffer', '', /must be a number/],
		['workers', '65', /from 1 to 64, or auto/],
		['log_level', 'loud', /error\|warn\|info\|debug/],
		['path_prefix', 'a\nuser root', /without control characters/],
		['tls_ciphers', 'x'.repeat(3000), /at most 2048 bytes/],
		['sandbox', 'on', /restart pusherd/],
		['database', '/tmp/x.db', /restart pusherd/],
		['log', '/etc/motd', /file, and then run pusherctl reload/],
		['listen', 'unix:/etc/x', /file, and then run pusherctl reload/],
		['=', 'x', /no option/]])
		test(`refused: ${name}`, () => {
			const r = ctl('config', 'set', name, to);
			assert.equal(r.code, 1, r.out);
			assert.match(r.err, why);
		});

	test('many at a time: each is set, or is told to try again', async () => {
		const all = await Promise.all([...Array(8).keys()].map((i) =>
			d.ctlAsync(['config', 'set', 'pong_timeout', String(40 + i)])));
		assert.ok(all.some((r) => r.code === 0));
		for (const r of all)
			assert.match(r.code === 0 ? 'try again' : r.err, /try again/);
	});

	test('rewrite: comments, owner and mode stay', () => {
		set('trusted_proxies', '192.168.0.0/16');
		set('trusted_proxies', '10.2.0.0/16, ::2');
		set('pong_timeout', '44');
		set('drain_time', '1');
		const link = path.join(d.dir, 'link.conf');
		fs.symlinkSync(file, link);
		const r = run(PUSHERCTL, ['-c', link, 'config', 'rewrite']);
		assert.equal(r.code, 0, r.err);
		assert.match(r.err, /drain_time: the command line overrides the file/);
		assert.ok(fs.lstatSync(link).isSymbolicLink());
		assert.equal(fs.readFileSync(file, 'utf8'), `${text
			.replace('age 10\n', 'age 10\nclient_buffer_age 11\n')
			.replace('10.0.0.0/8 # one\ntrusted_proxies ::1',
				'"10.2.0.0/16, ::2" # one\n')
		}max_request_bytes 1024\npong_timeout 44\ndrain_time 1\n`);
		assert.equal(fs.statSync(file).mode & 0o7777, 0o640);
		assert.equal(ctl('reload', '--wait').code, 0);
		assert.match(value('pong_timeout'), /\t44\t.*pusherd.conf:\d+\n/);
		assert.match(value('drain_time'), /\t0\tcommand line\n/);
		assert.match(ctl('config', 'rewrite').err, /nothing was set/);
	});

	test('rewrite: a full disk, a read-only file, another file', () => {
		set('pong_timeout', '45');
		const was = fs.readFileSync(file, 'utf8');
		const names = () => fs.readdirSync(d.dir)
			.filter((n) => n.startsWith('pusherd.conf'));
		const full = run('bash', ['-c', 'trap "" XFSZ; ulimit -f 0; ' +
			'exec "$0" -c "$1" config rewrite', PUSHERCTL, file]);
		assert.equal(full.code, 1);
		assert.match(full.err, /too large; the file stays as it is/);
		fs.chmodSync(file, 0o440);
		assert.match(ctl('config', 'rewrite').err,
			/Permission denied; the file stays as it is/);
		fs.chmodSync(file, 0o640);
		const other = path.join(d.dir, 'other.conf');
		fs.copyFileSync(file, other);
		const r = run(PUSHERCTL, ['-c', other, 'config', 'rewrite']);
		assert.match(r.err, /pusherd reads .*: call pusherctl with -c/);
		fs.unlinkSync(other);
		fs.appendFileSync(file, 'nonsense x\n');
		assert.match(ctl('config', 'rewrite').err, /nothing is written/);
		fs.writeFileSync(file, was);
		assert.deepEqual(names(), ['pusherd.conf']);
	});

	test('a reload reads the file again', () => {
		set('pong_timeout', '46');
		assert.equal(ctl('reload').code, 0);
		assert.match(value('pong_timeout'), /\t44\t/);
	});
});
