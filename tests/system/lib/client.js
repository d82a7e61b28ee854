// SPDX-License-Identifier: MIT
//
// A WebSocket client on a bare socket.  It sends exactly the bytes a test
// asks for, and keeps every frame it gets in order: nothing is skipped unless
// the test says so.  It answers pings unless told not to.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { connect, onePerWorker, SLOW } = require('./daemon');
const { channelAuth, userAuth } = require('./sign');
const { Window } = require('./window');

const OP = { CONT: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 };
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
// Headers of a browser that takes compressed events.
const DEFLATE = { 'Sec-WebSocket-Extensions':
	'permessage-deflate; client_max_window_bits' };

// One client frame as bytes.  length: the number to write; form: 7, 16 or 64
// bits for it (default: the shortest).
function frame(opcode, payload, { fin = true, rsv = 0, mask = true,
	key = crypto.randomBytes(4), length, form } = {}) {
	const body = Buffer.from(payload ?? '');
	const n = length ?? body.length;
	const bits = form ?? (n < 126 ? 7 : n < 65536 ? 16 : 64);
	const m = mask ? 0x80 : 0;
	const head = [(fin ? 0x80 : 0) | rsv << 4 | opcode];
	let len = Buffer.alloc(0);
	if (bits === 7) {
		head.push(m | n);
	} else if (bits === 16) {
		head.push(m | 126);
		len = Buffer.alloc(2);
		len.writeUInt16BE(n);
	} else {
		head.push(m | 127);
		len = Buffer.alloc(8);
		len.writeBigUInt64BE(BigInt(n));
	}
	if (!mask) return Buffer.concat([Buffer.from(head), len, body]);
	const masked = Buffer.from(body);
	for (let i = 0; i < masked.length; i++) masked[i] ^= key[i & 3];
	return Buffer.concat([Buffer.from(head), len, key, masked]);
}

// { fin, rsv, opcode, masked, payload, size } or null when incomplete.
function parseFrame(buf) {
	if (buf.length < 2) return null;
	let n = buf[1] & 0x7f;
	let at = 2;
	if (n === 126) {
		if (buf.length < 4) return null;
		n = buf.readUInt16BE(2);
		at = 4;
		assert.ok(n >= 126, 'server used a longer length than needed');
	} else if (n === 127) {
		if (buf.length < 10) return null;
		n = Number(buf.readBigUInt64BE(2));
		at = 10;
		assert.ok(n >= 65536, 'server used a longer length than needed');
	}
	if (buf.length < at + n) return null;
	return { fin: !!(buf[0] & 0x80), rsv: buf[0] >> 4 & 7,
		opcode: buf[0] & 15, masked: !!(buf[1] & 0x80),
		payload: buf.subarray(at, at + n), size: at + n };
}

class Client {
	// Connects and sends the upgrade; does not wait for anything.
	constructor(d, path, { headers = {}, host = '127.0.0.1', raw,
		sock } = {}) {
		this.daemon = d;
		this.in = Buffer.alloc(0);
		this.frames = [];
		this.waiting = [];
		this.answerPings = true;
		this.pings = 0;
		this.key = crypto.randomBytes(16).toString('base64');
		this.sock = sock ? sock() : connect(d, { host });
		this.sock.setNoDelay(true);
		this.sock.on('data', (b) => this.onData(b));
		this.sock.on('error', (e) => { this.error = e; });
		this.sock.on('close', () => { this.gone = true; this.onWake(); });
		const all = { Host: `${host}:${d.port}`, Upgrade: 'websocket',
			Connection: 'Upgrade', 'Sec-WebSocket-Key': this.key,
			'Sec-WebSocket-Version': '13', ...headers };
		const text = Object.entries(all)
			.filter(([, v]) => v !== undefined)
			.map(([k, v]) => `${k}: ${v}\r\n`).join('');
		this.sock.write(raw ?? `GET ${path} HTTP/1.1\r\n${text}\r\n`);
	}

	// A connection that is greeted.
	static async connect(d, app, how = {}) {
		const c = new Client(d, how.path ?? `/app/${app.key}?protocol=7` +
			`&client=js&version=8.6.0&flash=false${how.query ?? ''}`, how);
		c.app = app;
		await c.greeted();
		return c;
	}

	static async several(d, app, n, how) {
		const all = [];
		for (let i = 0; i < n; i += 50)
			all.push(...await Promise.all(Array.from(
				{ length: Math.min(50, n - i) },
				() => Client.connect(d, app, how))));
		return all;
	}

	// One client on every worker, in the order of the workers' pids.
	static onEachWorker(d, app, how) {
		return onePerWorker(d, () => Client.connect(d, app, how),
			(c) => c.close());
	}

	get worker() {
		return this.daemon.workerOf(this.sock.localPort);
	}

