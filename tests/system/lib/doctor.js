// SPDX-License-Identifier: MIT
//
// Asks pusherctl doctor; and an nginx that may be set up wrongly.
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { until } = require('./daemon');
const { needs } = require('./deps');
const { freePort } = require('./port');

// Asked without blocking this process: its clients answer pings.
async function ask(d, ...args) {
	const r = await d.ctlAsync(['-j', 'doctor', ...args]);
	assert.equal(r.code, 0, r.err);
	for (let i = 1; i <= d.napps; i++)
		assert.ok(!r.out.includes(`secret-${i}`), 'no secret in an answer');
	return JSON.parse(r.out);
}

// The first finding of this kind, once it is there.
function found(d, kind, ...args) {
	return until(kind, async () => (await ask(d, ...args)).findings
		?.find((f) => f.kind === kind));
}

// nginx in front of pusherd; where: its locations.
async function nginx(where) {
	needs('proxy');
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-doctor-'));
	const port = await freePort();
	fs.chmodSync(dir, 0o755);
	fs.writeFileSync(`${dir}/nginx.conf`, `daemon off; pid ${dir}/pid;
		error_log ${dir}/error.log; events {} http { access_log off;
		client_body_temp_path ${dir}; proxy_temp_path ${dir};
		fastcgi_temp_path ${dir}; uwsgi_temp_path ${dir};
		scgi_temp_path ${dir};
		server { listen 127.0.0.1:${port}; ${where} } }`);
	const child = spawn('/usr/sbin/nginx', ['-p', dir, '-c',
		`${dir}/nginx.conf`, '-e', `${dir}/error.log`], { stdio: 'ignore' });
	const gone = new Promise((ok) => child.on('exit', ok));
	await until('nginx', () => new Promise((ok) => {
		const s = net.connect(port, '127.0.0.1', () => { s.end(); ok(true); });
		s.on('error', () => ok(false));
	}));
	return { port, url: `http://127.0.0.1:${port}`, async stop() {
		child.kill('SIGTERM');
		await gone;
		fs.rmSync(dir, { recursive: true });
	} };
}

module.exports = { ask, found, nginx };
