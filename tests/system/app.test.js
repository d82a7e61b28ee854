// SPDX-License-Identifier: MIT
//
// Apps through pusherctl: with and without a running daemon, and in force in
// every worker when the prompt is back.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test, describe } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { Http, api, publish, onEachWorker } = require('./lib/http');
const { suite } = require('./lib/suite');

suite('app', (d) => {
	test('create is in force in every worker at the prompt', async () => {
		const ready = await onEachWorker(d);
		for (let i = 0; i < 20; i++) {
			const app = d.app();
			for (const h of ready)
				assert.equal((await h.api(app, 'GET', '/channels')).status,
					200);
			await (await Client.connect(d, app)).close();
		}
		for (const h of ready) h.end();
	});

	test('credentials are made when not given', async () => {
		const [a] = d.ctl(['app', 'create', '--name', 'made']);
		const [b] = d.ctl(['app', 'create']);
		assert.equal(a.name, 'made');
		for (const x of [a, b]) {
			assert.match(x.id, /^\d+$/);
			assert.match(x.key, /^[0-9a-z]{20}$/);
			assert.match(x.secret, /^[0-9a-z]{20,}$/);
			assert.equal(x.enabled, true);
		}
		assert.notEqual(a.id, b.id);
		assert.notEqual(a.key, b.key);
		assert.notEqual(a.secret, b.secret);
		await (await Client.connect(d, a)).close();
		await publish(d, b, 'x', 'e', '1');
	});

	test('secrets are masked but on creation and with --reveal', () => {
		const app = d.app({}, { secret: 'not-to-be-seen-0815' });
		for (const args of [['app', 'list'], ['app', 'show', app.id],
			['app', 'set', app.id, 'client_events=on'],
			['app', 'disable', app.id], ['app', 'enable', app.id]])
			for (const j of [['-j'], []]) {
				const r = d.ctlRaw([...j, ...args]);
				assert.equal(r.code, 0, r.err);
				assert.ok(!(r.out + r.err).includes(app.secret),
					args.join(' '));
			}
		assert.equal(d.ctl(['app', 'show', '--reveal', app.id])[0].secret,
			app.secret);
	});

	test('id, key or name say which app', () => {
		const app = d.app({}, { name: 'the-only-one' });
		for (const which of [app.id, app.key, 'the-only-one'])
			assert.equal(d.ctl(['app', 'show', which])[0].id, app.id);
		const r = d.ctlRaw(['app', 'show', 'nobody']);
		assert.notEqual(r.code, 0);
		assert.match(r.err, /nobody/);
	});

	test('a taken id or key is refused', () => {
		const app = d.app();
		for (const args of [['--id', app.id], ['--key', app.key]]) {
			const r = d.ctlRaw(['app', 'create', ...args]);
			assert.notEqual(r.code, 0);
			assert.match(r.err, /taken|exists|already/);
		}
	});

	test('wrong settings: one sentence with name, value and range', () => {
		const app = d.app();
		for (const [text, pattern] of [
			['max_event_bytes=0', /max_event_bytes.*0.*1/],
			['max_event_bytes=x', /max_event_bytes/],
			['max_event_bytes=-1', /max_event_bytes/],
			['max_event_bytes=99999999999999999999', /max_event_bytes/],
			['client_events=maybe', /client_events.*(on|off)/],
			['max_evnt_bytes=7', /max_evnt_bytes.*max_event_bytes/s],
			['nonsense', /nonsense/]]) {
			const r = d.ctlRaw(['app', 'set', app.id, text]);
			assert.notEqual(r.code, 0, text);
			assert.match(r.err, pattern);
		}
	});

	test('set: the next request follows it, also for open connections',
		async () => {
			const app = d.app();
			const all = await Client.onEachWorker(d, app);
			for (const c of all) await c.subscribe('private-x');
			for (const [value, works] of [['on', true], ['off', false]]) {
				d.ctl(['app', 'set', app.id, `client_events=${value}`]);
				for (const c of all) {
					c.trigger('private-x', 'client-e', '1');
					if (!works) await c.expectError(null);
					for (const o of all)
						if (works && o !== c) await o.expect('client-e');
				}
			}
			for (const c of all) assert.deepEqual(await c.sync(), []);
			const [shown] = d.ctl(['app', 'show', app.id]);
			assert.equal(shown.client_events, false);
			await closeAll(all);
		});

	test('several settings at once, all or nothing', () => {
		const app = d.app();
		d.ctl(['app', 'set', app.id, 'max_event_bytes=20', 'cache_ttl=5',
			'name=New name']);
		let [s] = d.ctl(['app', 'show', app.id]);
		assert.deepEqual([s.max_event_bytes, s.cache_ttl, s.name],
			[20, 5, 'New name']);
		assert.notEqual(d.ctlRaw(['app', 'set', app.id, 'max_event_bytes=30',
			'cache_ttl=0']).code, 0);
		[s] = d.ctl(['app', 'show', app.id]);
		assert.equal(s.max_event_bytes, 20);
	});

	test('disable closes with 4003, enable lets in again', async () => {
		const app = d.app();
		const other = d.app();
		const calm = await Client.onEachWorker(d, other);
		for (const c of calm) await c.subscribe('room');
		const all = await Client.onEachWorker(d, app);
		for (const c of all) await c.subscribe('room');
		const r = await d.ctlAsync(['app', 'disable', app.id]);
		assert.equal(r.code, 0, r.err);
		for (const c of all) await c.expectFatal(4003);
		assert.equal((await api(d, app, 'GET', '/channels')).status, 403);
		d.ctl(['app', 'enable', app.id]);
		assert.deepEqual((await api(d, app, 'GET', '/channels')).json,
			{ channels: {} });
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		for (const x of calm) assert.deepEqual(await x.sync(), []);
		await closeAll([c, ...calm]);
	});

	test('delete closes with 4001; the name is free again', async () => {
		const app = d.app();
		const all = await Client.onEachWorker(d, app);
		await Client.joinAll(all, 'presence-x', (c) => ({ id: c.sid }));
		const refused = d.ctlRaw(['app', 'delete', app.id]);
		assert.notEqual(refused.code, 0, 'wants --yes');
		const r = await d.ctlAsync(['app', 'delete', '--yes', app.id]);
		assert.equal(r.code, 0, r.err);
		for (const c of all) await c.expectFatal(4001);
		assert.equal((await api(d, app, 'GET', '/channels')).status, 404);
		d.ctl(['app', 'create', '--id', app.id, '--key', app.key,
			'--secret-from', '-'], app.secret);
		const c = await Client.connect(d, app);
		assert.equal((await c.join('presence-x', 'u')).count, 1);
		await c.close();
	});

	test('status: one row for each worker, all connections counted',
		async () => {
			const app = d.app();
			const all = await Client.onEachWorker(d, app);
			await until('the counters', () => {
				const [s] = d.ctl(['status']);
				assert.deepEqual(s.workers.map((w) => w.slot),
					s.workers.map((_, i) => i));
				assert.equal(s.workers.length, d.conf.workers);
				assert.deepEqual(s.workers.map((w) => w.pid).sort(),
					d.pidsOf('worker').sort());
				return s.workers.every((w) => w.connections >= 1);
			});
			await closeAll(all);
			await until('no connections', () => d.ctl(['status'])[0]
				.workers.every((w) => w.connections === 0));
		});

	test('channels', async () => {
		const app = d.app();
		const all = await Client.onEachWorker(d, app);
		for (const c of all) {
			await c.subscribe('room');
			await c.join('presence-x', 'u');
		}
		const by = (list) => Object.fromEntries(list.map((x) =>
			[x.channel, [x.subscriptions, x.users]]));
		const n = all.length;
		const got = by(d.ctl(['channels', app.id]));
		assert.deepEqual(Object.keys(got).sort(), ['presence-x', 'room']);
		assert.equal(got.room[0], n);
		assert.deepEqual(got['presence-x'], [n, 1]);
		assert.deepEqual(d.ctl(['channels', app.name, '--prefix', 'pres'])
			.map((x) => x.channel), ['presence-x']);
		assert.equal(d.ctl(['channels', '--prefix', 'presence-'])
			.filter((x) => x.app === app.id).length, 1);
		await closeAll(all);
	});

	test('publish from the command line', async () => {
		const app = d.app();
		const all = await Client.onEachWorker(d, app);
		for (const c of all) await c.subscribe('room');
		for (const data of ['{"a":1}', '', 'plain "text"', '9007199254740993',
			'é🎈']) {
			d.ctl(['publish', app.id, 'room', 'my event', data]);
			for (const c of all)
				assert.deepEqual(await c.next(),
					{ event: 'my event', channel: 'room', data });
		}
		d.ctl(['publish', app.id, 'room', 'e', '-'], 'from stdin');
		for (const c of all) assert.equal(await c.expect('e'), 'from stdin');
		for (const args of [['il legal', 'e', '1'], ['room', 'pusher:x', '1'],
			['room', '', '1'], ['room', 'e', 'x'.repeat(10241)]]) {
			const r = d.ctlRaw(['publish', app.id, ...args]);
			assert.notEqual(r.code, 0, args.join(' '));
			assert.ok(r.err.length > 0);
		}
		await closeAll(all);
	});

	test('text for people', () => {
		for (const args of [['status'], ['app', 'list'], ['channels'],
			['app', 'list', '--help'], ['--help'], ['-V']]) {
			const r = d.ctlRaw(args);
			assert.equal(r.code, 0, `${args} ${r.err}`);
			assert.ok(r.out.length > 0 || args[0] === 'channels');
		}
		for (const args of [[], ['nonsense'], ['app'], ['app', 'creat'],
			['app', 'create', '--nonsense'], ['publish', 'x'],
			['-o', 'nonsense=1', 'status'], ['status', 'more']]) {
			const r = d.ctlRaw(args);
			assert.notEqual(r.code, 0, args.join(' '));
			assert.ok(r.err.length > 0, args.join(' '));
		}
	});

	test('snippets hold the credentials', () => {
		const app = d.app();
		const r = d.ctlRaw(['app', 'snippets', app.id]);
		assert.equal(r.code, 0, r.err);
		for (const text of [app.key, app.secret, app.id, 'Pusher'])
			assert.ok(r.out.includes(text), text);
	});
});