	async greeted() {
		const { status } = await this.upgraded();
		assert.equal(status, 101);
		const m = await this.next();
		assert.equal(m.event, 'pusher:connection_established',
			JSON.stringify(m));
		this.greeting = JSON.parse(m.data);
		this.sid = this.greeting.socket_id;
		return m;
	}

	// The answer to the upgrade: { status, headers, text }.
	async upgraded() {
		await this.wait('answer to the upgrade',
			() => this.head || (this.gone ? { status: 0 } : null));
		return this.head ?? { status: 0, headers: {} };
	}

	onData(b) {
		this.in = Buffer.concat([this.in, b]);
		if (!this.head && !this.readHead()) return this.onWake();
		if (this.head.status === 101) {
			for (let f; (f = parseFrame(this.in));) {
				this.in = this.in.subarray(f.size);
				this.onFrame(f);
			}
		}
		this.onWake();
	}

	readHead() {
		const at = this.in.indexOf('\r\n\r\n');
		if (at < 0) return false;
		const [first, ...lines] = this.in.subarray(0, at).toString('latin1')
			.split('\r\n');
		const headers = {};
		for (const line of lines) {
			const i = line.indexOf(':');
			headers[line.slice(0, i).toLowerCase()] =
				line.slice(i + 1).trim();
		}
		this.head = { status: Number(first.split(' ')[1]), headers };
		this.in = this.in.subarray(at + 4);
		if (headers['sec-websocket-extensions'])
			this.window = new Window(headers['sec-websocket-extensions']);
		return true;
	}

	onFrame(f) {
		assert.equal(f.masked, false, 'a server frame may not be masked');
		if (f.rsv === 4 && f.opcode === OP.TEXT && this.window)
			f.payload = this.window.inflate(f.payload);
		else
			assert.equal(f.rsv, 0);
		if (f.opcode === OP.PING) {
			this.pings++;
			if (this.answerPings) this.sendFrame(OP.PONG, f.payload);
			if (!this.keepPings) return;
		}
		this.frames.push({ ...f, payload: Buffer.from(f.payload) });
	}

	onWake() {
		for (const w of this.waiting.splice(0)) w();
	}

	async wait(what, fn, ms = 10000) {
		const end = Date.now() + ms * SLOW;
		for (;;) {
			const got = fn();
			if (got) return got;
			const left = end - Date.now();
			if (left <= 0) assert.fail(`no ${what}`);
			await new Promise((ok) => {
				const t = setTimeout(ok, left);
				this.waiting.push(() => { clearTimeout(t); ok(); });
			});
		}
	}

	// The next frame of any kind; null when the connection ended.
	async nextFrame(ms, what = 'frame') {
		const got = await this.wait(`${what} (sid ${this.sid})`,
			() => this.frames.length || (this.gone && 'gone'), ms);
		return got === 'gone' && !this.frames.length ? null :
			this.frames.shift();
	}

	// The next message, parsed; its exact text is in this.text.
	async next(ms, what = 'message') {
		const f = await this.nextFrame(ms, what);
		assert.notEqual(f, null, `connection ended instead of ${what}`);
		if (f.opcode === OP.CLOSE) {
			const c = closeOf(f);
			assert.fail(`closed ${c.code} "${c.reason}" instead of ${what}`);
		}
		assert.equal(f.opcode, OP.TEXT, 'only text frames are sent');
		assert.equal(f.fin, true);
		this.text = f.payload.toString('utf8');
		return JSON.parse(this.text);
	}

	// The next message has to be this event; data comes back parsed.
	async expect(event, channel, ms) {
		const m = await this.next(ms, event);
		assert.equal(m.event, event, this.text);
		if (channel !== undefined) assert.equal(m.channel, channel, this.text);
		return typeof m.data === 'string' && event.startsWith('pusher') ?
			JSON.parse(m.data) : m.data;
	}

	// pusher:error with this code (null: not fatal).
	async expectError(code, pattern) {
		const m = await this.next(undefined, `error ${code}`);
		assert.equal(m.event, 'pusher:error', this.text);
		assert.equal(typeof m.data, 'object', 'data of an error: an object');
		assert.deepEqual(Object.keys(m), ['event', 'data']);
		assert.equal(m.data.code, code, this.text);
		assert.equal(typeof m.data.message, 'string');
		assert.ok(m.data.message.length > 0);
		if (pattern) assert.match(m.data.message, pattern);
		return m.data;
	}

	// Both frames of a refused subscription.
	async expectRefused(channel, type, status) {
		const m = await this.next(undefined, 'pusher:subscription_error');
		assert.equal(m.event, 'pusher:subscription_error', this.text);
		if (channel !== undefined) assert.equal(m.channel, channel);
		assert.equal(typeof m.data, 'string', 'data is a string');
		const data = JSON.parse(m.data);
		assert.deepEqual(Object.keys(data).sort(),
			['error', 'status', 'type']);
		if (type) assert.equal(data.type, type, this.text);
		if (status) assert.equal(data.status, status, this.text);
		const error = await this.expectError(null);
		return { ...data, message: error.message };
	}

