// SPDX-License-Identifier: MIT
//
// Every option and every name of the environment, out of the two lists that
// the program is made from: each option is set in the file, the environment
// and on the command line and read back with -T; wrong values have a place
// and a sentence; each name of another server becomes what its row says.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, test, describe } = require('node:test');
const { PUSHERD, PUSHERCTL, SLOW, environment } = require('./lib/daemon');

const root = path.resolve(__dirname, '../..');
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-test-'));
after(() => fs.rmSync(dir, { recursive: true, force: true }));

// The rows of a .def file: [macro, ...arguments].
function rows(file) {
	const text = fs.readFileSync(path.join(root, file), 'utf8')
		.replace(/\/\*[\s\S]*?\*\//g, '');
	return [...text.matchAll(/^(\w+)\(([\s\S]*?)\)$/gm)].map((m) => [m[1],
		...[...m[2].matchAll(/"((?:[^"\\]|\\.)*)"|([^\s,]+)/g)]
			.map((a) => a[1] ?? a[2])]);
}

// Also without the option that the suite may be run with.
function bare() {
	const env = environment();
	delete env.PUSHERD_SANDBOX;
	return env;
}

function run(args, env = {}) {
	const r = spawnSync(PUSHERD, args, { cwd: dir, encoding: 'utf8',
		env: { ...bare(), ...env }, timeout: 30000 * SLOW });
	assert.equal(r.error, undefined);
	return r;
}

// Values of an option that are not its default, and some that are wrong.
function values([kind, name, def, a, b]) {
	const special = {
		listen: ['127.0.0.1:1111', '127.0.0.1:2222', '127.0.0.1:3333'],
		metrics_listen: ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3'],
		workers: ['2', '3', '4'],
		trusted_proxies: ['10.0.0.0/8', '::1', '192.168.0.0/16'],
		path_prefix: ['/a', '/b', '/c'],
		console_url: ['https://a.example', 'http://b', 'https://c/d'],
		cluster: ['redis://127.0.0.1', 'redis://[::1]:7000/3',
			'unix:/tmp/redis.sock'],
	};
	if (special[name]) return { good: special[name], bad: [] };
	if (/^tls_(certificate|key|ciphers)$/.test(name)) return null;
	switch (kind) {
	case 'CONF_UINT': {
		const min = BigInt(a);
		const max = BigInt(b);
		// Each worker needs some memory.
		const other = name === 'memory_limit' ? 1n << 30n : min + 1n;
		const good = [min, max, other].map(String);
		return { good, bad: [`${max + 1n}`, '-1', 'x', '1k', '1.5',
			...(min > 0n ? [`${min - 1n}`] : [])] };
	}
	case 'CONF_ENUM': {
		const all = a.split('|');
		return { good: [all[0], all[1], all.at(-1)],
			bad: ['nonsense', all[0].toUpperCase() === all[0] ? 'x' :
				all[0].toUpperCase()] };
	}
	case 'CONF_BOOL':
		return { good: ['on', 'off', 'on'], bad: ['yes', '1', 'true'] };
	case 'CONF_PATH':
		return { good: ['/tmp/a', '/tmp/b c', '/tmp/d#e'], bad: [] };
	default:
		return { good: ['alpha', 'beta', 'gamma'], bad: [] };
	}
}

function shown(out, name) {
	const m = out.match(new RegExp(`^${name} (.*?)    # (.*)$`, 'm'));
	assert.ok(m, `${name} in -T:\n${out}`);
	return { value: m[1].replace(/^"(.*)"$/, '$1').replace(/\\(.)/g, '$1'),
		origin: m[2] };
}

const options = rows('shared/conf/conf_options.def');

