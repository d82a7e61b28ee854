// SPDX-License-Identifier: MIT
//
// compression.js BUILD: bytes and CPU time of events of six shapes to 1, 10
// and 1,000 subscribers, compressed and plain, in turns; and by the ws package
// with a compressor for each socket (peers/ws.js).  Server on the first core.
//
//   RUNS=5 SUBSCRIBERS=1,10,1000
'use strict';

const path = require('node:path');

const BUILD = path.resolve(process.argv[2] || 'build');
process.env.PUSHERD_BIN ??= path.join(BUILD, 'pusherd');

const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const { Client, frame, OP } = require('../system/lib/client');
const { Daemon, sleep } = require('../system/lib/daemon');
const { Http } = require('../system/lib/http');

const RUNS = Number(process.env.RUNS) || 5;
const SUBSCRIBERS = (process.env.SUBSCRIBERS || '1,10,1000').split(',')
	.map(Number);
const EVENTS = { 1: 1500, 10: 1000, 1000: 60 };

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
		this.sock.write(frame(OP.TEXT, JSON.stringify({
			event: 'pusher:subscribe', data: { channel } })));
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
			this.messages++;
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

async function pusherd(d, app) {
	const h = await Http.connect(d);
	return { port: d.port, key: app.key, pids: () => d.pidsOf('worker'),
		publish: (channel, data) => h.api(app, 'POST', '/events',
			{ body: { name: 'App\\Events\\Changed', channel, data } }) };
}

// The ws package.
async function peer() {
	const port = 20000 + process.pid % 20000;
	const p = spawn('taskset', ['-c', '0', process.execPath,
		path.join(__dirname, 'peers/ws.js'), String(port)],
	{ env: { ...process.env, DEFLATE: '1',
		NODE_PATH: path.join(__dirname, '../system/node_modules') },
		stdio: ['ignore', 'pipe', 'inherit'] });
	process.on('exit', () => p.kill());
	await new Promise((ok) => { p.stdout.once('data', ok); });
	const h = await Http.connect({ port });
	return { port, key: 'k', publish: (channel, data) => h.ask('POST', '/',
		JSON.stringify({ name: 'App\\Events\\Changed', channel, data })),
	pids: () => fs.readdirSync(`/proc/${p.pid}/task`)
		.map((t) => `${p.pid}/task/${t}`) };
}

async function roster(d, app, offer) {
	const how = offer ? { headers: { 'Sec-WebSocket-Extensions':
		'permessage-deflate' } } : {};
	const c = await Client.connect(d, app, how);
	const before = c.sock.bytesRead;
	await c.join('presence-list', 'last', { name: words(3, 1) });
	const n = c.sock.bytesRead - before;
	await c.close();
	return n;
}

async function main() {
	const d = new Daemon({ workers: 1, keepalive_timeout: 3600 });
	const app = d.app();
	await d.start();
	for (const pid of d.pidsOf('')) pin(pid, 0);
	pin(process.pid, 1);
	const us = await pusherd(d, app);
	const ws = await peer();
	const cell = (x) => `${x.bytes.toFixed(0)} B, ${x.us.toFixed(2)} us`;
	console.log(`medians of ${RUNS} runs\n\n| event | to | plain | compressed ` +
		'| bytes | CPU | ws, a compressor each |\n' +
		'| --- | --- | --- | --- | --- | --- | --- |');
	for (const [name, make] of SHAPES)
		for (const n of SUBSCRIBERS) {
			const got = { plain: [], packed: [], ws: [] };
			for (let i = 0; i < RUNS; i++) {
				got.plain.push(await measure(us, false, n, make));
				got.packed.push(await measure(us, true, n, make));
				got.ws.push(await measure(ws, true, n, make));
			}
			const mid = (v) => ({ bytes: median(v.map((x) => x.bytes)),
				us: median(v.map((x) => x.us)) });
			const [plain, packed] = [mid(got.plain), mid(got.packed)];
			console.log(`| ${name} | ${n} | ${cell(plain)} | ${cell(packed)} | ` +
				`${(100 * packed.bytes / plain.bytes).toFixed(1)} % | ` +
				`${(packed.us / plain.us).toFixed(2)} | ${cell(mid(got.ws))} |`);
		}
	const members = await Client.several(d, app, 99);
	for (const [i, c] of members.entries())
		await c.join('presence-list', `user-${i}`, { name: words(3, i) });
	console.log(`| list of 100 members | 1 | ${await roster(d, app, false)} B | ` +
		`${await roster(d, app, true)} B | | | |`);
	for (const c of members) c.destroy();
	await d.stop();
}

main().then(() => process.exit(0), (e) => {
	console.error(e);
	process.exit(1);
});