	// The close frame, with everything before it still unread being wrong.
	async expectClose(code, pattern, ms) {
		const f = await this.nextFrame(ms, `close ${code}`);
		assert.notEqual(f, null, `connection dropped instead of ${code}`);
		assert.equal(f.opcode, OP.CLOSE,
			`close ${code} expected: ${f.payload.toString('utf8')}`);
		const c = closeOf(f);
		assert.equal(c.code, code, c.reason);
		if (pattern) assert.match(c.reason, pattern);
		if (!this.sock.writableEnded && !this.gone)
			this.sendFrame(OP.CLOSE, f.payload);
		await this.ended();
		return c;
	}

	// The refusal sequence: error, then close with the same code.
	async expectFatal(code, pattern) {
		await this.expectError(code, pattern);
		return this.expectClose(code);
	}

	ended(ms) {
		return this.wait('end of the connection', () => this.gone, ms);
	}

	sendFrame(opcode, payload, how) {
		this.sock.write(frame(opcode, payload, how));
	}

	sendText(text) {
		this.sendFrame(OP.TEXT, text);
	}

	send(message) {
		this.sendText(JSON.stringify(message));
	}

	// All that came before the answer to a ping of this worker's own.
	async sync() {
		this.send({ event: 'pusher:ping', data: {} });
		const got = [];
		for (;;) {
			const m = await this.next(undefined, 'pusher:pong');
			if (m.event === 'pusher:pong') return got;
			got.push(m);
		}
	}

	// Nothing comes for this long.
	async quiet(ms = 150) {
		await new Promise((ok) => setTimeout(ok, ms));
		assert.deepEqual(this.frames.map((f) => f.payload.toString('utf8')),
			[], 'nothing was expected');
	}

	// Only sends; with the signature where the name asks for one.
	sendSubscribe(channel, { data, auth, app = this.app } = {}) {
		const d = { channel };
		if (data !== undefined)
			d.channel_data = typeof data === 'string' ? data :
				JSON.stringify(data);
		if (auth !== undefined) d.auth = auth;
		else if (/^(private|presence)-/.test(channel))
			d.auth = channelAuth(app, this.sid, channel, d.channel_data);
		this.send({ event: 'pusher:subscribe', data: d });
	}

	// Subscribes; the decoded data of the confirmation.
	async subscribe(channel, how) {
		this.sendSubscribe(channel, how);
		return this.expect('pusher_internal:subscription_succeeded', channel);
	}

	// Joins a presence channel as this user; the member list.
	async join(channel, id, info) {
		const data = { user_id: id };
		if (info !== undefined) data.user_info = info;
		return (await this.subscribe(channel, { data })).presence;
	}

	// Each joins as this user and is seen by those before it, so that
	// nothing of it is on its way any more.
	static async joinAll(all, channel, who) {
		for (const [i, c] of all.entries()) {
			const { id, info } = who(c, i);
			await c.join(channel, id, info);
			for (const before of all.slice(0, i))
				assert.equal((await before.expect(
					'pusher_internal:member_added', channel)).user_id, id);
		}
	}

	unsubscribe(channel) {
		this.send({ event: 'pusher:unsubscribe', data: { channel } });
	}

	sendSignin(user, auth) {
		const data = typeof user === 'string' ? user : JSON.stringify(user);
		this.send({ event: 'pusher:signin', data: { user_data: data,
			auth: auth ?? userAuth(this.app, this.sid, data) } });
	}

	async signin(user) {
		this.sendSignin(user);
		return this.expect('pusher:signin_success');
	}

	trigger(channel, event, data) {
		this.send({ event, channel, data });
	}

	// The close handshake, begun by us.
	async close(code = 1000) {
		if (this.gone) return;
		const b = Buffer.alloc(2);
		b.writeUInt16BE(code);
		this.answerPings = false;
		this.sendFrame(OP.CLOSE, b);
		await this.ended();
	}

	// Without a word (a FIN or RST from the machine).
	destroy() {
		this.sock.destroy();
	}

	reset() {
		(this.sock.raw ?? this.sock).resetAndDestroy();
	}
}

function closeOf(f) {
	if (f.payload.length === 0) return { code: 1005, reason: '' };
	assert.ok(f.payload.length >= 2 && f.payload.length <= 125);
	return { code: f.payload.readUInt16BE(0),
		reason: f.payload.subarray(2).toString('utf8') };
}

const closeAll = (clients) => Promise.all(clients.map((c) => c.close()));

module.exports = { Client, DEFLATE, OP, GUID, frame, parseFrame, closeOf, closeAll };
