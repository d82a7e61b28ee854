// SPDX-License-Identifier: MIT
//
// The answers to the backend about published events: info=event_id, and GET
// …/events over logs that are long or no longer whole.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { becomes } = require('./lib/daemon');
const { Http, api, get, publish } = require('./lib/http');
const { suite } = require('./lib/suite');

const post = (d, app, path, body) => api(d, app, 'POST', path, { body });
const past = (d, app, channel, query) =>
	get(d, app, `/channels/${channel}/events`, query);

suite('resume: ids and history', (d) => {
	const app = d.app({ resume: 'on' });
	const plain = d.app();

	test('info=event_id names each event, and history begins there',
		async () => {
			const names = ['a', 'presence-b', 'cache-c'];
			const r = await post(d, app, '/events', { name: 'e', data: '1',
				channels: names, info: 'event_id,subscription_count' });
			assert.equal(r.status, 200, r.text);
			const ids = names.map((n) => r.json.channels[n].event_id);
			assert.equal(new Set(ids).size, 3);
			assert.equal(r.json.channels.a.subscription_count, 0);
			for (const [i, n] of names.entries()) {
				assert.match(ids[i], /^[0-9a-f]{16}-[0-9]+$/);
				assert.equal((await past(d, app, n)).events[0].id, ids[i]);
				assert.deepEqual((await past(d, app, n,
					{ after: ids[i] })).events, []);
			}
		});

	test('many publishers of one channel: each id is that of its own event',
		async () => {
			const all = await Promise.all(Array.from({ length: 40 },
				async (_, i) => (await post(d, app, '/events',
					{ name: 'e', data: `${i}`, channel: 'busy',
						info: 'event_id' })).json.channels.busy.event_id));
			const events = (await past(d, app, 'busy')).events;
			assert.equal(events.length, 40);
			for (const e of events) assert.equal(all[Number(e.data)], e.id);
		});

	test('batch_events, and the requests that want no ids', async () => {
		const r = await post(d, app, '/batch_events', { batch: [
			{ name: 'e', data: '1', channel: 'x', info: 'event_id' },
			{ name: 'e', data: '2', channel: 'x' },
			{ name: 'e', data: '3', channel: 'x', info: 'event_id' }] });
		assert.equal(r.status, 200, r.text);
		const events = (await past(d, app, 'x')).events;
		assert.deepEqual(r.json.batch, [{ event_id: events[0].id }, {},
			{ event_id: events[2].id }]);
		assert.deepEqual((await post(d, app, '/events',
			{ name: 'e', data: '1', channel: 'x' })).json, {});
	});

	test('an app without resume refuses it before it publishes', async () => {
		const c = await Client.connect(d, plain);
		await c.subscribe('x');
		for (const [path, body] of [
			['/events', { name: 'e', data: '1', channel: 'x',
				info: 'event_id' }],
			['/batch_events', { batch: [
				{ name: 'e', data: '1', channel: 'x' },
				{ name: 'e', data: '1', channel: 'x',
					info: 'event_id' }] }]]) {
			const r = await post(d, plain, path, body);
			assert.equal(r.status, 400);
			assert.match(r.text, /resume=on/);
		}
		await c.quiet(50);
		for (const path of ['/channels', '/channels/x'])
			assert.equal((await api(d, app, 'GET', path,
				{ query: { info: 'event_id' } })).status, 400);
		await c.close();
	});

	test('a history of 30,000 events comes in pages, whole', async () => {
		const own = d.app({ resume: 'on', max_batch_events: '1000' });
		const start = (await past(d, own, 'long')).last;
		const n = 30000;
		for (let i = 0; i < n; i += 1000)
			assert.equal((await post(d, own, '/batch_events', { batch:
				Array.from({ length: 1000 }, (_, k) => ({ name: 'e',
					data: `${i + k}`, channel: 'long' })) })).status, 200);
		const got = [];
		let after = start;
		for (;;) {
			const page = await past(d, own, 'long', { after, limit: '1000' });
			if (page.events.length === 0) break;
			got.push(...page.events.map((e) => Number(e.data)));
			assert.equal(page.complete, true);
			after = page.last;
		}
		assert.deepEqual(got, Array.from({ length: n }, (_, i) => i));
	});

	test('large events come in pages, too', async () => {
		const own = d.app({ resume: 'on', resume_bytes: `${48 << 20}`,
			max_event_bytes: '1000000', max_backend_events_per_second: 0 });
		const after = (await past(d, own, 'c')).last;
		const sizes = [];
		for (let i = 0; i < 40; i++) {
			await publish(d, own, 'c', `e${i}`, 'x'.repeat(900000));
			sizes.push(i);
		}
		const got = [];
		let pages = 0;
		for (let at = after; ; pages++) {
			const page = await past(d, own, 'c', { after: at, limit: '1000' });
			assert.equal(page.complete, true);
			if (page.events.length === 0) break;
			got.push(...page.events.map((e) => Number(e.name.slice(1))));
			at = page.last;
			assert.equal(at, page.events.at(-1).id);
		}
		assert.deepEqual(got, sizes);
		assert.ok(pages >= 3, `${pages} pages`);
	});

	test('many histories of one app keep no other app waiting', async () => {
		const own = d.app({ resume: 'on', max_batch_events: '1000' });
		for (let i = 0; i < 100; i++)
			assert.equal((await post(d, own, '/batch_events', { batch:
				Array.from({ length: 1000 }, () => ({ name: 'e', data: '1',
					channel: 'long' })) })).status, 200);
		const h = await Http.connect(d);
		let open = 240;
		const all = Array.from({ length: open }, async () => {
			const r = await past(d, own, 'long', { limit: '1' });
			open--;
			assert.equal(r.events.length, 1);
		});
		await becomes(() => open < 240, true);
		for (const path of ['/channels', '/channels/a/events'])
			assert.equal((await h.api(app, 'GET', path)).status, 200);
		assert.ok(open > 0, 'they are answered before the last of these');
		h.end();
		await Promise.all(all);
	});

	test('an app has so many lists at the same time', async () => {
		const own = d.app({ resume: 'on', max_batch_events: '1000' });
		for (let i = 0; i < 100; i++)
			assert.equal((await post(d, own, '/batch_events', { batch:
				Array.from({ length: 1000 }, () => ({ name: 'e', data: '1',
					channel: 'long' })) })).status, 200);
		const all = await Promise.all(Array.from({ length: 500 }, () => api(d,
			own, 'GET', '/channels/long/events', { query: { limit: '1' } })));
		const refused = all.filter((r) => r.status === 503);
		assert.ok(refused.length > 0 && refused.length < 245,
			`${refused.length} refused`);
		for (const r of refused) {
			assert.match(r.text, /256 lists of channels or events of this app/);
			assert.equal(r.headers['retry-after'], '1');
		}
		assert.ok(all.every((r) => r.status === 200 || r.status === 503));
		assert.equal((await past(d, own, 'long')).events.length, 100);
	});

	test('complete is false when events of that time have left', async () => {
		const own = d.app({ resume: 'on', resume_bytes: '1048576',
			max_event_bytes: '100000' });
		const since = String(Date.now() - 1);
		const first = (await post(d, own, '/events', { name: 'e', data: 'x',
			channel: 'c', info: 'event_id' })).json.channels.c.event_id;
		assert.equal((await past(d, own, 'c', { since })).complete, true);
		for (let i = 0; i < 14; i++)
			await publish(d, own, 'c', 'e', 'y'.repeat(90000));
		for (const query of [{ since }, { after: first }, {}]) {
			const r = await past(d, own, 'c', query);
			assert.equal(r.complete, false, JSON.stringify(query));
			assert.ok(r.events.length > 5);
		}
		// The broker may give an event its time after the 200.
		const now = (await past(d, own, 'c')).last;
		const late = String(Date.now() + 1);
		for (const query of [{ since: late }, { after: now }])
			assert.deepEqual(await past(d, own, 'c', query),
				{ events: [], complete: true, last: now });
		const quiet = await past(d, own, 'quiet', { since });
		assert.deepEqual([quiet.events, quiet.complete], [[], false]);
	});
}, { max_request_bytes: 1048576 });
