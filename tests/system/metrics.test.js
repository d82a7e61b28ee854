// SPDX-License-Identifier: MIT
//
// GET /metrics: the whole text is read strictly, and the numbers are right at
// the moment of the question, whatever died before.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, SLOW, until } = require('./lib/daemon');
const { Http, api } = require('./lib/http');
const { parse } = require('./lib/prometheus');
const { Receiver } = require('./lib/receiver');
const { suite } = require('./lib/suite');

async function get(d, path = '/metrics') {
	const h = await Http.connect({ ...d, port: d.metrics });
	const a = await h.ask('GET', path);
	h.sock.destroy();
	return a;
}

// One scrape; value(name, labels) fails unless there is exactly one.
async function scrape(d) {
	const a = await get(d);
	assert.equal(a.status, 200, a.text);
	assert.match(a.headers['content-type'], /^text\/plain; version=0\.0\.4/);
	return parse(a.text);
}

const publish = (d, app, channel, data = '{}') => api(d, app, 'POST', '/events',
	{ body: { name: 'e', channel, data } });

suite('metrics', (d) => {
	const app = d.app({ client_events: 'on', resume: 'on' });

	test('the text is right, every family complete', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		await publish(d, app, 'room');
		await c.expect('e');
		const m = await scrape(d);
		assert.ok(m.families.size >= 50, `${m.families.size} families`);
		for (const [name, f] of m.families) {
			assert.match(name, /^pusherd_/);
			assert.equal(f.type === 'counter', name.endsWith('_total'), name);
			assert.ok(f.samples.length > 0, `${name} is empty`);
			for (const s of f.samples)
				assert.ok(!('channel' in s.labels), name);
		}
		assert.equal(m.value('pusherd_build_info', { version: '0.1.0' }), 1);
		await c.close();
	});

	test('B39 every family is in the documentation, and nothing else', async () => {
		const page = fs.readFileSync(path.join(__dirname,
			'../../etc/doc/metrics.md'), 'utf8');
		const m = await scrape(d);
		const rows = [...page.matchAll(
			/^\| `([a-z_]+)` \| (counter|gauge|histogram) \|/gm)]
			// Without TLS there are no certificates: see tls.test.js.
			.filter(([, name]) => !/^(soketi|certificate)_/.test(name));
		assert.deepEqual(
			rows.map(([, name, type]) => `pusherd_${name} ${type}`).sort(),
			[...m.families].map(([name, f]) => `${name} ${f.type}`).sort());
	});

	test('B15 gauges and counters of an app are exact', async () => {
		const own = d.app();
		const id = { app: own.id };
		const all = await Client.several(d, own, 9);
		for (const c of all) await c.subscribe('room');
		await all[0].subscribe('another');
		for (let i = 0; i < 10; i++) {
			await publish(d, own, 'room', '"x"');
			await Promise.all(all.map((c) => c.expect('e')));
		}
		assert.equal((await api({ ...d, port: d.port }, { ...own,
			secret: 'wrong' }, 'POST', '/events', { body: {} })).status, 401);
		let m = await scrape(d);
		const n = all.length;
		assert.equal(m.value('pusherd_connections', id), n);
		assert.equal(m.value('pusherd_channels', id), 2);
		assert.equal(m.value('pusherd_subscriptions', id), n + 1);
		assert.equal(m.value('pusherd_connections_opened_total', id), n);
		assert.equal(m.value('pusherd_events_published_total',
			{ ...id, source: 'api' }), 10);
		assert.equal(m.value('pusherd_events_delivered_total', id), 10 * n);
		// greeting, one answer for each subscription, the events
		assert.equal(m.value('pusherd_messages_sent_total', id), 12 * n + 1);
		assert.equal(m.value('pusherd_messages_received_total', id), n + 1);
		assert.equal(m.value('pusherd_api_requests_total',
			{ ...id, status: '2xx' }), 10);
		assert.equal(m.value('pusherd_api_requests_total',
			{ ...id, status: '4xx' }), 1);
		assert.equal(m.value('pusherd_auth_failures_total',
			{ ...id, kind: 'api' }), 1);
		assert.ok(m.value('pusherd_sent_bytes_total', id) > 10 * n * 20);
		assert.ok(m.value('pusherd_received_bytes_total', id) > n * 40);
		assert.ok(m.value('pusherd_api_received_bytes_total', id) > 1000);
		assert.ok(m.value('pusherd_api_sent_bytes_total', id) > 500);
		await closeAll(all);
		m = await scrape(d);
		assert.equal(m.value('pusherd_connections', id), 0);
		assert.equal(m.value('pusherd_subscriptions', id), 0);
		assert.equal(m.value('pusherd_connections_closed_total', id), n);
	});

	test('client events, and failed signatures of clients', async () => {
		const id = { app: app.id };
		const [a, b] = await Client.several(d, app, 2);
		await a.subscribe('private-x');
		await b.subscribe('private-x');
		const before = await scrape(d);
		a.trigger('private-x', 'client-hi', {});
		await b.expect('client-hi');
		a.sendSubscribe('private-y', { auth: 'nonsense' });
		await a.next();
		a.sendSignin({ id: 'u' }, 'nonsense');
		await a.next();
		const m = await scrape(d);
		const more = (name, labels) => m.value(name, labels) -
			before.value(name, labels);
		assert.equal(more('pusherd_events_published_total',
			{ ...id, source: 'client' }), 1);
		assert.equal(more('pusherd_events_delivered_total', id), 1);
		assert.equal(more('pusherd_auth_failures_total',
			{ ...id, kind: 'subscribe' }), 1);
		assert.equal(more('pusherd_auth_failures_total',
			{ ...id, kind: 'signin' }), 1);
		await closeAll([a, b]);
	});

	test('closes by code, refusals, lifetimes', async () => {
		const before = await scrape(d);
		const a = await Client.connect(d, app);
		await a.close(1000);
		const b = await Client.connect(d, app);
		b.destroy();
		const none = new Client(d, '/app/no-such-key?protocol=7');
		await none.expectFatal(4001);
		let m;
		const more = (name, labels) => m.value(name, labels) -
			before.value(name, labels);
		await until('the lost connection to be noticed', async () => {
			m = await scrape(d);
			return more('pusherd_connections_closed_by_code_total',
				{ code: '1006' }) === 1;
		});
		assert.equal(more('pusherd_connections_closed_by_code_total',
			{ code: '1000' }), 1);
		assert.equal(more('pusherd_connections_refused_total',
			{ code: '4001' }), 1);
		const lived = (x) => x.sum('pusherd_connection_lifetime_seconds_count');
		assert.equal(lived(m) - lived(before), 2);
	});

	test('latency and turns are measured', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('timed');
		const count = (m) => m.sum('pusherd_publish_to_write_seconds_count');
		const before = await scrape(d);
		for (let i = 0; i < 20; i++) {
			await publish(d, app, 'timed');
			await c.expect('e');
		}
		const m = await scrape(d);
		assert.equal(count(m) - count(before), 20);
		const late = m.sum('pusherd_publish_to_write_seconds_bucket',
			{ le: '+Inf' }) - m.sum('pusherd_publish_to_write_seconds_bucket',
			{ le: '10' });
		assert.equal(late, 0);
		assert.ok(m.sum('pusherd_worker_turn_seconds_count') > 20);
		assert.ok(m.value('pusherd_broker_turn_seconds_count') > 20);
		await c.close();
	});

	test('limits and what is used of them', async () => {
		// The courier says what it uses once a second.
		const m = await until('all processes', async () => {
			const now = await scrape(d);
			return now.value('pusherd_courier_resident_memory_bytes') > 0 &&
				now;
		});
		for (let i = 0; i < d.conf.workers; i++) {
			const w = { worker: String(i) };
			assert.equal(m.value('pusherd_worker_up', w), 1);
			const fds = m.value('pusherd_worker_open_fds', w);
			assert.ok(fds > 5 && fds < m.value('pusherd_worker_max_fds', w));
			assert.ok(m.value('pusherd_worker_resident_memory_bytes', w) > 1e6);
			assert.ok(m.value('pusherd_worker_cpu_seconds_total', w) > 0);
			assert.equal(m.value('pusherd_worker_draining', w), 0);
		}
		for (const who of ['broker', 'courier', 'master']) {
			assert.ok(m.value(`pusherd_${who}_cpu_seconds_total`) > 0, who);
			assert.ok(m.value(`pusherd_${who}_resident_memory_bytes`) > 1e6,
				who);
		}
		const started = m.value('pusherd_broker_start_time_seconds');
		assert.ok(Math.abs(Date.now() / 1000 - started) < 600);
	});

	test('health and metrics here, nothing else; no metrics elsewhere',
		async () => {
			for (const path of ['/', '/up', '/live', '/ready', '/accept-traffic'])
				assert.equal((await get(d, path)).status, 200, path);
			assert.equal((await get(d, '/apps/1/channels')).status, 404);
			assert.equal((await get(d, '/app/x')).status, 404);
			const h = await Http.connect(d);
			assert.equal((await h.ask('GET', '/metrics')).status, 404);
			assert.equal((await h.ask('GET', '/up')).status, 200);
			h.sock.destroy();
			const head = await Http.connect({ ...d, port: d.metrics });
			assert.equal((await head.ask('HEAD', '/metrics')).status, 200);
			head.sock.destroy();
		});
}, { metrics_listen: '127.0.0.1:0' });

