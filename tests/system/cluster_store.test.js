// SPDX-License-Identifier: MIT
//
// The sessions that a host writes into Redis: no more than there may be, and
// what stands there is not trusted.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { becomesReady, host, keyOf, startReady, stored, storedAcked } =
	require('./lib/cluster');
const { until } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { Redis } = require('./lib/redis');
const { enter, newId, open, settled } = require('./lib/resume');

const ROWS = 100; // the least that there may be
const ROUND = 50;
const MOST = 10000; // more events than a fast machine publishes in two seconds

describe('the sessions of a host in Redis', () => {
	const redis = new Redis();
	let a, b, app, x;
	const id = newId();

	before(async () => {
		await redis.start();
		a = host(redis, 'a', { resume_sessions: ROWS,
			resume_ack_interval: 10, resume_max_events: MOST });
		a.ctl(['app', 'set', '42', 'resume=on']);
		await startReady(a);
		app = a.shared;
		b = host(redis, 'b', { resume_max_events: MOST });
		b.ctl(['app', 'set', '42', 'resume=on']);
		await startReady(b);
		x = await open(a, app, id);
		await enter(x, 'x');
		await stored(redis, id);
	});
	after(async () => {
		x?.destroy();
		for (const d of [a, b]) await d?.stop();
		await redis.remove();
	});

	// All sessions have been looked at twice.
	const passes = async () => {
		for (let i = 0; i < 2; i++) {
			const old = await storedAcked(redis, id);
			await publish(a, app, ['x'], 'e', 'x');
			await x.expect('e', 'x');
			await until('a change to be written', async () =>
				await storedAcked(redis, id) !== old);
		}
	};
	const count = async () => (await redis.ask('KEYS', 'pusherd:session:*'))
		.match(/pusherd:session:/g).length;

	test('what is not sound: new, and no harm', async () => {
		const key = await keyOf(redis, id);
		for (const text of ['x', '\\x00'.repeat(40), 'z'.repeat(500)]) {
			const other = newId();
			await redis.ask('SET', key.replace(id, other), `"${text}"`);
			const y = await open(a, app, other);
			assert.equal((await enter(y, 'c')).status, 'new');
			y.destroy();
		}
	});

	test('a host is killed amid events: its clients miss none', async () => {
		const c = host(redis, 'c', { workers: 2, resume_ack_interval: 10 });
		c.ctl(['app', 'set', '42', 'resume=on']);
		await startReady(c);
		let n = 0, go = true;
		const sends = (async () => {
			while (go) await publish(a, app, ['k'], 'e', String(n++));
			await publish(a, app, ['k'], 'e', 'end');
		})();
		const run = async (id, i) => {
			const got = [], words = [];
			let y = await open(c, app, id);
			y.sendSubscribe('k');
			while (got.at(-1) !== 'end' || words.length < 2) {
				const f = await y.nextFrame();
				if (f === null) { // its host is gone
					y = await open(i % 2 ? a : b, app, id);
					y.sendSubscribe('k');
					continue;
				}
				const m = JSON.parse(f.payload.toString());
				if (m.event === 'e') got.push(m.data);
				if (m.event === 'pusher:resume')
					words.push(JSON.parse(m.data).status);
			}
			y.destroy();
			return { got, words };
		};
		const ids = Array.from({ length: 10 }, newId);
		const all = ids.map(run);
		for (const one of ids) await stored(redis, one);
		const before = n;
		await until('more events', () => n > before + 50);
		c.kill();
		await c.exited;
		c.remove();
		await until('more events', () => n > before + 200);
		go = false;
		await sends;
		for (const { got, words } of await Promise.all(all)) {
			assert.deepEqual(words, ['new', 'continued']);
			const seen = new Set();
			let last = Number(got[0]) - 1;
			for (const data of got.slice(0, -1)) {
				if (!seen.has(data)) assert.equal(Number(data), ++last);
				seen.add(data);
			}
			assert.equal(last, n - 1);
		}
	});

	// The number of its channels is the same, and it has confirmed no more.
	test('another channel since: its events come, too', async () => {
		const c = host(redis, 'c', { resume_ack_interval: 10 });
		c.ctl(['app', 'set', '42', 'resume=on']);
		await startReady(c);
		const id = newId();
		const y = await open(c, app, id);
		await enter(y, 'before');
		await settled(y);
		const acked = await storedAcked(redis, id);
		await publish(a, app, ['before'], 'e', 'x');
		await y.expect('e', 'before');
		await until('the confirmation to be written', async () =>
			await storedAcked(redis, id) !== acked);
		y.send({ event: 'pusher:unsubscribe', data: { channel: 'before' } });
		await enter(y, 'after');
		c.kill();
		await c.exited;
		c.remove();
		await y.ended();
		await publish(a, app, ['after'], 'e', 'missed');
		const z = await open(b, app, id);
		const { status, replayed } = await enter(z, 'after');
		assert.deepEqual({ status, replayed },
			{ status: 'continued', replayed: 1 });
		z.destroy();
	});

	test('a channel that its client has left: a gap', async () => {
		const c = host(redis, 'c', { resume_ack_interval: 10 });
		c.ctl(['app', 'set', '42', 'resume=on']);
		await startReady(c);
		const id = newId();
		const y = await open(c, app, id);
		await enter(y, 'stays');
		await enter(y, 'left');
		y.unsubscribe('left');
		await settled(y);
		const acked = await storedAcked(redis, id);
		await publish(a, app, ['left', 'stays'], 'e', 'x');
		await y.expect('e', 'stays');
		await until('the confirmation to be written', async () =>
			await storedAcked(redis, id) !== acked);
		c.kill();
		await c.exited;
		c.remove();
		await y.ended();
		const z = await open(b, app, id);
		const gap = { status: 'gap', reason: 'restarted', events: [] };
		assert.deepEqual(await enter(z, 'left'), gap);
		assert.equal((await enter(z, 'stays')).status, 'continued');
		// What it gets now does not come once more on this connection.
		z.unsubscribe('stays');
		assert.deepEqual(await enter(z, 'stays'), gap);
		z.destroy();
	});

	test('clients that make more and more: they are bounded', async () => {
		let made = 0;
		for (let round = 0; round < 7; round++) {
			const all = [];
			for (let i = 0; i < ROUND; i++) {
				const y = await open(a, app, newId());
				await enter(y, `channel-${i}`);
				all.push(y);
			}
			await passes();
			for (const y of all) y.destroy();
			made += ROUND;
		}
		const n = await count();
		// An app has 512 bytes for a row at once, and as much in 15 minutes.
		assert.ok(n > ROUND && n < made - ROUND, `${n} of ${made}`);
	});

	test('meanwhile another app\'s new sessions are written', async () => {
		const other = a.app({ resume: 'on' });
		for (let i = 0; i < 3; i++) {
			const own = newId();
			const y = await open(a, other, own);
			await enter(y, 'c');
			await until('the session to be in Redis',
				() => keyOf(redis, own, other.id));
			y.destroy();
		}
	});

	test('large sessions move a few times, small ones always', async () => {
		const some = a.app({ resume: 'on' });
		const moves = async (owner, channels) => {
			const own = newId();
			let y = await open(a, owner, own);
			for (let i = 0; i < channels; i++) await enter(y, `c${i}`);
			await settled(y);
			y.destroy();
			y = await open(b, owner, own);
			const { status, reason } = await enter(y, 'c0');
			y.destroy();
			return reason ?? status;
		};
		// Its own half of the room is taken.
		assert.equal(await moves(app, 100), 'too_many');
		assert.equal(await moves(app, 5), 'continued');
		// Another one has room of its own.
		assert.equal(await moves(some, 100), 'continued');
		let reason;
		for (let i = 0; i < 30 && reason !== 'too_many'; i++)
			reason = await moves(some, 100);
		assert.equal(reason, 'too_many');
		assert.equal(await moves(some, 5), 'continued');
	});

	test('Redis begins anew: all are written again', async () => {
		await redis.stop();
		await redis.start();
		await stored(redis, id);
		await becomesReady(a);
	});
});
