// SPDX-License-Identifier: MIT
//
// Random subscribes, unsubscribes, sign-ins, closes and publishes, all at the
// same time, against a small model.  In the end lists, counts, occupancy,
// watchlists and the order of events have to agree for everyone.  The seed is
// printed; TEST_SEED repeats a run's choices.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { until } = require('./lib/daemon');
const { Http, get } = require('./lib/http');
const { random } = require('./lib/random');
const { suite } = require('./lib/suite');

const ACTORS = 24;
const STEPS = Number(process.env.TEST_STEPS || 120);
const CHANNELS = ['a', 'b', 'private-p', 'presence-q', 'presence-r'];
const USERS = Array.from({ length: 10 }, (_, i) => `user-${i}`);

class Actor {
	constructor(d, app, index, seed) {
		Object.assign(this, { d, app, index, rnd: random(seed).below });
		this.slices = []; // of the events of one subscription: [channel, ids]
	}

	async open() {
		this.c = await Client.connect(this.d, this.app);
		this.user = null;
		this.subs = new Map();
		this.online = null;
	}

	// One message; true for the one that was waited for.
	take(m) {
		const sub = this.subs.get(m.channel);
		const data = m.event.startsWith('pusher') && typeof m.data === 'string'
			? JSON.parse(m.data) : m.data;
		switch (m.event) {
		case 'e':
			assert.ok(sub?.on, `event outside of a subscription: ${m.channel}`);
			sub.seen.push(m.data);
			break;
		case 'pusher_internal:subscription_succeeded':
			sub.on = true;
			sub.members = data.presence && new Set(data.presence.ids);
			break;
		case 'pusher_internal:member_added':
			assert.ok(sub?.on && !sub.members.has(data.user_id), 'added twice');
			sub.members.add(data.user_id);
			break;
		case 'pusher_internal:member_removed':
			assert.ok(sub?.on && sub.members.delete(data.user_id),
				'removed twice');
			break;
		case 'pusher_internal:watchlist_events':
			this.online ??= new Set();
			for (const { name, user_ids: ids } of data.events)
				for (const id of ids)
					this.online[name === 'online' ? 'add' : 'delete'](id);
			break;
		default:
			assert.fail(`unexpected: ${JSON.stringify(m)}`);
		}
	}

	// Takes messages until one of this event has come.
	async takeUntil(event, channel) {
		for (;;) {
			const m = await this.c.next();
			const it = m.event === event &&
				(channel === undefined || m.channel === channel);
			if (m.event !== 'pusher:pong' &&
			    m.event !== 'pusher:signin_success')
				this.take(m);
			if (it) return;
		}
	}

	async sync() {
		this.c.send({ event: 'pusher:ping', data: {} });
		await this.takeUntil('pusher:pong');
	}

	end(channel) {
		this.slices.push([channel, this.subs.get(channel).seen]);
		this.subs.delete(channel);
	}

	async subscribe() {
		const channel = CHANNELS[this.rnd(CHANNELS.length)];
		if (this.subs.has(channel)) return;
		const user = USERS[this.rnd(USERS.length)];
		this.subs.set(channel, { user, seen: [] });
		this.c.sendSubscribe(channel, channel.startsWith('presence-') ?
			{ data: { user_id: user } } : {});
		if (this.rnd(4))
			await this.takeUntil('pusher_internal:subscription_succeeded',
				channel);
	}

	async unsubscribe() {
		const on = [...this.subs].filter(([, s]) => s.on);
		if (!on.length) return this.sync();
		const [channel] = on[this.rnd(on.length)];
		this.c.unsubscribe(channel);
		await this.sync();
		this.end(channel);
	}

	async signin() {
		if (this.user) return;
		this.user = USERS[this.rnd(USERS.length)];
		this.c.sendSignin({ id: this.user, watchlist: USERS });
		await this.takeUntil('pusher:signin_success');
	}

	async close() {
		for (const [channel] of this.subs) this.end(channel);
		const how = this.rnd(4);
		if (how === 0) this.c.destroy();
		else if (how === 1) this.c.reset();
		else await this.c.close();
		await this.open();
	}

	async publish(log) {
		const channel = CHANNELS[this.rnd(CHANNELS.length)];
		const data = `${this.index} ${this.rnd(1e9)}`;
		this.h ??= await Http.connect(this.d);
		const r = await this.h.api(this.app, 'POST', '/events',
			{ body: { name: 'e', channel, data } });
		assert.equal(r.status, 200, r.text);
		log.push(data);
	}

