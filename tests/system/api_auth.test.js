// SPDX-License-Identifier: MIT
//
// The right to call the HTTP API: every request vector in its wire form, and
// the order of the checks.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const vectors = require('../vectors.json').vectors;
const { sleep } = require('./lib/daemon');
const { Http, api } = require('./lib/http');
const { hmac, md5, signedTarget } = require('./lib/sign');
const { suite } = require('./lib/suite');

const now = () => Math.floor(Date.now() / 1000);

// A case at the very second of a limit needs both clocks in one second.
async function midSecond() {
	while (Math.abs(Date.now() % 1000 - 450) > 400) await sleep(20);
}

// Vectors that cannot be sent to a server whose clock is right or whose
// routes are ours; the unit tests of the authenticator run all of them as
// they are.  Here each is moved to the present: same wire form, the time of
// now, signed again.
const NOT_LIVE = {
	'hr-07': 'path /event is not a route',
	'hr-07b': 'path /event is not a route',
	'hr-08': 'path /some/path is not a route',
	'hr-09': 'path /some/path is not a route',
	'hr-10': 'path /some/obscure/api is not a route',
	'hr-11': 'path /some/obscure/api is not a route',
	'hr-n17': 'its key is that of app 77 in other vectors: see the test of ' +
		'a key of another app',
	'hc-14': 'path without /apps/<id>: 404 by rule',
	'hp-01': 'path prefix: there is no option for one',
	'hp-02': 'path prefix: there is no option for one',
};
// Authenticated, but the route has something to say about the parameters.
const ROUTE_SAYS_400 = ['hc-09'];

