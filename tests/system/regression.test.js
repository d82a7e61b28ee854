// SPDX-License-Identifier: MIT
//
// Bugs of other servers that must never happen here: for each bug
// the file whose test carries its id in its name, or why it cannot happen.
// The last tests hold this table against the names.  Tests that belong to no
// other file are here.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, SLOW, becomes, sleep, until } = require('./lib/daemon');
const { Http, get, publish } = require('./lib/http');
const { TICKS, cpuTicks, memory } = require('./lib/process');
const { Receiver } = require('./lib/receiver');
const { suite } = require('./lib/suite');

const REDIS = 'there is no bridge between hosts: all is in one broker';

const TABLE = {
	B01: 'regression', // joining costs more the longer the server runs
	B02: 'regression', // descriptors above 1,024
	B03: 'liveness', // silent sockets are never pinged
	B04: 'presence', // the list differs by process
	B05: 'presence', // member_added for each tab
	B06: 'signal', // ghosts after kill -9
	B07: 'presence', // no member_removed on some ways out
	B08: 'signal', // occupied flips
	B09: 'presence webhook', // one webhook, one event for each process
	B10: 'webhook_delivery', // a failed webhook is not sent again
	B11: 'webhook', // apps are mixed in one batch
	B12: 'webhook', // signed before it was filtered
	B13: 'limit', // the limit is never released
	B14: 'regression', // a count below zero
	B15: 'metrics', // the gauge never falls
	B16: 'connection', // many closes block newcomers
	B17: { why: 'no threads and no locks: nothing can deadlock' },
	B18: 'regression', // questions of the admin stop the server
	B19: 'metrics', // everybody waits for a dead process
	B20: { why: REDIS },
	B21: { why: REDIS },
	B22: 'regression', // each message leaks
	B23: 'channel websocket', // a frame takes the server down
	B24: 'http', // the cut of the stream matters
	B25: 'api_events', // too large, and no word about the limit
	B26: 'liveness', // native pings do not count
	B27: 'proxy', // behind a proxy: a wrong signature
	B28: 'api_events client_event', // exclusion on other processes
	B29: 'client_event', // client events by strangers
	B30: { why: 'an event costs one message for each worker and one queue ' +
		'entry for each subscriber; make bench has the slope' },
	B31: { why: REDIS },
	B32: 'client_event', // clients send internal events
	B33: 'cache', // the replayed frame differs
	B34: 'channel user', // legal names are refused
	B35: 'official', // new framing breaks old clients
	B36: 'user', // one flag for two features
	B37: 'api_channels', // subscription_count is missing
	B38: { why: 'addresses of clients decide nothing' },
	B39: 'metrics', // documented metrics that do not exist
	B40: 'regression', // pings into dead sockets
	B41: 'bad_input', // an uncaught error ends the process
	B42: { why: 'no runtime beyond libraries of Debian; tests/deb.sh ' +
		'installs the package on a bare one' },
	B43: 'signal', // a crash leaves shared memory inconsistent
	B44: 'signal', // counts are wrong after a crash
	B45: 'signal', // errors at the end
	B46: { why: 'loops never wait (architecture of the processes); ' +
		'metrics.test.js measures the turns' },
	B47: 'webhook', // socket_id in webhooks
	B48: 'start', // unused parts fill the log
	D01: 'channel', // missing members of a message
	D02: 'cache', // patterns without anchors
	D03: 'webhook', // the filter is not in the body
	D04: 'regression', // members are counted by process, before auth
	D05: { why: 'an event is written once, where it enters; the others ' +
		'pass on its bytes' },
	D06: 'api_auth', // no window for the timestamp
	D07: 'start', // starts with a broken configuration
	D08: 'limit', // an error, and the socket stays open
	D09: 'cache', // a cache only while somebody is there
	D10: 'regression', // prefixes without their dash
	D11: 'user', // terminate looks at one channel
	D12: 'client_event', // nonsense is answered with "reconnect at once"
	D13: 'http', // no keep-alive, no chunked bodies
	D14: 'channel', // authorisation depends on "cache-"
	D15: 'start', // an unreadable configuration is skipped
	D16: 'start', // a misspelt name is a default
	D17: 'regression', // defaults depend on how the app was made
	D18: 'regression', // one slow endpoint starves the others
	D19: 'cache', // the option for the time is not used
	D20: { why: REDIS },
	D21: 'webhook_delivery', // everything counts as delivered
	D22: { why: 'links carry checked binary messages, never objects ' +
		'(tests/fuzz/messages.h)' },
};

// Seconds of processor time that the daemon's processes have used.
function cpu(d) {
	return Object.keys(d.processes()).reduce((n, pid) =>
		n + cpuTicks(pid) / TICKS, 0);
}

