// SPDX-License-Identifier: MIT
//
// A real receiver of webhooks on a free loopback port: keeps every request
// with its exact bytes, and answers as the test says.
'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const { until } = require('./daemon');
const { hmac } = require('./sign');

class Receiver {
	// answer(req, res, hook): what to do; default: 200.
	static async start({ tls, answer, port = 0, host = '127.0.0.1' } = {}) {
		const r = new Receiver();
		r.hooks = [];
		r.answer = answer;
		r.connections = 0;
		const on = (req, res) => r.onRequest(req, res);
		r.server = tls ? https.createServer(tls, on) : http.createServer(on);
		r.server.on('connection', () => { r.connections++; });
		r.server.keepAliveTimeout = 60000;
		await new Promise((ok) => r.server.listen(port, host, ok));
		r.server.unref(); // a test that failed may have left it open
		r.port = r.server.address().port;
		r.url = `${tls ? 'https' : 'http'}://${host}:${r.port}/hook`;
		return r;
	}

	onRequest(req, res) {
		const parts = [];
		req.on('data', (b) => parts.push(b));
		req.on('end', () => {
			const body = Buffer.concat(parts);
			const hook = { at: Date.now(), method: req.method, url: req.url,
				headers: req.headers, raw: req.rawHeaders, body,
				id: req.headers['x-pusherd-delivery'],
				json: JSON.parse(body) };
			this.hooks.push(hook);
			if (this.answer) this.answer(req, res, hook);
			else res.end('ok');
		});
	}

	// All events so far, in the order of arrival.
	get events() {
		return this.hooks.flatMap((h) => h.json.events);
	}

	async have(n, ms = 8000) {
		await until(`${n} webhook events`, () => this.events.length >= n, ms);
		return this.events;
	}

	// The n-th hook must be what a receiver can trust.
	check(hook, app) {
		assert.equal(hook.method, 'POST');
		assert.equal(hook.headers['content-type'], 'application/json');
		assert.equal(hook.headers['x-pusher-key'], app.key);
		assert.equal(hook.headers['x-pusher-signature'],
			hmac(app.secret, hook.body));
		assert.ok(Math.abs(hook.json.time_ms - Date.now()) < 300000);
		assert.ok(hook.json.events.length > 0);
	}

	async stop() {
		this.server.closeAllConnections();
		await new Promise((ok) => this.server.close(ok));
	}
}

// One that answers each request with whatever a function writes: fn(socket).
class Raw {
	static async start(fn) {
		const r = new Raw();
		r.requests = 0;
		r.sockets = new Set();
		r.server = net.createServer((s) => {
			let text = '';
			r.sockets.add(s);
			s.on('error', () => {});
			s.on('close', () => r.sockets.delete(s));
			s.on('data', (b) => {
				text += b.toString('latin1');
				if (!text.includes('\r\n\r\n{') || !text.endsWith(']}'))
					return;
				text = '';
				r.requests++;
				fn(s);
			});
		});
		await new Promise((ok) => r.server.listen(0, '127.0.0.1', ok));
		r.server.unref();
		r.url = `http://127.0.0.1:${r.server.address().port}/`;
		return r;
	}

	async stop() {
		for (const s of this.sockets) s.destroy();
		await new Promise((ok) => this.server.close(ok));
	}
}

module.exports = { Receiver, Raw };
