// SPDX-License-Identifier: MIT
//
// A daemon that serves the console, sessions of it, and the page in Chromium.
// A page that breaks its policy, or asks another host, fails its test.
'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const { Daemon } = require('./daemon');
const { freePort } = require('./port');

class Console {
	static async start(conf = {}) {
		const c = new Console();
		c.port = await freePort();
		c.url = `http://127.0.0.1:${c.port}`;
		c.d = new Daemon({ workers: 2, ...conf,
			listen: ['127.0.0.1:0', `127.0.0.1:${c.port} role=console`] });
		return c;
	}

	// The URL of a new token.
	token(...args) {
		return this.d.ctl(['console', ...args])[0].url;
	}

	// { status, headers, body }; body: JSON when it is one.
	request(path, { cookie, body, method, headers, agent } = {}) {
		return new Promise((ok, bad) => {
			const text = body === undefined || typeof body === 'string' ? body
				: JSON.stringify(body);
			const req = http.request(`${this.url}${path}`, { agent,
				method: method ?? (text === undefined ? 'GET' : 'POST'),
				headers: { ...(cookie && { Cookie: cookie }),
					...(text !== undefined && { 'X-Requested-With': 'test' }),
					...headers } }, (res) => {
				const parts = [];
				res.on('data', (b) => parts.push(b));
				res.on('end', () => {
					let json = Buffer.concat(parts).toString();
					try {
						json = JSON.parse(json);
					} catch { /* as it is */ }
					ok({ status: res.statusCode, headers: res.headers,
						body: json });
				});
				res.on('error', bad);
			});
			req.on('error', bad);
			req.end(text);
		});
	}

	// The cookie of a new session.
	async login(...args) {
		const token = this.token(...args).split('#')[1];
		const r = await this.request('/session', { body: { token } });
		assert.equal(r.status, 200, JSON.stringify(r.body));
		return r.headers['set-cookie'][0].split(';')[0];
	}

	verb(cookie, verb, args = {}, stdin = undefined) {
		return this.request('/verb', { cookie, body: { verb, args, stdin } });
	}

	// The output of a command; it has to succeed.
	async rows(cookie, verb, args, stdin) {
		const r = await this.verb(cookie, verb, args, stdin);
		assert.equal(r.status, 200, JSON.stringify(r.body));
		assert.equal(r.body.code, 0, r.body.notes);
		return r.body.rows;
	}

	// Lines of a stream, as they come: { rows, events, close }.
	stream(cookie, query) {
		const s = { rows: [], events: [], text: '' };
		s.req = http.get(`${this.url}/stream?${query}`,
			{ headers: { Cookie: cookie }, agent: false }, (res) => {
				s.status = res.statusCode;
				s.res = res;
				res.on('data', (b) => {
					s.text += b;
					const blocks = s.text.split('\n\n');
					s.text = blocks.pop();
					for (const block of blocks) {
						const m = /^(?:event: (\w+)\n)?data: (.*)$/s.exec(block);
						if (m && m[1]) s.events.push([m[1], JSON.parse(m[2])]);
						else if (m) s.rows.push(JSON.parse(m[2]));
					}
				});
				res.on('end', () => { s.ended = true; });
				res.on('error', () => {});
			});
		s.req.on('error', () => {});
		s.close = () => s.req.destroy();
		return s;
	}
}

// A page whose faults are collected; `faults` has to stay empty.
async function open(browser, c, { args = [], ...options } = {}) {
	const context = await browser.newContext({ reducedMotion: 'reduce',
		...options });
	const page = await context.newPage();
	page.faults = [];
	page.on('pageerror', (e) => page.faults.push(String(e)));
	page.on('console', (m) => {
		if (m.type() === 'error' && !/status of 4\d\d/.test(m.text()))
			page.faults.push(m.text());
	});
	page.on('request', (r) => {
		if (new URL(r.url()).host !== `127.0.0.1:${c.port}`)
			page.faults.push(`asks ${r.url()}`);
	});
	await page.addInitScript(() => {
		window.addEventListener('securitypolicyviolation', (e) => {
			console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`);
		});
	});
	await page.goto(c.token(...args));
	await page.waitForSelector('#nav a', { state: 'attached' });
	page.go = async (hash, selector = '#main h1') => {
		await page.evaluate((h) => {
			location.hash = h;
		}, hash);
		await page.waitForSelector(selector);
	};
	return page;
}

module.exports = { Console, open };
