// SPDX-License-Identifier: MIT
//
// compression.js BUILD: bytes and CPU time of events of six shapes to 1, 10
// and 1,000 subscribers, compressed and plain, in turns; and by the ws package
// with a compressor for each socket (peers/ws.js).  Server on the first core.
//
//   RUNS=5 SUBSCRIBERS=1,10,1000 SHAPES=REGEX
'use strict';

const path = require('node:path');

const BUILD = path.resolve(process.argv[2] || 'build');
process.env.PUSHERD_BIN ??= path.join(BUILD, 'pusherd');

const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const peers = require('./peers/peers');
const { Client, frame, OP } = require('../system/lib/client');
const { Daemon, sleep } = require('../system/lib/daemon');
const { Http } = require('../system/lib/http');
const { freePort } = require('../system/lib/port');

const RUNS = Number(process.env.RUNS) || 5;
const SUBSCRIBERS = (process.env.SUBSCRIBERS || '1,10,1000').split(',')
	.map(Number);
const WANTED = new RegExp(process.env.SHAPES || '');
const EVENTS = { 1: 400, 10: 300, 1000: 30 };

const median = (v) => [...v].sort((a, b) => a - b)[(v.length - 1) >> 1];
const pin = (pid, core) =>
	spawnSync('taskset', ['-a', '-p', '-c', String(core), String(pid)]);
const cpu = (pids) => pids.reduce((sum, pid) => sum + Number(
	fs.readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]), 0) / 1e3;

const words = (n, seed) => Array.from({ length: n }, (_, i) => ['order',
	'paid', 'open', 'customer', 'ship', 'note', 'late', 'house', 'river',
	'stone', 'glass', 'north'][(seed * 7 + i * i * 3 + i) % 12]).join(' ');
const model = (i) => ({ id: 1000 + i, uuid:
	`${(i * 2654435761 >>> 0).toString(16)}-4f1c-9d1e`, status: 'paid',
total: (i * 7919 % 100000) / 100, customer: { id: i % 97, name:
	words(2, i), email: `user${i}@example.com` }, note: words(8, i),
created_at: `2026-11-${10 + i % 20}T10:${10 + i % 50}:00.000000Z`,
updated_at: `2026-11-28T12:${10 + i % 50}:01.000000Z` });
const SHAPES = [
	['ticks', (i) => ({ s: 'ABC', p: 100 + i % 13 / 10, t: 1700000000 + i })],
	['chat message', (i) => ({ id: i, user: { id: i % 9, name: words(1, i) },
		text: words(20, i), at: 1700000000 + i })],
	['one model', (i) => ({ model: model(i), url: '/orders/' + i })],
	['list of 10 models', (i) => Array.from({ length: 11 },
		(_, k) => model(i * 31 + k))],
	['4 KB state, one change', (i) => ({ rows: Array.from({ length: 11 },
		(_, k) => (k === i % 11 ? { ...model(k), total: i } : model(k))) })],
];

const LISTS = [
	['list of 100 members', ['presence-a']],
	['list of 100 members, each time another', ['presence-a', 'presence-b']],
];

// Counts messages and bytes; reads nothing.
class Counter {
	constructor(port, key, offer, channel) {
		this.messages = this.bytes = 0;
		this.rest = Buffer.alloc(0);
		this.wake = () => {};
		this.sock = net.connect(port, '127.0.0.1');
		this.sock.on('data', (b) => this.onData(b));
		this.sock.write(`GET /app/${key}?protocol=7 HTTP/1.1\r\nHost: h\r\n` +
			'Upgrade: websocket\r\nConnection: Upgrade\r\n' +
			'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
			'Sec-WebSocket-Version: 13\r\n' + (offer ?
			'Sec-WebSocket-Extensions: permessage-deflate\r\n' : '') + '\r\n');
		this.subscribe = frame(OP.TEXT, JSON.stringify({
			event: 'pusher:subscribe', data: { channel } }));
	}

	onData(b) {
		this.bytes += b.length;
		let s = this.rest.length ? Buffer.concat([this.rest, b]) : b;
		if (!this.head) {
			const at = s.indexOf('\r\n\r\n');
			if (at < 0) { this.rest = s; return; }
			this.head = true;
			s = s.subarray(at + 4);
		}
		for (;;) {
			if (s.length < 4) break;
			const n = s[1] & 127;
			const all = n < 126 ? 2 + n : 4 + s.readUInt16BE(2);
			if (s.length < all) break;
			s = s.subarray(all);
			if (this.messages++ === 0) this.sock.write(this.subscribe);
		}
		this.rest = Buffer.from(s);
		this.wake();
	}

	async upTo(n) {
		while (this.messages < n)
			await new Promise((ok) => { this.wake = ok; });
	}
}

// { bytes, us } of one delivery.
async function measure(server, offer, n, make) {
	const channel = `c${Math.random()}`;
	const all = [];
	for (let i = 0; i < n; i++) {
		all.push(new Counter(server.port, server.key, offer, channel));
		if (i % 100 === 99) await all[i].upTo(2);
	}
	for (const c of all) await c.upTo(2);
	const first = all.reduce((sum, c) => sum + c.bytes, 0);
	const before = cpu(server.pids());
	for (let i = 0; i < EVENTS[n]; i++) {
		await server.publish(channel, JSON.stringify(make(i)));
		for (const c of all) await c.upTo(3 + i);
	}
	const us = cpu(server.pids()) - before;
	const bytes = all.reduce((sum, c) => sum + c.bytes, 0) - first;
	for (const c of all) c.sock.destroy();
	await sleep(50);
	return { bytes: bytes / (n * EVENTS[n]), us: us / (n * EVENTS[n]) };
}

