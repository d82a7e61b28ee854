// SPDX-License-Identifier: MIT
//
// Every kind of reload while clients stand and others come all the time:
// nobody who comes is turned away, and nobody who is there is closed, also not
// with fewer workers.
//
// MATRIX=full: 5,000 standing ones and 1,000 new ones a second.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { test } = require('node:test');
const { Daemon, until, sleep, SLOW } = require('./lib/daemon');

const FULL = process.env.MATRIX === 'full';
const STANDING = FULL ? 5000 : 300;
const RATE = FULL ? 1000 : 60; // a second

// A connection that is greeted, and what becomes of it.
function open(port, app) {
	const sock = net.connect({ port, host: '127.0.0.1' });
	const c = { sock, gone: false };
	c.greeted = new Promise((ok, fail) => {
		let text = '';
		const timer = setTimeout(() => fail(new Error('no greeting')),
			20000 * SLOW);
		sock.on('data', (b) => {
			if (text.length < 4000) text += b.toString('latin1');
			if (text.includes('connection_established')) {
				clearTimeout(timer);
				ok(c);
			}
		});
		sock.on('error', (e) => { c.gone = true; fail(e); });
		sock.on('close', () => {
			c.gone = true;
			fail(new Error(`closed: ${text.slice(0, 80)}`));
		});
	});
	c.greeted.catch(() => {});
	sock.write(`GET /app/${app.key}?protocol=7&client=x HTTP/1.1\r\n` +
		`Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
		'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
		'Sec-WebSocket-Version: 13\r\n\r\n');
	return c;
}

test('the matrix', { timeout: 300000 * SLOW }, async (t) => {
	const d = new Daemon();
	const app = d.app();
	const file = path.join(d.dir, 'p.conf');
	const base = { listen: ['127.0.0.1:0'], workers: 4, drain_time: 1,
		log_level: 'info', max_message_bytes: 100000 };
	const write = (more = {}) => fs.writeFileSync(file, Object.entries(
		{ ...base, ...more }).flatMap(([k, v]) => [v].flat().map(
		(x) => `${k} ${x}\n`)).join(''));
	for (const key of Object.keys(base)) delete d.conf[key];
	write();
	d.allow(/reload: nothing has changed/);
	await d.start(['-c', file]);
	const failures = [];
	const standing = [];
	for (let i = 0; i < STANDING; i += 50)
		standing.push(...await Promise.all(Array.from({ length: 50 },
			() => open(d.port, app).greeted)));

	let on = true;
	let came = 0;
	const arrivals = (async () => {
		const begin = Date.now();
		const pending = new Set();
		while (on) {
			const due = (Date.now() - begin) / 1000 * RATE;
			while (came < due && pending.size < 2 * RATE) {
				came++;
				const c = open(d.port, app);
				const p = c.greeted.catch((e) => failures.push(e.message))
					.finally(() => {
						pending.delete(p);
						c.sock.destroy();
					});
				pending.add(p);
			}
			await sleep(10);
		}
		await Promise.all(pending);
		return (Date.now() - begin) / 1000;
	})();

	const step = async (name, more, { fails = false } = {}) => {
		await sleep(300);
		write(more);
		const r = await d.ctlAsync(['-c', file, '-j', 'reload']);
		assert.equal(r.code, fails ? 1 : 0, `${name}: ${r.err}`);
		const closed = standing.filter((c) => c.gone);
		assert.equal(closed.length, 0, `${name}: ${closed.length} closed`);
		t.diagnostic(`${name}: ${fails ? 'refused' :
			`${JSON.parse(r.out).ms} ms`}, ${came} came, ` +
			`${failures.length} failed`);
	};
	await step('limits', { max_message_bytes: 50000 });
	await step('log level', { log_level: 'debug' });
	await step('log level back', {});
	await step('bad file', { nonsense: 1 }, { fails: true });
	await step('listener added',
		{ listen: ['127.0.0.1:0', '127.0.0.2:0'] });
	await step('listener removed', {});
	await step('fewer workers', { workers: 2 });
	await until('two workers', () => d.pidsOf('worker').length === 2, 30000);
	await step('more', { workers: 4 });
	await until('four workers', () => d.pidsOf('worker').length === 4, 20000);
	await sleep(500);
	on = false;
	const seconds = await arrivals;
	t.diagnostic(`${came} new ones in ${seconds.toFixed(1)} s, ` +
		`${(came / seconds).toFixed(0)} a second`);
	assert.deepEqual(failures, []);
	assert.deepEqual(standing.filter((c) => c.gone).length, 0);
	for (const c of standing) c.sock.destroy();
	await d.stop({ within: 20000 });
});
