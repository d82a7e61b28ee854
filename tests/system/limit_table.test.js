// SPDX-License-Identifier: MIT
//
// Every limit of an app, one row each: set while the daemon runs, just kept,
// then broken by one.  The error names the option, its value and, where
// there is one, the size that was too much.  A limit without a row here fails
// the last test.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { sleep } = require('./lib/daemon');
const { Http, api, onEachWorker } = require('./lib/http');
const { suite } = require('./lib/suite');

const event = (more) => ({ name: 'e', channel: 'room', data: '1', ...more });
const ids = (n) => Array.from({ length: n }, (_, i) => `u${i}`);

// Publishing: post(body) has to be taken or refused.
function publishing(limit, { status = 400, size = limit + 1, good, bad,
	route = '/events' }) {
	return async (d, app) => {
		const ok = await api(d, app, 'POST', route, { body: good });
		assert.equal(ok.status, 200, ok.text);
		const r = await api(d, app, 'POST', route, { body: bad });
		assert.equal(r.status, status, r.text);
		return [{ text: r.json.error, size }];
	};
}

async function refusedSubscribe(c, channel, how, type, status) {
	c.sendSubscribe(channel, how);
	const r = await c.expectRefused(channel, type, status);
	return r.error;
}

// name: { limit, run(d, app) }; run gives what was said, and the size that
// was too much where one is to be named.
const TABLE = {
	max_connections: { limit: 3, async run(d, app) {
		const all = await Client.several(d, app, 3);
		const over = new Client(d, `/app/${app.key}?protocol=7`);
		await over.upgraded();
		const m = await over.expectError(4004);
		await over.expectClose(4004);
		await closeAll(all);
		return [{ text: m.message }];
	} },
	max_client_events_per_second: { limit: 4, async run(d, app) {
		const [a, b] = await Client.several(d, app, 2);
		for (const c of [a, b]) await c.subscribe('private-x');
		for (let i = 0; i < 6; i++) a.trigger('private-x', 'client-e', `${i}`);
		const said = await a.sync();
		for (let i = 0; i < 4; i++)
			assert.equal(await b.expect('client-e'), `${i}`);
		assert.ok(said.length >= 1 && said.length <= 2);
		assert.ok(said.every((m) => m.data.code === 4301));
		await closeAll([a, b]);
		return [{ text: said[0].data.message }];
	} },
	// It holds for two seconds' worth; above ten times as many it closes.
	max_messages_per_second: { limit: 5, async run(d, app) {
		const c = await Client.connect(d, app);
		for (let i = 0; i < 15; i++) c.sendSubscribe(`ch${i}`);
		const got = [];
		while (got.length < 15) got.push(await c.next());
		const said = got.filter((m) => m.event === 'pusher:error');
		assert.ok(said.length >= 3 && said.length <= 5, `${said.length}`);
		assert.ok(said.every((m) => m.data.code === 4301));
		await sleep(1100);
		assert.deepEqual(await c.sync(), [], 'the socket stays');
		const other = await Client.connect(d, app);
		assert.deepEqual(await other.sync(), [], 'each connection\'s own');
		for (let i = 0; i < 100; i++)
			c.send({ event: 'pusher:ping', data: {} });
		let m;
		do m = await c.next(); while (m.data.code !== 4009);
		await c.expectClose(4009, /max_messages_per_second/);
		await other.close();
		return [{ text: said[0].data.message }, { text: m.data.message }];
	} },
	max_presence_members: { limit: 2, async run(d, app) {
		const [a, b, c] = await Client.several(d, app, 3);
		await a.join('presence-x', 'ann');
		await b.join('presence-x', 'bob');
		const text = await refusedSubscribe(c, 'presence-x',
			{ data: { user_id: 'cid' } }, 'LimitReached', 413);
		await c.join('presence-x', 'ann'); // she is in already
		await closeAll([a, b, c]);
		return [{ text }];
	} },
	max_presence_member_bytes: { limit: 10, async run(d, app) {
		const c = await Client.connect(d, app);
		await c.join('presence-x', 'a', 'x'.repeat(8));
		const text = await refusedSubscribe(c, 'presence-y',
			{ data: { user_id: 'a', user_info: 'x'.repeat(9) } },
			'LimitReached', 413);
		await c.close();
		return [{ text, size: 11 }];
	} },
	max_user_id_length: { limit: 6, async run(d, app) {
		const said = [];
		const c = await Client.connect(d, app);
		await c.join('presence-x', '🎈'.repeat(6));
		said.push({ size: 7, text: await refusedSubscribe(c, 'presence-y',
			{ data: { user_id: 'x'.repeat(7) } }, 'LimitReached', 413) });
		c.sendSignin({ id: 'x'.repeat(7) });
		said.push({ size: 7, text: (await c.expectError(4009)).message });
		await c.signin({ id: 'x'.repeat(6) });
		for (const [n, status] of [[6, 200], [7, 400]]) {
			const r = await api(d, app, 'POST',
				`/users/${'x'.repeat(n)}/terminate_connections`, { body: {} });
			assert.equal(r.status, status, r.text);
			if (status === 400) said.push({ text: r.json.error });
		}
		await c.expectFatal(4009);
		for (const [n, status] of [[6, 200], [7, 400]]) {
			const r = await api(d, app, 'POST', '/events', { body: event(
				{ channel: `#server-to-user-${'x'.repeat(n)}` }) });
			assert.equal(r.status, status, r.text);
		}
		return said;
	} },
	max_watchlist_ids: { limit: 3, async run(d, app) {
		const c = await Client.connect(d, app);
		c.sendSignin({ id: 'w', watchlist: ids(5) });
		await c.expect('pusher:signin_success');
		const m = await c.expectError(4302);
		assert.deepEqual(
			(await c.expect('pusher_internal:watchlist_events')).events,
			[{ name: 'offline', user_ids: ids(3) }]);
		await c.signin({ id: 'w', watchlist: ids(3) });
		await c.expect('pusher_internal:watchlist_events');
		assert.deepEqual(await c.sync(), []);
		await c.close();
		return [{ text: m.message, size: 5 }];
	} },
	max_channel_name_length: { limit: 12, async run(d, app) {
		const c = await Client.connect(d, app);
		await c.subscribe('x'.repeat(12));
		const text = await refusedSubscribe(c, 'x'.repeat(13), {},
			'InvalidChannel', 400);
		await c.close();
		const said = await publishing(12, {
			good: event({ channel: 'x'.repeat(12) }),
			bad: event({ channel: 'x'.repeat(13) }) })(d, app);
		return [{ text }, ...said];
	} },
	max_event_name_length: { limit: 12, async run(d, app) {
		const c = await Client.connect(d, app);
		await c.subscribe('private-x');
		c.trigger('private-x', 'client-xxxxx', '1');
		c.trigger('private-x', 'client-xxxxxx', '1');
		const m = await c.expectError(null);
		assert.deepEqual(await c.sync(), []);
		await c.close();
		const said = await publishing(12, { good: event({ name: 'é'.repeat(12) }),
			bad: event({ name: 'é'.repeat(13) }) })(d, app);
		return [{ text: m.message, size: 13 }, ...said];
	} },
	max_event_channels: { limit: 3, run: publishing(3, {
		good: { name: 'e', data: '1', channels: ids(3) },
		bad: { name: 'e', data: '1', channels: ids(4) } }) },
	max_event_bytes: { limit: 20, async run(d, app) {
		const c = await Client.connect(d, app);
		await c.subscribe('private-x');
		c.trigger('private-x', 'client-e', 'x'.repeat(20));
		c.trigger('private-x', 'client-e', 'x'.repeat(21));
		const m = await c.expectError(null);
		assert.deepEqual(await c.sync(), []);
		await c.close();
		const said = await publishing(20, { status: 413,
			good: event({ data: 'x'.repeat(20) }),
			bad: event({ data: 'x'.repeat(21) }) })(d, app);
		said.push(...await publishing(20, { status: 413,
			route: '/batch_events', good: { batch: [event()] },
			bad: { batch: [event(), event({ data: 'x'.repeat(21) })] },
		})(d, app));
		return [{ text: m.message, size: 21 }, ...said];
	} },
	max_batch_events: { limit: 3, run: publishing(3, {
		route: '/batch_events', good: { batch: ids(3).map(() => event()) },
		bad: { batch: ids(4).map(() => event()) } }) },
	max_subscriptions: { limit: 3, async run(d, app) {
		const c = await Client.connect(d, app);
		for (const name of ids(3)) await c.subscribe(name);
		const text = await refusedSubscribe(c, 'more', {},
			'LimitReached', 413);
		c.unsubscribe('u0');
		await c.subscribe('more');
		await c.close();
		return [{ text }];
	} },
	max_backend_events_per_second: { limit: 2, async run(d, app) {
		// Over all workers: at once, through each of them.
		const https = await onEachWorker(d);
		const all = [];
		for (let i = 0; i < 8 / https.length; i++)
			all.push(...await Promise.all(https.map((h) =>
				h.api(app, 'POST', '/events', { body: event() }))));
		for (const h of https) h.end();
		return tooMany(all, 2);
	} },
	max_read_requests_per_second: { limit: 2, async run(d, app) {
		const h = await Http.connect(d);
		const all = [];
		for (let i = 0; i < 8; i++)
			all.push(await h.api(app, 'GET', '/channels'));
		h.end();
		return tooMany(all, 2);
	} },
	max_timestamp_age: { limit: 100, async run(d, app) {
		const ask = (age) => api(d, app, 'GET', '/channels', { auth: {
			auth_timestamp: String(Math.floor(Date.now() / 1000) - age) } });
		assert.equal((await ask(95)).status, 200);
		assert.equal((await ask(-95)).status, 200);
		const said = [];
		for (const age of [105, -105]) {
			const r = await ask(age);
			assert.equal(r.status, 401, r.text);
			said.push({ text: r.json.error });
		}
		return said;
	} },
};

