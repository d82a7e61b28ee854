// SPDX-License-Identifier: MIT
//
// pusherctl while the configuration file is broken: a running daemon is
// asked, and what is wrong with the file stands beside the answer.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Daemon, PUSHERCTL, SLOW, environment } = require('./lib/daemon');

describe('a broken configuration file', () => {
	const d = new Daemon();
	const file = path.join(d.dir, 'pusherd.conf');
	let good;

	function ctl(args, { conf = file, env = {} } = {}) {
		const r = spawnSync(PUSHERCTL, ['-c', conf, ...args], {
			env: { ...environment(), ...env }, encoding: 'utf8',
			timeout: 30000 * SLOW });
		return { code: r.status, out: r.stdout, err: r.stderr };
	}

	before(async () => {
		const { conf } = d;
		good = Object.entries(conf).map(([k, v]) => `${k} "${v}"\n`).join('');
		fs.writeFileSync(file, good);
		d.app();
		// Everything comes out of the file, nothing from the command line.
		d.spawn = function spawn(extra = []) {
			this.conf = {};
			try {
				return Daemon.prototype.spawn.call(this, ['-c', file, ...extra]);
			} finally {
				this.conf = conf;
			}
		};
		await d.start();
	});
	after(() => d.stop());

	for (const [what, text] of [
		['an unknown option', 'lisen 127.0.0.1:1\n'],
		['a wrong value', 'max_head_bytes lots\n'],
		['a missing quote', 'log_level "debug\n'],
		['an address that is none', 'path_prefix nowhere\n'],
		['a value that is not UTF-8', 'user caf\xe9\n'],
		['no sense at all', '\0\u0001{]\n'],
		['a certificate without its key', 'tls_key /x\n']])
		test(`O9: ${what}`, () => {
			fs.writeFileSync(file, text + good, 'latin1');
			for (const args of [['status'], ['app', 'list'],
				['app', 'show', '101'], ['config', 'workers'],
				['connections', 'list'], ['log-level', 'info'],
				['app', 'create', '--name', what]]) {
				const r = ctl(args);
				assert.equal(r.code, 0, `${args}: ${r.err}`);
				assert.match(r.err, /pusherd\.conf|tls_key|path_prefix/);
				assert.match(r.err, /pusherd goes on with the one it has/);
				assert.notEqual(r.out, args[0] === 'connections' ? '?' : '');
			}
			const r = ctl(['-j', 'app', 'list']);
			JSON.parse(r.out);
			assert.equal(ctl(['config', '--here']).code, 1);
			const reload = ctl(['reload']);
			assert.equal(reload.code, 1);
			d.allow(/reload/);
		});

	test('O9: a typing mistake in the environment', () => {
		fs.writeFileSync(file, good);
		const r = ctl(['status'], { env: { PUSHERD_LOG_LEVELL: 'x' } });
		assert.equal(r.code, 0, r.err);
		assert.match(r.err, /PUSHERD_LOG_LEVELL/);
	});

	test('O9: an unreadable file, and the socket from elsewhere', () => {
		const gone = path.join(d.dir, 'gone.conf');
		const r = ctl(['status'], { conf: gone });
		assert.equal(r.code, 1, 'a mistyped -c is no other server');
		assert.match(r.err, /cannot read the configuration file/);
		fs.mkdirSync(gone);
		const env = { PUSHERD_RUNTIME_DIR: d.conf.runtime_dir };
		const ok = ctl(['app', 'list'], { conf: gone, env });
		assert.equal(ok.code, 0, ok.err);
		assert.match(ok.err, /cannot read the configuration file/);
		assert.match(ok.out, /^101\t/m);
	});

	test('O9: without a daemon it is an error as before', () => {
		fs.writeFileSync(file, `lisen x\n${good}`.replace(
			d.conf.runtime_dir, path.join(d.dir, 'nowhere')));
		const r = ctl(['app', 'list']);
		assert.equal(r.code, 1);
		assert.equal(r.out, '');
		assert.match(r.err, /pusherd\.conf:1: .*did you mean listen/);
		assert.doesNotMatch(r.err, /goes on/);
	});

	test('O9: a wrong argument stays one', () => {
		fs.writeFileSync(file, good);
		const r = ctl(['-o', 'lisen=1', 'status']);
		assert.equal(r.code, 1);
		assert.equal(r.out, '');
	});
});