suite('metrics and deaths', (d) => {
	const app = d.app();
	const id = { app: app.id };

	test('a worker dies: sums stay, gauges go', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		for (let i = 0; i < 5; i++) await publish(d, app, 'room');
		const before = await scrape(d);
		d.allow(/worker \d.*(ended|died|killed)/, /link/);
		for (const pid of d.pidsOf('worker')) process.kill(pid, 'SIGKILL');
		await c.ended();
		await until('all workers to be back', async () => {
			try {
				const m = await scrape(d);
				for (let i = 0; i < d.conf.workers; i++)
					if (!(m.value('pusherd_worker_starts_total',
						{ worker: String(i) }) === 2 &&
					    m.value('pusherd_worker_up', { worker: String(i) })))
						return false;
				return true;
			} catch {
				return false;
			}
		});
		const m = await scrape(d);
		assert.equal(m.value('pusherd_connections', id), 0);
		assert.equal(m.value('pusherd_channels', id), 0);
		for (const [name, f] of m.families) {
			if (f.type === 'gauge') continue;
			for (const s of f.samples)
				assert.ok(s.value >= before.value(s.name, s.labels),
					`${name} ${JSON.stringify(s.labels)} went back`);
		}
	});

	test('the broker dies: connections are those that are there', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		d.allow(/broker.*(ended|died|killed)/, /link/);
		for (const pid of d.pidsOf('broker')) process.kill(pid, 'SIGKILL');
		let m;
		await until('a new broker to answer', async () => {
			try {
				m = await scrape(d);
				return m.value('pusherd_subscriptions', id) === 1;
			} catch {
				return false;
			}
		});
		assert.equal(m.value('pusherd_connections', id), 1);
		await publish(d, app, 'room');
		await c.expect('e');
		m = await scrape(d);
		assert.equal(m.value('pusherd_events_published_total',
			{ ...id, source: 'api' }), 1);
		await c.close();
	});

	test('B19 a stopped worker does not hide the others', async () => {
		const [pid] = d.pidsOf('worker');
		process.kill(pid, 'SIGSTOP');
		try {
			// Its own listening socket gets some of the questions.
			if (d.conf.workers > 1) {
				const got = await Promise.any(Array.from({ length: 12 },
					() => scrape(d)));
				assert.equal(got.sum('pusherd_worker_up'), d.conf.workers);
			}
		} finally {
			process.kill(pid, 'SIGCONT');
		}
	});
}, { metrics_listen: '127.0.0.1:0' });

