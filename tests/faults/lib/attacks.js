// SPDX-License-Identifier: MIT
//
// attacks.js NAME PORT SECONDS: one attack on a server of this machine, with
// nothing but sockets, in a process of its own; the app on standard input as
// JSON.  It ends by itself.  Answers of the server are read and discarded.
'use strict';

const net = require('node:net');
const { channelAuth, signedTarget } = require('../../system/lib/sign');
const { frame, parseFrame, OP } = require('../../system/lib/client');
const { sleep } = require('../../system/lib/daemon');

const CRLF = '\r\n';
let port;
let app;
let end;
let sent = 0; // number of tries, for the report

const going = () => performance.now() < end;

// A socket that survives whatever is done to it.
function open(bytes, { read = true } = {}) {
	const s = net.connect({ port, host: '127.0.0.1' });
	s.on('error', () => {});
	if (read) s.on('data', () => {});
	s.closed_ = false;
	s.on('close', () => { s.closed_ = true; });
	if (bytes) s.write(bytes);
	return s;
}

const upgrade = (extra = '') => `GET /app/${app.key}?protocol=7&client=x` +
	` HTTP/1.1${CRLF}Host: a${CRLF}Upgrade: websocket${CRLF}Connection: ` +
	`Upgrade${CRLF}Sec-WebSocket-Version: 13${CRLF}Sec-WebSocket-Key: ` +
	`dGhlIHNhbXBsZSBub25jZQ==${CRLF}${extra}${CRLF}`;

// A greeted WebSocket and its socket id.
function client(how) {
	return new Promise((ok, fail) => {
		const s = net.connect({ port, host: '127.0.0.1' });
		let all = Buffer.alloc(0);
		s.on('error', fail);
		s.on('close', () => { s.closed_ = true; fail(new Error('closed')); });
		s.write(upgrade());
		s.on('data', function greet(b) {
			all = Buffer.concat([all, b]);
			const at = all.indexOf('\r\n\r\n');
			const f = at > 0 && parseFrame(all.subarray(at + 4));
			if (!f) return;
			s.off('data', greet);
			const m = JSON.parse(f.payload);
			s.sid = JSON.parse(m.data).socket_id;
			if (how?.read === false) s.pause();
			else s.on('data', () => {});
			s.on('error', () => {});
			ok(s);
		});
	});
}

async function clients(n, how) {
	const all = [];
	while (all.length < n && going()) {
		const some = await Promise.allSettled(Array.from(
			{ length: Math.min(50, n - all.length) }, () => client(how)));
		all.push(...some.filter((r) => r.status === 'fulfilled')
			.map((r) => r.value));
		if (some.every((r) => r.status === 'rejected')) await sleep(100);
	}
	return all;
}

// Writes again and again, as fast as the server reads.
async function flood(sockets, bytes) {
	while (going()) {
		for (let i = 0; i < sockets.length; i++) {
			let s = sockets[i];
			if (s.closed_) s = sockets[i] = await client().catch(() => s);
			if (s.closed_) continue;
			if (s.writableLength < 1 << 18) {
				s.write(typeof bytes === 'function' ? bytes(s) : bytes);
				sent++;
			}
		}
		await sleep(1);
	}
}

async function refill(n, make, each = () => {}) {
	const all = [];
	while (going()) {
		for (let i = 0; i < n; i++) {
			if (!all[i] || all[i].closed_) {
				all[i] = make();
				sent++;
			}
			each(all[i]);
		}
		await sleep(50);
	}
}

const message = (o) => frame(OP.TEXT, JSON.stringify(o));
const repeat = (b, n) => Buffer.concat(Array.from({ length: n }, () => b));
const post = (body, extra = '') => `POST ${signedTarget(app, 'POST',
	`/apps/${app.id}/events`, { body: Buffer.from(body) })} HTTP/1.1${CRLF}` +
	`Host: a${CRLF}Content-Type: application/json${CRLF}${extra}` +
	`Content-Length: ${Buffer.byteLength(body)}${CRLF}${CRLF}${body}`;