suite('API authentication', (d) => {
	const apps = new Map();
	// One app for each (id, key, secret) of the vectors.
	function appOf(v) {
		const m = /^\/apps\/([^/?]+)/.exec(v.input.target);
		const name = `${m[1]} ${v.input.key}`;
		const known = apps.get(name);
		if (known) return known;
		if ([...apps.values()].some((a) => a.id === m[1])) return null;
		const app = d.app({}, { id: m[1], key: v.input.key,
			secret: v.input.secret });
		apps.set(name, app);
		return app;
	}

	const live = vectors.filter((v) => v.kind === 'http_request' &&
		!NOT_LIVE[v.id]);
	for (const v of live.filter((x) => x.expect.verdict === 'accept'))
		appOf(v);

	for (const v of live)
		test(`vector ${v.id} (${v.level}) at the present time`, () => run(v));

	async function run(v) {
		await midSecond();
		const stamp = Number(/auth_timestamp=(-?\d+)/
			.exec(v.input.target)?.[1] ?? v.input.server_time);
		const fresh = now() - (v.input.server_time - stamp);
		const move = (s) => s.replace(/auth_timestamp=\d+/,
			`auth_timestamp=${fresh}`);
		let target = move(v.input.target);
		// A vector that is wrong by its signature keeps it wrong.
		if (v.string_to_sign && v.expect.verdict === 'accept')
			target = target.replace(/auth_signature=[0-9a-f]*/,
				`auth_signature=${hmac(v.input.secret,
					move(v.string_to_sign))}`);
		else target = resign(v, target);
		const h = await Http.connect(d);
		const body = v.input.body || undefined;
		const r = await h.ask(v.input.method, target, body,
			v.input.headers ?? {});
		h.end();
		const what = `${r.status} ${r.text}`;
		if (v.expect.verdict === 'reject') {
			// hr-n10 is a POST where only GET is: told before or
			// after.
			assert.ok(r.status === 401 || v.id === 'hr-n10' &&
				r.status === 405, what);
		} else if (v.level === 'must') {
			// hr-07 and others: what is signed may still not make
			// sense.
			assert.notEqual(r.status, 401, what);
			assert.notEqual(r.status, 404, what);
			assert.ok(r.status < 500, what);
		} else if (!ROUTE_SAYS_400.includes(v.id)) {
			assert.ok([200, 400, 401].includes(r.status), what);
		}
	}

	// Signs the moved request as its author would have, with one thing
	// wrong.
	function resign(v, target) {
		const wrong = { 'hr-n10': { method: 'GET' },
			'hr-n11': { path: '/apps/77/channels' },
			'hr-n16': { secret: 'wrong' } }[v.id] ?? {};
		const [path, query] = target.split('?');
		let parts = query.split('&')
			.filter((p) => !p.startsWith('auth_signature='));
		if (v.id === 'hr-n12') parts = parts.slice(0, 3);
		const text = parts.map((p) => decodeURIComponent(p)).sort().join('&');
		let sig = hmac(wrong.secret ?? v.input.secret,
			`${wrong.method ?? v.input.method}\n${wrong.path ?? path}\n${text}`);
		if (v.id === 'hr-n13') sig = sig.toUpperCase();
		return v.id === 'hr-n14' ? `${path}?${parts.join('&')}` :
			target.replace(/auth_signature=[0-9a-fA-F]*/,
				`auth_signature=${sig}`);
	}

	test('the vectors that are not sent are known', () => {
		for (const id of Object.keys(NOT_LIVE))
			assert.ok(vectors.some((v) => v.id === id), id);
	});

	const app = d.app();
	const other = d.app();
	const off = d.app();
	const status = async (method, path, how) =>
		(await api(d, app, method, path, how)).status;

	test('unknown app 404, disabled app 403, before the signature',
		async () => {
			d.ctl(['app', 'disable', off.id]);
			const bad = { auth: { auth_key: 'nobody' } };
			assert.equal((await api(d, { ...app, id: '0815' }, 'GET',
				'/channels', bad)).status, 404);
			assert.equal((await api(d, off, 'GET', '/channels', bad)).status,
				403);
		});

	test('a key of another app: 401', async () => {
		const mixed = { ...other, id: app.id };
		assert.equal((await api(d, mixed, 'GET', '/channels')).status, 401);
	});

	test('D06 the window of the timestamp', async () => {
		for (const [shift, want] of [[0, 200], [-595, 200], [595, 200],
			[-601, 401], [601, 401], [-86400, 401], [1e9, 401]])
			assert.equal(await status('GET', '/channels', { auth:
				{ auth_timestamp: String(now() + shift) } }), want, `${shift}`);
		for (const stamp of ['', 'x', '-1', '1e9', ' 1', `${now()}.5`,
			'99999999999999999999', `+${now()}`, `0x${now().toString(16)}`])
			assert.equal(await status('GET', '/channels',
				{ auth: { auth_timestamp: stamp } }), 401, stamp);
	});

	test('a clock that is wrong is named', async () => {
		const r = await api(d, app, 'GET', '/channels', { auth:
			{ auth_timestamp: String(now() - 3600) } });
		assert.equal(r.status, 401);
		assert.match(r.json.error, /36\d\d|clock/);
	});

	test('each auth parameter is needed', async () => {
		for (const name of ['auth_key', 'auth_timestamp', 'auth_version'])
			assert.equal(await status('GET', '/channels',
				{ auth: { [name]: undefined } }), 401, name);
		assert.equal(await status('POST', '/events', { body: '{}',
			auth: { body_md5: undefined } }), 401);
		assert.equal(await status('POST', '/events', { body: '{}',
			auth: { body_md5: md5('{} ') } }), 401);
		assert.equal(await status('GET', '/channels',
			{ auth: { auth_version: '2.0' } }), 401);
		assert.equal(await status('GET', '/channels',
			{ auth: { body_md5: md5('') } }), 200);
		assert.equal(await status('GET', '/channels',
			{ auth: { body_md5: md5('x') } }), 401);
	});

	test('repeated auth parameters are refused', async () => {
		for (const name of ['auth_key', 'auth_timestamp', 'auth_version',
			'auth_signature', 'body_md5']) {
			const target = signedTarget(app, 'GET',
				`/apps/${app.id}/channels`, { auth: { body_md5: md5('') } });
			const m = new RegExp(`[?&](${name}=[^&]*)`).exec(target)[1];
			const h = await Http.connect(d);
			const r = await h.ask('GET', `${target}&${m}`);
			h.end();
			assert.equal(r.status, 401, name);
		}
	});

	test('a 401 shows the string to sign, never the signature', async () => {
		const path = `/apps/${app.id}/channels`;
		const h = await Http.connect(d);
		const target = signedTarget({ ...app, secret: 'wrong' }, 'GET', path);
		const r = await h.ask('GET', target);
		h.end();
		assert.equal(r.status, 401);
		assert.deepEqual(Object.keys(r.json).sort(), ['code', 'error']);
		assert.equal(r.json.code, 401);
		const query = target.split('?')[1].replace(/&auth_signature=.*/, '');
		assert.ok(r.json.error.includes(`GET\n${path}\n${query}`), r.text);
		assert.ok(!r.text.includes(app.secret));
		assert.ok(!r.text.includes(hmac(app.secret,
			`GET\n${path}\n${query}`)));
	});

	test('the order of the checks', async () => {
		// Key before version before time before MD5 before signature
		// before the parameters: each request has all later faults too.
		const faults = { auth_key: 'nobody', auth_version: '9',
			auth_timestamp: '1', body_md5: md5('other') };
		const texts = [];
		const auth = { ...faults };
		for (const name of Object.keys(faults)) {
			const r = await api(d, app, 'POST', '/events',
				{ body: 'no json', auth });
			assert.equal(r.status, 401);
			texts.push(r.json.error);
			delete auth[name];
		}
		assert.match(texts[0], /auth_key|key/);
		assert.match(texts[1], /version/);
		assert.match(texts[2], /timestamp/);
		assert.match(texts[3], /md5/i);
		assert.equal((await api(d, app, 'POST', '/events',
			{ body: 'no json' })).status, 400);
	});
});