suite('bug', (d) => {
	const app = d.app({ client_events: 'on' });

	test('B01 joining costs the same after thousands of joins', async () => {
		const here = await Client.several(d, app, 10);
		for (const [i, c] of here.entries())
			await c.join('presence-churn', `u${i}`);
		const c = await Client.connect(d, app);
		const round = async () => {
			const before = cpu(d);
			for (let i = 0; i < 150; i++) {
				await c.join('presence-churn', `guest-${i}`);
				c.unsubscribe('presence-churn');
				for (const h of here) h.frames.length = 0;
			}
			await c.sync();
			return cpu(d) - before;
		};
		await round();
		const first = await round();
		await round();
		const last = await round();
		assert.ok(last < 2 * first + 0.1, `${first} s, later ${last} s`);
		await closeAll([c, ...here]);
	});

	test('B02 more than 1,024 sockets from one address', async () => {
		const many = await Client.several(d, app, 1100);
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		const h = await Http.connect(d);
		for (let i = 0; i < 20; i++) {
			const r = await h.api(app, 'POST', '/events', { body:
				{ name: 'e', channel: 'room', data: `${i}` } });
			assert.equal(r.status, 200);
			assert.equal(await c.expect('e'), `${i}`);
		}
		await becomes(() => get(d, app, '/connections'),
			{ connections: 1101 });
		h.end();
		for (const x of many) x.destroy();
		await c.close();
		await until('no connections', async () =>
			(await get(d, app, '/connections')).connections === 0);
	});

	test('B14 no count below zero, whatever is refused', async () => {
		const few = d.app({ max_connections: 2, tls_only: 'off' });
		const two = await Client.several(d, few, 2);
		const count = async () =>
			(await get(d, few, '/connections')).connections;
		for (let i = 0; i < 20; i++) {
			const c = new Client(d, `/app/${few.key}?protocol=${i % 2 ? 7 : 3}`);
			await c.upgraded();
			if (i % 3 === 0) c.reset();
			else await c.expectFatal(i % 2 ? 4004 : 4007);
			assert.equal(await count(), 2);
		}
		await two[0].close();
		two[1].reset();
		await until('none', async () => await count() === 0);
		await becomes(() => get(d, few, '/channels'), { channels: {} });
	});

	test('B18 questions of the admin stop nobody', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		let asking = true;
		const asked = (async () => {
			while (asking)
				for (const r of await Promise.all([['status'], ['channels'],
					['app', 'list'], ['channels', app.id]]
					.map((args) => d.ctlAsync(args))))
					assert.equal(r.code, 0, r.err);
		})();
		let worst = 0;
		for (let i = 0; i < 40; i++) {
			const at = Date.now();
			await publish(d, app, 'room', 'e', `${i}`);
			assert.equal(await c.expect('e'), `${i}`);
			worst = Math.max(worst, Date.now() - at);
			await sleep(10);
		}
		asking = false;
		await asked;
		assert.ok(worst < 10000 * SLOW, `${worst} ms`);
		await c.close();
	});

	// Sanitizers keep what is freed: the leak checker of theirs looks then.
	test('B22 messages leave nothing behind', { skip: SLOW > 1 }, async () => {
		const all = await Client.several(d, app, 10);
		for (const c of all) await c.subscribe('private-x');
		const h = await Http.connect(d);
		const round = async (n) => {
			for (let i = 0; i < n; i++) {
				await h.api(app, 'POST', '/events', { body: { name: 'e',
					channel: 'private-x', data: 'x'.repeat(1000) } });
				if (i % 10) continue;
				all[0].sendSubscribe(`room-${i}`);
				all[0].unsubscribe(`room-${i}`);
				all[1].sendText('{"event":"nonsense"');
				for (const c of all) c.frames.length = 0;
			}
		};
		const sizes = () => [...d.pidsOf('worker'), ...d.pidsOf('broker')]
			.map((pid) => memory(pid) >> 10);
		await round(200);
		const before = sizes();
		await round(600);
		sizes().forEach((kb, i) => assert.ok(kb < before[i] + 1024,
			`${before[i]} KB, later ${kb} KB`));
		h.end();
		await closeAll(all);
	});

	test('B40 a reset while pings are due is the end of it', async () => {
		const quick = d.app({ activity_timeout: 1 });
		const all = await Client.several(d, quick, 30);
		for (const c of all) {
			c.answerPings = false;
			await c.subscribe('room');
		}
		await until('a ping', () => all.some((c) => c.pings > 0));
		for (const c of all) c.reset();
		await until('no connections', async () =>
			(await get(d, quick, '/connections')).connections === 0);
		await becomes(async () => (await get(d, quick,
			'/channels/room')).occupied, false);
	});

	test('D04 the limit counts users, once, after the signature', async () => {
		const two = d.app({ max_presence_members: 2 });
		const on = await Client.onEachWorker(d, two);
		const tabs = [...on, ...await Client.several(d, two, 4)];
		// Ann is on every worker and is one.
		for (const c of tabs.slice(0, -1)) await c.join('presence-l', 'ann');
		const last = tabs.at(-1);
		assert.equal((await last.join('presence-l', 'bob')).count, 2);
		const c = await Client.connect(d, two);
		c.sendSubscribe('presence-l', { data: { user_id: 'cid' },
			auth: `${two.key}:${'0'.repeat(64)}` });
		await c.expectRefused('presence-l', 'AuthError', 401);
		c.sendSubscribe('presence-l', { data: { user_id: 'cid' } });
		await c.expectRefused('presence-l', 'LimitReached', 413);
		assert.equal((await c.join('presence-l', 'bob')).count, 2);
		await closeAll([c, ...tabs]);
	});

	test('D10 a prefix ends with its dash', async () => {
		const c = await Client.connect(d, app);
		for (const name of ['privateer', 'private', 'presence', 'presenceroom',
			'cached', 'cache', 'private_x', 'presence_x', 'cache_x',
			'Private-x', 'PRESENCE-x', 'Cache-x', 'xprivate-x',
			'encrypted-cache-x', 'presencecache-x'])
			await c.subscribe(name, { auth: '' });
		assert.deepEqual(await c.sync(), []);
		await c.subscribe('private-encrypted-cache-x');
		await c.expect('pusher:cache_miss', 'private-encrypted-cache-x');
		await c.close();
	});
});