	async run(steps, log) {
		for (let i = 0; i < steps; i++) {
			const x = this.rnd(100);
			if (x < 30) await this.subscribe();
			else if (x < 50) await this.unsubscribe();
			else if (x < 58) await this.signin();
			else if (x < 63) await this.close();
			else if (x < 90) await this.publish(log);
			else await this.sync();
		}
		await this.sync();
		for (const [channel, s] of this.subs)
			if (!s.on)
				await this.takeUntil('pusher_internal:subscription_succeeded',
					channel);
	}
}

// Is part, from its first element on, a piece of all without gaps?
function isPiece(part, all, where) {
	if (!part.length) return true;
	const at = where.get(part[0]);
	return at !== undefined && part.every((x, i) => all[at + i] === x);
}

suite('property', (d) => {
	const app = d.app();

	test('everyone agrees in the end', async (t) => {
		const seed = Number(process.env.TEST_SEED ||
			Math.floor(Math.random() * 2 ** 31));
		t.diagnostic(`seed ${seed}`);
		const watcher = new Actor(d, app, 'watcher', 1);
		await watcher.open();
		for (const channel of CHANNELS) {
			watcher.subs.set(channel, { user: 'watcher', seen: [] });
			await watcher.c.sendSubscribe(channel,
				channel.startsWith('presence-') ?
					{ data: { user_id: 'watcher' } } : {});
			await watcher.takeUntil('pusher_internal:subscription_succeeded',
				channel);
		}
		const actors = Array.from({ length: ACTORS },
			(_, i) => new Actor(d, app, i, seed + i * 7919));
		await Promise.all(actors.map((a) => a.open()));
		const log = [];
		await Promise.all(actors.map((a) => a.run(STEPS, log)));

		await members(watcher, actors);
		await counts(watcher, actors);
		await watchlists(actors);
		for (const a of [watcher, ...actors]) await a.sync();
		order(watcher, actors, log);
		for (const a of actors) a.h?.end();
		await closeAll([watcher.c, ...actors.map((a) => a.c)]);
	});

	const inChannel = (all, channel) =>
		all.filter((a) => a.subs.has(channel));
	const users = (all, channel) => [...new Set(inChannel(all, channel)
		.map((a) => a.subs.get(channel).user))].sort();

	async function members(watcher, actors) {
		const all = [watcher, ...actors];
		for (const channel of CHANNELS.filter((c) => c.startsWith('pres'))) {
			const want = users(all, channel);
			for (const a of inChannel(all, channel))
				await until(`the members of ${channel} at ${a.index}`,
					async () => {
						await a.sync();
						return isSame([...a.subs.get(channel).members], want);
					}).catch(() => assert.deepEqual(
					[...a.subs.get(channel).members].sort(), want));
			const got = (await get(d, app, `/channels/${channel}/users`)).users;
			assert.deepEqual(got.map((u) => u.id).sort(), want);
		}
	}

	async function counts(watcher, actors) {
		for (const channel of CHANNELS) {
			const n = inChannel([watcher, ...actors], channel).length;
			await until(`${n} subscriptions of ${channel}`, async () =>
				(await get(d, app, `/channels/${channel}`,
					{ info: 'subscription_count' })).subscription_count === n);
		}
		assert.deepEqual(Object.keys((await get(d, app, '/channels'))
			.channels).sort(), [...CHANNELS].sort());
	}

	async function watchlists(actors) {
		const want = [...new Set(actors.map((a) => a.user).filter(Boolean))]
			.sort();
		for (const a of actors.filter((x) => x.user))
			await until(`the watchlist of ${a.index}`, async () => {
				await a.sync();
				return isSame([...a.online], want);
			}, 15000).catch(() => assert.deepEqual([...a.online].sort(), want));
	}

	function order(watcher, actors, log) {
		for (const channel of CHANNELS) {
			const all = watcher.subs.get(channel).seen;
			const where = new Map(all.map((x, i) => [x, i]));
			assert.equal(where.size, all.length, 'nothing twice');
			for (const a of actors) {
				const pieces = a.slices.filter(([c]) => c === channel)
					.map(([, seen]) => seen);
				const now = a.subs.get(channel);
				if (now) {
					pieces.push(now.seen);
					// A subscriber that stays to the end has the end.
					if (now.seen.length)
						assert.equal(now.seen.at(-1), all.at(-1));
				}
				for (const p of pieces)
					assert.ok(isPiece(p, all, where),
						`${channel} at ${a.index}: gap or other order`);
			}
		}
		assert.equal(CHANNELS.reduce((n, c) =>
			n + watcher.subs.get(c).seen.length, 0), log.length);
	}

	const isSame = (a, b) => JSON.stringify([...a].sort()) ===
		JSON.stringify([...b].sort());
});