const attacks = {
	// A byte of a head every now and then.
	'slow-handshakes': () => refill(400, () => open('GET /app/'), (s) =>
		s.write('x')),
	'slow-bodies': () => refill(400, () => open(`POST /apps/${app.id}/events` +
		` HTTP/1.1${CRLF}Host: a${CRLF}Content-Length: 9000${CRLF}${CRLF}{`),
	(s) => s.write(' ')),
	// Connections that say nothing.
	'idle': () => refill(1000, () => open()),
	'unsubscribed': async () => {
		await clients(1000);
		while (going()) await sleep(100);
	},
	'tls-hello': () => refill(400, () => open(Buffer.from(
		'16030100c8010000c40303', 'hex'))),
	'pings': async () => flood(await clients(20), repeat(frame(OP.PING,
		Buffer.alloc(125, 'p')), 200)),
	'pusher-pings': async () => flood(await clients(20),
		repeat(message({ event: 'pusher:ping', data: {} }), 200)),
	'empty-fragments': async () => flood(await clients(20), Buffer.concat([
		frame(OP.TEXT, '', { fin: false }),
		repeat(frame(OP.CONT, '', { fin: false }), 500)])),
	'largest': async () => flood(await clients(20), frame(OP.TEXT,
		Buffer.alloc(131072, 'a'))),
	'half-messages': async () => flood(await clients(200), (s) =>
		s.begun ? '' : (s.begun = true, frame(OP.TEXT, Buffer.alloc(60000),
			{ length: 131072 }))),
	'subscribes': async () => {
		let n = 0;
		return flood(await clients(20), () => Buffer.concat(Array.from(
			{ length: 100 }, () => message({ event: 'pusher:subscribe',
				data: { channel: `c${n++ % 5000}` } }))));
	},
	'in-and-out': async () => flood(await clients(20), repeat(Buffer.concat([
		message({ event: 'pusher:subscribe', data: { channel: 'io' } }),
		message({ event: 'pusher:unsubscribe', data: { channel: 'io' } })]),
	50)),
	'guesses': async () => flood(await clients(20), () => Buffer.concat(
		Array.from({ length: 50 }, () => message({ event: 'pusher:subscribe',
			data: { channel: 'private-x', auth: `${app.key}:` +
				require('node:crypto').randomBytes(32).toString('hex') } })))),
	'api-guesses': () => refill(50, () => open(repeat(Buffer.from(post('{}')
		.replace(/auth_signature=../, 'auth_signature=zz')), 50))),
	'presence': async () => {
		let n = 0;
		return flood(await clients(20), (s) => {
			const channel = 'presence-flood';
			const data = JSON.stringify({ user_id: `u${n++ % 50}` });
			return Buffer.concat([message({ event: 'pusher:subscribe', data: {
				channel, channel_data: data,
				auth: channelAuth(app, s.sid, channel, data) } }),
			message({ event: 'pusher:unsubscribe', data: { channel } })]);
		});
	},
	// Come and go.
	'storm': async () => {
		while (going()) {
			const all = await clients(100);
			for (const s of all) s.destroy();
			sent += all.length;
		}
	},
	'half-open': () => refill(300, () => {
		const s = open(upgrade());
		s.end();
		return s;
	}),
	'resets': () => refill(300, () => {
		const s = open(upgrade());
		setTimeout(() => s.resetAndDestroy(), 5);
		return s;
	}),
	// JSON
	'deep': async () => flood(await clients(10), frame(OP.TEXT,
		'['.repeat(60000))),
	'keys': async () => flood(await clients(10), frame(OP.TEXT, `{${Array.from(
		{ length: 9000 }, (_, i) => `"k${i}":0`).join(',')}}`)),
	'api-deep': () => refill(20, () => open(post('{"a":'.repeat(100000)))),
	'api-keys': () => refill(20, () => open(post(`{${Array.from(
		{ length: 100000 }, (_, i) => `"${i}":0`).join(',')}}`))),
	// HTTP
	'heads': () => refill(100, () => open(`GET /apps HTTP/1.1${CRLF}${
		`X: ${'y'.repeat(1000)}${CRLF}`.repeat(100)}`)),
	'many-heads': () => refill(100, () => open(`GET /apps HTTP/1.1${CRLF}${
		`a: b${CRLF}`.repeat(5000)}`)),
	'pipelined': () => refill(20, () => open(repeat(Buffer.from(
		`GET /up HTTP/1.1${CRLF}Host: a${CRLF}${CRLF}`), 5000))),
	'pipelined-unread': () => refill(50, () => open(repeat(Buffer.from(
		`GET /up HTTP/1.1${CRLF}Host: a${CRLF}${CRLF}`), 20000),
	{ read: false })),
	'chunks': () => refill(50, () => open(`POST /apps/${app.id}/events HTTP` +
		`/1.1${CRLF}Host: a${CRLF}Transfer-Encoding: chunked${CRLF}${CRLF}` +
		`1${CRLF}a${CRLF}`.repeat(20000))),
	// Subscribers who never read.
	'unread': async () => {
		const all = await clients(200, { read: false });
		for (const s of all)
			s.write(message({ event: 'pusher:subscribe',
				data: { channel: 'honest' } }));
		const body = JSON.stringify({ name: 'e', channel: 'loud',
			data: 'x'.repeat(9000) });
		for (const s of all)
			s.write(message({ event: 'pusher:subscribe',
				data: { channel: 'loud' } }));
		const api = open();
		while (going()) {
			if (api.writableLength < 1 << 18) api.write(post(body));
			sent++;
			await sleep(5);
		}
	},
};

module.exports = { names: Object.keys(attacks) };

if (require.main === module) {
	const [name, to, seconds] = process.argv.slice(2);
	app = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
	port = Number(to);
	end = performance.now() + Number(seconds) * 1000;
	attacks[name]().then(() => {
		console.log(sent);
		process.exit(0);
	});
}
