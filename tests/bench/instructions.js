// SPDX-License-Identifier: MIT
//
// instructions.js PUSHERD ...: instructions that a worker executes for an event
// to N subscribers while compression is off, by callgrind: a number that does
// not depend on what else the machine does.  Each run is done with few events
// and with many; the difference is theirs.
//
//   EVENTS=400 SUBSCRIBERS=1,100 BYTES=100,4000 RUNS=3
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const DIR = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-bench-'));
process.on('exit', () => fs.rmSync(DIR, { recursive: true }));
process.env.TEST_WRAP = 'valgrind -q --tool=callgrind --trace-children=yes ' +
	`--vgdb=no --callgrind-out-file=${DIR}/%p`;
process.env.TEST_SLOW ??= '20';

const numbers = (name, fallback) =>
	(process.env[name] || fallback).split(',').map(Number);
const [EVENTS] = numbers('EVENTS', '400');
const [RUNS] = numbers('RUNS', '3');

async function load(n, bytes, events) {
	const { Client } = require('../system/lib/client');
	const { Daemon } = require('../system/lib/daemon');
	const { Http } = require('../system/lib/http');
	const d = new Daemon({ workers: 1, sandbox: 'off', compression: 'off',
		keepalive_timeout: 3600 });
	const app = d.app({ max_backend_events_per_second: 0 });
	await d.start();
	const [pid] = d.pidsOf('worker');
	const all = await Client.several(d, app, n, { headers:
		{ 'Sec-WebSocket-Extensions': 'permessage-deflate' } });
	for (const c of all) await c.subscribe('c');
	const h = await Http.connect(d);
	for (let i = 0; i < events; i++) {
		await h.api(app, 'POST', '/events', { body: { name: 'e', channel: 'c',
			data: String(i).padStart(bytes, 'x') } });
		for (const c of all) await c.expect('e', 'c');
	}
	h.end();
	for (const c of all) c.destroy();
	await d.stop({ within: 60000 });
	const [, total] = /^(?:summary|totals): (\d+)/m.exec(
		fs.readFileSync(path.join(DIR, String(pid)), 'utf8'));
	console.log(total);
}

// A process, since lib/daemon.js reads the program at its start.
const run = (program, ...args) => Number(execFileSync(process.execPath,
	[__filename, '--load', ...args.map(String)],
	{ env: { ...process.env, PUSHERD_BIN: program }, encoding: 'utf8' })
	.trim().split('\n').at(-1));

function main(programs) {
	console.log('| subscribers | bytes | program | instructions of an event |' +
		'\n| --- | --- | --- | --- |');
	for (const n of numbers('SUBSCRIBERS', '1,100'))
		for (const bytes of numbers('BYTES', '100,4000'))
			for (const program of programs) {
				const all = Array.from({ length: RUNS }, () =>
					(run(program, n, bytes, EVENTS + 50) -
					run(program, n, bytes, 50)) / EVENTS);
				console.log(`| ${n} | ${bytes} | ${program} | ${all.map((x) =>
					x.toFixed(0)).join(', ')} |`);
			}
}

if (process.argv[2] === '--load') {
	load(...process.argv.slice(3).map(Number)).then(() => process.exit(0),
		(e) => { console.error(e); process.exit(1); });
} else {
	main(process.argv.slice(2).map((p) => path.resolve(p)));
}
