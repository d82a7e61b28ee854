// SPDX-License-Identifier: MIT
//
// Compressed events from the running daemon: whatever a client joins, leaves
// and misses, its one window yields what was published.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { until } = require('./lib/daemon');
const { Http } = require('./lib/http');
const { random } = require('./lib/random');
const { newId, pathOf } = require('./lib/resume');
const { suite } = require('./lib/suite');

const PMD = 'permessage-deflate';
const offer = (text = PMD) => ({ headers: { 'Sec-WebSocket-Extensions': text } });
const CHANNELS = ['a', 'private-b', 'presence-c', 'cache-d',
	'private-encrypted-e'];
const OFFERS = [undefined, PMD, PMD, `${PMD}; client_max_window_bits`, PMD,
	`${PMD}; server_max_window_bits=9`, `${PMD}; server_max_window_bits=12`,
	`${PMD}; server_no_context_takeover`, PMD, PMD];
const STEPS = Number(process.env.TEST_STEPS || 400);

const publisher = async (d, app) => {
	const h = await Http.connect(d);
	return { end: () => h.end(), publish: async (channel, data) => {
		const r = await h.api(app, 'POST', '/events',
			{ body: { name: 'e', channel, data } });
		assert.equal(r.status, 200, r.text);
	} };
};

class Reader {
	constructor(d, app, index) {
		Object.assign(this, { d, app, index, id: index % 2 && newId(),
			offer: OFFERS[index % OFFERS.length], at: new Map() });
	}

	async open() {
		this.c = await Client.connect(this.d, this.app, {
			...(this.id && { path: pathOf(this.id, this.app) }),
			...(this.offer && offer(this.offer)) });
	}

	// Takes what has come: the numbers of a channel's events go up by one.
	take(m, log) {
		if (m.event === 'pusher:resume') {
			const { status } = JSON.parse(m.data);
			assert.notEqual(status, 'off');
			if (status === 'gap') this.at.set(m.channel, null);
			return;
		}
		if (m.event !== 'e') return;
		const n = Number(m.data.slice(0, m.data.indexOf(' ')));
		const last = this.at.get(m.channel);
		assert.notEqual(last, undefined, `not in ${m.channel}`);
		// Replayed or cached events may come twice, but none is left
		// out.
		if (last !== null)
			assert.ok(n === last + 1 || (n <= last &&
				(this.id || m.channel.startsWith('cache-'))),
			`${m.channel}: ${n} behind ${last}`);
		assert.ok(m.data === log[m.channel][n], `${m.channel} ${n} is wrong`);
		this.at.set(m.channel, Math.max(n, last ?? n));
	}

	async sync(log) {
		for (const m of await this.c.sync()) this.take(m, log);
	}

	async subscribe(channel, log) {
		if (!this.at.has(channel)) this.at.set(channel, null);
		this.c.sendSubscribe(channel, channel.startsWith('presence-') ?
			{ data: { user_id: `u${this.index}`,
				user_info: { bio: 'x y '.repeat(300) } } } : {});
		await this.sync(log);
	}
}

// Events that have come to these connections compressed.
const compressed = (all) => all.reduce((sum, r) =>
	sum + (r.c.window?.compressed ?? 0), 0);

