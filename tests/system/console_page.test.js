// SPDX-License-Identifier: MIT
//
// The console's page in Chromium: every page, what can be done on it, hostile
// texts in every place that others fill, and a server with 10,000 clients.  A
// breach of the policy, an error of a script, or a request to another host
// fails the test (lib/console.js).
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { after, before, describe, test } = require('node:test');
const { launch } = require('./lib/browser');
const { Client } = require('./lib/client');
const { Console, open } = require('./lib/console');
const { environment, PUSHERCTL, SLOW, until } = require('./lib/daemon');
const { api, publish } = require('./lib/http');
const { Receiver } = require('./lib/receiver');
const { newId, open: resumer } = require('./lib/resume');

const PAGES = ['overview', 'events', 'channels', 'connections', 'users', 'closes',
	'statistics', 'doctor', 'publish', 'simulator', 'apps', 'webhooks', 'commands'];
const TIME = { timeout: 120000 * SLOW };

// Text that a stranger may write into names and payloads.
const EVIL = ['<script>window.broken=1</script>',
	'<img src=x onerror=window.broken=1>', '"><svg onload=window.broken=1>',
	'javascript:window.broken=1', '\'-window.broken-\'', '{{7*7}}${7*7}',
	'</textarea><script>window.broken=1</script>', '\u202Egnp.exe',
	'<a href="javascript:window.broken=1">x</a>', '<style>*{display:none}</style>'];

let browser;
before(async () => {
	browser = await launch();
}, TIME);
after(() => browser?.close());

const has = (page, text, ms = 15000) => page.waitForFunction((t) =>
	document.getElementById('main').innerText.includes(t), text,
{ timeout: ms * SLOW });

