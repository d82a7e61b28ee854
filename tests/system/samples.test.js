// SPDX-License-Identifier: MIT
//
// What pages show as the output of a command, or as an answer of the HTTP API,
// looks like the real one: the same lines, columns and words.  Numbers differ.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const tls = require('node:tls');
const { blocksOf } = require('./lib/blocks');
const { Client, closeAll } = require('./lib/client');
const { host, joined } = require('./lib/cluster');
const { Console } = require('./lib/console');
const { Daemon, PUSHERCTL, becomes, until } = require('./lib/daemon');
const { api, get, publish } = require('./lib/http');
const { Receiver } = require('./lib/receiver');
const { Redis } = require('./lib/redis');
const reloads = require('./lib/reloads');
const resume = require('./lib/resume');
const { shown } = require('./lib/terminal');
const { Authority } = require('./lib/tls');

// The block of this page that has the text.
const block = (page, text) => blocksOf(page).find((b) => b.includes(text));

// Every number is 0, every space one blank.
const shape = (lines) => lines.map((line) => line.replace(PUSHERCTL, 'pusherctl')
	.replace(/\d+/g, '0').replace(/\s+/g, ' ').trim()).join('\n').trim();

// The command of a block, in a terminal, prints what the block has below it.
async function looksLike(d, page, command) {
	const [first, ...lines] = block(page, `$ ${command}`).split('\n');
	const words = first.replace(/#.*/, '').trim().split(/\s+/).slice(2);
	await becomes(async () => shape(await shown(d,
		[...(d.extra ?? []), ...words])), shape(lines));
}

// Names and kinds of an answer: every number is 0, every text ''.
const kinds = (value) => JSON.parse(JSON.stringify(value, (key, v) =>
	(typeof v === 'number' ? 0 : typeof v === 'string' ? '' : v)));

test('doctor.md', async () => {
	const d = new Daemon();
	const app = d.app({}, { name: 'shop' });
	await d.start();
	const all = await Client.several(d, app, 3);
	for (const c of all) await c.subscribe('private-orders.7');
	for (let i = 0; i < 2; i++) await publish(d, app, 'orders.7', 'e', '{}');
	await looksLike(d, 'doctor.md', 'pusherctl doctor');
	await closeAll(all);
	await d.stop();
});

test('upgrade.md', async () => {
	const a = new Authority();
	const d = reloads.daemon({ workers: 1 }, {
		listen: ['127.0.0.1:0', '127.0.0.1:0 tls'],
		tls_certificate: a.file('cert.pem'), tls_key: a.file('key.pem') });
	const app = d.app();
	await d.start(d.extra);
	const sock = () => tls.connect({ port: d.ports[1], host: '127.0.0.1',
		servername: 'localhost', ca: a.ca });
	const all = [...await Client.several(d, app, 2),
		await Client.connect(d, app, { sock })];
	await looksLike(d, 'upgrade.md', 'pusherctl upgrade');
	await looksLike(d, 'upgrade.md', 'pusherctl worker replace');
	await d.reload({ workers: 2 });
	d.write({ workers: 1 });
	await looksLike(d, 'upgrade.md', 'pusherctl reload');
	await closeAll(all);
	await d.stop();
	a.remove();
});

test('webhooks.md', async () => {
	const hook = await Receiver.start();
	const d = new Daemon({ webhook_allow_private: 'on' });
	const app = d.app();
	await d.start();
	d.ctl(['webhook', 'add', app.id, hook.url]);
	const c = await Client.connect(d, app);
	await c.subscribe('orders.7');
	await hook.have(1);
	const [head, body] = block('webhooks.md', 'X-Pusher-Key').split('\n\n');
	const [{ method, headers, json }] = hook.hooks;
	assert.deepEqual(kinds(json), kinds(JSON.parse(body)));
	const [line, ...names] = head.split('\n').map((l) => l.split(/:? /)[0]);
	assert.equal(line, method);
	for (const name of names) assert.ok(name.toLowerCase() in headers, name);
	await c.close();
	await hook.stop();
	await d.stop();
});

describe('cluster.md', () => {
	const redis = new Redis();
	let hosts;

	before(async () => {
		await redis.start();
		hosts = ['web1', 'web2'].map((name) => host(redis, name));
		for (const d of hosts) {
			d.allow(/host web1 is gone/);
			await d.start();
			await joined(d);
		}
	});
	after(async () => {
		for (const d of hosts) await d.stop();
		await redis.remove();
	});

	test('cluster.md: status', () =>
		looksLike(hosts[0], 'cluster.md', 'pusherctl cluster status'));

	test('cluster.md: leave', () =>
		looksLike(hosts[0], 'cluster.md', 'pusherctl cluster leave'));
});

test('console.md: a token', async () => {
	const c = await Console.start();
	const app = c.d.app();
	await c.d.start();
	const [, path, body, answer] = /POST \/apps\/\{id\}(\S+) +(.*)\n200 +(.*)/
		.exec(block('console.md', 'console_tokens'));
	const r = await api(c.d, app, 'POST', path, { body });
	assert.equal(r.status, 200, r.text);
	assert.deepEqual(kinds(r.json), kinds(JSON.parse(answer)));
	await c.d.stop();
});

describe('events and statistics', () => {
	const d = new Daemon();
	const app = d.app({ resume: 'on' });
	before(() => d.start());
	after(() => d.stop());

	test('resume.md, receipts.md', async () => {
		const { c } = await resume.begin(d, app, 'orders.7');
		const past = '/channels/orders.7/events';
		const { last } = await get(d, app, past);
		const [, name, value] = /\n(\S+): (.*)\n/
			.exec(block('receipts.md', 'POST /apps'));
		const r = await api(d, app, 'POST', '/events', {
			headers: { [name]: value },
			body: { name: 'order', channel: 'orders.7', data: '…' } });
		assert.equal(r.status, 200, r.text);
		assert.deepEqual(kinds(r.json),
			kinds(JSON.parse(block('receipts.md', '"waited_ms"'))));
		assert.deepEqual(kinds(await get(d, app, past, { after: last })),
			kinds(JSON.parse(block('resume.md', '"complete"'))));
		await c.close();
	});

	test('statistics.md', async () => {
		const [, query, row] = /\?(\S+)\n\{"rows":\[\{(.*),…\}\]\}/
			.exec(block('statistics.md', '/stats?'));
		const all = Object.fromEntries(new URLSearchParams(query));
		await publish(d, app, 'orders.7', 'e', '{}');
		d.signal('SIGTERM'); // which writes the minute
		await d.exited;
		d.exit = null;
		await d.start();
		await until('the courier', async () => (await api(d, app, 'GET',
			'/stats', { query: all })).status === 200);
		const { rows } = await get(d, app, '/stats', { step: all.step });
		for (const [name, value] of Object.entries(JSON.parse(`{${row}}`)))
			assert.equal(typeof rows[0][name], typeof value, name);
	});
});
