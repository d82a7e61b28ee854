// SPDX-License-Identifier: MIT
//
// X-Pusherd-Confirm: a publish over HTTP waits until its subscribers confirm,
// and says how many did, how many did not, and how many have no session.
'use strict';

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { promisify } = require('node:util');
const Pusher = require('pusher');
const { Client } = require('./lib/client');
const { Daemon, SLOW, sleep, until } = require('./lib/daemon');
const { needs } = require('./lib/deps');
const { Http } = require('./lib/http');
const { newId, open, enter } = require('./lib/resume');
const { signedTarget } = require('./lib/sign');
const { suite } = require('./lib/suite');

const WAIT = 'X-Pusherd-Confirm';

async function send(d, app, body, wait, more = {}) {
	const h = await Http.connect(d);
	const r = await h.api(app, 'POST', Array.isArray(body) ? '/batch_events'
		: '/events', { body: Array.isArray(body) ? { batch: body }
		: { name: 'e', data: '{}', ...body },
	headers: { ...(wait && { [WAIT]: wait }), ...more } });
	h.sock.destroy();
	return r;
}

const counts = (confirmed, open_, without_session) =>
	({ confirmed, open: open_, without_session });

suite('receipts', (d) => {
	const app = d.app({ resume: 'on' });
	const plain = d.app();

	test('confirmed, open, without a session, for each channel', async () => {
		const all = [];
		for (let i = 0; i < 3; i++) all.push(await open(d, app, newId()));
		const mute = await open(d, app, newId(), { answerPings: false });
		mute.answerPings = false;
		const none = await Client.connect(d, app);
		for (const c of [...all, mute]) await enter(c, 'c');
		await enter(all[0], 'other');
		await none.subscribe('c');
		const began = Date.now();
		let r = await send(d, app, { channels: ['c', 'other', 'empty'],
			info: 'subscription_count' }, '600ms');
		assert.equal(r.status, 200, r.text);
		assert.deepEqual(r.json.channels, {
			c: { subscription_count: 5, ...counts(3, 1, 1) },
			other: { subscription_count: 1, ...counts(1, 0, 0) },
			empty: { subscription_count: 0, ...counts(0, 0, 0) } });
		assert.ok(Date.now() - began >= 550, 'the open one is waited for');
		assert.ok(r.json.waited_ms >= 550, r.text);
		// Nobody is open: it does not wait.
		r = await send(d, app, { channel: 'other' }, '8s');
		assert.deepEqual(r.json.channels, { other: counts(1, 0, 0) });
		assert.ok(r.json.waited_ms < 5000 * SLOW, r.text);
		// The sender is in no count.
		r = await send(d, app, { channel: 'c', socket_id: mute.sid }, '8s');
		assert.deepEqual(r.json.channels, { c: counts(3, 0, 1) });
		r = await send(d, app, { channel: 'c', socket_id: none.sid }, '500ms');
		assert.deepEqual(r.json.channels, { c: counts(3, 1, 0) });
		// Without the header nothing is said.
		r = await send(d, app, { channel: 'c' });
		assert.equal(r.text, '{}');
		for (const c of [...all, mute, none]) c.destroy();
	});

	test('a batch, and an app without resume', async () => {
		const c = await open(d, app, newId());
		await enter(c, 'b1');
		const r = await send(d, app, [{ name: 'e', channel: 'b1', data: '1' },
			{ name: 'e', channel: 'b2', data: '1', info: 'event_id' },
			{ name: 'e', channel: 'b1', data: '2' }], '8s');
		assert.equal(r.status, 200, r.text);
		assert.match(r.json.batch[1].event_id, /^[0-9a-f]{16}-\d+$/);
		delete r.json.batch[1].event_id;
		assert.deepEqual(r.json.batch, [counts(1, 0, 0), counts(0, 0, 0),
			counts(1, 0, 0)]);
		const other = await Client.connect(d, plain);
		await other.subscribe('p');
		assert.deepEqual((await send(d, plain, { channel: 'p' }, '8s'))
			.json.channels, { p: counts(0, 0, 1) });
		for (const x of [c, other]) x.destroy();
	});

	test('bad times: the limit, the value and the remedy', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('bad');
		for (const bad of ['', '0s', '9s', '8001ms', '2', '-1s', 's', 'ms',
			'1.5s', '2 s', '1s, 2s', '"><script>', '99999999999999999999s']) {
			const r = await send(d, app, { channel: 'bad' }, bad || ' ');
			assert.equal(r.status, 400, bad);
			assert.equal(r.json.error, `X-Pusherd-Confirm is "${bad}": must ` +
				'be a time like 500ms or 2s, up to 8s');
		}
		assert.deepEqual(await c.sync(), [], 'nothing was published');
		for (const good of ['1ms', '8000ms', '8s'])
			assert.equal((await send(d, app, { channel: 'x' }, good)).status,
				200);
		c.destroy();
	});

	test('a client that comes back while the request waits', async () => {
		const id = newId();
		const c = await open(d, app, id);
		await enter(c, 'back');
		await send(d, app, { channel: 'back' }, '8s');
		c.answerPings = false;
		const asked = send(d, app, { channel: 'back' }, '8s');
		await c.expect('e', 'back');
		await c.expect('e', 'back');
		const again = await open(d, app, id);
		await sleep(300); // alive, but it has not entered the channel
		assert.equal((await enter(again, 'back')).replayed, 1);
		const r = await asked;
		assert.deepEqual(r.json.channels, { back: counts(1, 0, 0) });
		for (const x of [c, again]) x.destroy();
	});

	test('idempotency key, pipelined requests, a client that leaves', async () => {
		const c = await open(d, app, newId());
		await enter(c, 'idem');
		const key = { 'X-Idempotency-Key': newId() };
		const [one, two] = await Promise.all([1, 2].map(() =>
			send(d, app, { channel: 'idem' }, '8s', key)));
		assert.deepEqual(one.json, two.json, 'one of them is a repeat');
		assert.deepEqual(one.json.channels, { idem: counts(1, 0, 0) });
		assert.equal((await c.sync()).filter((m) => m.event === 'e').length, 1);
		c.answerPings = false;
		const h = await Http.connect(d);
		const ask = (method, path, text, headers) => h.request(method,
			signedTarget(app, method, `/apps/${app.id}${path}`,
				{ body: text }), text, headers);
		const text = JSON.stringify({ name: 'e', data: '1', channel: 'idem' });
		await ask('POST', '/events', text, { [WAIT]: '400ms' });
		await ask('GET', '/channels/idem');
		assert.deepEqual((await h.answer()).json.channels,
			{ idem: counts(0, 1, 0) });
		assert.equal((await h.answer()).json.occupied, true);
		// It leaves; the server goes on.
		await ask('POST', '/events', text, { [WAIT]: '5s' });
		await sleep(100);
		h.sock.destroy();
		c.destroy();
		assert.equal((await send(d, app, { channel: 'idem' }, '100ms')).status,
			200);
	});
});