describe('apps without a daemon', () => {
	test('create, set and delete before the start', async () => {
		const d = new Daemon({ workers: 2 });
		const app = d.app({ client_events: 'on' });
		const gone = d.app();
		d.ctl(['app', 'set', app.id, 'activity_timeout=50']);
		d.ctl(['app', 'delete', '--yes', gone.id]);
		assert.equal(fs.statSync(d.conf.database).mode & 0o777, 0o600);
		await d.start();
		const c = await Client.connect(d, app);
		assert.equal(c.greeting.activity_timeout, 50);
		await c.close();
		await new Client(d, `/app/${gone.key}`).upgraded();
		const r = d.ctlRaw(['app', 'show', gone.id]);
		assert.notEqual(r.code, 0);
		await d.stop();
	});

	test('a command that needs the daemon says so', async () => {
		const d = new Daemon();
		const app = d.app();
		for (const args of [['status'], ['channels'],
			['publish', app.id, 'a', 'b', 'c']]) {
			const r = d.ctlRaw(args);
			assert.notEqual(r.code, 0);
			assert.match(r.err, /not running|running|connect/);
		}
		d.remove();
	});

	test('create --if-none makes one app only', () => {
		const d = new Daemon();
		const args = ['app', 'create', '--name', 'demo', '--if-none'];
		assert.equal(d.ctl(args).length, 1);
		d.ctlRaw(args);
		assert.equal(d.ctl(['app', 'list']).length, 1);
		d.remove();
	});

	test('create --if-absent makes the app of an id once', () => {
		const d = new Daemon();
		const make = (...more) => d.ctlRaw(['-j', 'app', 'create',
			'--if-absent', ...more]);
		assert.match(make('--id', 'shop', '--key', 'k1').out, /"id":"shop"/);
		const again = make('--id', 'shop', '--key', 'k2');
		assert.deepEqual([again.code, again.out], [0, '']);
		// An app whose key is this id is another app.
		assert.equal(make('--id', 'k1', '--key', 'k3').code, 0);
		const taken = make('--id', 'third', '--key', 'k1');
		assert.equal(taken.code, 1);
		assert.match(taken.err, /key/);
		const r = make('--key', 'k4');
		assert.equal(r.code, 2);
		assert.match(r.err, /--if-absent needs --id/);
		assert.deepEqual(d.ctl(['app', 'list']).map((a) => a.id),
			['shop', 'k1']);
		d.remove();
	});

	test('an export moves apps to another host whole', () => {
		const here = new Daemon(), there = new Daemon();
		const app = here.app({ client_events: 'on', max_connections: 7,
			allowed_origins: 'https://a.example *.b.example' });
		const other = here.app({}, { name: 'a "name" with \\ and é' });
		here.ctl(['app', 'disable', other.id]);
		here.ctl(['webhook', 'add', app.id, 'https://hooks.example/a',
			'--events', 'channel_occupied,cache_miss', '--channel-glob',
			'a*b', '--header', 'X-Token: a: b', '--batch']);
		here.ctl(['webhook', 'add', app.id, 'https://hooks.example/b']);
		here.ctl(['webhook', 'set', '2', 'enabled=off']);
		const out = here.ctlRaw(['app', 'export']);
		assert.equal(out.code, 0, out.err);
		assert.deepEqual(JSON.parse(out.out),
			JSON.parse(here.ctlRaw(['-j', 'app', 'export']).out));
		const load = (text, ...more) => there.ctlRaw(['app', 'import',
			'--from', 'pusherd', ...more, '-'], text);
		const r = load(out.out);
		assert.equal(r.code, 0, r.err);
		assert.ok(!(r.out + r.err).includes(app.secret));
		for (const id of [app.id, other.id])
			assert.deepEqual(there.ctl(['app', 'show', '--reveal', id]),
				here.ctl(['app', 'show', '--reveal', id]));
		const hooks = (d) => ['1', '2'].map((n) =>
			d.ctl(['webhook', 'show', '--reveal', n]));
		assert.deepEqual(hooks(there), hooks(here));
		assert.equal(there.ctlRaw(['app', 'export']).out, out.out);
		assert.match(load(out.out, '--dry-run', '--replace').out,
			/unchanged/);
		// One app alone; one that there is not; a wrong value.
		assert.deepEqual(JSON.parse(here.ctlRaw(['app', 'export', app.key])
			.out).map((a) => a.id), [app.id]);
		assert.equal(here.ctlRaw(['app', 'export', 'none']).code, 1);
		const bad = load(out.out.replace('"max_connections":7',
			'"max_connections":-7'), '--replace');
		assert.equal(bad.code, 1);
		assert.match(bad.out + bad.err, /max_connections/);
		here.ctl(['app', 'rotate-key', app.id]);
		assert.match(here.ctlRaw(['app', 'export']).err, /not exported/);
		here.remove();
		there.remove();
	});

	test('drain --wait returns when the server has ended', async () => {
		const d = new Daemon({ workers: 2 });
		const app = d.app();
		await d.start();
		const clients = await Promise.all(Array.from({ length: 20 },
			() => Client.connect(d, app)));
		const r = await d.ctlAsync(['drain', '--wait', '--time', '1']);
		assert.equal(r.code, 0, r.err);
		assert.deepEqual(d.pidsOf('worker'), []);
		await Promise.all(clients.map((c) => c.ended(5000)));
		await d.stop();
	});

	test('drain --wait returns when another server is there at once',
		async () => {
			const d = new Daemon();
			d.wrap = ['sh', '-c', '"$@"; exec "$@"', 'sh'];
			await d.start();
			const [was] = d.pidsOf('worker');
			const r = await d.ctlAsync(['drain', '--wait', '--time', '0']);
			assert.equal(r.code, 0, r.err);
			await until('the second one', () =>
				d.ctlRaw(['status']).code === 0);
			assert.ok(!d.pidsOf('worker').includes(was));
			await d.stop();
		});

	test('import of soketi apps', async () => {
		const d = new Daemon();
		const file = path.join(d.dir, 'soketi.json');
		fs.writeFileSync(file, JSON.stringify([
			{ id: 'old-1', key: 'k1', secret: 's1', enabled: true,
				enableClientMessages: true, maxConnections: 200,
				maxClientEventsPerSecond: 50, enableUserAuthentication: true,
				webhooks: [{ url: 'http://127.0.0.1/', event_types: [] }] },
			{ id: 'old-2', key: 'k2', secret: 's2', enabled: false,
				maxConnections: '-1', somethingElse: 7 }]));
		const r = d.ctlRaw(['app', 'import', '--from', 'soketi', file]);
		assert.equal(r.code, 0, r.err);
		assert.match(r.out + r.err, /somethingElse/);
		assert.match(r.out + r.err, /webhooks/);
		assert.ok(!(r.out + r.err).includes('"s1"'));
		const [one] = d.ctl(['app', 'show', '--reveal', 'old-1']);
		assert.deepEqual([one.key, one.secret, one.enabled, one.client_events,
			one.max_connections, one.max_client_events_per_second],
		['k1', 's1', true, true, 200, 50]);
		const [two] = d.ctl(['app', 'show', 'old-2']);
		assert.deepEqual([two.enabled, two.max_connections], [false, 0]);
		assert.notEqual(d.ctlRaw(['app', 'import', '--from', 'soketi', '-'],
			'[{"id":7}]').code, 0);
		await d.start();
		await (await Client.connect(d, one)).close();
		await d.stop();
	});

	test('two hundred apps', async () => {
		const d = new Daemon({ workers: 2 });
		const list = Array.from({ length: 200 }, (_, i) => ({ id: `a${i}`,
			key: `k${i}`, secret: `s${i}` }));
		assert.equal(d.ctlRaw(['app', 'import', '--from', 'soketi', '-'],
			JSON.stringify(list)).code, 0);
		await d.start();
		for (const app of [list[0], list[199]]) {
			const h = await Http.connect(d);
			assert.equal((await h.api(app, 'GET', '/channels')).status, 200);
			h.end();
		}
		await d.stop();
	});
});