describe('every option', () => {
	assert.ok(options.length > 30);
	for (const row of options) {
		const name = row[1];
		const v = values(row);
		if (!v) continue;
		// A log that is no word is a path.
		const want = (x) => name === 'log' ? path.join(dir, x) : x;

		test(`${name}: file < environment < command line`, () => {
			const file = path.join(dir, 'p.conf');
			const variable = `PUSHERD_${name.toUpperCase()}`;
			fs.writeFileSync(file, `# one\n${name} "${v.good[0]}"\n`);
			let r = run(['-T', '-c', file]);
			assert.equal(r.status, 0, r.stderr);
			assert.deepEqual(shown(r.stdout, name),
				{ value: want(v.good[0]), origin: `${file}:2` });
			r = run(['-T', '-c', file], { [variable]: v.good[1] });
			assert.equal(r.status, 0, r.stderr);
			assert.deepEqual(shown(r.stdout, name),
				{ value: want(v.good[1]), origin: 'environment' });
			r = run(['-T', '-c', file, '-o', `${name}=${v.good[2]}`],
				{ [variable]: v.good[1] });
			assert.equal(r.status, 0, r.stderr);
			assert.deepEqual(shown(r.stdout, name),
				{ value: want(v.good[2]), origin: 'command line' });
		});

		if (v.bad.length > 0)
			test(`${name}: wrong values have a place`, () => {
				const file = path.join(dir, 'p.conf');
				for (const bad of v.bad) {
					fs.writeFileSync(file, `# one\n\n${name} "${bad}"\n`);
					const r = run(['-T', '-c', file]);
					assert.equal(r.status, 1, `${name} ${bad}`);
					assert.ok(r.stderr.includes(
						`p.conf:3: ${name} is "${bad}": must be `),
					r.stderr);
					assert.equal(r.stderr.trim().split('\n').length, 1);
				}
			});
	}
});

const names = rows('shared/conf/env_names.def');
// A value that each of them takes.
const sample = (name, unit) => /PATH_PREFIX$/.test(name) ? '/text' :
	unit === 'UNIT_BOOL' ||
	unit === 'UNIT_SWITCH' || unit === 'UNIT_DEBUG' ? 'true' :
	unit === 'UNIT_HOST' ? '127.0.0.9' : unit === 'UNIT_TEXT' ? 'text' :
		unit === 'UNIT_MS' ? '2500' : unit === 'UNIT_PORT' ? '7001' : '10';

