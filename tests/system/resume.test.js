// SPDX-License-Identifier: MIT
//
// Resume: a client that names its session gets what it missed, once and in
// order, or is told that there is a gap.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Client, OP } = require('./lib/client');
const { sleep, until, SLOW } = require('./lib/daemon');
const { api, get, publish } = require('./lib/http');
const { VERSIONS } = require('./lib/official');
const { newId, QUERY, FORMS, open, enter, settled, confirmed, datas, begin,
	cut } =
	require('./lib/resume');
const { suite } = require('./lib/suite');

const conf = { resume_ack_interval: 10 };

suite('resume', (d) => {
	const app = d.app({ resume: 'on', client_events: 'on' });
	const plain = d.app();

	for (const [form, make] of Object.entries(FORMS)) {
		test(`${form}: new, then what was missed, then live`, async () => {
			const id = newId();
			const how = { path: make(id, app.key) + QUERY };
			let c = await Client.connect(d, app, how);
			assert.deepEqual(await enter(c, 'news'),
				{ status: 'new', replayed: 0, events: [] });
			await publish(d, app, 'news', 'e', '0');
			await c.expect('e', 'news');
			await cut(c);
			for (const n of [1, 2, 3]) await publish(d, app, 'news', 'e', `${n}`);
			c = await Client.connect(d, app, how);
			const r = await enter(c, 'news');
			assert.equal(r.status, 'continued');
			assert.equal(r.replayed, 3);
			assert.deepEqual(datas(r), ['1', '2', '3']);
			await publish(d, app, 'news', 'e', '4');
			assert.equal(await c.expect('e', 'news'), '4');
			await c.close();
		});
	}

	test('a quiet client, cut before its first event, continues', async () => {
		let { id, c } = await begin(d, app, 'quiet');
		await cut(c);
		await publish(d, app, 'quiet', 'e', 'x');
		c = await open(d, app, id);
		assert.deepEqual(datas(await enter(c, 'quiet')), ['x']);
		await c.close();
	});

	test('channels that are new in the session, and that were left',
		async () => {
			let { id, c } = await begin(d, app, 'one');
			await enter(c, 'two');
			c.unsubscribe('two');
			await cut(c);
			for (const name of ['one', 'two', 'three'])
				await publish(d, app, name, 'e', name);
			c = await open(d, app, id);
			assert.deepEqual(datas(await enter(c, 'one')), ['one']);
			assert.equal((await enter(c, 'two')).status, 'new');
			assert.equal((await enter(c, 'three')).status, 'new');
			await c.close();
		});

	test('a channel that is subscribed later keeps its place', async () => {
		let { id, c } = await begin(d, app, 'early');
		await enter(c, 'late');
		await cut(c);
		await publish(d, app, 'late', 'e', '1');
		c = await open(d, app, id);
		await enter(c, 'early');
		await publish(d, app, 'early', 'e', 'x');
		await c.expect('e', 'early');
		await cut(c);
		await publish(d, app, 'late', 'e', '2');
		c = await open(d, app, id);
		assert.deepEqual(datas(await enter(c, 'late')), ['1', '2']);
		await c.close();
	});

	test('its own events do not come back, after many breaks',
		async () => {
		let { id, c } = await begin(d, app, 'mine');
		await settled(c);
		const { sid } = c;
		c.reset();
		await publish(d, app, 'mine', 'e', 'others');
		await publish(d, app, 'mine', 'e', 'own', { socket_id: sid });
		for (let i = 0; i < 6; i++) (await open(d, app, id)).reset();
		await sleep(50 * SLOW);
		c = await open(d, app, id);
		assert.deepEqual(datas(await enter(c, 'mine')), ['others']);
		await c.close();
	});

	test('nor what it sent before it had subscribed anything', async () => {
		let { id, c } = await begin(d, app, 'early');
		await cut(c);
		await (await open(d, app, id)).close(); // not the newest any more
		const brief = await open(d, app, id);
		await publish(d, app, 'early', 'e', 'others');
		await publish(d, app, 'early', 'e', 'own', { socket_id: brief.sid });
		brief.reset();
		c = await open(d, app, id);
		assert.deepEqual(datas(await enter(c, 'early')), ['others']);
		await c.close();
	});

	test('a client that confirms nothing is told unconfirmed', async () => {
		const id = newId();
		let c = await open(d, app, id);
		c.answerPings = false;
		await enter(c, 'mute');
		await publish(d, app, 'mute', 'e', '1');
		await c.expect('e', 'mute');
		c.reset();
		await publish(d, app, 'mute', 'e', '2');
		c = await open(d, app, id);
		assert.deepEqual(await enter(c, 'mute'),
			{ status: 'gap', reason: 'unconfirmed', events: [] });
		await publish(d, app, 'mute', 'e', '3');
		assert.equal(await c.expect('e', 'mute'), '3');
		await c.close();
	});

	test('a living session goes to the newcomer', async () => {
		const id = newId();
		const old = await open(d, app, id);
		await enter(old, 'tab');
		await publish(d, app, 'tab', 'e', '1');
		await old.expect('e', 'tab');
		await settled(old);
		const c = await open(d, app, id);
		const r = await enter(c, 'tab');
		assert.deepEqual([r.status, r.replayed], ['continued', 0]);
		await publish(d, app, 'tab', 'e', '2');
		assert.equal(await old.expect('e', 'tab'), '2');
		assert.equal(await c.expect('e', 'tab'), '2');
		await settled(c);
		await old.close();
		c.reset();
		await publish(d, app, 'tab', 'e', '3');
		const again = await open(d, app, id);
		assert.deepEqual(datas(await enter(again, 'tab')), ['3']);
		await again.close();
	});

	test('many connections with one id: each is told something', async () => {
		const id = newId();
		const all = await Promise.all(Array.from({ length: 60 }, () =>
			open(d, app, id)));
		const words = await Promise.all(all.map((c) => enter(c, 'one-id')));
		const of = (k) => words.filter((w) => (w.reason ?? w.status) === k);
		assert.ok(of('taken').length >= 1);
		assert.equal(words.length - of('taken').length - of('new').length -
			of('continued').length - of('unconfirmed').length, 0);
		await publish(d, app, 'one-id', 'e', '1');
		for (const c of all) assert.equal(await c.expect('e', 'one-id'), '1');
		const off = all[words.findIndex((w) => w.reason === 'taken')];
		assert.deepEqual(await enter(off, 'later'),
			{ status: 'off', reason: 'taken', events: [] });
		for (const c of all) c.reset();
	});

	for (const kind of ['private-', 'presence-', 'private-encrypted-',
		'cache-', 'presence-cache-']) {
		test(`${kind}: as every channel`, async () => {
			const id = newId();
			const name = `${kind}all`;
			const as = { data: { user_id: 'u' } };
			let c = await open(d, app, id);
			await enter(c, name, as);
			await publish(d, app, name, 'e', '1');
			await c.expect('e', name);
			await cut(c);
			c = await open(d, app, id);
			assert.deepEqual(await enter(c, name, as),
				{ status: 'continued', replayed: 0, events: [] });
			await cut(c);
			await publish(d, app, name, 'e', '2');
			c = await open(d, app, id);
			assert.deepEqual(datas(await enter(c, name, as)), ['2']);
			await c.close();
		});
	}

	test('events to the user who was away', async () => {
		const id = newId();
		const name = '#server-to-user-ann';
		let c = await open(d, app, id);
		await c.signin({ id: 'ann' });
		assert.equal((await c.expect('pusher:resume', name)).status, 'new');
		await cut(c);
		await publish(d, app, name, 'e', 'missed');
		c = await open(d, app, id);
		await c.signin({ id: 'ann' });
		assert.equal(await c.expect('e', name), 'missed');
		assert.deepEqual(await c.expect('pusher:resume', name),
			{ status: 'continued', replayed: 1 });
		await c.close();
	});

	for (const bad of ['short', 'x'.repeat(65), 'spaces%20in%20the%20id%20',
		'with/a/slash/in/it/x', 'ümlautümlautümlaut', ''])
		test(`the id "${bad}" is ignored, and said so`, async () => {
			const c = await Client.connect(d, app,
				{ path: encodeURI(`/app/resume/${bad}/app/${app.key}`) +
					QUERY });
			await c.expectError(null,
				/^resume id ignored: 16 to 64 characters/);
			await c.subscribe('x');
			await c.quiet(50);
			await c.close();
		});

	test('an app without resume says off', async () => {
		const c = await open(d, plain, newId());
		assert.deepEqual(await enter(c, 'x'),
			{ status: 'off', replayed: 0, events: [] });
		await c.close();
	});

	test('a client without a session gets the same as before', async () => {
		const c = await Client.connect(d, app);
		c.keepPings = true;
		await c.subscribe('x');
		await publish(d, app, 'x', 'e', '1');
		assert.equal(await c.expect('e', 'x'), '1');
		await c.quiet(400);
		await c.close();
	});

	test('kill --reconnect: the events sent before are confirmed', async () => {
		const id = newId();
		const c = await open(d, app, id);
		await enter(c, 'kill');
		for (let i = 0; i < 50; i++) await publish(d, app, 'kill', 'e', `${i}`);
		await d.ctlAsync(['connections', 'kill', c.sid, '--reconnect']);
		for (let i = 0; i < 50; i++)
			assert.equal(await c.expect('e', 'kill'), `${i}`);
		await c.expectFatal(4200);
		const again = await open(d, app, id);
		assert.deepEqual(await enter(again, 'kill'),
			{ status: 'continued', replayed: 0, events: [] });
		await again.close();
	});

	test('GET …/events: pages, ids, times, refusals', async () => {
		const id = newId();
		const c = await open(d, app, id);
		await enter(c, 'past');
		const at = `/channels/past/events`;
		assert.deepEqual((await get(d, app, '/channels/none/events')).events,
			[]);
		const before = await get(d, app, at);
		assert.deepEqual(before.events, []);
		for (let i = 0; i < 5; i++) await publish(d, app, 'past', 'e', `${i}`);
		for (let i = 0; i < 5; i++) await c.expect('e', 'past');
		const all = await get(d, app, at,
			{ after: before.last, limit: '3' });
		assert.equal(all.complete, true);
		assert.deepEqual(all.events.map((e) => [e.name, e.data]),
			[['e', '0'], ['e', '1'], ['e', '2']]);
		assert.equal(all.last, all.events[2].id);
		const rest = await get(d, app, at, { after: all.last });
		assert.deepEqual(rest.events.map((e) => e.data), ['3', '4']);
		assert.ok(Math.abs(rest.events[0].time_ms - Date.now()) < 60000);
		const since = await get(d, app, at,
			{ since: String(all.events[0].time_ms) });
		assert.equal(since.events.length, 5);
		const other = await get(d, app, at,
			{ after: '00000000000000ff-3' });
		assert.equal(other.complete, false);
		for (const query of [{ after: 'x' }, { after: '-1' }, { limit: '0' },
			{ limit: '1001' }, { since: 'now' },
			{ after: `${all.last}0000000000000000000000` }])
			assert.equal((await api(d, app, 'GET', at, { query })).status,
				400, JSON.stringify(query));
		const off = await api(d, plain, 'GET', at);
		assert.equal(off.status, 400);
		assert.match(off.text, /resume=on/);
		await c.close();
	});

	for (const kind of Object.values(VERSIONS))
		test(`${kind}, unmodified, by its option wsPath`, async () => {
			const Pusher = require(kind);
			const id = newId();
			const p = new Pusher(app.key, { wsHost: '127.0.0.1',
				wsPort: d.port, wssPort: d.port, forceTLS: Boolean(d.tls),
				enabledTransports: ['ws', 'wss'], cluster: 'x',
				disableStats: true, wsPath: `/app/resume/${id}` });
			const got = [];
			const words = [];
			const channel = p.subscribe(`lib-${kind}`);
			channel.bind('e', (data) => got.push(data));
			channel.bind('pusher:resume', (s) => words.push(s));
			await until('the first word', () => words.length === 1);
			assert.equal(words[0].status, 'new');
			const sid = p.connection.socket_id;
			await confirmed(d, id);
			await d.ctlAsync(['connections', 'kill', sid, '--reconnect']);
			await publish(d, app, `lib-${kind}`, 'e', '1');
			await publish(d, app, `lib-${kind}`, 'e', '2');
			await until('what was missed', () => words.length === 2, 20000);
			assert.equal(words[1].status, 'continued');
			await until('both', () => got.length >= 2);
			assert.deepEqual(got, [1, 2]);
			p.disconnect();
		});

	test('pusherctl sessions', async () => {
		const id = newId();
		const c = await open(d, app, id);
		await enter(c, 'listed');
		await settled(c);
		const find = () => d.ctl(['sessions', app.id])
			.find((s) => s.session === id);
		let s = find();
		assert.equal(s.state, 'connected');
		assert.equal(s.socket_id, c.sid);
		assert.equal(s.channels, 1);
		assert.ok(s.confirmed > 0);
		c.reset();
		s = await until('its parting', () => {
			const now = find();
			return now.state === 'away' && now;
		});
		assert.equal(s.app, app.id);
		assert.ok(!d.ctl(['sessions', plain.id]).length);
	});

	test('a pong of another payload is only a sign of life', async () => {
		const id = newId();
		let c = await open(d, app, id);
		c.answerPings = false;
		await enter(c, 'odd');
		for (const p of ['', 'x', 'too long for a position', '\0'.repeat(8),
			'\xff'.repeat(8)])
			c.sendFrame(OP.PONG, Buffer.from(p, 'latin1'));
		await cut(c);
		c = await open(d, app, id);
		assert.equal((await enter(c, 'odd')).reason, 'unconfirmed');
		await c.close();
	});
}, conf);

