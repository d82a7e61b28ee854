// SPDX-License-Identifier: MIT
//
// The environment of a container: variables of services that have
// a name like ours, and the app of an application's .env.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, describe, test } = require('node:test');
const { Daemon, PUSHERD, SLOW, environment } = require('./lib/daemon');

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-test-'));
after(() => fs.rmSync(dir, { recursive: true, force: true }));

function check(env, args = []) {
	const bare = environment();
	delete bare.PUSHERD_SANDBOX;
	return spawnSync(PUSHERD, ['-t', '-o', `database=${dir}/a.db`,
		'-o', `runtime_dir=${dir}/run`, '-o', 'listen=127.0.0.1:0',
		'-o', 'metrics_listen=', ...args], { encoding: 'utf8',
		env: { ...bare, ...env }, timeout: 30000 * SLOW });
}

// The variables of a service in Kubernetes (kubelet, envvars.FromServices).
function service(name, ip, ports) {
	const p = name.toUpperCase().replace(/-/g, '_');
	const host = ip.includes(':') ? `[${ip}]` : ip;
	const all = { [`${p}_SERVICE_HOST`]: ip,
		[`${p}_SERVICE_PORT`]: `${ports[0].port}`,
		[`${p}_PORT`]: `${ports[0].proto}://${host}:${ports[0].port}` };
	for (const { label, port, proto } of ports) {
		const one = `${p}_PORT_${port}_${proto.toUpperCase()}`;
		if (label)
			all[`${p}_SERVICE_PORT_${label.toUpperCase()
				.replace(/-/g, '_')}`] = `${port}`;
		Object.assign(all, { [one]: `${proto}://${host}:${port}`,
			[`${one}_PROTO`]: proto, [`${one}_PORT`]: `${port}`,
			[`${one}_ADDR`]: ip });
	}
	return all;
}

const web = [{ label: 'http', port: 6001, proto: 'tcp' },
	{ label: 'tls-metrics', port: 9601, proto: 'udp' }];

