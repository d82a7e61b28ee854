// SPDX-License-Identifier: MIT
//
// The console's HTTP: tokens and sessions, what each scope may run, and
// streams.  Each command of the table is tried by each kind of session.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const https = require('node:https');
const { after, before, describe, test } = require('node:test');
const { Client } = require('./lib/client');
const { Console } = require('./lib/console');
const { Daemon, environment, options, PUSHERD, SLOW, sleep, until } =
	require('./lib/daemon');
const { Http, api, publish } = require('./lib/http');
const { Receiver } = require('./lib/receiver');
const { Authority } = require('./lib/tls');

const HEX = /^[0-9a-f]{64}$/;

describe('console: the address', () => {
	const start = (conf) => spawnSync(PUSHERD, ['-t', ...options({
		...new Daemon().conf, ...conf })],
	{ env: environment(), encoding: 'utf8' });

	for (const [listen, more, good] of [
		['127.0.0.1:0 role=console', {}, true],
		['127.8.8.8:0 role=console', {}, true],
		['[::1]:0 role=console', {}, true],
		['0.0.0.0:0 role=console', {}, false],
		['[::]:0 role=console', {}, false],
		['10.1.2.3:0 role=console', {}, false],
		['0.0.0.0:0 role=console', { trusted_proxies: '10.0.0.0/8' }, true],
	])
		test(`${listen} ${JSON.stringify(more)}`, () => {
			const r = start({ listen, ...more });
			assert.equal(r.status, good ? 0 : 1, r.stderr);
			if (!good) assert.match(r.stderr, /console .*tls.*ssh -L/s);
		});
});

test('console: over TLS the cookie is Secure', async () => {
	const authority = new Authority();
	const c = await Console.start({ tls_certificate: authority.file('cert.pem'),
		tls_key: authority.file('key.pem') });
	c.d.conf.listen[1] += ' tls';
	await c.d.start();
	const url = c.token();
	assert.ok(url.startsWith(`https://127.0.0.1:${c.port}/#`));
	const r = await new Promise((ok, bad) => {
		const req = https.request(`https://127.0.0.1:${c.port}/session`, {
			ca: authority.ca, method: 'POST', agent: false,
			headers: { 'X-Requested-With': 'x' } }, ok);
		req.on('error', bad);
		req.end(JSON.stringify({ token: url.split('#')[1] }));
	});
	r.resume();
	assert.equal(r.statusCode, 200);
	assert.match(r.headers['set-cookie'][0], /; Secure$/);
	await c.d.stop();
	authority.remove();
});