describe('every name of another server', () => {
	assert.ok(names.length > 140);
	const conf = ['-c', '/dev/null'];

	test('those that set an option: -T shows it and its origin', () => {
		const known = new Set(options.map((o) => o[1]));
		for (const [, name, option, unit] of
			names.filter((r) => r[0] === 'ENV_SET')) {
			const r = run(['-T', ...conf], { [name]: sample(name, unit) });
			if (!known.has(option)) {
				assert.equal(r.status, 1);
				assert.match(r.stderr, new RegExp(`${name}.*${option}`));
				continue;
			}
			if (/^tls_/.test(option)) continue;
			assert.equal(r.status, 0, `${name}: ${r.stderr}`);
			const s = shown(r.stdout, option);
			assert.equal(s.origin, `environment variable ${name}`);
			const want = { UNIT_DEBUG: /^debug$/, UNIT_HOST: /^127\.0\.0\.9:/,
				UNIT_PORT: /:7001$/, UNIT_MS: /^3$/, UNIT_TEXT: /text/,
				UNIT_SWITCH: /^127\.0\.0\.1:9601$/ }[unit];
			assert.match(s.value, want);
		}
		const r = run(['-T', ...conf], { SOKETI_PORT: '7001',
			PUSHERD_LISTEN: '127.0.0.1:7002' });
		assert.equal(shown(r.stdout, 'listen').value, '127.0.0.1:7002');
	});

	test('those that ask for one value', () => {
		for (const [, name, choices] of
			names.filter((r) => r[0] === 'ENV_ONLY')) {
			for (const good of choices.split('|'))
				assert.equal(run(['-T', ...conf], { [name]: good }).status,
					0, name);
			const r = run(['-T', ...conf], { [name]: 'redis' });
			assert.equal(r.status, 1);
			assert.ok(r.stderr.includes(`${name} cannot be followed`));
		}
	});

	test('those that are refused', () => {
		for (const [, name] of names.filter((r) => r[0] === 'ENV_REFUSE')) {
			const r = run(['-T', ...conf], { [name]: 'x' });
			assert.equal(r.status, 1, name);
			assert.ok(r.stderr.includes(`${name} cannot be used`));
			assert.equal(run(['-T', ...conf], { [name]: '' }).status, 0);
		}
	});

	test('those that are not used: one line for each reason', () => {
		const env = {};
		const skipped = names.filter((r) => r[0] === 'ENV_SKIP');
		for (const [, name] of [...skipped,
			...names.filter((r) => r[0] === 'ENV_KEEP')])
			env[name] = 'x';
		env.SOKETI_NO_SUCH_NAME = 'x';
		const d = ['-o', `database=${dir}/a.db`, '-o',
			`runtime_dir=${dir}/run`, '-o', 'listen=127.0.0.1:0',
			'-o', 'metrics_listen='];
		const r = run(['-t', ...conf, ...d], env);
		assert.equal(r.status, 0, r.stderr);
		const reasons = new Set(skipped.map((s) => s[2]));
		const lines = r.stderr.trim().split('\n');
		assert.equal(lines.length, reasons.size + 1, r.stderr);
		for (const [, name, why] of skipped)
			assert.ok(lines.some((l) => l.includes(name) &&
				l.endsWith(why)), name);
		assert.match(r.stderr, /SOKETI_NO_SUCH_NAME: the name is not known/);
		for (const [, name] of names.filter((x) => x[0] === 'ENV_KEEP'))
			assert.doesNotMatch(r.stderr, new RegExp(`${name}(?!_)`));
	});

	test('those of an app make it at the first start, and only then',
		async () => {
			const { Daemon } = require('./lib/daemon');
			for (const family of ['SOKETI_DEFAULT_APP', 'PUSHER_APP',
				'REVERB_APP']) {
				const d = new Daemon();
				const env = { [`${family}_ID`]: '77', [`${family}_KEY`]: 'k',
					[`${family}_SECRET`]: 'the-secret' };
				for (const [, name, , unit] of names.filter((x) =>
					x[0] === 'ENV_APP' && x[1].startsWith('SOKETI_') &&
					!/_(ID|KEY|SECRET)$/.test(x[1])))
					if (family.startsWith('SOKETI'))
						env[name] = sample(name, unit);
				d.ctl(['app', 'create', '--id', '1', '--key', 'other']);
				for (let i = 0; i < 2; i++) {
					Object.assign(process.env, env);
					try {
						d.child = undefined;
						d.exit = null;
						await d.start();
					} finally {
						for (const name of Object.keys(env))
							delete process.env[name];
					}
					d.signal('SIGTERM');
					await d.end(10000);
					const [app] = d.ctl(['app', 'show', '77', '--reveal']);
					assert.equal(app.key, 'k');
					assert.equal(app.secret, 'the-secret');
					if (family.startsWith('SOKETI')) {
						assert.equal(app.max_connections, 10);
						assert.equal(app.max_event_bytes, 10240);
						assert.equal(app.client_events, i === 0);
					}
					d.ctl(['app', 'set', '77', 'client_events=off']);
				}
				assert.doesNotMatch(d.readLog(), /the-secret/);
				d.remove();
			}
		});

	test('the published secret of soketi is refused in public', () => {
		const env = { SOKETI_DEFAULT_APP_ID: 'app-id',
			SOKETI_DEFAULT_APP_KEY: 'app-key',
			SOKETI_DEFAULT_APP_SECRET: 'app-secret' };
		const r = run(['-F', ...conf, '-o', `database=${dir}/b.db`, '-o',
			`runtime_dir=${dir}/run`, '-o', 'listen=0.0.0.0:0', '-o',
		'metrics_listen='], env);
		assert.equal(r.status, 1);
		assert.match(r.stderr, /published secret/);
	});

	test('the manual has all of them', () => {
		const r = spawnSync(PUSHERCTL, ['help', '--print', 'pusherd.conf.5'],
			{ encoding: 'utf8', env: environment() });
		for (const [, name] of names)
			assert.ok(r.stdout.includes(name), name);
	});
});