describe('console: the page', () => {
	let c;
	let app;
	let hook;
	let client;

	before(async () => {
		c = await Console.start({ webhook_allow_private: 'on' });
		app = c.d.app({ resume: 'on', client_events: 'on' }, { name: 'shop' });
		c.d.app({}, { name: `a name that is long ${'x'.repeat(100)}` });
		await c.d.start();
		hook = await Receiver.start();
		c.d.ctl(['webhook', 'add', app.id, hook.url]);
		client = await Client.connect(c.d, app);
		await client.join('presence-room', 'ann', { name: 'Ann' });
		await client.signin({ id: 'ann' });
	});
	after(async () => {
		client.destroy();
		await hook.stop();
		await c.d.stop();
	});

	for (const [kind, args, options] of [['the whole server', [], {}],
		['the whole server, narrow', [], { viewport: { width: 375, height: 700 } }],
		['one app, to look, dark and narrow', ['--app', '101', '--read-only'],
			{ colorScheme: 'dark', viewport: { width: 380, height: 700 } }]])
		test(`every page: ${kind}`, TIME, async () => {
			const page = await open(browser, c, { args, ...options });
			const nav = await page.$$eval('#nav a', (all) =>
				all.map((a) => a.hash.slice(2)));
			if (args.length === 0)
				assert.deepEqual(PAGES.filter((p) => !nav.includes(p)), []);
			else assert.ok(!nav.includes('publish'), 'it may only look');
			const sid = client.sid;
			for (const p of [...nav, 'statistics?range=since%20395d%201d',
				`app/${app.id}`, 'webhook/1',
				`channel/${app.id}/presence-room`, `connection/${sid}`]) {
				await page.go(`#/${p}`, `#main h1`);
				await page.waitForTimeout(150);
				assert.doesNotMatch(await page.innerText('#main'),
					/cannot be shown|undefined|\[object/, p);
				const wide = await page.evaluate(() =>
					document.documentElement.scrollWidth - innerWidth);
				assert.ok(wide <= 0, `${p} is ${wide} too wide`);
			}
			assert.deepEqual(page.faults, []);
			await page.context().close();
		});

	test('a page of what is gone says so', TIME, async () => {
		const page = await open(browser, c);
		await page.go('#/webhook/77');
		await has(page, 'there is no webhook 77');
		await page.go('#/webhook/1');
		await has(page, hook.url);
		assert.doesNotMatch(await page.innerText('#main'), /no webhook 77/);
		assert.deepEqual(page.faults, []);
		await page.context().close();
	});

	test('charts of an idle server: each tick of an axis has its own label',
		TIME, async () => {
			const page = await open(browser, c);
			await page.go('#/statistics');
			const labels = await page.waitForFunction(() => {
				const all = [...document.querySelectorAll('#main canvas')]
					.map((x) => window.Chart?.getChart(x)?.scales.y.ticks
						.map((t) => t.label));
				return all.length >= 5 && all.every(Boolean) && all;
			});
			for (const list of await labels.jsonValue())
				assert.equal(new Set(list).size, list.length, list.join());
			assert.deepEqual(page.faults, []);
			await page.context().close();
		});

	test('a chart with one reading has a point', TIME, async () => {
		const page = await open(browser, c);
		await page.go('#/overview');
		const radius = (n) => page.waitForFunction((n) => {
			const set = window.Chart?.getChart(document
				.querySelector('canvas[aria-label=Connections]'))?.data.datasets[0];
			return set?.data.length === n && { is: set.pointRadius };
		}, n, { polling: 20 }).then((h) => h.jsonValue());
		assert.deepEqual(await radius(1), { is: 3 });
		assert.deepEqual(await radius(2), { is: 0 });
		await page.context().close();
	});

	test('make an app, change it, rotate, disable, delete', TIME, async () => {
		const page = await open(browser, c);
		await page.go('#/apps');
		await page.click('text=Make an app');
		await page.fill('dialog [name=name]', 'new one');
		await page.keyboard.press('Enter');
		await page.waitForSelector('dialog >> text=The app is made');
		await page.keyboard.press('Escape');
		await has(page, 'Credentials');
		await page.fill('[name=max_connections]', '77');
		await page.click('text=Save');
		await until('it is set', () => c.d.ctl(['app', 'list'])
			.some((a) => a.name === 'new one' && a.max_connections === 77));
		await page.click('text=Rotate key');
		await page.click('dialog button[type=submit]');
		await page.waitForSelector('dialog >> text=The key is rotated');
		await page.keyboard.press('Escape');
		await has(page, 'old key');
		await page.click('text=Disable…');
		await page.click('dialog button[type=submit]');
		await has(page, 'disabled');
		await page.click('text=Delete…');
		await page.click('dialog button[type=submit]');
		await until('it is gone', () => !c.d.ctl(['app', 'list'])
			.some((a) => a.name === 'new one'));
		assert.deepEqual(page.faults, []);
		await page.context().close();
	});

	test('publish, see it live, pause; the simulator gets it', TIME, async () => {
		const page = await open(browser, c);
		const other = await page.context().newPage();
		await other.goto(`${c.url}/#/simulator`);
		await other.waitForSelector('[name=channel]');
		await other.selectOption('[name=app]', app.id);
		await other.fill('[name=channel]', 'presence-sim');
		await other.click('text=Connect and subscribe');
		await has(other, 'subscription_succeeded');
		await page.go('#/events');
		await page.waitForSelector('.log');
		const send = async (text) => {
			const tab = await page.context().newPage();
			await tab.goto(`${c.url}/#/publish`);
			await tab.waitForSelector('[name=data]');
			await tab.selectOption('[name=app]', app.id);
			await tab.fill('[name=channel]', 'presence-sim');
			await tab.fill('[name=event]', 'hello');
			await tab.fill('[name=data]', text);
			await tab.click('button.main');
			await has(tab, 'subscriptions: 1');
			await tab.close();
		};
		await send('{"n":"first"}');
		await has(page, '{"n":"first"}');
		await has(other, '{"n":"first"}');
		await page.click('text=Pause');
		await send('{"n":"second"}');
		await has(other, '{"n":"second"}');
		await has(page, '1 wait');
		assert.ok(!(await page.innerText('.log')).includes('second'));
		await page.click('text=Go on');
		await has(page, '{"n":"second"}');
		await page.go(`#/channel/${app.id}/presence-sim`);
		await has(page, '{"n":"second"}');
		await has(page, 'me');
		assert.deepEqual(page.faults, []);
		await page.context().close();
	});

	test('an event: its size, and confirmed n of m', TIME, async () => {
		const all = [await resumer(c.d, app, newId()),
			await resumer(c.d, app, newId()), await Client.connect(c.d, app)];
		for (const one of all) await one.subscribe('got');
		const page = await open(browser, c);
		await page.go('#/events');
		await page.waitForSelector('.log');
		await page.waitForTimeout(300);
		all[1].answerPings = false;
		await publish(c.d, app, 'got', 'e', `{"text":"${'abc '.repeat(300)}"}`);
		await page.waitForSelector('.line');
		await page.waitForTimeout(400 * SLOW);
		await page.click('.line .data');
		await has(page, 'confirmed 1 of 2');
		assert.match(await page.innerText('.line .more'),
			/^1\.2 KiB, \d\d B compressed by itself, confirmed 1 of 2$/);
		await page.go(`#/channel/${app.id}/got`);
		await has(page, 'confirmed 1 of 2');
		await page.go('#/overview');
		await has(page, 'confirmed events within');
		assert.deepEqual(page.faults, []);
		for (const one of all) one.destroy();
		await page.context().close();
	});

	test('a connection, closed from the page, says why', TIME, async () => {
		const one = await Client.connect(c.d, app);
		const page = await open(browser, c);
		await page.go(`#/connection/${one.sid}`);
		await has(page, 'last heard of');
		await page.click('text=Close…');
		await page.click('dialog button[type=submit]');
		await has(page, 'Why it closed');
		await has(page, '4009');
		await page.go('#/closes');
		await has(page, '4009');
		assert.deepEqual(page.faults, []);
		await page.context().close();
	});

	test('a dead request of a webhook is sent again', TIME, async () => {
		const page = await open(browser, c);
		await page.go('#/webhook/1');
		await page.click('text=Send a test');
		await has(page, 'done');
		await page.click('text=Disable');
		await has(page, 'disabled');
		await page.click('text=Enable');
		await has(page, 'enabled');
		assert.deepEqual(page.faults, []);
		await page.context().close();
	});

	test('the doctor says what went wrong while it is looked at', TIME, async () => {
		const page = await open(browser, c);
		await page.go('#/doctor');
		await page.waitForSelector('.findings > li');
		const before = await page.$$eval('.finding', (l) => l.length);
		for (let i = 0; i < 3; i++)
			await api(c.d, { ...app, secret: 'wrong' }, 'GET', '/channels');
		await page.waitForFunction((n) => document.querySelectorAll('.finding')
			.length > n, before, { timeout: 15000 * SLOW });
		assert.match(await page.innerText('.findings'), /401|signature|secret/);
		assert.deepEqual(page.faults, []);
		await page.context().close();
	});

	test('hostile texts stay texts', TIME, async () => {
		const page = await open(browser, c);
		c.d.ctl(['app', 'set', app.id, `name=${EVIL[1].slice(0, 60)}`]);
		const one = await Client.connect(c.d, app);
		for (const [i, evil] of EVIL.entries()) {
			one.sendSubscribe('presence-evil', { data: {
				user_id: `u${i} ${evil}`, user_info: { name: evil } } });
			one.send({ event: 'pusher:unsubscribe',
				data: { channel: 'presence-evil' } });
		}
		one.sendSubscribe('presence-evil', { data: { user_id: EVIL[1],
			user_info: { name: EVIL[0] } } });
		await page.go('#/events');
		await page.waitForTimeout(500);
		for (const evil of EVIL)
			await publish(c.d, app, 'presence-evil', evil.slice(0, 190),
				JSON.stringify({ text: evil, raw: evil }));
		await has(page, 'javascript:window.broken');
		for (const line of (await page.$$('.line')).slice(0, 5)) await line.click();
		one.sendSubscribe(`no such ${EVIL[0]}`);
		one.destroy();
		// A reason of the client, and one of the server with the client's text.
		const last = await Client.connect(c.d, app);
		last.sendFrame(8, Buffer.concat([Buffer.from([0x0f, 0xa2]), // 4002
			Buffer.from(EVIL[0])]));
		const key = EVIL[1].replace(/ /g, '%20');
		await Client.connect(c.d, { ...app, key })
			.catch(() => {}); // refused
		await until('both closes', () => {
			const codes = c.d.ctl(['closes']).map((r) => r.code);
			return codes.includes(4001) && codes.includes(4002);
		});
		for (const p of ['overview', 'channels', 'connections', 'closes', 'apps',
			`channel/${app.id}/presence-evil`, `channel/${app.id}/${
				encodeURIComponent(EVIL[1])}`, `app/${app.id}`, `connection/${
				encodeURIComponent(EVIL[0])}`, `webhook/${
				encodeURIComponent(EVIL[1])}`, 'publish', 'simulator']) {
			await page.go(`#/${p}`, '#main :is(h1, .empty)');
			await page.waitForTimeout(250);
			assert.equal(await page.evaluate(() => window.broken), undefined, p);
			assert.equal(await page.$('#main script, #main img, #main style, ' +
				'#main svg, #main [onload], #main [onerror], ' +
				'#main a[href^="javascript:"]'), null, p);
		}
		assert.deepEqual(page.faults, []);
		await page.context().close();
	});

	test('by keyboard: skip, menu, a row of events', TIME, async () => {
		const page = await open(browser, c);
		await page.keyboard.press('Tab');
		assert.equal(await page.evaluate(() => document.activeElement.className),
			'skip');
		await page.focus('#nav a[href="#/channels"]');
		await page.keyboard.press('Enter');
		await has(page, 'Channels');
		await page.go('#/events');
		await page.waitForTimeout(300);
		await publish(c.d, app, 'keys', 'pressed', '{"a":{"b":1}}');
		await page.waitForSelector('.line');
		await page.focus('.line');
		await page.keyboard.press('Enter');
		assert.equal(await page.getAttribute('.line', 'aria-expanded'), 'true');
		await page.context().close();
	});

	test('a token in the address, a session that is over', TIME, async () => {
		const page = await open(browser, c);
		assert.ok(!/[0-9a-f]{64}/.test(page.url()), 'it is taken out');
		assert.equal(await page.evaluate(() => document.cookie), '');
		await page.click('text=Sign out');
		await page.waitForSelector('text=pusherctl console');
		const used = c.token();
		await page.goto(used);
		await page.waitForSelector('#nav a', { state: 'attached' });
		await page.context().clearCookies();
		await page.goto('about:blank');
		await page.goto(used);
		await page.waitForSelector('text=this token is not valid');
		await page.context().close();
	});
});

// Each command of the console but the two of replaceAndDrain; what it changes is
// its own.
async function everyVerb(c, app, sid) {
	const cookie = await c.login();
	const own = { app: 'own' };
	const calls = [['app create', { name: 'own', id: 'own' }],
		['app list'], ['app show', own], ['app set', { ...own,
			option: { max_connections: 5 } }], ['app enable', own],
		['app disable', own], ['app enable', own], ['app export'],
		['app import', { from: 'soketi', file: '-' }, '[]'],
		['app rotate-key', own], ['app snippets', own], ['status'],
		['cluster status'], ['cluster hosts'],
		['cluster leave', , , 1], ['top'],
		['stats'], ['stats', { app: app.id, minutes: 5 }], ['closes'],
		['config'], ['channels'], ['channel', { app: app.id,
			channel: 'CHANNEL' }], ['channel purge-cache', { app: app.id,
			channel: 'cache-x' }], ['connections list', { app: app.id,
			sort: 'age', limit: 100 }], ['connections show',
			{ socket_id: sid }], ['connections kill', { socket_id: sid }],
		['sessions'], ['sessions show', { session: 'nobody-has-this-1' }, , 1],
		['users list'], ['users show', { app: app.id, user: 'u' }, , 1],
		['users kick', { app: app.id, user: 'u' }, , 1],
		['publish', { app: app.id, channel: 'own', event: 'e', data: '{}',
			wait: '1s' }], ['tail', { limit: 1 }, , 'stream'],
		['subscribe', { app: app.id, channel: 'own', limit: 1 }, , 'stream'],
		['sign', { app: app.id, socket_id: '1.2', channel: 'private-x' }],
		['explain-auth', { method: 'GET', target: `/apps/${app.id}/channels` },
			, 1], ['webhook add', { app: app.id, url: 'https://h.example/a' }],
		['webhook list'], ['webhook show', { webhook: 1 }], ['webhook set',
			{ webhook: 1, option: { enabled: 'off' } }],
		['webhook deliveries'], ['webhook retry', { webhook: 1 }],
		['webhook purge', { webhook: 1 }], ['webhook test', { webhook: 1 }, , 1],
		['verify-webhook', { app: app.id, signature: 'x', file: '-' }, '{}', 1],
		['doctor'], ['doctor', { app: app.id, channel: 'CHANNEL' }],
		['log-level', { level: 'info' }], ['reload'],
		['webhook remove', { webhook: 1 }], ['app delete', { ...own, yes: true }],
		['webhook add', { app: app.id, url: 'https://h.example/a' }]];
	// That of the most clients; events go to another one.
	const [{ channel }] = (await c.rows(cookie, 'channels'))
		.sort((a, b) => b.subscriptions - a.subscriptions);
	const tried = new Set(['drain', 'worker replace']);
	const wrong = [];
	for (const [verb, args = {}, stdin, how = 0] of calls) {
		tried.add(verb);
		if (args.channel === 'CHANNEL') args.channel = channel;
		const query = new URLSearchParams({ verb, ...args });
		const s = how === 'stream' && c.stream(cookie, query);
		if (s) {
			await until(`the stream of ${verb}`, async () => {
				await publish(c.d, app, 'own', 'e', '{}');
				return s.ended || s.rows.length > 0;
			});
			assert.equal(s.status, 200, verb);
			s.close();
			continue;
		}
		const r = await c.verb(cookie, verb, args, stdin);
		if (r.status !== 200 || (r.body.code > 0) !== (how > 0))
			wrong.push(`${verb}: ${JSON.stringify(r.body).slice(0, 300)}`);
	}
	assert.deepEqual(wrong, []);
	const { body: verbs } = await c.request('/verbs');
	assert.deepEqual(verbs.map((v) => v.verb).filter((v) => !tried.has(v)), []);
}

// The two that move and that end all clients, while the page is open.
async function replaceAndDrain(c, app, page) {
	const cookie = await c.login();
	const one = await Client.connect(c.d, app);
	await one.subscribe('own');
	const s = c.stream(cookie, 'verb=tail');
	await until('the stream', async () => {
		await publish(c.d, app, 'other', 'e', '{}');
		return s.rows.length > 0;
	});
	const connections = async () =>
		(await c.rows(cookie, 'status')).server.connections;
	const before = await connections();
	const old = c.d.pidsOf('worker');
	for (const worker of [0, 1]) {
		const r = await c.verb(cookie, 'worker replace', { worker });
		assert.equal(r.status, 200);
		assert.equal(r.body.code, 0, r.body.notes);
	}
	await until('the old ones to end', () =>
		!c.d.pidsOf('worker').some((p) => old.includes(p)));
	assert.equal(await connections(), before);
	await publish(c.d, app, 'own', 'moved', '{}');
	await one.expect('moved');
	await until('the stream to go on', () => s.rows.some((r) =>
		r.event === 'moved'));
	s.close();
	await page.go('#/overview');
	await has(page, before.toLocaleString('en'), 20000);
	const r = await c.verb(cookie, 'drain', { time: 3 });
	assert.equal(r.status, 200);
	assert.equal(r.body.code, 0, r.body.notes);
	await one.expect('pusher:error');
	await one.expectClose(4200);
	await until('the end of the server', () => c.d.exit, 20000);
	await page.waitForSelector('#link[title="The server does not answer."]');
	await has(page, 'The server does not answer.');
	page.faults = page.faults.filter((f) => !/net::ERR_/.test(f));
}

test('console: 10,000 clients', { timeout: 180000 * SLOW }, async () => {
	const c = await Console.start();
	const app = c.d.app({}, { name: 'many' });
	await c.d.start();
	const load = spawn(PUSHERCTL, ['-o', `database=${c.d.conf.database}`, 'bench',
		'idle', '--app', app.id, '--host', '127.0.0.1', '--port',
		String(c.d.port), '--clients', '10000', '--channels', '50', '--seconds',
		'600', '--at-once', '200'], { env: environment(), stdio: 'ignore' });
	try {
		const cookie = await c.login('--read-only');
		await until('all of them', async () => (await c.rows(cookie, 'status'))
			.server.connections >= 10000, 100000);
		const all = await c.rows(cookie, 'connections list');
		assert.ok(all.length >= 10000);
		const one = await Client.connect(c.d, app);
		await one.subscribe('own');
		await everyVerb(c, app, one.sid);
		const page = await open(browser, c);
		await has(page, '10,000', 20000);
		const nav = await page.$$eval('#nav a', (l) =>
			l.map((a) => a.hash.slice(2)));
		assert.deepEqual(PAGES.filter((p) => !nav.includes(p)), []);
		const [{ channel }] = await c.rows(cookie, 'channels');
		for (const p of [...nav, `app/${app.id}`, 'webhook/1',
			`channel/${app.id}/${channel}`, `connection/${all[1].socket_id}`]) {
			await page.go(`#/${p}`);
			await page.waitForTimeout(250);
			assert.doesNotMatch(await page.innerText('#main'),
				/cannot be shown|undefined|\[object/, p);
			assert.ok(await page.$$eval('#main tr', (l) => l.length) < 1100, p);
		}
		await page.go('#/connections');
		await has(page, 'rows are shown', 20000);
		assert.ok(await page.$$eval('#main tr', (l) => l.length) < 600);
		await until('no process', () => c.d.pidsOf('console').length === 0);
		await replaceAndDrain(c, app, page);
		assert.deepEqual(page.faults, []);
		await page.context().close();
	} finally {
		load.kill('SIGKILL');
	}
	await c.d.stop();
});
