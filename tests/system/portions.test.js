// SPDX-License-Identifier: MIT
//
// The work that a death leaves is done in portions: nobody waits for it,
// and nobody is closed for it.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, SLOW, becomes, sleep, until } = require('./lib/daemon');
const { api, publish } = require('./lib/http');

const LOADED = { max_backend_events_per_second: 0,
	max_client_events_per_second: 0, max_subscriptions: 100000 };
const CHANNELS = SLOW > 1 ? 10000 : 50000;

// Two clients on one worker of two, and n on the other one.
async function onTwoWorkers(d, app, n) {
	const calm = await Client.connect(d, app);
	const others = [];
	while (others.length < n) {
		const c = await Client.connect(d, app);
		if (c.worker === calm.worker) c.sock.destroy();
		else others.push(c);
	}
	return { calm, others, worker: others[0].worker };
}

// Subscribes to n channels, some at a time.
async function fill(c, n, name) {
	let seen = 0, rest = '';
	c.onData = (b) => {
		rest += b.toString('latin1');
		const parts = rest.split('subscription_succeeded');
		seen += parts.length - 1;
		rest = parts.at(-1).slice(-21);
	};
	for (let i = 0; i < n; i += 500) {
		for (let k = i; k < i + 500; k++) c.sendSubscribe(name(k));
		await until('answers', () => seen >= i + 500, 30000);
	}
}

test(`L7: a worker dies with ${CHANNELS} channels: nobody waits, counts are ` +
	'right at once', async (t) => {
	const d = new Daemon({ workers: 2, crash_grace: 1 });
	const app = d.app(LOADED);
	await d.start();
	d.allow(/worker \d was killed|worker \d: /);
	const { calm, others, worker } = await onTwoWorkers(d, app, 10);
	await Promise.all(others.map((c, k) => fill(c, CHANNELS / 10,
		(i) => `c-${k}-${i}`)));
	await calm.subscribe('c-0-7');
	await calm.subscribe('calm');
	const member = await Client.connect(d, app);
	await member.join('presence-p', `u-${member.worker === worker}`);
	await calm.join('presence-p', 'calm');
	await sleep(500); // counts are told
	calm.frames.length = 0;
	process.kill(worker, 'SIGKILL');
	let worst = 0;
	const end = performance.now() + 3000;
	for (let i = 0; performance.now() < end; i++) {
		const at = performance.now();
		await publish(d, app, 'calm', 'e', `${i}`).catch((e) => {
			if (i > 3) throw e; // by a connection to the dead one
		});
		worst = Math.max(worst, performance.now() - at);
		if (i === 1) {
			for (const [name, n] of [['c-0-7', 1], ['c-3-8', 0]]) {
				await becomes(async () => (await api(d, app, 'GET',
					`/channels/${name}`)).json.occupied, n > 0);
			}
			const { json } = await api(d, app, 'GET', '/channels');
			assert.ok(Object.keys(json.channels).length <= 4,
				JSON.stringify(json).slice(0, 300));
		}
		await sleep(2);
	}
	t.diagnostic(`slowest publish ${worst.toFixed(0)} ms`);
	assert.ok(worst < 1000 * SLOW);
	const back = await until('the worker is back', async () => {
		const c = await Client.connect(d, app).catch(() => null);
		if (c && c.worker !== calm.worker) return c;
		c?.sock.destroy();
		return null;
	});
	await back.subscribe('c-0-7');
	await until('two', async () => {
		const c = d.ctl(['channel', app.id, 'c-0-7']);
		return JSON.stringify(c).includes('2');
	});
	for (const c of [back, calm, member, ...others]) c.sock.destroy();
	await d.stop();
});

test('L3: 1,600 subscribes to a channel of 99 members are pending while the ' +
	'broker dies', async (t) => {
	const d = new Daemon({ workers: 2, client_buffer: 4 << 20 });
	const app = d.app({ ...LOADED, max_presence_members: 100 });
	await d.start();
	d.allow(/broker was killed|link to the broker lost/);
	const n = SLOW > 1 ? 300 : 1600;
	const members = await Client.several(d, app, 99);
	for (const [i, c] of members.entries()) {
		c.onData = () => {};
		c.sendSubscribe('presence-l3', { data: { user_id: `u${i}`,
			user_info: { x: 'y'.repeat(900) } } });
	}
	const calm = await Client.connect(d, app);
	await calm.subscribe('calm');
	const all = await Client.several(d, app, n);
	const [broker] = d.pidsOf('broker');
	await until('members', async () => (await api(d, app, 'GET',
		'/channels/presence-l3', { query: { info: 'user_count' } }))
		.json.user_count === 99);
	process.kill(broker, 'SIGSTOP');
	const answered = all.map((c) => {
		const s = { ok: false };
		c.onData = (b) => {
			s.ok ||= b.includes('subscription_succeeded');
		};
		return s;
	});
	for (const [i, c] of all.entries())
		c.sendSubscribe('presence-l3', { data: { user_id: `u${i % 99}` } });
	await sleep(300);
	const at = performance.now();
	process.kill(broker, 'SIGKILL');
	await until('all answers', () => answered.every((s, i) =>
		s.ok || all[i].gone), 30000);
	t.diagnostic(`answers after ${(performance.now() - at).toFixed(0)} ms`);
	await publish(d, app, 'calm', 'e', '1');
	assert.equal(await calm.expect('e', 'calm'), '1');
	assert.ok([...all, ...members, calm].every((c) => !c.gone), 'nobody is closed');
	for (const c of [...all, ...members, calm]) c.sock.destroy();
	await d.stop();
});
