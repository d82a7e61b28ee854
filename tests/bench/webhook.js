// SPDX-License-Identifier: MIT
//
// webhook.js BUILD: what webhooks cost the rest.  The same client events with
// no endpoint, with one that gets each by itself, with one that gets batches,
// in turns; beside them publishes at a fixed rate, whose p99 is compared, and
// a receiver on the core of the load generators.  Prints medians and ratios.
//
//   RUNS=5 SECONDS=5 SINGLE=2000 BATCH=20000
'use strict';

const { execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

const BUILD = path.resolve(process.argv[2] || 'build');
const RUNS = Number(process.env.RUNS) || 5;
const SECONDS = Number(process.env.SECONDS) || 5;
const SINGLE = Number(process.env.SINGLE) || 2000;
const BATCH = Number(process.env.BATCH) || 20000;
const DRAIN_MS = 60000;
const DIR = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-bench-'));
const OPTS = ['-o', `database=${DIR}/apps.db`, '-o', `runtime_dir=${DIR}/run`,
	'-o', 'webhook_allow_private=on', '-o', 'metrics_listen='];
const CTL = path.join(BUILD, 'pusherctl');

const on = (core, argv) => (os.cpus().length > 1 ?
	['taskset', '-c', String(core), ...argv] : argv);
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const median = (v) => [...v].sort((a, b) => a - b)[(v.length - 1) >> 1];
const ctl = (...args) => execFileSync(CTL, [...OPTS, '-j', ...args],
	{ encoding: 'utf8' });

// A receiver that does as little as it can: counts requests and events.
function receiver() {
	let requests = 0;
	let events = 0;
	const server = net.createServer((s) => {
		let rest = Buffer.alloc(0);
		s.on('error', () => {});
		s.on('data', (b) => {
			rest = rest.length > 0 ? Buffer.concat([rest, b]) : b;
			for (;;) {
				const end = rest.indexOf('\r\n\r\n');
				if (end < 0) return;
				const length = Number(/Content-Length: (\d+)/.exec(
					rest.subarray(0, end).toString('latin1'))[1]);
				if (rest.length < end + 4 + length) return;
				const body = rest.subarray(end + 4, end + 4 + length)
					.toString('latin1');
				requests++;
				events += body.split('"name":"').length - 1;
				s.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
				rest = rest.subarray(end + 4 + length);
			}
		});
	});
	server.listen(0, '127.0.0.1', () =>
		process.send({ port: server.address().port }));
	process.on('message', () => process.send({ requests, events }));
	process.on('disconnect', () => process.exit(0));
}

function ask(child) {
	return new Promise((resolve) => {
		child.once('message', resolve);
		child.send('count');
	});
}

function bench(...args) {
	return new Promise((resolve, reject) => {
		const [file, ...rest] = on(1, [CTL, ...OPTS, '-j', 'bench', ...args,
			'--seconds', String(SECONDS)]);
		const p = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
		let out = '';
		let err = '';
		p.stdout.on('data', (b) => { out += b; });
		p.stderr.on('data', (b) => { err += b; });
		p.on('close', (code) => (code === 0 ? resolve(JSON.parse(out)) :
			reject(new Error(err))));
	});
}

async function start() {
	const [file, ...args] = on(0, [path.join(BUILD, 'pusherd'), ...OPTS, '-F',
		'-o', 'workers=1', '-o', 'listen=127.0.0.1:0']);
	execFileSync(CTL, [...OPTS, 'app', 'create', '--name', 'demo', '--set',
		'client_events=on', '--set', 'max_client_events_per_second=0'],
	{ stdio: 'ignore' });
	const log = path.join(DIR, 'log');
	const out = fs.openSync(log, 'a');
	const child = spawn(file, args, { stdio: ['ignore', out, out] });
	for (let i = 0; i < 200; i++) {
		if (fs.readFileSync(log, 'utf8').includes('ready: listening')) break;
		await sleep(50);
	}
	const port = fs.readFileSync(`${DIR}/run/listen`, 'utf8').trim()
		.replace(/^.*:/s, '');
	return { child, port };
}

// CPU seconds so far, by role.
function cpuSeconds() {
	const all = { worker: 0, broker: 0, courier: 0 };
	for (const pid of fs.readdirSync('/proc').filter((p) => /^\d+$/.test(p))) {
		try {
			const title = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
			const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
			const f = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
			const [role] = title.replace(/^.*: /, '').split(/[ \0]/);
			if (role in all && Number(f[1]) === master)
				all[role] += (Number(f[11]) + Number(f[12])) / 100;
		} catch { /* it is gone */ }
	}
	return all;
}
let master;

// One run: { p50, p99, sent, arrived in time, s until all had arrived, … }
async function run({ port, box, num }, { rate, webhook }) {
	ctl('webhook', 'set', num, `enabled=${webhook ? 'on' : 'off'}`,
		`batch=${webhook === 'batch' ? 'on' : 'off'}`);
	const before = await ask(box);
	const cpu = cpuSeconds();
	const began = performance.now();
	const [events, publish] = await Promise.all([
		bench('client-events', '--port', port, '--clients', '20',
			'--channels', '10', '--rate', String(rate)),
		bench('publish', '--port', port, '--publishers', '4', '--rate',
			'400')]);
	const atEnd = await ask(box);
	const sent = Math.round(rate * SECONDS);
	let after = atEnd;
	while (webhook && performance.now() - began < DRAIN_MS) {
		const { webhooks } = [JSON.parse(ctl('status'))].flat()[0];
		after = await ask(box);
		if (webhooks.queued + webhooks.waiting === 0) break;
		await sleep(100);
	}
	return { p50: Number(publish.p50_us), p99: Number(publish.p99_us),
		relay: Number(events.p99_us), sent,
		inTime: atEnd.events - before.events,
		arrived: after.events - before.events,
		requests: after.requests - before.requests,
		...Object.fromEntries(Object.entries(cpuSeconds()).map(
			([k, v]) => [k, (v - cpu[k]) * 1e6 / sent])) };
}

const MODES = {
	[`${SINGLE} client events/s, no endpoint`]: { rate: SINGLE },
	[`${SINGLE} single deliveries/s`]: { rate: SINGLE, webhook: 'single' },
	[`${BATCH} client events/s, no endpoint`]: { rate: BATCH },
	[`${BATCH} events/s in batches`]: { rate: BATCH, webhook: 'batch' },
};

async function main() {
	const [file, ...args] = on(1, [process.execPath, __filename]);
	const box = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit',
		'ipc'], env: { ...process.env, RECEIVER: '1' } });
	const { port: target } = await new Promise((resolve) => {
		box.once('message', resolve);
	});
	const { child, port } = await start();
	master = child.pid;
	const [added] = [JSON.parse(ctl('webhook', 'add', 'demo',
		`http://127.0.0.1:${target}/`, '--events', 'client_event'))].flat();
	const num = String(added.webhook);
	const got = Object.fromEntries(Object.keys(MODES).map((m) => [m, []]));
	for (let i = 0; i < RUNS; i++)
		for (const [name, mode] of Object.entries(MODES))
			got[name].push(await run({ port, box, num }, mode));
	console.log(`${new Date().toISOString().slice(0, 10)}, ` +
		`${os.cpus().length} cores, medians of ${RUNS} runs of ${SECONDS} s`);
	console.log('| | p50 of publishes, us | p99 | ratio of p99 | ' +
		'arrived by the end of the load | in all | requests | CPU us of ' +
		`each event: worker, broker, courier |\n|${' --- |'.repeat(8)}`);
	let base = 0;
	for (const [name, rs] of Object.entries(got)) {
		const m = (f) => median(rs.map((r) => r[f]));
		if (!MODES[name].webhook) base = m('p99');
		console.log(`| ${name} | ${m('p50')} | ${m('p99')} | ` +
			`${(m('p99') / base).toFixed(2)} | ${m('inTime')} of ` +
			`${m('sent')} | ${m('arrived')} | ${m('requests')} | ` +
			`${['worker', 'broker', 'courier'].map((r) =>
				m(r).toFixed(1)).join(', ')} |`);
	}
	child.kill('SIGTERM');
	await new Promise((resolve) => { child.on('exit', resolve); });
	box.disconnect();
	fs.rmSync(DIR, { recursive: true, force: true });
}

if (process.env.RECEIVER) receiver();
else main().catch((e) => { console.error(e); process.exit(1); });
