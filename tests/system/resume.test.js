// SPDX-License-Identifier: MIT
//
// Resume: a client that names its session gets what it missed, once and in
// order, or is told that there is a gap.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { test } = require('node:test');
const { Client, OP } = require('./lib/client');
const { sleep, until, SLOW } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { suite } = require('./lib/suite');

const newId = () => crypto.randomUUID();
const QUERY = '?protocol=7&client=js&version=8.6.0&flash=false';
const FORMS = {
	'/app/resume/ID/app/KEY': (id, key) => `/app/resume/${id}/app/${key}`,
	'/resume/ID/app/KEY': (id, key) => `/resume/${id}/app/${key}`,
	'/app/KEY;resume=ID': (id, key) => `/app/${key};resume=${id}`,
};
const pathOf = (id, app) =>
	FORMS['/app/resume/ID/app/KEY'](id, app.key) + QUERY;

const open = (d, app, id, how = {}) =>
	Client.connect(d, app, { path: pathOf(id, app), ...how });

// Confirmation, what was replayed, and the word about it.
async function enter(c, channel, how) {
	await c.subscribe(channel, how);
	const events = [];
	for (;;) {
		const m = await c.next(undefined, 'pusher:resume');
		if (m.event === 'pusher:resume') {
			assert.equal(m.channel, channel);
			return { ...JSON.parse(m.data), events };
		}
		assert.equal(m.channel, channel);
		events.push(m);
	}
}

// The server has read its last pong.
const settled = async (c) => { await c.sync(); await sleep(120 * SLOW); };
const datas = (r) => {
	assert.equal(r.status, 'continued', JSON.stringify(r));
	return r.events.map((m) => m.data);
};

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
			await settled(c);
			c.reset();
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
		const id = newId();
		let c = await open(d, app, id);
		await enter(c, 'quiet');
		await settled(c);
		c.reset();
		await publish(d, app, 'quiet', 'e', 'x');
		c = await open(d, app, id);
		assert.deepEqual(datas(await enter(c, 'quiet')), ['x']);
		await c.close();
	});

	test('channels that are new in the session, and that were left',
		async () => {
			const id = newId();
			let c = await open(d, app, id);
			await enter(c, 'one');
			await enter(c, 'two');
			c.unsubscribe('two');
			await settled(c);
			c.reset();
			for (const name of ['one', 'two', 'three'])
				await publish(d, app, name, 'e', name);
			c = await open(d, app, id);
			assert.deepEqual(datas(await enter(c, 'one')), ['one']);
			assert.equal((await enter(c, 'two')).status, 'new');
			assert.equal((await enter(c, 'three')).status, 'new');
			await c.close();
		});

	test('a channel that is subscribed later keeps its place', async () => {
		const id = newId();
		let c = await open(d, app, id);
		await enter(c, 'early');
		await enter(c, 'late');
		await settled(c);
		c.reset();
		await publish(d, app, 'late', 'e', '1');
		c = await open(d, app, id);
		await enter(c, 'early');
		await publish(d, app, 'early', 'e', 'x');
		await c.expect('e', 'early');
		await settled(c);
		c.reset();
		await publish(d, app, 'late', 'e', '2');
		c = await open(d, app, id);
		assert.deepEqual(datas(await enter(c, 'late')), ['1', '2']);
		await c.close();
	});

	test('what it has sent itself does not come back', async () => {
		const id = newId();
		let c = await open(d, app, id);
		await enter(c, 'mine');
		await settled(c);
		const { sid } = c;
		c.reset();
		await publish(d, app, 'mine', 'e', 'others');
		await publish(d, app, 'mine', 'e', 'own', { socket_id: sid });
		c = await open(d, app, id);
		assert.deepEqual(datas(await enter(c, 'mine')), ['others']);
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
			await settled(c);
			c.reset();
			c = await open(d, app, id);
			assert.deepEqual(await enter(c, name, as),
				{ status: 'continued', replayed: 0, events: [] });
			await settled(c);
			c.reset();
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
		await settled(c);
		c.reset();
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

	test('who names no session gets what it always got', async () => {
		const c = await Client.connect(d, app);
		c.keepPings = true;
		await c.subscribe('x');
		await publish(d, app, 'x', 'e', '1');
		assert.equal(await c.expect('e', 'x'), '1');
		await c.quiet(400);
		await c.close();
	});

	test('kill --reconnect: what was sent is confirmed before', async () => {
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

	test('a pong of another payload is only a sign of life', async () => {
		const id = newId();
		let c = await open(d, app, id);
		c.answerPings = false;
		await enter(c, 'odd');
		for (const p of ['', 'x', 'too long for a position', '\0'.repeat(8),
			'\xff'.repeat(8)])
			c.sendFrame(OP.PONG, Buffer.from(p, 'latin1'));
		await settled(c);
		c.reset();
		c = await open(d, app, id);
		assert.equal((await enter(c, 'odd')).reason, 'unconfirmed');
		await c.close();
	});
}, conf);

suite('resume over deaths', (d) => {
	const app = d.app({ resume: 'on' });

	for (const role of ['worker', 'broker'])
		test(`kill -9 of the ${role}: what was missed comes, once`,
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