test('receipts: one app that fills its share leaves room for others',
	async () => {
		const d = new Daemon({ workers: 2 });
		const [greedy, other] = [d.app({ resume: 'on' }),
			d.app({ resume: 'on' })];
		await d.start();
		const mute = await open(d, greedy, newId());
		await enter(mute, 'c');
		mute.answerPings = false;
		const c = await open(d, other, newId());
		await enter(c, 'c');
		const many = Array.from({ length: 560 }, () =>
			send(d, greedy, { channel: 'c' }, '8s'));
		await until('its share is full', async () => 'not_confirmed' in
			(await send(d, greedy, { channel: 'c' }, '1ms')).json, 7900);
		assert.deepEqual((await send(d, other, { channel: 'c' }, '8s'))
			.json.channels, { c: counts(1, 0, 0) });
		const answers = await Promise.all(many);
		assert.ok(answers.every((r) => r.status === 200));
		const refused = answers.filter((r) => r.json.not_confirmed);
		assert.ok(refused.length >= 560 - 512 && refused.length < 200,
			`${refused.length}`);
		assert.match(refused[0].json.not_confirmed, /1,024/);
		assert.deepEqual(refused[0].json.channels, { c: {} });
		for (const x of [mute, c]) x.destroy();
		await d.stop();
	});

test('receipts: an app whose clients wait for their pings delays no other',
	async () => {
		const d = new Daemon({ workers: 1, resume_acks_per_second: 50 });
		const [many, few] = [d.app({ resume: 'on' }), d.app({ resume: 'on' })];
		await d.start();
		const all = await Promise.all(Array.from({ length: 300 }, () =>
			open(d, many, newId())));
		await Promise.all(all.map((c) => enter(c, 'c')));
		const c = await open(d, few, newId());
		await enter(c, 'c');
		// It takes 6 s to ask all of them, and then they have something new.
		const noise = setInterval(() => send(d, many, { channel: 'c' }), 100);
		await sleep(1000);
		for (let i = 0; i < 3; i++) {
			const r = await send(d, few, { channel: 'c' }, '2s');
			assert.deepEqual(r.json.channels, { c: counts(1, 0, 0) }, r.text);
		}
		clearInterval(noise);
		for (const x of [...all, c]) x.destroy();
		await d.stop();
	});

