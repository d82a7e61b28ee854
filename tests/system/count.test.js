// SPDX-License-Identifier: MIT
//
// pusher_internal:subscription_count.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { sleep } = require('./lib/daemon');
const { get } = require('./lib/http');
const { suite } = require('./lib/suite');

const COUNT = 'pusher_internal:subscription_count';

suite('subscription count', (d) => {
	const app = d.app({ subscription_count: 'on' });

	test('the exact frame, after the confirmation', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		assert.deepEqual(await c.next(), { event: COUNT, channel: 'room',
			data: '{"subscription_count":1}' });
		await c.close();
	});

	test('everybody ends with the right number', async () => {
		const all = await Client.onEachWorker(d, app);
		all.push(...await Client.several(d, app, 8));
		for (const c of all) await c.subscribe('many');
		const last = (c) => {
			const m = c.frames.map((f) => JSON.parse(f.payload)).at(-1);
			return m && JSON.parse(m.data).subscription_count;
		};
		const settle = (clients, n) => Promise.all(clients.map((c) =>
			c.wait(`count ${n}`, () => last(c) === n)));
		await settle(all, all.length);
		const half = all.splice(0, all.length / 2 | 0);
		half.slice(1).forEach((c) => c.destroy());
		half[0].unsubscribe('many');
		await settle(all, all.length);
		const before = half[0].frames.length;
		await sleep(200);
		assert.equal(half[0].frames.length, before, 'none after leaving');
		assert.equal((await get(d, app, '/channels/many',
			{ info: 'subscription_count' })).subscription_count, all.length);
		await closeAll([half[0], ...all]);
	});

	test('not on presence and user channels', async () => {
		const c = await Client.connect(d, app);
		await c.join('presence-x', 'u');
		await c.signin({ id: 'u' });
		await c.subscribe('#server-to-user-u', { auth: '' });
		await c.quiet(300);
		await c.close();
	});

	test('off by default', async () => {
		const c = await Client.connect(d, d.app());
		await c.subscribe('room');
		await c.quiet(300);
		await c.close();
	});

	test('a second subscribe changes nothing', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('twice');
		await c.expect(COUNT);
		await c.subscribe('twice');
		await c.quiet(300);
		await c.close();
	});

	test('above 100: at most one in 5 s, and the last one is right',
		async () => {
			const all = await Client.several(d, app, 130);
			const times = [];
			const w = all[0];
			await w.subscribe('crowd');
			await Promise.all(all.slice(1).map((c) => {
				c.sendSubscribe('crowd');
				return c.wait('its confirmation', () => c.frames.length);
			}));
			const begin = Date.now();
			let last;
			while (last !== 130 || Date.now() - begin < 6000) {
				const f = await w.nextFrame(20000, 'count').catch(() => null);
				if (!f) break;
				last = JSON.parse(JSON.parse(f.payload).data)
					.subscription_count;
				if (last > 100) times.push(Date.now());
				if (last === 130) break;
			}
			assert.equal(last, 130);
			for (let i = 1; i < times.length; i++)
				assert.ok(times[i] - times[i - 1] > 4000,
					`${times[i] - times[i - 1]} ms apart`);
			await closeAll(all);
		});
});
