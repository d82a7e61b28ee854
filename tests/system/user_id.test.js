// SPDX-License-Identifier: MIT
//
// One rule for the ids of users: UTF-8 without control characters, up to
// max_user_id_length characters, wherever such an id may stand.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { until } = require('./lib/daemon');
const { Http, api, publish } = require('./lib/http');
const { Receiver } = require('./lib/receiver');
const { signedTarget } = require('./lib/sign');
const { suite } = require('./lib/suite');

const toUser = (id) => `#server-to-user-${id}`;
const pathOf = (segment) => `/users/${segment}/terminate_connections`;

const IDS = ['auth0|123', 'ann+x@y.org', '{0f}', 'Jürgen', 'users/1', 'a b@c',
	' ', '#', '..', '%2F', '100%', 'a?b&c=d', '"quoted\\"', '7', '山田太郎',
	'\u{1F600}'.repeat(128), 'x'.repeat(128)];
const BAD = ['', 'a\nb', 'a\u0000', '\u001f', '\u007f', 'a\u0085', 'x'.repeat(129),
	'\u{1F600}'.repeat(129)];

suite('user ids', (d) => {
	const app = d.app();

	for (const [i, id] of IDS.entries())
		test(`C1: ${id.slice(0, 20)}`, async () => {
			const [ann, bob] = await Client.several(d, app, 2);
			await bob.signin({ id: 'bob', watchlist: [id] });
			assert.deepEqual(
				await bob.expect('pusher_internal:watchlist_events'),
				{ events: [{ name: 'offline', user_ids: [id] }] });
			await ann.signin({ id });
			assert.deepEqual(
				await bob.expect('pusher_internal:watchlist_events'),
				{ events: [{ name: 'online', user_ids: [id] }] });
			await ann.subscribe(toUser(id));
			const list = await ann.join(`presence-${i}`, id);
			assert.deepEqual(list.ids, [id]);
			assert.deepEqual((await api(d, app, 'GET',
				`/channels/presence-${i}/users`)).json, { users: [{ id }] });
			await publish(d, app, toUser(id), 'e', 'one');
			assert.deepEqual(await ann.next(),
				{ event: 'e', channel: toUser(id), data: 'one' });
			d.ctl(['publish', app.id, toUser(id), 'e', 'two']);
			assert.equal((await ann.next()).data, 'two');
			const [shown] = d.ctl(['users', 'show', app.id, id]);
			assert.equal(shown.user.user, id);
			d.ctl(['users', 'kick', app.id, id, '--reconnect']);
			await ann.expectFatal(4200);
			const again = await Client.connect(d, app);
			await again.signin({ id });
			const r = await api(d, app, 'POST',
				pathOf(encodeURIComponent(id)), { body: '' });
			assert.equal(r.status, 200, r.text);
			await again.expectFatal(4009);
			await bob.close();
		});

	test('C1: the path is decoded once, and may be signed decoded', async () => {
		const id = '100%25 Jürgen';
		const c = await Client.connect(d, app);
		await c.signin({ id });
		// Decoded twice it would be another user.
		await api(d, app, 'POST', pathOf(encodeURIComponent('100% Jürgen')),
			{ body: '' });
		assert.deepEqual(await c.sync(), []);
		const lower = encodeURIComponent(id)
			.replace(/%../g, (s) => s.toLowerCase());
		const r = await api(d, app, 'POST', pathOf(lower), { body: '' });
		assert.equal(r.status, 200, r.text);
		await c.expectFatal(4009);
		// Libraries sign the text, and their HTTP client encodes it.
		const ann = await Client.connect(d, app);
		await ann.signin({ id: 'Jürgen B' });
		const target = signedTarget(app, 'POST',
			`/apps/${app.id}${pathOf('Jürgen B')}`, { body: '' });
		const h = await Http.connect(d);
		const t = await h.ask('POST', encodeURI(target).replace(/%25/g, '%'),
			'');
		assert.equal(t.status, 200, t.text);
		h.end();
		await ann.expectFatal(4009);
	});

	test('C1: webhooks carry it as it is', async () => {
		const hooked = d.app({ client_events: 'on' });
		const r = await Receiver.start();
		d.ctl(['webhook', 'add', hooked.id, r.url]);
		for (const id of ['auth0|123', 'Jürgen "q"']) {
			const c = await Client.connect(d, hooked);
			await c.join('presence-hook', id);
			c.trigger('presence-hook', 'client-e', 'x');
			const is = (e, name) => e.name === name && e.user_id === id;
			await until('both hooks', () =>
				r.events.some((e) => is(e, 'member_added')) &&
				r.events.some((e) => is(e, 'client_event')));
			await c.close();
		}
		await r.stop();
	});

	test('C1: refused everywhere', async () => {
		const c = await Client.connect(d, app);
		for (const id of BAD) {
			c.sendSignin({ id });
			await c.expectError(4009, /the id/);
			c.sendSignin({ id: 'u', watchlist: [id] });
			await c.expectError(4009, /max_user_id_length/);
			c.sendSubscribe('presence-x', { data: { user_id: id } });
			await c.expectRefused('presence-x');
			const r = await api(d, app, 'POST', '/events', {
				body: { name: 'e', channel: toUser(id), data: '' } });
			assert.equal(r.status, 400, r.text);
			assert.match(r.text, /max_user_id_length/);
			if (id === '') continue; // no such route
			const t = await api(d, app, 'POST',
				pathOf(encodeURIComponent(id)), { body: '' });
			assert.equal(t.status, 400, t.text);
			assert.match(t.text, /max_user_id_length/);
		}
		for (const raw of ['J%FCrgen', 'a%C0%AF', '%ED%A0%80']) {
			const t = await api(d, app, 'POST', pathOf(raw), { body: '' });
			assert.equal(t.status, 400, t.text);
			assert.match(t.text, /UTF-8/);
		}
		await c.close();
	});
}, { max_auth_failures_per_minute: 0, webhook_allow_private: 'on' });
