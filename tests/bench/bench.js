// SPDX-License-Identifier: MIT
//
// bench.js BUILD: measures pusherd, the bare floor and, where npm has them,
// other servers, side by side: in each round every server has its turn, the
// servers on the first core, the load generator on the second.  Prints a table
// of medians and ratios, and keeps every record in BUILD/bench.jsonl.
//
//   RUNS=5 SECONDS=3 QUICK=1 ONLY=regexp PEERS=uws,ws,soketi SOCKUDO=/path
//   BEFORE=/path/to/build of another commit: measured beside this one
//   WORKERS=1,2,4: only the table of several workers on one core; with
//   PEERS=uws beside as many processes of uWebSockets, which share nothing
//   WORKERS=1,4 CORES=2: only that of several workers on two cores
'use strict';

const { execFileSync, spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const peers = require('./peers/peers');
const { OWN: own, SCENARIOS, ACROSS, OURS, BARE } = require('./scenarios');
const { onTwoCores } = require('./two_cores');

const BUILD = path.resolve(process.argv[2] || 'build');
const QUICK = Boolean(process.env.QUICK);
const RUNS = Number(process.env.RUNS) || (QUICK ? 1 : 5);
const SECONDS = Number(process.env.SECONDS) || (QUICK ? 1 : 3);
const ONLY = new RegExp(process.env.ONLY || '');
const WORKERS = (process.env.WORKERS || '1,2,4').split(',').map(Number);
const CORES = Number(process.env.CORES) || 1;
const PEERS = path.join(__dirname, 'peers');
const DIR = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-bench-'));
const SECRET = path.join(DIR, 'secret');
const CREDENTIALS = ['--app-id', 'bench', '--key', 'benchkey',
	'--secret-from', SECRET];
const TWO_CORES = os.cpus().length > 1;
const running = [];

const on = (cores, argv) =>
	(TWO_CORES ? ['taskset', '-c', cores, ...argv] : argv);

function launch(argv, { cwd, cores = '0' } = {}) {
	const out = fs.openSync(path.join(DIR, 'log'), 'a');
	const [file, ...args] = on(cores, argv);
	const child = spawn(file, args, { cwd, stdio: ['ignore', out, out] });
	running.push(child);
	return child;
}

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

function connects(port) {
	return new Promise((resolve) => {
		const s = net.connect(port, '127.0.0.1');
		s.on('connect', () => { s.destroy(); resolve(true); });
		s.on('error', () => resolve(false));
	});
}

// A port that nobody has at the moment.
function freePort() {
	return new Promise((resolve) => {
		const s = net.createServer();
		s.listen(0, '127.0.0.1', () => {
			const { port } = s.address();
			s.close(() => resolve(port));
		});
	});
}

function pusherd(workers, cores, build = BUILD, more = {}) {
	return (port) => {
		const dir = fs.mkdtempSync(path.join(DIR, 'd'));
		const opts = ['-o', `database=${dir}/apps.db`, '-o',
			`runtime_dir=${dir}/run`];
		const set = { max_presence_members: 1000, client_events: 'on',
			max_client_events_per_second: 0, max_subscriptions: 100000,
			max_backend_events_per_second: 0, ...more };
		execFileSync(path.join(build, 'pusherctl'), [...opts, 'app',
			'create', '--id', 'bench', '--key', 'benchkey', '--name', 'demo',
			'--secret-from', SECRET, ...Object.entries(set).flatMap(
				([k, v]) => ['--set', `${k}=${v}`])],
		{ stdio: 'ignore' });
		return launch([path.join(build, 'pusherd'), ...opts, '-F', '-o',
			`workers=${workers}`, '-o', 'metrics_listen=', '-o', `listen=127.0.0.1:${port}`],
		{ cores });
	};
}

function uws(processes) {
	return (port) => launch(['node', 'uws.js', String(port),
		String(processes)], { cwd: PEERS });
}

function soketi(port) {
	return launch(peers.soketi(port, DIR), { cwd: peers.DIR });
}

function sockudo(port) {
	return launch([process.env.SOCKUDO, '--config',
		peers.sockudoConfig(port, DIR)], { cwd: DIR });
}

const START = {
	pusherd: pusherd(1),
	...(process.env.BEFORE
		? { before: pusherd(1, undefined, path.resolve(process.env.BEFORE)) }
		: {}),
	uws: uws(1),
	ws: (port) => launch(['node', 'ws.js', String(port)],
		{ cwd: PEERS }),
	soketi,
	...(process.env.SOCKUDO ? { sockudo } : {}),
};

async function start(name, fn) {
	const port = await freePort();
	const child = fn(port);
	for (let i = 0; i < 200 && child.exitCode === null; i++) {
		if (await connects(port)) return { name, port, child, fn };
		await sleep(50);
	}
	child.kill('SIGKILL');
	console.log(`(${name} does not start here: left out)`);
	return null;
}

async function stop(server) {
	const { child } = server;
	child.kill('SIGTERM');
	for (let i = 0; i < 60 && child.exitCode === null; i++) await sleep(50);
	child.kill('SIGKILL');
}

const records = fs.createWriteStream(path.join(BUILD, 'bench.jsonl'),
	{ flags: 'a' });

function measure(server, scenario, args) {
	const [file, ...rest] = on('1', [path.join(BUILD, 'pusherctl'), '-j',
		'bench', '--seconds', String(SECONDS), ...args, '--port',
		String(server.port), '--pid', String(server.child.pid),
		...CREDENTIALS]);
	const r = spawnSync(file, rest, { encoding: 'utf8' });
	if (r.status !== 0)
		return { error: r.stderr.trim().replace(/^pusherctl: /, '') };
	const record = JSON.parse(r.stdout);
	records.write(`${JSON.stringify({ server: server.name,
		name: scenario, ...record })}\n`);
	return record;
}

// The clock ticks that the processes on the servers' core have worked.
function worked() {
	const [, user, nice, system] = fs.readFileSync('/proc/stat', 'utf8')
		.match(/^cpu0 +(\d+) (\d+) (\d+)/m).map(Number);
	return user + nice + system;
}

// Some servers tidy up for seconds after their clients have gone: that is not
// for the next one to pay.
async function quiet() {
	for (let i = 0, last = worked(), now; i < 50; i++, last = now) {
		await sleep(200);
		now = worked();
		if (now - last <= 1) return;
	}
}

const median = (v) => [...v].sort((a, b) => a - b)[(v.length - 1) >> 1];
const value = (r, field) => Number(r[field] ?? r[`${field}_per_second`]);
const shown = (n) => (n >= 100 ? Math.round(n).toLocaleString('en')
	: n.toFixed(2));

// One cell: the median, and what else there is to say; sleeps: also how often
// a process of the server slept for each.
function cell(rs, field, sleeps) {
	const good = rs.filter((r) => !r.error);
	if (good.length === 0) return rs.length === 0 ? '-' : rs[0].error;
	const get = (f) => median(good.map((r) => value(r, f)));
	let text = shown(get(field));
	if (field.endsWith('_us'))
		text += good[0].p99_us ? `, p99 ${shown(get('p99_us'))}` : '';
	else if (get('server_cpu_us_each') > 0 && field !== 'server_cpu_us_each')
		text += ` (${get('server_cpu_us_each').toFixed(2)} us${sleeps ?
			`, ${get('server_switches_each').toFixed(3)}` : ''}${
			good[0].cores ? `; ${get('cores').toFixed(1)}` : ''})`;
	for (const f of ['lost', 'duplicate', 'out_of_order'])
		if (good.some((r) => r[f] > 0)) text += ` ${f.toUpperCase()}`;
	if (good.some((r) => r.limit === 'the tool')) text += ' TOOL';
	if (good.some((r) => /get its core/.test(r.limit))) text += ' BUSY';
	return text;
}

// How many times better the first is than the second.
function ratio(a, b, field) {
	const get = (rs) => median(rs.filter((r) => !r.error)
		.map((r) => value(r, field)));
	const less = /_us|bytes/.test(field);
	const n = less ? get(b) / get(a) : get(a) / get(b);
	return Number.isFinite(n) ? n.toFixed(2) : '-';
}

function floor(connections) {
	const out = execFileSync(path.join(BUILD, 'floor'),
		[String(connections), String(QUICK ? 0.5 : 1)], { encoding: 'utf8' });
	return out.trim().split('\n').map((line) => JSON.parse(line));
}

// What the kernel alone takes when so many workers share a core; see BARE.
function bare(name, workers) {
	const [program, processes] = BARE[name](workers);
	return JSON.parse(execFileSync(path.join(BUILD, program),
		[String(processes), String(SECONDS)], { encoding: 'utf8' }));
}

function printFloor(rounds) {
	console.log('\n| floor: what the kernel alone takes | per second | us each |');
	console.log('| --- | --- | --- |');
	for (const [i, f] of rounds[0].entries()) {
		const get = (k) => median(rounds.map((r) => r[i][k]));
		console.log(`| ${f.connections.toLocaleString('en')} connections, ` +
			`${f.floor} | ${shown(get('per_second'))} | ` +
			`${get('cpu_us_each').toFixed(3)} |`);
	}
}

function progress(text) {
	if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

// One measurement: of memory, on a server that nobody has used; beside another
// build, too, since two processes of one program differ by up to 7 % for as
// long as they live.
async function oneRun(server, name, field, args) {
	await quiet();
	const fresh = field.includes('bytes') ||
		(process.env.BEFORE && own.includes(server.name));
	if (!fresh) return measure(server, name, args);
	const s = await start(server.name, server.fn);
	if (s === null) return { error: 'did not start' };
	const r = measure(s, name, args);
	await stop(s);
	return r;
}

// Every scenario on every server, RUNS times, the servers taking turns; in bold
// how many times better pusherd is.
async function sideBySide(servers) {
	const floors = [];
	const names = servers.map((s) => s.name);
	console.log(`\n| scenario | ${names.join(' | ')} |`);
	console.log(`|${' --- |'.repeat(1 + names.length)}`);
	let half = 0;
	for (const [name, [who, field, args]] of Object.entries(SCENARIOS)) {
		if (!ONLY.test(name)) continue;
		const got = Object.fromEntries(names.map((n) => [n, []]));
		const more = field === 'p50_us' && half > 0 && !args.includes('--rate')
			? ['--rate', String(half)] : [];
		for (let run = 0; run < RUNS; run++) {
			if (floors.length < RUNS)
				floors.push([...floor(1000), ...floor(10000)]);
			const order = run % 2 ? [...servers].reverse() : servers;
			for (const s of order) {
				if (!who.includes(s.name)) continue;
				progress(`${name}: ${run + 1}/${RUNS} ${s.name}`);
				got[s.name].push(await oneRun(s, name, field,
					[...args, ...more]));
			}
		}
		progress('');
		if (name.startsWith('fan-out 100 x 100'))
			half = Math.max(1, Math.round(median(got.pusherd.map(
				(r) => value(r, 'published') || 2)) / 2));
		console.log(`| ${name}${more.length ? ` (${half * 100}/s)` : ''} | ` +
			`${names.map((n) => cell(got[n], field) +
				(n === 'pusherd' || got[n].length === 0 ? ''
					: ` **${ratio(got.pusherd, got[n], field)}**`))
				.join(' | ')} |`);
	}
	if (floors.length > 0) printFloor(floors);
}

// The columns of so many workers, and on which cores their server runs.  On two
// the load generator, too, needs one and does not keep it busy, so that it costs
// more: one worker has the better of both, several have a column for each.
const columns = (cores, n) => {
	if (cores === 1) return [[n, ['0']]];
	return n === 1 ? [[n, ['0', '0,1']]]
		: [[`${n} spread`, ['0,1']], [`${n} together`, ['0']]];
};

// Several workers and the broker against one, in turns.
async function severalWorkers(cores) {
	const kinds = [];
	for (const [of, build] of [['', BUILD], [' before', process.env.BEFORE]])
		for (const n of build ? WORKERS : [])
			for (const [name, places] of columns(cores, n))
				kinds.push([`${name}${of}`, n, places, path.resolve(build)]);
	for (const n of process.env.PEERS === 'uws' && peers.install()
		? WORKERS : [])
		kinds.push([`${n} uws`, n, ['0'], null]);
	const names = kinds.map(([name]) => name);
	// Each but the first of its build is compared with that.
	const first = kinds.map((k) => kinds.findIndex((f) => f[3] === k[3]));
	const compared = kinds.map((_, i) => i).filter((i) => first[i] !== i);
	console.log(`\n| ${cores === 2 ? 'workers on two cores' : 'workers'} | ` +
		`${names.join(' | ')} | ${compared.map((i) =>
			`${names[i]} / ${names[first[i]]}`).join(' | ')} |`);
	console.log(`|${' --- |'.repeat(1 + names.length + compared.length)}`);
	for (const [name, [, given, args]] of
		[...Object.entries(SCENARIOS), ...ACROSS]) {
		if (!ONLY.test(name) || name.includes('open loop') ||
			(cores === 2 && /_us|bytes|^joins$/.test(given))) continue;
		const field = cores === 2 ? 'on_two_cores' : given;
		const got = kinds.map(() => []);
		for (let run = 0; run < RUNS; run++)
			for (const [i, [kind, n, places, build]] of kinds.entries()) {
				let best;
				if (BARE[name]) {
					if (build === BUILD) got[i].push(bare(name, n));
					continue;
				}
				for (const place of places) {
					// Processes that share nothing cannot deliver.
					if (build === null && !name.startsWith('publish')) continue;
					progress(`${name}: ${run + 1}/${RUNS} ${kind}`);
					const s = await start(kind, build === null ? uws(n)
						: pusherd(n, place, build));
					if (s === null) return;
					await quiet();
					const measured = () => measure(s, name, args);
					const r = cores === 2
						? onTwoCores(s.child.pid, measured) : measured();
					if (!(best?.[field] >= r[field])) best = r;
					await stop(s);
				}
				if (best) got[i].push(best);
			}
		progress('');
		console.log(`| ${name} | ${got.map((rs) => cell(rs, field, true))
			.join(' | ')} | ${compared.map((i) =>
			ratio(got[i], got[first[i]], field)).join(' | ')} |`);
	}
}

// Seconds after which each client has confirmed what it got, and is idle.
const IDLE = ['--seconds', '20'];

// The same server and clients with resume and without, in turns.
async function resumable() {
	const off = await start('off', pusherd(1));
	const on = await start('on', pusherd(1, '0', BUILD, { resume: 'on' }));
	if (off === null || on === null) return;
	console.log('\n| resume | off | on | off / on, by cost |\n| --- | --- | --- | --- |');
	for (const name of ['fan-out 1 x 1,000, one at a time',
		'fan-out 1 x 1,000, 8 in flight', 'fan-out 100 x 100, 4 in flight',
		'publish, 8 connections', 'publish, 64 connections',
		'idle, 10,000 subscribed: bytes each']) {
		const [, field, args] = SCENARIOS[name];
		if (!ONLY.test(`resume ${name}`)) continue;
		const got = { off: [], on: [] };
		for (let run = 0; run < RUNS; run++)
			for (const s of run % 2 ? [on, off] : [off, on]) {
				progress(`resume, ${name}: ${run + 1}/${RUNS}`);
				got[s.name].push(await oneRun(s, name, field,
					[...args, ...(field.includes('bytes') ? IDLE : []),
						...(s === on ? ['--resume'] : [])]));
			}
		progress('');
		console.log(`| ${name} | ${cell(got.off, field)} | ` +
			`${cell(got.on, field)} | ${ratio(got.on, got.off, field.includes(
				'bytes') ? field : 'server_cpu_us_each')} |`);
	}
	const r = measure(on, 'cut and back', ['resume']);
	console.log(`| 1,000 clients cut off at 1,000 events/s: back in, replayed, ` +
		`gaps, lost; most doubles of a client | | ${r.error ??
		[`${Math.round(r.round_us / 1000)} ms`, r.replayed, r.gaps, r.lost,
			r.most_duplicates].join(', ')} | |`);
	for (const s of [off, on]) await stop(s);
}

async function alone() {
	console.log('\n| pusherd alone | |\n| --- | --- |');
	for (const [name, [workers, field, args]] of Object.entries(OURS)) {
		if (!ONLY.test(name)) continue;
		const got = [];
		for (let run = 0; run < RUNS; run++) {
			progress(`${name}: ${run + 1}/${RUNS}`);
			const s = await start('pusherd', pusherd(workers));
			if (s === null) break;
			await quiet();
			got.push(measure(s, name, args));
			await stop(s);
		}
		progress('');
		console.log(`| ${name} | ${cell(got, field)} |`);
	}
}

async function main() {
	fs.writeFileSync(SECRET, 'benchsecret');
	console.log(`${new Date().toISOString().slice(0, 10)}, ` +
		`${os.cpus().length} cores, ${os.cpus()[0].model}, Linux ` +
		`${os.release()}, medians of ${RUNS} runs of ${SECONDS} s`);
	if (!TWO_CORES)
		console.log('one core only: server and tool share it');
	if (process.env.WORKERS) {
		await severalWorkers(CORES);
		return;
	}
	const wanted = (process.env.PEERS || 'uws,ws,soketi,sockudo').split(',');
	const there = Object.keys(START)
		.filter((name) => own.includes(name) || wanted.includes(name));
	const outside = there.some((name) => !own.includes(name)) && !peers.install();
	const servers = [];
	for (const name of there) {
		if (outside && !own.includes(name)) continue;
		const s = await start(name, START[name]);
		if (s !== null) servers.push(s);
	}
	await sideBySide(servers);
	for (const s of servers) await stop(s);
	await resumable();
	if (QUICK) return;
	await severalWorkers(1);
	await severalWorkers(2);
	await alone();
}

process.on('exit', () => {
	for (const child of running) child.kill('SIGKILL');
	fs.rmSync(DIR, { recursive: true, force: true });
});
process.on('SIGINT', () => process.exit(130));
main().catch((e) => {
	console.error(e);
	process.exit(1);
});