suite('resume over deaths', (d) => {
	const app = d.app({ resume: 'on' });

	for (const role of ['worker', 'broker'])
		test(`kill -9 of the ${role}: each missed event comes once`,
			async () => {
				d.allow(/link to the broker lost|died|resync|killed/);
				const id = newId();
				let c = await open(d, app, id);
				await enter(c, role);
				await publish(d, app, role, 'e', '0');
				await c.expect('e', role);
				await settled(c);
				if (role === 'broker') c.reset();
				await sleep(100);
				const pids = d.pidsOf(role);
				for (const pid of pids) process.kill(pid, 'SIGKILL');
				await until('new processes', () => {
					const now = d.pidsOf(role);
					return now.length === pids.length &&
						now.every((p) => !pids.includes(p));
				});
				await until('an answer', async () => {
					try {
						await publish(d, app, role, 'e', '1');
						return true;
					} catch { return false; }
				});
				await publish(d, app, role, 'e', '2');
				c = await open(d, app, id);
				const r = await enter(c, role);
				assert.equal(r.status, 'continued');
				assert.deepEqual(datas(r).slice(-2), ['1', '2']);
				assert.ok(!datas(r).includes('0'));
				await c.close();
			});
}, conf);

suite('resume over a restart', (d) => {
	const app = d.app({ resume: 'on' });

	test('log and sessions are kept', async () => {
		let { id, c } = await begin(d, app, 'x');
		await cut(c);
		await publish(d, app, 'x', 'e', '1');
		d.signal('SIGTERM');
		await d.exited;
		d.exit = null;
		await d.start();
		await publish(d, app, 'x', 'e', '2');
		c = await open(d, app, id);
		assert.deepEqual(datas(await enter(c, 'x')), ['1', '2']);
		await c.close();
	});

	test('… also when runtime_dir is gone, as after a reboot', async () => {
		let { id, c } = await begin(d, app, 'x');
		await cut(c);
		await publish(d, app, 'x', 'e', '3');
		for (const n of ['4', '5']) {
			d.signal('SIGTERM');
			await d.exited;
			d.exit = null;
			fs.rmSync(d.conf.runtime_dir, { recursive: true });
			await d.start();
			assert.deepEqual(fs.readdirSync(path.dirname(d.conf.database))
				.filter((name) => /resume/.test(name)),
			['apps.db-resume-sessions']); // the mark of a run
			await publish(d, app, 'x', 'e', n);
		}
		c = await open(d, app, id);
		assert.deepEqual(datas(await enter(c, 'x')), ['3', '4', '5']);
		await c.close();
	});

	test('a damaged log is replaced: one line, and a gap', async () => {
		d.allow(/resume log of app .* damaged/);
		let { id, c } = await begin(d, app, 'x');
		await cut(c);
		d.signal('SIGTERM');
		await d.exited;
		d.exit = null;
		const file = fs.readdirSync(d.conf.runtime_dir)
			.find((name) => name.endsWith('.log'));
		const fd = fs.openSync(path.join(d.conf.runtime_dir, file), 'r+');
		fs.writeSync(fd, 'damaged', 4096 + 20);
		fs.closeSync(fd);
		await d.start();
		c = await open(d, app, id);
		assert.deepEqual(await enter(c, 'x'),
			{ status: 'gap', reason: 'restarted', events: [] });
		await publish(d, app, 'x', 'e', '1');
		await c.expect('e', 'x');
		assert.equal(d.logLines().filter((l) => /damaged/.test(l)).length, 1);
		await c.close();
	});
}, conf);
