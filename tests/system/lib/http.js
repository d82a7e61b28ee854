// SPDX-License-Identifier: MIT
//
// HTTP on a bare socket: bytes out as the test wants them, answers in, one at
// a time.  api() is the everyday call: signed, on a connection of its own.
'use strict';

const assert = require('node:assert/strict');
const { connect, onePerWorker, SLOW } = require('./daemon');
const { signedTarget } = require('./sign');

class Http {
	static connect(d, address) {
		return new Promise((resolve, reject) => {
			const h = new Http();
			h.daemon = d;
			h.in = Buffer.alloc(0);
			h.ended = false;
			h.wake = () => {};
			h.sock = connect(d, { host: address || '127.0.0.1',
				allowHalfOpen: true });
			h.sock.setNoDelay(true);
			h.sock.on('connect', () => resolve(h));
			h.sock.on('error', (e) => { h.error = e; h.onEnd(); reject(e); });
			h.sock.on('data', (b) => {
				h.in = Buffer.concat([h.in, b]);
				h.wake();
			});
			h.sock.on('end', () => h.onEnd());
			h.sock.on('close', () => h.onEnd());
		});
	}

	onEnd() {
		this.ended = true;
		this.wake();
	}

	// The pid of the worker behind this connection.
	get worker() {
		return this.daemon.workerOf(this.sock.localPort);
	}

	write(bytes) {
		return new Promise((ok) => this.sock.write(bytes, () => ok()));
	}

	async wait(what, fn, ms = 10000) {
		const end = Date.now() + ms * SLOW;
		for (;;) {
			const got = fn();
			if (got !== undefined) return got;
			const left = end - Date.now();
			if (left <= 0)
				assert.fail(`no ${what}; have ${JSON.stringify(
					this.in.toString('latin1').slice(0, 500))}`);
			await new Promise((ok) => {
				const t = setTimeout(ok, left);
				this.wake = () => { clearTimeout(t); ok(); };
			});
			this.wake = () => {};
		}
	}

	// The next answer: { status, headers, body, text, json }.  `head`: the
	// request was HEAD, no body follows.
	async answer({ head = false, ms } = {}) {
		const a = await this.wait('answer', () => {
			const at = this.in.indexOf('\r\n\r\n');
			if (at < 0) return this.ended ? null : undefined;
			return parseHead(this.in.subarray(0, at).toString('latin1'),
				at + 4);
		}, ms);
		assert.notEqual(a, null, 'connection closed without an answer');
		const length = head || a.status < 200 || a.status === 204 ||
			a.status === 304 ? 0 : Number(a.headers['content-length']);
		assert.ok(Number.isInteger(length), `no Content-Length: ${a.first}`);
		await this.wait('body', () =>
			(this.in.length >= a.size + length || this.ended) || undefined, ms);
		a.body = this.in.subarray(a.size, a.size + length);
		assert.equal(a.body.length, length, 'body cut short');
		a.text = a.body.toString('utf8');
		this.in = this.in.subarray(a.size + length);
		try {
			a.json = JSON.parse(a.text);
		} catch { /* not JSON */ }
		return a;
	}

	// Resolves when the server has closed; fails if it does not.
	closed(ms) {
		return this.wait('close by the server',
			() => (this.ended ? true : undefined), ms);
	}

	request(method, target, body, headers = {}) {
		const all = { Host: 'localhost', ...headers };
		if (body !== undefined)
			all['Content-Length'] = Buffer.byteLength(body);
		const head = Object.entries(all).map(([k, v]) => `${k}: ${v}\r\n`);
		return this.write(Buffer.concat([
			Buffer.from(`${method} ${target} HTTP/1.1\r\n${head.join('')}\r\n`,
				'latin1'),
			Buffer.from(body ?? ''),
		]));
	}

	async ask(method, target, body, headers) {
		await this.request(method, target, body, headers);
		return this.answer({ head: method === 'HEAD' });
	}

	// A signed call on this connection.
	api(app, method, path, { body, query, auth, headers } = {}) {
		if (body !== undefined && typeof body !== 'string' &&
		    !Buffer.isBuffer(body))
			body = JSON.stringify(body);
		const full = `/apps/${app.id}${path}`;
		return this.ask(method,
			signedTarget(app, method, full, { body, query, auth }),
			body, { 'Content-Type': 'application/json', ...headers });
	}

	end() {
		this.sock.destroy();
	}
}

function parseHead(text, size) {
	const [first, ...lines] = text.split('\r\n');
	const m = /^HTTP\/1\.1 (\d{3}) /.exec(first);
	assert.ok(m, `status line: ${first}`);
	const headers = {};
	for (const line of lines) {
		const at = line.indexOf(':');
		headers[line.slice(0, at).toLowerCase()] = line.slice(at + 1).trim();
	}
	return { first, size, status: Number(m[1]), headers };
}

async function api(d, app, method, path, how = {}) {
	const h = await Http.connect(d);
	try {
		return await h.api(app, method, path, how);
	} finally {
		h.end();
	}
}

// Publishes; has to succeed.  All on one connection, one after another: what
// one connection publishes to a channel keeps its order.
async function publish(d, app, channels, name, data, more = {}) {
	const list = Array.isArray(channels) ? { channels } :
		{ channel: channels };
	const before = d.publishing ?? Promise.resolve();
	const asked = before.catch(() => {}).then(async () => {
		// After a turn of the loop it is known if its worker has died.
		await new Promise((ok) => setImmediate(ok));
		if (!d.publisher || d.publisher.ended)
			d.publisher = await Http.connect(d);
		d.publisher.sock.unref();
		return d.publisher.api(app, 'POST', '/events',
			{ body: { name, data, ...list, ...more } });
	});
	d.publishing = asked;
	const r = await asked;
	assert.equal(r.status, 200, `publish: ${r.status} ${r.text}`);
	return r.json;
}

async function get(d, app, path, query) {
	const r = await api(d, app, 'GET', path, { query });
	assert.equal(r.status, 200, `GET ${path}: ${r.status} ${r.text}`);
	return r.json;
}

// One keep-alive connection on every worker.
function onEachWorker(d) {
	return onePerWorker(d, async () => {
		const h = await Http.connect(d);
		// An answer shows that a worker has accepted.
		await h.ask('GET', '/up');
		return h;
	}, (h) => h.end());
}

// Every worker has read what was sent to it before: some turns of its loop.
async function turns(d) {
	for (const h of await onEachWorker(d)) {
		for (let i = 0; i < 3; i++) await h.ask('GET', '/up');
		h.end();
	}
}

module.exports = { Http, api, publish, get, onEachWorker, turns };
