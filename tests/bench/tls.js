// SPDX-License-Identifier: MIT
//
// tls.js BUILD: what TLS costs.  Full handshakes of TLS 1.3 by openssl
// s_time(1) against pusherd and against openssl s_server(1) with the same
// certificate, in turns; a delivery to clients that come by TLS and to the same
// clients without; the memory of an idle one.  Server on the first core.
//
//   RUNS=5 SECONDS=3 CLIENTS=2000
'use strict';

const path = require('node:path');

const BUILD = path.resolve(process.argv[2] || 'build');
process.env.PUSHERD_BIN ??= path.join(BUILD, 'pusherd');

const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const { Client, closeAll } = require('../system/lib/client');
const { Daemon, sleep } = require('../system/lib/daemon');
const { Http } = require('../system/lib/http');
const { Authority } = require('../system/lib/tls');

const RUNS = Number(process.env.RUNS) || 5;
const SECONDS = Number(process.env.SECONDS) || 3;
const CLIENTS = Number(process.env.CLIENTS) || 2000;
const READERS = 200;
const EVENTS = 300;
const TICKS = 100; // of a second, in /proc

const median = (v) => [...v].sort((a, b) => a - b)[(v.length - 1) >> 1];
const read = (file) => fs.readFileSync(file, 'utf8');

function cpuSeconds(pids) {
	let ticks = 0;
	for (const pid of pids) {
		const stat = read(`/proc/${pid}/stat`);
		const f = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
		ticks += Number(f[11]) + Number(f[12]);
	}
	return ticks / TICKS;
}

function bytes(pids) {
	let kb = 0;
	for (const pid of pids)
		kb += Number(/^Pss: +(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))[1]);
	return kb * 1024;
}

const pin = (pid, core) =>
	spawnSync('taskset', ['-a', '-p', '-c', String(core), String(pid)]);

// CPU us of the server for one full handshake.
function handshake(port, pids) {
	const before = cpuSeconds(pids);
	const r = spawnSync('taskset', ['-c', '1', 'openssl', 's_time',
		'-connect', `127.0.0.1:${port}`, '-new', '-tls1_3', '-time',
		String(SECONDS)], { encoding: 'utf8' });
	const [, n] = /(\d+) connections in \d+ real seconds/.exec(r.stdout);
	return (cpuSeconds(pids) - before) * 1e6 / Number(n);
}

async function sServer(authority) {
	const p = spawn('taskset', ['-c', '0', 'openssl', 's_server', '-accept',
		'127.0.0.1:0', '-cert', authority.file('cert.pem'), '-key',
		authority.file('key.pem'), '-tls1_3', '-num_tickets', '1', '-www'],
	{ stdio: ['ignore', 'pipe', 'ignore'] });
	let out = '';
	p.stdout.on('data', (b) => { out += b; });
	while (!/^ACCEPT .*:\d+$/m.test(out)) await sleep(20);
	return { p, port: Number(/^ACCEPT .*:(\d+)$/m.exec(out)[1]) };
}

// CPU us of the server for one delivery to clients on one port.
async function delivery(d, app, n) {
	const clients = await Client.several(d, app, READERS);
	for (const c of clients) await c.subscribe('room');
	const h = await Http.connect({ ...d, tls: false, port: d.ports[0] });
	const body = { name: 'e', channel: 'room', data: 'x'.repeat(100) };
	const before = cpuSeconds(d.pidsOf(''));
	for (let i = 0; i < n; i++) {
		await h.api(app, 'POST', '/events', { body });
		for (const c of clients) await c.expect('e');
	}
	const us = (cpuSeconds(d.pidsOf('')) - before) * 1e6 / (n * READERS);
	h.end();
	await closeAll(clients);
	return us;
}

async function idle(d, app) {
	await sleep(500);
	const before = bytes(d.pidsOf(''));
	const clients = await Client.several(d, app, CLIENTS);
	for (const c of clients) await c.subscribe('idle');
	await sleep(3000);
	const each = (bytes(d.pidsOf('')) - before) / CLIENTS;
	await closeAll(clients);
	return each;
}

async function withDaemon(authority, fn) {
	const d = new Daemon({ workers: 1,
		listen: ['127.0.0.1:0', '127.0.0.1:0 tls'],
		tls_certificate: authority.file('cert.pem'),
		tls_key: authority.file('key.pem') });
	const app = d.app({ max_backend_events_per_second: 0 });
	await d.start();
	for (const pid of d.pidsOf('')) pin(pid, 0);
	try {
		return await fn(d, app);
	} finally {
		await d.stop();
	}
}

const overTls = (d) => Object.assign(d, { tls: true, port: d.ports[1] });
const plain = (d) => Object.assign(d, { tls: false, port: d.ports[0] });

function row(name, ours, other) {
	const a = median(ours);
	const b = median(other);
	console.log(`| ${name} | ${a.toFixed(1)} | ${b.toFixed(1)} | ` +
		`${(a / b).toFixed(2)} |`);
}

async function main() {
	const authority = new Authority();
	// The clients trust it; their check costs the server nothing.
	process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
	process.removeAllListeners('warning');
	pin(process.pid, 1);
	const s = await sServer(authority);
	process.on('exit', () => s.p.kill());
	const ours = [];
	const theirs = [];
	const deliveries = { tls: [], plain: [] };
	await withDaemon(authority, async (d, app) => {
		for (let i = 0; i < RUNS; i++) {
			ours.push(handshake(d.ports[1], d.pidsOf('')));
			theirs.push(handshake(s.port, [s.p.pid]));
			deliveries.tls.push(await delivery(overTls(d), app, EVENTS));
			deliveries.plain.push(await delivery(plain(d), app, EVENTS));
		}
	});
	s.p.kill();
	const each = await withDaemon(authority,
		(d, app) => idle(overTls(d), app));
	const eachPlain = await withDaemon(authority,
		(d, app) => idle(plain(d), app));
	authority.remove();
	console.log(`medians of ${RUNS} runs\n\n| CPU us | pusherd | beside | ` +
		'ratio |\n| --- | --- | --- | --- |');
	row('full handshake of TLS 1.3; openssl s_server', ours, theirs);
	row('delivery by TLS; without', deliveries.tls, deliveries.plain);
	console.log(`\nbytes of an idle subscribed connection (${CLIENTS}): ` +
		`${Math.round(each)} by TLS, ${Math.round(eachPlain)} without`);
}

main().then(() => process.exit(0), (e) => {
	console.error(e);
	process.exit(1);
});