suite('compression: events', (d) => {
	const app = d.app();

	test('each window yields the plain stream', async (t) => {
		const app = d.app({ resume: 'on' });
		const seed = Number(process.env.TEST_SEED ||
			Math.floor(Math.random() * 2 ** 31));
		t.diagnostic(`seed ${seed}`);
		const rnd = random(seed).below;
		const log = Object.fromEntries(CHANNELS.map((c) => [c, []]));
		const p = await publisher(d, app);
		const all = OFFERS.map((_, i) => new Reader(d, app, i));
		for (const r of all) await r.open();
		const text = (channel) => {
			const before = log[channel].at(-1)?.replace(/^\d+ /, '') ?? '';
			const kind = rnd(5);
			if (kind === 0 || before === '')
				return JSON.stringify(Array.from({ length: rnd(120) },
					(_, i) => ({ id: rnd(1000), name: `order ${i}` })));
			return kind < 4 ? before.replace(/\d+/, rnd(100)) :
				before.slice(0, rnd(before.length)) + 'é€';
		};
		for (let i = 0; i < STEPS; i++) {
			const r = all[rnd(all.length)];
			const channel = CHANNELS[rnd(CHANNELS.length)];
			const what = rnd(100);
			if (what < 65) {
				const n = log[channel].push(`${log[channel].length} ` +
					text(channel));
				await p.publish(channel, log[channel][n - 1]);
			} else if (what < 82) {
				await r.subscribe(channel, log);
			} else if (what < 86 && r.at.has(channel)) {
				r.c.unsubscribe(channel);
				await r.sync(log);
				r.at.delete(channel);
			} else if (what < 90) {
				await r.sync(log);
				r.c.destroy();
				await r.open();
				if (!r.id) r.at.clear();
				for (const ch of [...r.at.keys()]) await r.subscribe(ch, log);
			} else if (what === 90) {
				d.ctl(['app', 'set', app.id,
					`compression=${rnd(3) ? 'on' : 'off'}`]);
			} else {
				await r.sync(log);
			}
		}
		// How many were compressed so far is a matter of the seed.
		d.ctl(['app', 'set', app.id, 'compression=on']);
		for (const r of all) await r.subscribe('a', log);
		const before = compressed(all);
		await until('compressed events', async () => {
			for (const channel of CHANNELS) {
				const n = log[channel].push(`${log[channel].length} ` +
					'the end '.repeat(100));
				await p.publish(channel, log[channel][n - 1]);
			}
			for (const r of all) await r.sync(log);
			return compressed(all) > before;
		});
		for (const r of all)
			await until('the end', async () => {
				await r.sync(log);
				return [...r.at].every(([ch, n]) =>
					n === null || n === log[ch].length - 1);
			});
		for (const r of all)
			if (!r.offer) assert.equal(r.c.window, undefined);
		await closeAll(all.map((r) => r.c));
		p.end();
	});

	const state = (i) => JSON.stringify({ i, rows: Array.from({ length: 60 },
		(_, k) => ({ id: k * 7919, name: `order ${k * k % 97}` })) });
	const worker = (n) => Client.several(d, app, n, offer());

	test('a state with one change is a few bytes for everybody', async () => {
		const all = await worker(20);
		for (const c of all) await c.subscribe('state');
		const p = await publisher(d, app);
		for (let i = 0; i < 10; i++) await p.publish('state', state(i));
		for (const c of all) {
			for (let i = 0; i < 10; i++)
				assert.equal(await c.expect('e', 'state'), state(i));
			assert.equal(c.window.compressed, 10);
			assert.ok(c.sock.bytesRead < 10 * state(0).length / 3,
				String(c.sock.bytesRead));
		}
		const [got] = d.ctl(['connections', 'show', all[0].sid]);
		assert.equal(got.connection.compression,
			`${PMD}; client_no_context_takeover`);
		assert.ok(got.connection.bytes_saved > 6 * state(0).length);
		p.end();
		await closeAll(all);
	});

	test('a small or an encrypted message is plain', async () => {
		const [a, b] = await Client.onEachWorker(d, app, offer());
		const all = b ? [a, b] : [a];
		const p = await publisher(d, app);
		for (const c of all) {
			await c.signin({ id: 'bob', bio: 'x'.repeat(900) });
			await c.subscribe('alone');
			await c.subscribe('private-encrypted-z');
		}
		await p.publish('alone', 'x'.repeat(400));
		await p.publish('private-encrypted-z', 'x'.repeat(4000));
		for (const c of all) {
			await c.expect('e', 'alone');
			await c.expect('e', 'private-encrypted-z');
			assert.equal(c.window.compressed, 0);
		}
		await p.publish('alone', 'x'.repeat(600));
		for (const c of all) {
			await c.expect('e', 'alone');
			assert.equal(c.window.compressed, 1);
		}
		p.end();
		await closeAll(all);
	});

	test('a long list of members is compressed, a short one is not', async () => {
		const join = (c, i) => c.join('presence-long', `u${i}`,
			{ name: `user ${i}`, role: 'member of the house' });
		const all = await worker(25);
		for (const [i, c] of all.entries()) await join(c, i);
		const [c] = await worker(1);
		const list = await join(c, 99);
		assert.equal(list.count, 26);
		assert.equal(c.window.compressed, 1);
		const [short] = await worker(1);
		await short.join('presence-short', 'u');
		assert.equal(short.window.compressed, 0);
		await closeAll([...all, c, short]);
	});
});