test('the age of webhooks, also of those that come late', async () => {
	const d = new Daemon({ workers: 1, metrics_listen: '127.0.0.1:0',
		webhook_allow_private: 'on' });
	const app = d.app();
	await d.start();
	await d.run(async () => {
		let n = 0;
		const r = await Receiver.start({ answer: (req, res) => {
			res.statusCode = n++ < 1 ? 500 : 200;
			res.end();
		} });
		d.ctl(['webhook', 'add', app.id, r.url, '--events',
			'channel_occupied']);
		const c = await Client.connect(d, app);
		await c.subscribe('first');
		const count = async (le) => (await scrape(d)).value(
			'pusherd_webhook_age_seconds_bucket', { le });
		await until('the late one', async () => await count('+Inf') === 1);
		assert.equal(await count('0.5'), 0, 'the first try failed');
		await c.subscribe('second');
		await until('the next', async () => await count('+Inf') === 2);
		assert.equal(await count('600'), 2);
		process.kill(d.pidsOf('courier')[0], 'SIGKILL');
		d.allow(/courier/);
		await until('another courier', async () => (await scrape(d)).value(
			'pusherd_courier_resident_memory_bytes') > 0);
		assert.equal(await count('+Inf'), 2);
		await c.close();
		await r.stop();
	});
});