describe('variables of services', () => {
	for (const name of ['pusherd', 'pusherd-ws', 'pusherd-port-1', 'soketi',
		'soketi-metrics-server', 'soketi-ssl-cert', 'reverb',
		'reverb-server', 'reverb-app', 'pusher-app'])
		for (const ip of ['10.96.0.17', 'fd00::17'])
			test(`O2: a service ${name} at ${ip}`, () => {
				const env = service(name, ip, web);
				const r = check(env);
				assert.equal(r.status, 0, r.stderr);
				const said = r.stderr.trim().split('\n');
				assert.equal(said.length, 1, r.stderr);
				assert.match(said[0], /Kubernetes or Docker/);
				assert.match(said[0], new RegExp(Object.keys(env)[0]));
			});

	test('O2: the addresses stay the default, and the note is one', () => {
		const env = { ...service('pusherd', '10.0.0.1', web),
			...service('soketi', '10.0.0.2', web),
			...service('soketi-metrics-server', '10.0.0.3', web) };
		const bare = environment();
		const r = spawnSync(PUSHERD, ['-T', '-o', `database=${dir}/a.db`],
			{ encoding: 'utf8', env: { ...bare, ...env } });
		assert.equal(r.status, 0, r.stderr);
		assert.match(r.stdout, /^listen 0\.0\.0\.0:6001 +# default$/m);
		assert.match(r.stdout,
			/^metrics_listen 127\.0\.0\.1:9601 +# default$/m);
		assert.match(check(env).stderr, / and \d+ more: /);
	});

	test('O2: docker --link', () => {
		const r = check({ PUSHERD_PORT: 'tcp://172.17.0.2:6001',
			PUSHERD_NAME: '/web/pusherd', PUSHERD_ENV_PATH: '/usr/bin' });
		assert.equal(r.status, 0, r.stderr);
	});

	for (const [name, value, said] of [
		['PUSHERD_LOG_LEVELL', 'debug', /did you mean log_level\?/],
		['PUSHERD_WORKER', '2', /did you mean workers\?/],
		['PUSHERD_PORT', '6001', /PUSHERD_PORT: there is no option/],
		['PUSHERD_PORT', 'tcp://host:6001', /PUSHERD_PORT: there is no opt/],
		['PUSHERD_PORT', 'tcp://10.0.0.1:', /PUSHERD_PORT: there is no opt/],
		['PUSHERD_SERVICE_HOST', 'here', /there is no option/],
		['PUSHERD_SERVICE_PORT', '70000', /there is no option/],
		['PUSHERD_PORT_6001_TCP', '6001', /there is no option/],
		['PUSHERD_ENV_PATH', '/usr/bin', /there is no option/],
		['PUSHERD_NAME', 'web', /there is no option/]])
		test(`O2: ${name}=${value} stays an error`, () => {
			const r = check({ [name]: value });
			assert.equal(r.status, 1, r.stderr);
			assert.match(r.stderr, said);
		});

	test('O2: an option of ours counts beside them', async () => {
		const d = new Daemon();
		d.env = { ...service('pusherd', '10.96.0.17', web),
			PUSHERD_LOG_LEVEL: 'debug' };
		await d.start();
		assert.equal(d.logLines().filter((l) => /Kubernetes/.test(l)).length,
			1);
		assert.equal(d.ctl(['config', 'log_level'])[0].value, 'debug');
		await d.stop();
	});
});

describe('the app of the environment', () => {
	const good = { ID: '77', KEY: 'a-key', SECRET: 'a-secret-text' };
	for (const family of ['SOKETI_DEFAULT_APP', 'PUSHER_APP', 'REVERB_APP'])
		for (const [field, value, said] of [
			['KEY', '"abc"', /the key is in quotes/],
			['KEY', '\'abc\'', /the key is in quotes/],
			['KEY', 'ab+c/=', /the key may have only/],
			['ID', 'my/app', /the id may have only/],
			['ID', 'x'.repeat(129), /the id is longer than 128/],
			['ID', '"77"', /the id is in quotes/],
			['SECRET', '"a-secret-text"', /the secret is in quotes/],
			['SECRET', ' a-secret-text', /the secret begins or ends with a blank/],
			['SECRET', 's'.repeat(257), /longer than 256/]])
			test(`O10: ${family}_${field}=${value.slice(0, 20)}`, () => {
				const env = {};
				for (const [k, v] of Object.entries(
					{ ...good, [field]: value }))
					env[`${family}_${k}`] = v;
				const r = check(env);
				assert.equal(r.status, 1, r.stderr);
				assert.match(r.stderr, said);
				assert.match(r.stderr, new RegExp(
					`environment variable ${family}_${field}: `));
				if (field === 'SECRET')
					assert.ok(!r.stderr.includes(value.trim()));
			});

	test('O10: a start refuses it', () => {
		const r = spawnSync(PUSHERD, ['-F', '-o', `database=${dir}/new.db`,
			'-o', `runtime_dir=${dir}/run`, '-o', 'listen=127.0.0.1:0',
			'-o', 'metrics_listen='], {
			encoding: 'utf8', timeout: 30000 * SLOW,
			env: { ...environment(), REVERB_APP_ID: '1',
				REVERB_APP_KEY: '"abc"', REVERB_APP_SECRET: 'secret' } });
		assert.equal(r.status, 1);
		assert.match(r.stderr, /REVERB_APP_KEY: the key is in quotes/);
	});

	test('O10: variables of the client alone are ignored', () => {
		const r = check({ PUSHER_APP_KEY: '"abc"' });
		assert.equal(r.status, 0, r.stderr);
	});

	test('O10: app create says the same', () => {
		const d = new Daemon();
		for (const [args, said] of [
			[['--key', '"abc"'], /the key .*is in quotes/],
			[['--id', 'my/app'], /may have only/]]) {
			const r = d.ctlRaw(['app', 'create', ...args]);
			assert.equal(r.code, 1);
			assert.match(r.err, said);
		}
		const r = d.ctlRaw(['app', 'create', '--secret-from', '-'], '"abc"\n');
		assert.match(r.err, /the secret is in quotes/);
		d.remove();
	});
});
