// SPDX-License-Identifier: MIT
//
// pusherctl tail, subscribe and sign: events in the terminal, as they pass the
// broker and as a client sees them.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const vectors = require('../vectors.json').vectors;
const { Client, closeAll } = require('./lib/client');
const { sleep, until } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { Running } = require('./lib/running');
const { channelAuth, userAuth } = require('./lib/sign');
const { suite } = require('./lib/suite');

// A tail that listens already: it has shown the last one of some events.
async function tail(d, app, ...args) {
	const t = new Running(d, ['tail', ...args]);
	await until('the tail to listen', async () => {
		await publish(d, app, 'probe', 'probe', '');
		await sleep(20);
		return t.out.includes('"probe"');
	});
	await publish(d, app, 'probe', 'last-probe', '');
	await until('the last', () => /"last-probe".*\n/.test(t.out));
	t.out = '';
	return t;
}

suite('terminal', (d) => {
	const app = d.app({ client_events: 'on', subscription_count: 'on' });
	const other = d.app();

	test('tail: every event, also without subscribers, of every app',
		async () => {
			const t = await tail(d, app);
			await publish(d, app, 'a', 'one', '{"n":1}');
			await publish(d, other, 'b', 'two', 'x');
			await t.have(2);
			d.ctl(['publish', app.id, 'c', 'three', 'é"\u0001']);
			const rows = await t.have(3);
			assert.deepEqual(rows.map((r) => [r.kind, r.app, r.channel,
				r.event, r.data]), [
				['event', app.id, 'a', 'one', '{"n":1}'],
				['event', other.id, 'b', 'two', 'x'],
				['event', app.id, 'c', 'three', 'é"\u0001']]);
			for (const r of rows)
				assert.ok(Math.abs(Date.now() - r.time_ms) < 60000);
			await t.stop();
		});

	test('tail: of an app, of channels by name and pattern', async () => {
		const t = await tail(d, app, app.id, '*o*');
		for (const [a, name] of [[app, 'probe-2'], [other, 'foo'],
			[app, 'room'], [app, 'xyz'], [app, 'o']])
			await publish(d, a, name, 'e', '');
		assert.deepEqual((await t.have(3)).map((r) => r.channel),
			['probe-2', 'room', 'o']);
		await t.stop();
	});

	test('tail: --events, --grep, --limit', async () => {
		const t = new Running(d, ['tail', app.id, '--events', 'order-*,paid',
			'--grep', '^order-new .*"n":[0-9]+|^paid ', '--limit', '2']);
		await until('two to be shown', async () => {
			for (const [event, data] of [['order-new', '{"n":x}'],
				['other', '{"n":1}'], ['order-old', '{"n":1}'],
				['order-new', '{"n":12}'], ['paid', '']])
				await publish(d, app, 'shop', event, data);
			await sleep(20);
			return t.code !== undefined;
		});
		assert.equal(t.code, 0, t.err);
		assert.deepEqual(t.rows.map((r) => r.event).sort(),
			['order-new', 'paid']);
	});

	test('tail: client events; the server\'s own with --own', async () => {
		const t = await tail(d, app, app.id, '--own');
		const [a, b] = await Client.several(d, app, 2);
		await a.join('presence-p', 'ann');
		await b.join('presence-p', 'bob');
		a.trigger('presence-p', 'client-hi', { n: 1 });
		await until('the client event', () => t.out.includes('client-hi'));
		const hi = t.rows.find((r) => r.event === 'client-hi');
		assert.equal(hi.kind, 'client');
		assert.equal(hi.user_id, 'ann');
		assert.ok(t.rows.some((r) => r.kind === 'own' &&
			r.event === 'pusher_internal:member_added'), t.out);
		await closeAll([a, b]);
		await t.stop();
		const u = await tail(d, app, app.id);
		const c = await Client.connect(d, app);
		await c.join('presence-q', 'ann');
		await c.close();
		await publish(d, app, 'last', 'e', '');
		assert.equal((await u.have(1))[0].channel, 'last');
		await u.stop();
	});

	test('tail as text: control bytes are harmless', async () => {
		const t = new Running(d, ['tail', '--limit', '1', '--events', 'esc'],
			false);
		await until('a line', async () => {
			await publish(d, app, 'a', 'esc', '\u001b[2J\u0000x');
			return t.code !== undefined;
		});
		assert.match(t.out, new RegExp(
			`^\\d\\d:\\d\\d:\\d\\d\\.\\d{3} ${app.id} a esc ` +
			'\\\\x1b\\[2J\\\\x00x\\n$'));
	});

	test('a tail that does not read misses events, is told, and slows nobody',
		async () => {
			const t = await tail(d, app, app.id, '*o*');
			t.p.kill('SIGSTOP');
			const c = await Client.connect(d, app);
			await c.subscribe('flood');
			const begin = Date.now();
			const n = 600;
			for (let i = 0; i < n; i++) {
				await publish(d, app, 'flood', 'e', 'x'.repeat(8000));
				await c.next();
			}
			const took = Date.now() - begin;
			t.p.kill('SIGCONT');
			await until('the count', () => /"missed":\d+/.test(t.out));
			await publish(d, app, 'flood', 'end', '');
			await until('it goes on', () => t.out.includes('"end"'));
			const missed = t.rows.reduce((s, r) => s + (r.missed ?? 0), 0);
			const shown = t.rows.filter((r) => r.event === 'e').length;
			assert.equal(missed + shown, n);
			assert.ok(missed > 0 && shown > 0, `${missed} ${shown} ${took}`);
			await c.close();
			await t.stop();
		});

	test('tail: wrong usage', () => {
		for (const [args, re] of [[['--grep', '('], /not a regular expression/],
			[['--limit', '0'], /above 0/]]) {
			const r = d.ctlRaw(['tail', ...args]);
			assert.equal(r.code, 2);
			assert.match(r.err, re);
		}
		assert.equal(d.ctlRaw(['tail', 'nobody']).code, 1);
	});

	test('subscribe: a client for public, private and presence channels',
		async () => {
			const s = new Running(d, ['subscribe', app.id, 'news',
				'private-p', 'presence-r', '--user', 'ann', '--info',
				'{"n":1.0}']);
			await until('three confirmations', () =>
				(s.err.match(/subscribed to/g) ?? []).length === 3);
			const [got] = d.ctl(['channel', app.id, 'presence-r']);
			assert.deepEqual(got.members,
				[{ user: 'ann', connections: 1, info: '{"n":1.0}' }]);
			for (const name of ['news', 'private-p', 'presence-r'])
				await publish(d, app, name, 'e', `to ${name}`);
			await until('three events', () => s.rows.filter((r) =>
				r.event === 'e').length === 3);
			assert.deepEqual(s.rows.filter((r) => r.event === 'e')
				.map((r) => [r.channel, r.data]), [
				['news', 'to news'], ['private-p', 'to private-p'],
				['presence-r', 'to presence-r']]);
			const sid = d.ctl(['connections', 'list', app.id, '--channel',
				'presence-r'])[0].socket_id;
			d.ctl(['connections', 'kill', sid]);
			assert.equal(await s.ended, 1);
			assert.match(s.err, /closed by the server: 4009/);
		});

	test('subscribe: --limit ends it; large and many events', async () => {
		const s = new Running(d, ['subscribe', app.id, 'big', '--events', 'e',
			'--limit', '50']);
		await until('it to be there', () => /subscribed/.test(s.err));
		for (let i = 0; i < 50; i++)
			await publish(d, app, 'big', 'e', `${i}${'é'.repeat(4000)}`);
		assert.equal(await s.ended, 0);
		assert.deepEqual(s.rows.map((r) => parseInt(r.data, 10)),
			[...Array(50).keys()]);
	});

	test('subscribe: errors name the cause', async () => {
		for (const [args, code, re] of [
			[[app.id, 'presence-x'], 2, /--user ID/],
			[[app.id, 'a b'], 2, /not a channel that clients join: a channel name is 1 to/],
			[[app.id, 'a', '--info', '{'], 2, /not JSON/],
			[['nobody', 'a'], 1, /app list/],
		]) {
			const r = d.ctlRaw(['subscribe', ...args]);
			assert.equal(r.code, code, r.err);
			assert.match(r.err, re);
		}
		d.ctl(['app', 'disable', other.id]);
		const r = d.ctlRaw(['subscribe', other.id, 'a']);
		assert.equal(r.code, 1);
		assert.match(r.err, /refused.*disabled/);
		d.ctl(['app', 'enable', other.id]);
	});

	test('sign: as the vectors and the server demand', async () => {
		const v = vectors.find((x) => x.kind === 'channel_auth');
		assert.ok(v);
		const c = await Client.connect(d, app);
		const [one] = d.ctl(['sign', app.id, c.sid, 'private-a']);
		assert.deepEqual(one, { auth: channelAuth(app, c.sid, 'private-a') });
		const data = '{"user_id":"é","user_info":{}}';
		const [two] = d.ctl(['sign', app.id, c.sid, 'presence-a', data]);
		assert.deepEqual(two, { auth: channelAuth(app, c.sid, 'presence-a',
			data), channel_data: data });
		const user = '{"id":"ann"}';
		const [three] = d.ctl(['sign', '--user', user, app.id, c.sid]);
		assert.deepEqual(three, { auth: userAuth(app, c.sid, user),
			user_data: user });
		c.sendSignin(three.user_data, three.auth);
		await c.expect('pusher:signin_success');
		await c.subscribe('private-a', { auth: one.auth });
		await c.subscribe('presence-a', { data, auth: two.auth });
		await c.close();
		for (const [args, re] of [
			[[app.id, 'x', 'private-a'], /not a socket id/],
			[[app.id, '1.1', 'public'], /needs no signature/],
			[[app.id, '1.1', 'a b'], /not a channel that clients join: a channel name is 1 to/],
			[[app.id, '1.1'], /CHANNEL, or --user/],
			[[app.id, '1.1', 'presence-a', '7'], /JSON object/],
			[[app.id, '1.1', 'presence-a', '{'], /not JSON/],
			[['--user', user, app.id, '1.1', 'private-a'], /with --user/],
		]) {
			const r = d.ctlRaw(['sign', ...args]);
			assert.equal(r.code, 2, args.join());
			assert.match(r.err, re);
		}
	});
});
