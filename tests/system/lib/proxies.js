// SPDX-License-Identifier: MIT
//
// The files of etc/doc for nginx, HAProxy, Caddy, Apache and Traefik with the
// real programs.  Only addresses, ports and certificates are replaced; the
// first three can also do without TLS.
'use strict';

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const os = require('node:os');
const path = require('node:path');
const { until } = require('./daemon');
const { needs } = require('./deps');
const { freePort } = require('./port');

const TOP = path.resolve(__dirname, '../../..');

function run(program, args) {
	const r = spawnSync(program, args, { encoding: 'utf8', timeout: 300000 });
	assert.equal(r.error, undefined, `${program}: ${r.error}`);
	assert.equal(r.status, 0, `${program}: ${r.stdout}${r.stderr}`);
}

// Replaces exactly what is there, or fails: the file may have changed.
function edit(file, changes) {
	let text = fs.readFileSync(path.join(TOP, 'etc/doc', file), 'utf8');
	for (const [from, to] of changes) {
		assert.ok(text.includes(from), `${file} has "${from}"`);
		text = text.replaceAll(from, to);
	}
	return text;
}

const PROXIES = {
	nginx(dir, front, back, plain) {
		const text = edit('nginx.conf', [
			[plain ? 'listen 443 ssl' : 'listen 443',
				`listen 127.0.0.1:${front}`],
			['127.0.0.1:6001', `127.0.0.1:${back}`],
			['/etc/ssl/ws.example.com.pem', `${dir}/cert.pem`],
			['/etc/ssl/ws.example.com.key', `${dir}/key.pem`]]);
		fs.writeFileSync(`${dir}/nginx.conf`, `daemon off;
			pid ${dir}/nginx.pid; error_log ${dir}/error.log;
			events { worker_connections 512; }
			http { access_log off; client_body_temp_path ${dir}/body;
			proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/f;
			uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
			${text} }`);
		return ['/usr/sbin/nginx', ['-p', dir, '-c', `${dir}/nginx.conf`,
			'-e', `${dir}/error.log`]];
	},
	haproxy(dir, front, back, plain) {
		fs.writeFileSync(`${dir}/both.pem`,
			fs.readFileSync(`${dir}/cert.pem`, 'utf8') +
			fs.readFileSync(`${dir}/key.pem`, 'utf8'));
		fs.writeFileSync(`${dir}/haproxy.cfg`, edit('haproxy.cfg', [
			...plain ? [[' ssl crt /etc/ssl/ws.example.com.pem alpn http/1.1',
				'']] : [['/etc/ssl/ws.example.com.pem', `${dir}/both.pem`]],
			['bind :443', `bind 127.0.0.1:${front}`],
			['127.0.0.1:6001', `127.0.0.1:${back}`]]));
		return ['/usr/sbin/haproxy', ['-W', '-db', '-f',
			`${dir}/haproxy.cfg`]];
	},
	caddy(dir, front, back, plain) {
		const text = edit('Caddyfile', [
			['ws.example.com {', plain ? `http://127.0.0.1:${front} {` :
				`https://127.0.0.1:${front} {
				tls ${dir}/cert.pem ${dir}/key.pem`],
			['127.0.0.1:6001', `127.0.0.1:${back}`]]);
		fs.writeFileSync(`${dir}/Caddyfile`, `{
			admin unix/${dir}/admin.sock
			auto_https disable_redirects
			default_bind 127.0.0.1
			storage file_system ${dir}/data
			}
			${text}`);
		return ['/usr/bin/caddy', ['run', '--adapter', 'caddyfile',
			'--config', `${dir}/Caddyfile`]];
	},
	apache(dir, front, back) {
		const text = edit('apache.conf', [
			['*:443', `127.0.0.1:${front}`],
			['127.0.0.1:6001', `127.0.0.1:${back}`],
			['/etc/ssl/ws.example.com.pem', `${dir}/cert.pem`],
			['/etc/ssl/ws.example.com.key', `${dir}/key.pem`]]);
		const modules = ['mpm_event', 'authz_core', 'socache_shmcb', 'ssl',
			'proxy', 'proxy_http', 'proxy_wstunnel', 'headers'];
		fs.writeFileSync(`${dir}/apache.conf`, `${modules.map((m) =>
			`LoadModule ${m}_module /usr/lib/apache2/modules/mod_${m}.so`)
			.join('\n')}
			ServerName 127.0.0.1
			Listen 127.0.0.1:${front}
			User www-data
			Group www-data
			PidFile ${dir}/apache.pid
			DefaultRuntimeDir ${dir}
			ErrorLog ${dir}/error.log
			${text}`);
		return ['/usr/sbin/apache2', ['-DFOREGROUND', '-d', dir, '-f',
			`${dir}/apache.conf`]];
	},
	traefik(dir, front, back) {
		fs.writeFileSync(`${dir}/traefik.yml`, `tls:
  stores:
    default:
      defaultCertificate: {certFile: ${dir}/cert.pem, keyFile: ${dir}/key.pem}
${edit('traefik.yml', [
		['Host(`ws.example.com`)', 'Host(`127.0.0.1`)'],
		['tls:\n        certResolver: letsencrypt', 'tls: {}'],
		['127.0.0.1:6001', `127.0.0.1:${back}`]])}`);
		return [`${TOP}/tests/system/python/venv/bin/traefik`, [
			`--entryPoints.websecure.address=127.0.0.1:${front}`,
			`--providers.file.filename=${dir}/traefik.yml`]];
	},
};

// Answers GET /ready through the proxy.
function isReady(port, ca) {
	return new Promise((resolve) => {
		(ca ? https : http).get({ port, host: '127.0.0.1', path: '/ready', ca,
			agent: false }, (res) => {
			res.resume();
			resolve(res.statusCode === 200);
		}).on('error', () => resolve(false));
	});
}

class Proxy {
	// Before the port back; plain: without TLS.
	static async open(name, back, plain = false) {
		needs('proxy');
		const p = new Proxy();
		p.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-proxy-'));
		try {
			await p.start(name, back, plain);
		} catch (e) {
			await p.stop();
			throw e;
		}
		return p;
	}

	async start(name, back, plain) {
		const { dir } = this;
		// nginx gives its work to a user that has to get here.
		fs.chmodSync(dir, 0o755);
		run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt',
			'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
			'-subj', '/CN=127.0.0.1', '-addext',
			'subjectAltName=IP:127.0.0.1', '-keyout',
			`${dir}/key.pem`, '-out', `${dir}/cert.pem`]);
		this.ca = plain ? undefined : fs.readFileSync(`${dir}/cert.pem`);
		this.port = await freePort();
		const out = fs.openSync(`${dir}/out`, 'a');
		this.child = spawn(...PROXIES[name](dir, this.port, back, plain),
			{ stdio: ['ignore', out, out] });
		fs.closeSync(out);
		process.once('exit', () => this.child.kill());
		await until(`${name} to be ready`, () => {
			if (this.child.exitCode !== null)
				assert.fail(fs.readFileSync(`${dir}/out`, 'utf8'));
			return isReady(this.port, this.ca);
		});
	}

	async stop() {
		if (this.child && this.child.exitCode === null) {
			this.child.kill('SIGTERM');
			await new Promise((ok) => this.child.once('exit', ok));
		}
		fs.rmSync(this.dir, { recursive: true });
	}
}

module.exports = { PROXIES, Proxy, run };