function tooMany(all, rate) {
	const no = all.filter((r) => r.status !== 200);
	const ok = all.length - no.length;
	// Tokens that come meanwhile, on a slow machine, may let more pass.
	assert.ok(ok >= rate && ok < all.length, `${ok} of ${all.length}`);
	for (const r of no) {
		assert.equal(r.status, 429);
		assert.match(r.headers['retry-after'], /^[1-9]\d*$/);
	}
	return [{ text: no[0].json.error }];
}

suite('limit', (d) => {
	for (const [name, { limit, run }] of Object.entries(TABLE))
		test(name, async () => {
			const app = d.app({ client_events: 'on' });
			d.ctl(['app', 'set', app.id, `${name}=${limit}`]);
			const said = await run(d, app);
			assert.ok(said.length > 0);
			for (const { text, size } of said) {
				assert.match(text, new RegExp(`\\b${name}\\b`));
				assert.match(text, new RegExp(`\\b${limit}s?\\b`));
				if (size) assert.match(text, new RegExp(`\\b${size}\\b`));
			}
		});
});

test('no limit of an app without a row', () => {
	const list = fs.readFileSync(path.join(__dirname,
		'../../shared/app/app_settings.def'), 'utf8');
	const names = [...list.matchAll(/^APP_UINT\((max_\w+),/gm)]
		.map((m) => m[1]);
	assert.ok(names.length > 10);
	assert.deepEqual(Object.keys(TABLE).sort(), names.sort());
});
