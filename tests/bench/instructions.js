// SPDX-License-Identifier: MIT
//
// instructions.js PUSHERD ...: instructions that the worker and the broker
// execute for an event to N subscribers while compression is off, by callgrind:
// numbers that do not depend on what else the machine does.  Each run is done
// with few events and with many; the difference is theirs.
//
//   EVENTS=400 SUBSCRIBERS=1,100 BYTES=100,4000 RUNS=3
//   KIND=client: the subscribers send client events in turn; KIND=batch: ten
//   publishes in one request, counted together; else each event is a publish
//   SUBSCRIBERS=0: nobody listens
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
const CLIENT = process.env.KIND === 'client';
const BATCH = process.env.KIND === 'batch' ? 10 : 1;
const PARTS = ['worker', 'broker'];
const CHANNEL = 'private-c';

// What the process executed, once it has ended.
function executed(pid) {
	const [, total] = /^(?:summary|totals): (\d+)/m.exec(
		fs.readFileSync(path.join(DIR, String(pid)), 'utf8'));
	return Number(total);
}

async function load(n, bytes, events) {
	const { Client } = require('../system/lib/client');
	const { Daemon } = require('../system/lib/daemon');
	const { Http } = require('../system/lib/http');
	const d = new Daemon({ workers: 1, sandbox: 'off', compression: 'off',
		keepalive_timeout: 3600 });
	const app = d.app({ client_events: 'on', max_client_events_per_second: 0,
		max_backend_events_per_second: 0 });
	await d.start();
	const pids = PARTS.map((part) => d.pidsOf(part)[0]);
	const all = await Client.several(d, app, n, { headers:
		{ 'Sec-WebSocket-Extensions': 'permessage-deflate' } });
	for (const c of all) await c.subscribe(CHANNEL);
	const h = await Http.connect(d);
	for (let i = 0; i < events; i++) {
		const from = CLIENT ? all[i % n] : null;
		const event = CLIENT ? 'client-e' : 'e';
		const data = String(i).padStart(bytes, 'x');
		if (CLIENT)
			from.send({ event, channel: CHANNEL, data });
		else if (BATCH > 1)
			await h.api(app, 'POST', '/batch_events', { body: {
				batch: Array(BATCH).fill({ name: event,
					channel: CHANNEL, data }) } });
		else
			await h.api(app, 'POST', '/events', { body: { name: event,
				channel: CHANNEL, data } });
		for (const c of all)
			for (let k = 0; c !== from && k < BATCH; k++)
				await c.expect(event, CHANNEL);
	}
	h.end();
	for (const c of all) c.destroy();
	await d.stop({ within: 60000 });
	console.log(pids.map(executed).join(' '));
}

// A process, since lib/daemon.js reads the program at its start.
const run = (program, ...args) => execFileSync(process.execPath,
	[__filename, '--load', ...args.map(String)],
	{ env: { ...process.env, PUSHERD_BIN: program }, encoding: 'utf8' })
	.trim().split('\n').at(-1).split(' ').map(Number);

// What each part executed for one event.
function one(program, n, bytes) {
	const few = run(program, n, bytes, 50);
	return run(program, n, bytes, EVENTS + 50)
		.map((total, i) => (total - few[i]) / EVENTS);
}

function main(programs) {
	console.log(`| subscribers | bytes | program | ${PARTS.join(' | ')} |` +
		`\n|${' --- |'.repeat(3 + PARTS.length)}`);
	for (const n of numbers('SUBSCRIBERS', '1,100'))
		for (const bytes of numbers('BYTES', '100,4000'))
			for (const program of programs) {
				const all = Array.from({ length: RUNS }, () =>
					one(program, n, bytes));
				console.log(`| ${n} | ${bytes} | ${program} | ${PARTS.map(
					(_, i) => all.map((parts) => parts[i].toFixed(0))
						.join(', ')).join(' | ')} |`);
			}
}

if (process.argv[2] === '--load') {
	load(...process.argv.slice(3).map(Number)).then(() => process.exit(0),
		(e) => { console.error(e); process.exit(1); });
} else {
	main(process.argv.slice(2).map((p) => path.resolve(p)));
}
