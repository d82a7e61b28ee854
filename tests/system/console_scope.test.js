// SPDX-License-Identifier: MIT
//
// The console for one tenant: which commands its token gives, the doctor and
// the webhooks of its app through it; and two consoles on one host name.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { launch } = require('./lib/browser');
const { Client } = require('./lib/client');
const { Console, open } = require('./lib/console');
const { until } = require('./lib/daemon');
const { api, publish } = require('./lib/http');
const { Receiver } = require('./lib/receiver');
const { channelAuth } = require('./lib/sign');

const PAGE = fs.readFileSync(path.resolve(__dirname,
	'../../etc/doc/console.md'), 'utf8');

describe('console: one tenant', () => {
	let c;
	let mine;
	let other;
	let hook;
	let read;
	let write;

	before(async () => {
		c = await Console.start({ webhook_allow_private: 'on',
			webhook_retry_time: 1 });
		mine = c.d.app({}, { name: 'mine' });
		other = c.d.app({}, { id: '777999', name: 'other-name-777' });
		await c.d.start();
		hook = await Receiver.start();
		// As an application asks for it.
		const token = async (body) => (await api(c.d, mine, 'POST',
			'/console_tokens', { body })).json.url.split('#')[1];
		const login = async (body) => (await c.request('/session',
			{ body: { token: await token(body) } }))
			.headers['set-cookie'][0].split(';')[0];
		[read, write] = [await login({ read_only: true }), await login({})];
	});
	after(async () => {
		await hook.stop();
		await c.d.stop();
	});

	test('console.md has each command under the right it needs', async () => {
		const { body: verbs } = await c.request('/verbs');
		const listed = new Map([...PAGE.matchAll(/^\| ([^|]*) \| (`[^|]*) \|$/gm)]
			.filter((m) => /may|operator|nobody/.test(m[1]))
			.map((m) => [m[1], m[2].split(', ').map((v) => v.slice(1, -1))]));
		const rows = { 'each session may': /^(app|object) read/,
			'a session that changes one app may, too': /^(app|object) write/,
			'only the operator': /^server/ };
		for (const [row, access] of Object.entries(rows))
			assert.deepEqual(listed.get(row)?.sort(), verbs.filter((v) =>
				access.test(v.access)).map((v) => v.verb).sort(), row);
		const words = c.d.ctlRaw(['help']).out;
		for (const verb of listed.get('nobody: in a terminal')) {
			assert.match(words, new RegExp(`^ +${verb} `, 'm'));
			assert.ok(!verbs.some((v) => v.verb === verb), verb);
		}
	});

	test('a session for one app makes few webhooks', async () => {
		const app = c.d.app();
		const cookie = await c.login('--app', app.id);
		const add = (i) => c.verb(cookie, 'webhook add',
			{ url: `https://h.example/${i}` });
		for (let i = 0; i < 20; i++)
			assert.equal((await add(i)).body.code, 0);
		const { body } = await add(20);
		assert.equal(body.code, 1);
		assert.match(body.notes, /has 20 webhooks, .* at most 20: remove one/);
		c.d.ctl(['webhook', 'add', app.id, 'https://h.example/20']);
		const rows = await c.rows(cookie, 'webhook list');
		assert.equal(rows.length, 21);
		for (const { webhook } of rows.slice(0, 2))
			await c.rows(cookie, 'webhook remove', { webhook });
		assert.equal((await add(21)).body.code, 0);
	});

	test('limits, keys and the app itself are the operator\'s', async () => {
		for (const [verb, args] of [['app set', { option:
			{ max_connections: '100000' } }], ['app rotate-key', {}],
		['app disable', {}], ['app delete', { yes: true }],
		['app export', {}], ['reload', {}]])
			for (const cookie of [read, write]) {
				const r = await c.verb(cookie, verb, { app: mine.id, ...args });
				assert.equal(r.status, 403, `${verb} ${r.text}`);
			}
		const shown = (await c.rows(read, 'app show')).max_connections;
		assert.equal(shown ?? 0, 0);
	});

	test('the doctor of the app, and nothing of others', async () => {
		const clients = [];
		for (const [app, channel] of [[mine, 'orders.7'],
			[other, 'secret-777.7']]) {
			const one = await Client.connect(c.d, app);
			clients.push(one);
			await one.subscribe(channel.replace('.', '-'));
			for (let i = 0; i < 2; i++)
				await publish(c.d, app, channel, 'e', '{}');
		}
		const strange = new RegExp(['777', other.key, other.secret].join('|'));
		// The wrong secret, and the wrong key, are those of the other app.
		await api(c.d, { ...mine, secret: other.secret }, 'GET', '/channels');
		await api(c.d, { ...mine, key: other.key }, 'GET', '/channels');
		clients[0].sendSubscribe('private-x', { auth: channelAuth(
			{ ...mine, secret: other.secret }, clients[0].sid, 'private-x') });
		await Client.connect(c.d, { key: 'no-such-key-777' }).catch(() => {});
		for (const cookie of [read, write]) {
			const r = await until('both findings', async () => {
				const { body } = await c.verb(cookie, 'doctor');
				return /orders\.7/.test(JSON.stringify(body)) &&
					/401|signature/.test(JSON.stringify(body)) && body;
			});
			assert.doesNotMatch(JSON.stringify(r), strange);
			for (const args of [{ app: other.id }, { app: mine.id,
				url: `http://127.0.0.1:${c.d.port}` }])
				assert.equal((await c.verb(cookie, 'doctor', args)).status, 403);
		}
		for (const one of clients) one.destroy();
	});

	test('the doctor knows the old key of the app, and no other', async () => {
		const [one, two] = [c.d.app(), c.d.app()];
		for (const { id } of [one, two])
			c.d.ctl(['app', 'rotate-key', id, '--overlap', '0']);
		const cookies = await Promise.all([one, two].map(({ id }) =>
			c.login('--app', id)));
		for (const { key } of [one, two])
			await Client.connect(c.d, { key }).catch(() => {});
		for (const [i, [own, strange]] of [[one, two], [two, one]].entries()) {
			const text = await until('its finding', async () => {
				const { body } = await c.verb(cookies[i], 'doctor');
				return JSON.stringify(body).includes(
					`it is the old key ${own.key}`) && JSON.stringify(body);
			});
			assert.ok(!text.includes(strange.key));
		}
	});

	test('a request that is dead is sent again through the token', async () => {
		c.d.ctl(['webhook', 'add', mine.id, hook.url, '--events',
			'channel_occupied']);
		const [{ webhook }] = await c.rows(write, 'webhook list');
		c.d.allow(/given up/);
		hook.answer = (req, res) => { res.statusCode = 500; res.end('no'); };
		const one = await Client.connect(c.d, mine);
		await one.subscribe('dies');
		const state = async (is) => (await c.rows(read, 'webhook deliveries',
			{ webhook })).filter((x) => x.state === is);
		const [dead] = await until('it is dead', async () => {
			const list = await state('dead');
			return list.length > 0 && list;
		}, 15000);
		assert.equal(dead.status, 500);
		assert.equal((await c.verb(read, 'webhook retry', { webhook })).status,
			403, 'a session that only reads');
		hook.answer = undefined;
		hook.hooks.length = 0;
		// From the page of the tenant.
		const browser = await launch();
		try {
			const page = await open(browser, c, { args: ['--app', mine.id] });
			await page.go(`#/webhook/${webhook}`);
			await page.click('tr button:text("Retry")');
			await hook.have(1);
			assert.equal(hook.hooks[0].id, dead.delivery);
			hook.check(hook.hooks[0], mine);
			await page.waitForFunction(() => /done/.test(document
				.querySelector('#main table').innerText));
			assert.deepEqual(await state('dead'), []);
			assert.equal((await state('done'))[0].delivery, dead.delivery);
			assert.deepEqual(page.faults, []);
		} finally {
			await browser.close();
		}
		one.destroy();
	});
});

test('two consoles on one host name: a session each', async () => {
	const both = [await Console.start(), await Console.start()];
	for (const c of both) await c.d.start();
	const cookies = [];
	for (const c of both) cookies.push(await c.login());
	const names = cookies.map((x) => x.split('=')[0]);
	assert.deepEqual(names, both.map((c) => `pusherd_console_${c.port}`));
	// A browser sends the cookies of a host to all of its ports.
	for (const all of [cookies, [...cookies].reverse()])
		for (const c of both)
			assert.equal((await c.request('/session',
				{ cookie: all.join('; ') })).status, 200);
	const out = await both[0].request('/logout',
		{ cookie: cookies.join('; '), body: {} });
	assert.match(out.headers['set-cookie'][0],
		new RegExp(`^${names[0]}=; .*Max-Age=0`));
	assert.deepEqual(await Promise.all(both.map(async (c) =>
		(await c.request('/session', { cookie: cookies.join('; ') })).status)),
	[401, 200]);
	// Without a port in Host, and with a bad one, it has its short name.
	for (const Host of ['localhost', '[::1]', 'a:b', 'x:99999', 'x:'])
		assert.match((await both[1].request('/session', { headers: { Host },
			body: { token: both[1].token().split('#')[1] } }))
			.headers['set-cookie'][0], /^pusherd_console=[0-9a-f]{64};/, Host);
	for (const c of both) await c.d.stop();
});