async function ours(d, app) {
	const h = await Http.connect(d);
	return { port: d.port, key: app.key, app, pids: () => d.pidsOf('worker'),
		publish: (channel, data) => h.api(app, 'POST', '/events',
			{ body: { name: 'App\\Events\\Changed', channel, data } }) };
}

// A server of one process: { port, pids }.
async function launch(argv, how) {
	const p = spawn('taskset', ['-c', '0', ...argv], { ...how,
		stdio: ['ignore', 'pipe', 'inherit'] });
	process.on('exit', () => p.kill('SIGKILL'));
	p.stdout.resume();
	return { pids: () => fs.readdirSync(`/proc/${p.pid}/task`)
		.map((t) => `${p.pid}/task/${t}`) };
}

async function reach(port) {
	for (;;)
		try {
			return await Http.connect({ port });
		} catch {
			await sleep(100);
		}
}

async function wsPackage(port) {
	const server = await launch([process.execPath,
		path.join(peers.DIR, 'ws.js'), String(port)], { env: { ...process.env,
		DEFLATE: '1',
		NODE_PATH: path.join(__dirname, '../system/node_modules') } });
	const h = await reach(port);
	return { ...server, port, key: 'k', publish: (channel, data) =>
		h.ask('POST', '/', JSON.stringify(
			{ name: 'App\\Events\\Changed', channel, data })) };
}

async function soketi(port) {
	if (!peers.install()) return null;
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-bench-'));
	process.on('exit', () => fs.rmSync(dir, { recursive: true }));
	const server = await launch(peers.soketi(port, dir), { cwd: peers.DIR });
	(await reach(port)).end();
	const app = { id: 'bench', key: 'benchkey', secret: 'benchsecret' };
	return { ...server, port, key: app.key, app,
		// It closes after each answer.
		publish: async (channel, data) => {
			const h = await Http.connect({ port });
			await h.api(app, 'POST', '/events', { body: {
				name: 'App\\Events\\Changed', channel, data } });
			h.end();
		} };
}

// { bytes, us } of one subscription to a channel with 100 members.  Clients
// after one another that get the same list share one compression; with two
// channels in turns no list is that of the client before.
async function roster(server, offer, n, channels) {
	const all = await Client.several(server, server.app, n, offer ? { headers:
		{ 'Sec-WebSocket-Extensions': 'permessage-deflate' } } : {});
	const bytes = () => all.reduce((sum, c) => sum + c.sock.bytesRead, 0);
	const before = [bytes(), cpu(server.pids())];
	for (const [i, c] of all.entries())
		await c.join(channels[i % channels.length], 'user-1',
			{ name: words(3, 1) });
	const used = [bytes() - before[0], cpu(server.pids()) - before[1]];
	for (const c of all) c.destroy();
	await sleep(50);
	return { bytes: used[0] / n, us: used[1] / n };
}

async function members(server, channels) {
	for (const channel of channels) {
		const all = await Client.several(server, server.app, 100);
		for (const [i, c] of all.entries())
			await c.join(channel, `user-${i}`, { name: words(3, i) });
	}
}

async function main() {
	const d = new Daemon({ workers: 1, keepalive_timeout: 3600 });
	const app = d.app();
	await d.start();
	for (const pid of d.pidsOf('')) pin(pid, 0);
	pin(process.pid, 1);
	// Its installation may take longer than an idle connection lives.
	const peer = await soketi(await freePort());
	const us = await ours(d, app);
	const servers = { plain: [us, false], packed: [us, true],
		ws: [await wsPackage(await freePort()), true],
		soketi: [peer, true] };
	const cell = (x) => (x === undefined ? '-' :
		`${x.bytes.toFixed(0)} B, ${x.us.toFixed(2)} us`);
	const row = async (name, n, one) => {
		const got = {};
		for (let i = 0; i < RUNS; i++)
			for (const [k, [server, offer]] of Object.entries(servers))
				if (server !== null && one.on(server))
					(got[k] ??= []).push(await one.run(server, offer, n));
		const mid = (v) => v && ({ bytes: median(v.map((x) => x.bytes)),
			us: median(v.map((x) => x.us)) });
		const [plain, packed] = [mid(got.plain), mid(got.packed)];
		console.log(`| ${name} | ${n} | ${cell(plain)} | ${cell(packed)} | ` +
			`${(100 * packed.bytes / plain.bytes).toFixed(1)} % | ` +
			`${(packed.us / plain.us).toFixed(2)} | ${cell(mid(got.ws))} | ` +
			`${cell(mid(got.soketi))} |`);
	};
	console.log(`medians of ${RUNS} runs\n\n| event | to | plain | compressed ` +
		'| bytes | CPU | ws, a compressor each | soketi |\n' +
		'| --- | --- | --- | --- | --- | --- | --- | --- |');
	for (const [name, make] of SHAPES.filter(([s]) => WANTED.test(s)))
		for (const n of SUBSCRIBERS)
			await row(name, n, { on: () => true, run: (server, offer, k) =>
				measure(server, offer, k, make) });
	for (const [server] of [servers.packed, servers.soketi])
		if (server !== null) await members(server, ['presence-a', 'presence-b']);
	for (const [name, channels] of LISTS.filter(([s]) => WANTED.test(s)))
		for (const n of SUBSCRIBERS)
			await row(name, n, { on: (server) => server.app !== undefined,
				run: (...all) => roster(...all, channels) });
	d.kill();
}

main().then(() => process.exit(0), (e) => {
	console.error(e);
	process.exit(1);
});