describe('console: sessions and scopes', () => {
	let c;
	let mine;
	let other;
	let hook;
	let clients;
	const cookies = {};

	before(async () => {
		// A reader that stops stays, however long the publishes take.
		c = await Console.start({ webhook_allow_private: 'on',
			client_buffer_age: 3600 });
		mine = c.d.app({ resume: 'on', client_events: 'on' }, { name: 'mine' });
		other = c.d.app({ resume: 'on' }, { id: '777999', key: 'other-key-777',
			name: 'other-name-777' });
		await c.d.start();
		hook = await Receiver.start();
		for (const app of [mine, other])
			c.d.ctl(['webhook', 'add', app.id,
				`${hook.url}${app === other ? '777' : ''}`]);
		clients = await Promise.all([mine, other].map((app) =>
			Client.connect(c.d, app)));
		await clients[0].subscribe('room');
		await clients[1].subscribe('other-channel-777');
		for (const [name, args] of Object.entries({ 'whole write': [],
			'whole read': ['--read-only'], 'app write': ['--app', mine.id],
			'app read': ['--app', mine.id, '--read-only'] }))
			cookies[name] = await c.login(...args);
	});
	after(async () => {
		for (const one of clients) one.destroy();
		await hook.stop();
		await c.d.stop();
	});

	test('the page: headers, compression, ETag', async () => {
		const r = await c.request('/', { headers: { 'Accept-Encoding': 'gzip' } });
		assert.equal(r.status, 200);
		assert.equal(r.headers['content-encoding'], 'gzip');
		assert.match(r.headers['content-security-policy'], /^default-src 'self';/);
		assert.doesNotMatch(r.headers['content-security-policy'], /unsafe/);
		assert.equal(r.headers['x-frame-options'], 'DENY');
		assert.equal(r.headers['x-content-type-options'], 'nosniff');
		assert.equal(r.headers['referrer-policy'], 'no-referrer');
		const plain = await c.request('/');
		assert.match(plain.body, /<!doctype html>/);
		assert.doesNotMatch(plain.body, /<script>|<style|style=| on\w+="/);
		const again = await c.request('/',
			{ headers: { 'If-None-Match': r.headers.etag } });
		assert.equal(again.status, 304);
		assert.equal((await c.request('/', { method: 'PUT' })).status, 405);
		assert.equal((await c.request('/app.js/x')).status, 404);
		const elsewhere = await Http.connect(c.d);
		assert.equal((await elsewhere.ask('GET', '/verbs')).status, 404,
			'only on its own address');
		elsewhere.end();
	});

	test('a token counts once, and not after its time', async () => {
		const one = c.token().split('#')[1];
		assert.match(one, HEX);
		const first = await c.request('/session', { body: { token: one } });
		assert.equal(first.status, 200);
		assert.deepEqual([first.body.app, first.body.read_only], [null, false]);
		const cookie = first.headers['set-cookie'][0];
		assert.match(cookie, /; HttpOnly; SameSite=Strict$/);
		assert.match(cookie, /Max-Age=43200/);
		assert.doesNotMatch(JSON.stringify(first.body), /[0-9a-f]{64}/);
		const replay = await c.request('/session', { body: { token: one } });
		assert.equal(replay.status, 401);
		const late = c.token('--ttl', '1').split('#')[1];
		await sleep(1300);
		assert.equal((await c.request('/session',
			{ body: { token: late } })).status, 401);
	});

	test('over the limit of wrong tokens a right one is refused, too', async () => {
		const d = await Console.start();
		await d.d.start();
		const good = d.token().split('#')[1];
		const answers = [];
		for (let i = 0; i < 14; i++)
			answers.push((await d.request('/session',
				{ body: { token: 'f'.repeat(64) } })).status);
		assert.deepEqual(answers.slice(0, 10), Array(10).fill(401));
		assert.deepEqual(answers.slice(10), Array(4).fill(429));
		assert.equal((await d.request('/session',
			{ body: { token: good } })).status, 429);
		await d.d.stop();
	});

	test('requests that are not the page\'s', async () => {
		const cookie = cookies['whole write'];
		for (const [path, o, status] of [
			['/verb', { body: { verb: 'status' } }, 401],
			['/verb', { body: { verb: 'status' },
				cookie: `pusherd_console=${'0'.repeat(64)}` }, 401],
			['/verb', { body: { verb: 'status' }, cookie,
				headers: { 'X-Requested-With': '' } }, 403],
			['/verb', { body: '{', cookie }, 400],
			['/verb', { body: { verb: 'nothing' }, cookie }, 400],
			['/verb', { body: { verb: 'status', args: [] }, cookie }, 400],
			['/verb', { method: 'GET', cookie }, 405],
			['/session', { body: {} }, 400],
			['/stream?verb=tail', {}, 401],
			['/stream?verb=tail', { method: 'HEAD', cookie }, 405],
			['/verb', { body: 'x'.repeat(5000) }, 401],
		]) {
			const r = await c.request(path, o);
			assert.equal(r.status, status, `${path} ${JSON.stringify(r.body)}`);
		}
		const out = await c.login();
		assert.equal((await c.request('/logout',
			{ cookie: out, body: {} })).status, 200);
		assert.equal((await c.verb(out, 'status')).status, 401);
	});

	test('each command by each kind of session', async () => {
		const { body: verbs } = await c.request('/verbs');
		assert.ok(verbs.length > 35);
		assert.ok(!verbs.some((v) => v.verb === 'bench' || v.verb === 'console'));
		for (const v of verbs)
			for (const [kind, cookie] of Object.entries(cookies)) {
				const write = v.access.endsWith('write');
				const may = !(kind.endsWith('read') && write) &&
					!(kind.startsWith('app') && v.access.startsWith('server'));
				// A wrong argument, so that nothing is done.
				const r = await c.verb(cookie, v.verb, { 'no-such': 1 });
				assert.equal(r.status, may ? 400 : 403,
					`${v.verb} (${v.access}) by ${kind}: ${JSON.stringify(r.body)}`);
			}
		const access = new Map(verbs.map((v) => [v.verb, v.access]));
		for (const [verb, is] of Object.entries({ status: 'server read',
			config: 'server read', drain: 'server write', 'app set': 'server write',
			'app create': 'server write', publish: 'app write', sign: 'app write',
			tail: 'app read', 'connections kill': 'object write' }))
			assert.equal(access.get(verb), is, verb);
	});

	// 28 bytes that want some gigabytes.
	test('a command gets no more memory than it may have', async () => {
		const r = await c.verb(cookies['app read'], 'tail',
			{ grep: '((x{1,255}){1,255}){1,255}' });
		assert.equal(r.status, 200, JSON.stringify(r.body));
		assert.notEqual(r.body.code, 0);
		if (SLOW === 1)
			assert.match(r.body.notes, /regular expression: Memory exhausted/);
	});

	test('an app\'s session never sees another app', async () => {
		const strange = new RegExp([other.id, other.key, other.secret,
			other.name, 'other-channel', clients[1].sid, 'hook777'].join('|'));
		for (const kind of ['app read', 'app write']) {
			const cookie = cookies[kind];
			for (const [verb, args] of [['app list'], ['app show'], ['stats'],
				['stats', { minutes: 2 }], ['closes'], ['channels'],
				['connections list'], ['sessions'], ['users list'],
				['webhook list'], ['webhook deliveries'], ['channel',
					{ channel: 'room' }]]) {
				const r = await c.verb(cookie, verb, args);
				assert.equal(r.status, 200, `${verb}: ${JSON.stringify(r.body)}`);
				assert.doesNotMatch(JSON.stringify(r.body), strange, verb);
			}
			for (const [verb, args] of [['app show', { app: other.id }],
				['app show', { app: other.key }], ['channels', { app: other.name }],
				['connections list', { app: other.id }], ['tail', { app: other.id }],
				['closes', { app: other.id }], ['webhook list', { app: other.id }]])
				assert.equal((await c.verb(cookie, verb, args)).status, 403, verb);
			for (const [verb, args] of [['webhook show', { webhook: 2 }],
				['webhook deliveries', { webhook: 2 }],
				['connections show', { socket_id: clients[1].sid }],
				['sessions show', { session: 'a-session-of-nobody-1' }]]) {
				const r = await c.verb(cookie, verb, args);
				assert.equal(r.status, 200, verb);
				assert.notEqual(r.body.code, 0, `${verb}: ${JSON.stringify(r.body)}`);
				assert.equal(r.body.rows, null);
			}
			assert.equal((await c.verb(cookie, 'app show',
				{ reveal: true })).status, 403);
		}
		const cookie = cookies['app write'];
		for (const [verb, args] of [['webhook remove', { webhook: 2 }],
			['webhook set', { webhook: 2, option: { enabled: 'off' } }],
			['webhook test', { webhook: 2 }], ['webhook purge', { webhook: 2 }]])
			assert.notEqual((await c.verb(cookie, verb, args)).body.code, 0, verb);
		await c.verb(cookie, 'connections kill', { socket_id: clients[1].sid });
		assert.equal((await c.verb(cookie, 'connections kill',
			{ app: other.id, yes: true })).status, 403);
		assert.equal((await c.verb(cookie, 'publish', { app: other.id,
			channel: 'other-channel-777', event: 'e', data: '1' })).status, 403);
		await clients[1].quiet();
		assert.equal((await c.rows(cookies['whole read'], 'webhook list')).length, 2);
		const { body: { rows } } = await c.verb(cookie, 'app show');
		assert.match(rows.secret, /…$/);
	});

	test('names that are no text: refused, and the broker forgets them', async () => {
		const [broker] = c.d.pidsOf('broker');
		const resident = () => Number(/^VmRSS:\s+(\d+)/m.exec(
			fs.readFileSync(`/proc/${broker}/status`, 'utf8'))[1]) * 1024;
		const body = `{"verb":"channels","args":{"${
			'x'.repeat(1000000)}\\ud800":1}}`;
		const send = async (n) => {
			for (let i = 0; i < n; i++) {
				const r = await c.request('/verb', { body,
					cookie: cookies['app read'] });
				assert.equal(r.status, 400);
				assert.match(r.body.error, /a name is no text/);
			}
		};
		await send(5);
		const before = resident();
		await send(50);
		// A sanitizer keeps what is freed for a while; it finds leaks itself.
		if (SLOW === 1)
			assert.ok(resident() - before < 25e6, `${resident() - before}`);
	});

	test('arguments: no option, no file, no second word', async () => {
		const cookie = cookies['whole write'];
		const { length } = await c.rows(cookie, 'app list');
		for (const [verb, args, status] of [
			['app import', { file: '/etc/passwd' }, 400],
			['app create', { 'secret-from': '/etc/passwd' }, 400],
			['verify-webhook', { app: mine.id, signature: 'x',
				file: '/etc/passwd' }, 400],
			['channel', { app: mine.id }, 200],
			['channel', { channel: 'room' }, 400],
			['publish', { app: mine.id, channel: '--socket-id', event: 'e',
				data: '-j' }, 200],
			['channels', { prefix: ['a', 'b'] }, 200],
			['channels', { app: 'a\u0000b' }, 400],
			['channels', { app: {} }, 200],
			['app set', { app: mine.id, option: 'x'.repeat(3000) }, 200],
		]) {
			const r = await c.verb(cookie, verb, args);
			assert.equal(r.status, status,
				`${verb} ${JSON.stringify(args)}: ${JSON.stringify(r.body)}`);
			assert.doesNotMatch(JSON.stringify(r.body), /root:/);
		}
		assert.deepEqual(await c.rows(cookie, 'publish', { app: mine.id,
			channel: 'room', event: 'e', data: '-' }, '{"a":1}'),
		{ subscriptions: 1 });
		const m = await clients[0].expect('e', 'room');
		assert.equal(m, '{"a":1}');
		assert.equal((await c.rows(cookie, 'app list')).length, length);
	});

	test('every write is in the log, with its name and address', async () => {
		await c.rows(cookies['app write'], 'publish', { channel: 'room',
			event: 'e', data: '{}' });
		await c.verb(cookies['whole read'], 'reload');
		await until('both', () => /console: publish .*address=127\.0\.0\.1/
			.test(c.d.readLog()) && /console: refused: reload /.test(c.d.readLog()));
		await clients[0].expect('e', 'room');
		for (const [, cookie] of Object.values(cookies)
			.map((x) => x.split('=')))
			assert.ok(!c.d.readLog().includes(cookie));
	});

	test('POST /apps/{id}/console_tokens', async () => {
		const ask = (app, body, signer = app) => api(c.d,
			{ ...signer, id: app.id }, 'POST', '/console_tokens', { body });
		const r = await ask(mine, { read_only: true, ttl: 60 });
		assert.equal(r.status, 200, r.text);
		const { url } = r.json;
		assert.ok(url.startsWith(`${c.url}/#`));
		const s = await c.request('/session', { body: { token: url.split('#')[1] } });
		assert.deepEqual([s.body.app, s.body.read_only], [mine.id, true]);
		for (const [body, status] of [[{ ttl: 0 }, 400], [{ ttl: 4000 }, 400],
			[{ ttl: 'x' }, 400], [{ read_only: 1 }, 400], [[], 400]])
			assert.equal((await ask(mine, body)).status, status,
				JSON.stringify(body));
		assert.equal((await ask(mine, {}, other)).status, 401);
	});

	test('a stream: rows as they come, and its process ends with it', async () => {
		const s = c.stream(cookies['app read'], 'verb=tail');
		await until('it is open', () => s.status === 200);
		await until('a row', async () => {
			await publish(c.d, mine, 'news', 'e', '"<&>"');
			await publish(c.d, other, 'news', 'e', '777');
			return s.rows.length > 2;
		});
		assert.ok(s.rows.every((r) => r.app === mine.id && r.data === '"<&>"'));
		s.close();
		await until('no process', () => c.d.pidsOf('console').length === 0);
		const refused = c.stream(cookies['app read'], 'verb=tail&app=777999');
		await until('403', () => refused.status === 403);
		const bounded = c.stream(cookies['app read'], 'verb=tail&limit=1');
		await until('it is open', () => bounded.status === 200);
		await until('its end', async () => {
			await publish(c.d, mine, 'news', 'e', '1');
			return bounded.events.length > 0;
		});
		assert.deepEqual(bounded.events, [['end', { code: 0, notes: '', rows: null }]]);
	});

	test('a stream whose reader stops loses lines and is told', async () => {
		const s = c.stream(cookies['whole read'], `verb=tail&app=${mine.id}`);
		await until('it is open', () => s.status === 200);
		await until('it runs', async () => {
			await publish(c.d, mine, 'news', 'e', '1');
			return s.rows.length > 0;
		});
		s.res.pause();
		const data = 'x'.repeat(9000);
		for (let i = 0; i < 2000; i++) await publish(c.d, mine, 'news', 'e', data);
		const before = c.d.pidsOf('worker').length;
		assert.equal(before, 2);
		s.res.resume();
		await until('what was lost', async () => {
			await publish(c.d, mine, 'news', 'e', '2');
			return s.events.some(([name]) => name === 'dropped') ||
				s.rows.some((r) => r.missed > 0);
		}, 20000);
		s.close();
		await until('no process', () => c.d.pidsOf('console').length === 0);
	});

	test('commands of one app leave room for the operator', async () => {
		const all = [];
		for (const k of ['app read', 'app write'])
			for (let i = 0; i < 5; i++)
				all.push(c.stream(cookies[k], 'verb=tail'));
		await until('all', () => all.every((s) => s.status));
		assert.equal(all.filter((s) => s.status === 200).length, 6);
		assert.equal((await c.verb(cookies['whole read'], 'status')).status,
			200);
		for (const s of all) s.close();
		await until('they end', () => c.d.pidsOf('console').length === 0);
	});

	test('a logout ends the streams of its session', async () => {
		const cookie = await c.login();
		const s = c.stream(cookie, 'verb=tail');
		await until('it is open', () => s.status === 200);
		await c.request('/logout', { cookie, body: {} });
		await until('its end', () => s.ended);
		await until('no process', () => c.d.pidsOf('console').length === 0);
	});

	test('too many commands at once: 429, and the others go on', async () => {
		const cookie = await c.login();
		const all = [];
		for (let i = 0; i < 10; i++) all.push(c.stream(cookie, 'verb=tail'));
		await until('all', () => all.every((s) => s.status));
		assert.deepEqual(all.map((s) => s.status).sort(),
			[...Array(8).fill(200), 429, 429]);
		assert.equal((await c.verb(cookies['app read'], 'channels')).status, 200);
		for (const s of all) s.close();
		await until('they end', () => c.d.pidsOf('console').length === 0);
		await until('it may again', async () =>
			(await c.verb(cookie, 'channels')).status === 200);
	});

	test('a session that is refused again and again: few lines', async () => {
		const before = c.d.logLines().length;
		for (let i = 0; i < 10; i++)
			await Promise.all(Array.from({ length: 40 }, () =>
				c.verb(cookies['app read'], 'publish', { channel: 'x',
					event: 'e', data: '{}' })));
		const lines = () => c.d.logLines().slice(before);
		await until('how many more', () => lines().some((l) =>
			/ more: console: refused|refused: publish .*\+\d+ more/.test(l)));
		assert.ok(lines().length < 300, `${lines().length}`);
	});

	test('another broker: sessions are over, and that is said', async () => {
		c.d.allow(/broker/);
		process.kill(c.d.pidsOf('broker')[0], 'SIGKILL');
		await until('a new one', async () =>
			(await c.verb(cookies['whole read'], 'status')).status === 401,
		20000 * SLOW);
	});
});
