// SPDX-License-Identifier: MIT
//
// The questions of the HTTP API, its other routes, methods and error bodies.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { until } = require('./lib/daemon');
const { Http, api, get, publish, onEachWorker } = require('./lib/http');
const { suite } = require('./lib/suite');

suite('GET channels', (d) => {
	test('none: an object, never an array', async () => {
		const r = await api(d, d.app(), 'GET', '/channels');
		assert.equal(r.text, '{"channels":{}}');
		assert.equal(r.headers['content-type'], 'application/json');
	});

	test('occupied channels only, from every worker the same', async () => {
		const app = d.app();
		const all = await Client.onEachWorker(d, app);
		for (const [i, c] of all.entries()) {
			await c.subscribe('room');
			await c.subscribe(`own-${i}`);
			await c.join('presence-p', `u${i}`);
		}
		all[0].sendSignin({ id: 'u0' });
		await all[0].sync();
		const want = { room: {}, 'presence-p': {} };
		all.forEach((_, i) => { want[`own-${i}`] = {}; });
		for (const h of await onEachWorker(d)) {
			const r = await h.api(app, 'GET', '/channels');
			assert.deepEqual(r.json, { channels: want });
			h.end();
		}
		assert.deepEqual(await get(d, app, '/channels',
			{ filter_by_prefix: 'presence-', info: 'user_count' }),
		{ channels: { 'presence-p': { user_count: all.length } } });
		assert.deepEqual(await get(d, app, '/channels',
			{ filter_by_prefix: 'own-', info: 'subscription_count' }),
		{ channels: Object.fromEntries(all.map((_, i) =>
			[`own-${i}`, { subscription_count: 1 }])) });
		assert.deepEqual(await get(d, app, '/channels',
			{ filter_by_prefix: '' }), { channels: want });
		assert.deepEqual(await get(d, app, '/channels',
			{ filter_by_prefix: 'nothing%' }), { channels: {} });
		await closeAll(all);
		await until('no channels', async () => Object.keys((await get(d, app,
			'/channels')).channels).length === 0);
	});

	const app = d.app();
	const status = async (path, query) =>
		(await api(d, app, 'GET', path, { query })).status;

	test('info that is refused', async () => {
		assert.equal(await status('/channels', { info: 'user_count' }), 400);
		assert.equal(await status('/channels', { info: 'user_count',
			filter_by_prefix: 'private-' }), 400);
		for (const info of ['nonsense', 'user_count,nonsense', 'User_count'])
			assert.equal(await status('/channels', { info,
				filter_by_prefix: 'presence-' }), 400, info);
		assert.equal(await status('/channels/room', { info: 'user_count' }),
			400);
		assert.equal(await status('/channels/room', { info: 'cache' }), 400);
		assert.equal(await status('/channels/room', { info: 'x' }), 400);
	});

	test('B37 one channel', async () => {
		const [a, b] = await Client.several(d, app, 2);
		assert.deepEqual(await get(d, app, '/channels/room'),
			{ occupied: false });
		for (const c of [a, b]) {
			await c.subscribe('room');
			await c.join('presence-p', 'u');
		}
		assert.deepEqual(await get(d, app, '/channels/room'),
			{ occupied: true });
		assert.deepEqual(await get(d, app, '/channels/room',
			{ info: 'subscription_count' }),
		{ occupied: true, subscription_count: 2 });
		assert.deepEqual(await get(d, app, '/channels/presence-p',
			{ info: 'user_count,subscription_count' }),
		{ occupied: true, user_count: 1, subscription_count: 2 });
		assert.deepEqual(await get(d, app, '/channels/presence-none',
			{ info: 'user_count' }), { occupied: false, user_count: 0 });
		await closeAll([a, b]);
	});

	test('names in the path', async () => {
		const c = await Client.connect(d, app);
		const name = 'a@b=c,d;e.f_-9';
		await c.subscribe(name);
		assert.equal((await get(d, app, `/channels/${name}`)).occupied, true);
		assert.equal(await status('/channels/il%20legal'), 400);
		assert.equal(await status(`/channels/${'x'.repeat(165)}`), 400);
		assert.equal(await status('/channels/a%00b'), 400);
		await c.close();
	});

	test('the deprecated /stats', async () => {
		const c = await Client.connect(d, app);
		await c.join('presence-s', 'u');
		const s = await get(d, app, '/channels/presence-s/stats');
		assert.equal(s.occupied, true);
		assert.equal(s.user_count, 1);
		assert.equal(s.connection_count, 1);
		await c.close();
	});

	test('connections', async () => {
		const own = d.app();
		const all = await Client.several(d, own, 7);
		await until('7 connections', async () =>
			(await get(d, own, '/connections')).connections === 7);
		await closeAll(all.slice(2));
		await until('2 connections', async () =>
			(await get(d, own, '/connections')).connections === 2);
		await closeAll(all);
	});

	test('unknown routes 404, known ones with a wrong method 405',
		async () => {
			const id = app.id;
			for (const path of ['/nothing', '/apps', '/apps/', `/apps/${id}`,
				`/apps/${id}/`, `/apps/${id}/nothing`, `/apps/${id}/events/x`,
				`/apps/${id}/channels/x/y`, `/apps/${id}/users/u`,
				'/users/u1/terminate_connections', '/pusher/app/x',
				'/favicon.ico', '/..', '/%2e%2e']) {
				const h = await Http.connect(d);
				const r = await h.ask('GET', path);
				assert.equal(r.status, 404, path);
				h.end();
			}
			for (const [method, path, allow] of [
				['GET', '/events', 'POST'], ['PUT', '/events', 'POST'],
				['DELETE', '/batch_events', 'POST'],
				['POST', '/channels', 'GET'],
				['PATCH', '/channels/x/users', 'GET'],
				['GET', '/users/u/terminate_connections', 'POST']]) {
				const r = await api(d, app, method, path);
				assert.equal(r.status, 405, `${method} ${path} ${r.text}`);
				assert.ok(r.headers.allow.split(/, */).includes(allow));
				assert.equal(r.json.error,
					`this path takes only ${r.headers.allow}`);
			}
		});

	test('HEAD is GET without the body; OPTIONS says what is allowed',
		async () => {
			const h = await Http.connect(d);
			const full = await h.api(app, 'GET', '/channels');
			const r = await h.api(app, 'HEAD', '/channels');
			assert.equal(r.status, 200);
			assert.equal(r.headers['content-length'],
				full.headers['content-length']);
			const up = await h.ask('HEAD', '/up');
			assert.equal(up.status, 200);
			const o = await h.ask('OPTIONS', `/apps/${app.id}/channels`);
			assert.ok([200, 204].includes(o.status), `${o.status}`);
			assert.match(o.headers.allow, /GET/);
			assert.equal(o.headers['access-control-allow-origin'], undefined);
			assert.equal((await h.ask('GET', '/up')).status, 200);
			h.end();
		});

	test('a plain GET on /app/…: 426', async () => {
		const h = await Http.connect(d);
		const r = await h.ask('GET', `/app/${app.key}`);
		assert.equal(r.status, 426);
		assert.match(r.headers.upgrade, /websocket/i);
		h.end();
	});

	test('/up, /ready, /live on each worker', async () => {
		for (const h of await onEachWorker(d)) {
			const up = await h.ask('GET', '/up');
			assert.equal(up.status, 200);
			assert.deepEqual(up.json, { health: 'OK' });
			assert.equal((await h.ask('GET', '/ready')).status, 200);
			assert.equal((await h.ask('GET', '/live')).status, 200);
			h.end();
		}
	});

	test('a publish is seen by a question that follows', async () => {
		const c = await Client.connect(d, app);
		for (let i = 0; i < 50; i++) {
			await c.subscribe(`q-${i}`);
			assert.equal((await get(d, app, `/channels/q-${i}`)).occupied,
				true);
		}
		await publish(d, app, 'q-0', 'e', '1');
		await c.expect('e');
		await c.close();
	});
});