test('receipts: the id of an event that has waited behind 1,100 others',
	async () => {
		const d = new Daemon({ workers: 2 });
		const app = d.app({ resume: 'on' });
		await d.start();
		const mute = await open(d, app, newId());
		await enter(mute, 'c');
		mute.answerPings = false;
		const asked = send(d, app, { channel: 'c', info: 'event_id' }, '4s');
		await mute.expect('e', 'c');
		const h = await Http.connect(d);
		for (let i = 0; i < 110; i++)
			assert.equal((await h.api(app, 'POST', '/batch_events', { body: {
				batch: Array.from({ length: 10 }, () =>
					({ name: 'e', channel: 'c', data: '{}' })) } })).status,
			200);
		const r = await asked;
		const first = await h.api(app, 'GET', '/channels/c/events',
			{ query: { limit: '1', since: '1' } });
		assert.equal(r.json.channels.c.event_id, first.json.events[0].id,
			r.text);
		h.end();
		mute.destroy();
		await d.stop();
	});

test('receipts: the broker dies, a worker dies', async () => {
	const d = new Daemon({ workers: 2 });
	const app = d.app({ resume: 'on' });
	d.allow(/was killed by signal|another one in|broker/);
	await d.start();
	const all = await Client.onEachWorker(d, app);
	const here = await Http.connect(d);
	for (const c of all) await c.subscribe('c');
	const keep = all.find((c) => c.worker !== here.worker);
	const body = { name: 'e', data: '1', channel: 'c' };
	// Its worker is stopped: nobody says who got the event.
	process.kill(keep.worker, 'SIGSTOP');
	const asked = here.api(app, 'POST', '/events',
		{ body, headers: { [WAIT]: '700ms' } });
	assert.deepEqual((await asked).json.channels, { c: counts(0, 1, 1) });
	const later = here.api(app, 'POST', '/events',
		{ body, headers: { [WAIT]: '6s' } });
	const seen = all.find((c) => c !== keep);
	for (let i = 0; i < 2; i++) await seen.expect('e', 'c');
	process.kill(keep.worker, 'SIGKILL');
	const r = await later;
	assert.deepEqual(r.json.channels, { c: counts(0, 1, 1) });
	assert.ok(r.json.waited_ms < 5500, 'a dead worker is not waited for');
	// The event is accepted; how many confirmed is not known.
	const mute = await open(d, app, newId());
	await enter(mute, 'm');
	mute.answerPings = false;
	const lost = here.api(app, 'POST', '/events', { body: { ...body,
		channel: 'm' }, headers: { [WAIT]: '6s' } });
	await mute.expect('e', 'm');
	process.kill(d.pidsOf('broker')[0], 'SIGKILL');
	const answer = await lost;
	assert.equal(answer.status, 200, answer.text);
	assert.deepEqual(answer.json, { channels: {} });
	for (const x of [...all, mute]) x.destroy();
	here.sock.destroy();
	await d.stop();
});

test('receipts.md: curl, Node.js and PHP, as they stand there', async () => {
	needs('laravel');
	const d = new Daemon({ workers: 2 });
	const app = d.app({ resume: 'on' });
	await d.start();
	const c = await open(d, app, newId());
	await enter(c, 'orders.7');
	const page = fs.readFileSync(path.resolve(__dirname,
		'../../etc/doc/receipts.md'), 'utf8');
	const code = (kind) => new RegExp(`\`\`\`${kind}\n(.*?)\n\`\`\``, 's')
		.exec(page)[1];
	const URL = `http://127.0.0.1:${d.port}`;
	const want = { 'orders.7': counts(1, 0, 0) };
	const run = (...command) => promisify(execFile)(...command, {
		env: { ...process.env, URL, ID: app.id, KEY: app.key,
			SECRET: app.secret, no_proxy: '*' } });
	const { stdout } = await run('sh', ['-c', code('sh')]);
	assert.deepEqual(JSON.parse(stdout).channels, want);
	const php = await run('php', ['-r', `[$url, $id, $key, $secret] = array_map(
		'getenv', ['URL', 'ID', 'KEY', 'SECRET']); ${code('php')}`]);
	assert.deepEqual(php, { stdout: '1', stderr: '' });
	const node = new Function('ID', 'URL', 'pusher', 'fetch', `return (async () =>
		{ ${code('js')}; return channels; })()`);
	const pusher = new Pusher({ appId: app.id, key: app.key,
		secret: app.secret, host: '127.0.0.1', port: d.port });
	assert.deepEqual(await node(app.id, URL, pusher, fetch), want);
	for (let n = 0; n < 3; n++)
		assert.equal(await c.expect('order', 'orders.7'), '{"id":7}');
	c.destroy();
	await d.stop();
});