test('D17 the same settings however an app is made', async () => {
	const d = new Daemon();
	const settings = (id) => {
		const [got] = d.ctl(['app', 'show', id]);
		for (const own of ['id', 'key', 'secret', 'name']) delete got[own];
		return got;
	};
	d.app({}, { id: 'before' });
	assert.equal(d.ctlRaw(['app', 'import', '--from', 'soketi', '-'],
		JSON.stringify([{ id: 'import', key: 'k', secret: 's' }])).code, 0);
	await d.start();
	d.app({}, { id: 'live' });
	d.ctl(['app', 'create', '--id', 'made', '--name', 'made', '--if-none']);
	d.ctl(['app', 'create', '--id', 'made']);
	const want = settings('before');
	for (const id of ['import', 'live', 'made'])
		assert.deepEqual(settings(id), want, id);
	const list = fs.readFileSync(path.join(__dirname,
		'../../shared/app/app_settings.def'), 'utf8');
	for (const [, name, value] of list.matchAll(/^APP_UINT\((\w+), (\d+),/gm))
		assert.equal(want[name], Number(value), name);
	await d.stop();
});

test('D18 a slow endpoint starves nobody', async () => {
	const d = new Daemon({ webhook_allow_private: 'on' });
	const app = d.app();
	await d.start();
	const slow = await Receiver.start({ answer: () => {} });
	const good = await Receiver.start();
	for (const r of [slow, good]) d.ctl(['webhook', 'add', app.id, r.url]);
	const c = await Client.connect(d, app);
	for (let i = 0; i < 60; i++) await c.subscribe(`room-${i}`);
	await good.have(60, 3000);
	assert.ok(slow.hooks.length > 0);
	d.allow(/webhook/);
	await c.close();
	await d.stop();
	await slow.stop();
	await good.stop();
});

// ---- the table ----

const files = fs.readdirSync(__dirname).filter((f) => f.endsWith('.test.js'));
// id -> names of the files in which the name of a test begins with it.
const named = {};
for (const file of files) {
	const text = fs.readFileSync(path.join(__dirname, file), 'utf8');
	for (const [, name] of text.matchAll(
		/(?:test|withDaemon|refuses)\(\s*['"`]([^'"`]*)/g))
		for (const [id] of name.matchAll(/\b[BD]\d\d\b/g))
			(named[id] ??= new Set()).add(file.replace('.test.js', ''));
}

test('every bug has a test, or a reason', () => {
	const ids = [...Array.from({ length: 48 }, (_, i) => `B${i + 1}`),
		...Array.from({ length: 22 }, (_, i) => `D${i + 1}`)]
		.map((id) => id.replace(/^(.)(\d)$/, '$10$2'));
	assert.deepEqual(Object.keys(TABLE).sort(), ids.sort());
	for (const [id, where] of Object.entries(TABLE)) {
		if (typeof where !== 'string') {
			assert.ok(where.why.length > 20, id);
			continue;
		}
		for (const file of where.split(' '))
			assert.ok(named[id]?.has(file), `${file}.test.js has no ${id}`);
	}
});

test('every id in the name of a test is of the table', () => {
	for (const [id, where] of Object.entries(named)) {
		assert.equal(typeof TABLE[id], 'string', `${id} of ${[...where]}`);
		for (const file of where)
			assert.ok(TABLE[id].split(' ').includes(file),
				`${id} is in ${file}.test.js, too`);
	}
});