test('O17: soketi names, another prefix, not per app, and off', async () => {
	const d = new Daemon({ metrics_listen: '127.0.0.1:0',
		metrics_prefix: 'ws:', metrics_soketi_names: 'on' });
	const app = d.app();
	await d.start();
	const c = await Client.connect(d, app);
	const m = await scrape(d);
	const port = d.conf.listen.replace(/.*:/, '');
	const label = { app_id: app.id, port };
	assert.equal(m.value('soketi_connected', label), 1);
	assert.equal(m.value('soketi_new_connections_total', label), 1);
	assert.ok(m.value('soketi_socket_transmitted_bytes', label) > 100);
	assert.equal(m.families.get('soketi_connected').type, 'gauge');
	assert.equal(m.families.get('soketi_http_received_bytes').type, 'counter');
	assert.equal(m.value('ws:connections', { app: app.id }), 1);
	await c.close();
	await d.stop();
	const few = new Daemon({ metrics_listen: '127.0.0.1:0',
		metrics_per_app: 'off' });
	few.app();
	await few.start();
	const short = await scrape(few);
	assert.ok(!short.samples.some((s) => 'app' in s.labels));
	assert.equal(short.value('pusherd_apps'), 1);
	await few.stop();
	const off = await new Daemon({ metrics_listen: '' }).start();
	assert.equal(off.addresses.length, 1);
	await off.stop();
});

const APPS = 10000 / SLOW;

// The text, however large.
const whole = (d) => new Promise((ok, fail) => {
	http.get({ port: d.metrics, host: '127.0.0.1', path: '/metrics',
		agent: false }, (res) => {
		const all = [];
		res.on('data', (b) => all.push(b));
		res.on('end', () => ok(Buffer.concat(all).toString('latin1')));
	}).on('error', fail);
});

test(`O17: publishes do not wait for a scrape of ${APPS} apps`, async (t) => {
	const d = new Daemon({ metrics_listen: '127.0.0.1:0' });
	const app = d.app({ max_backend_events_per_second: 0 });
	const file = path.join(d.dir, 'apps.json');
	fs.writeFileSync(file, JSON.stringify(Array.from({ length: APPS },
		(_, i) => ({ id: `${100000 + i}`, key: `many-${i}`,
			secret: `secret-of-${i}` }))));
	assert.equal(d.ctlRaw(['app', 'import', '--from', 'soketi', file]).code, 0);
	await d.start();
	const h = await Http.connect(d);
	// The longest publish as a part of the time that the scrape took: it was
	// nearly all of it.  The machine may do something else in one of them.
	const parts = [];
	for (let i = 0; i < 5; i++) {
		let done = false, worst = 0;
		const began = performance.now();
		const got = whole(d).finally(() => { done = true; });
		while (!done) {
			const at = performance.now();
			const r = await h.api(app, 'POST', '/events', { body:
				{ name: 'e', channel: 'room', data: '1' } });
			assert.equal(r.status, 200, r.text);
			worst = Math.max(worst, performance.now() - at);
		}
		assert.match(await got, new RegExp(`app="${99999 + APPS}"`));
		parts.push(worst / (performance.now() - began));
	}
	t.diagnostic(`parts ${parts.map((x) => x.toFixed(2)).join(', ')}`);
	assert.ok(Math.min(...parts) < 0.5, `${parts}`);
	h.end();
	await d.stop();
});
