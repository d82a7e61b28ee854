// SPDX-License-Identifier: MIT
//
// Signals to the master, and what the others notice when a process dies.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test, describe } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, SLOW, until, sleep } = require('./lib/daemon');
const { Http, get, publish } = require('./lib/http');
const { descriptors } = require('./lib/process');

async function daemon(conf, settings) {
	const d = new Daemon({ workers: 4, ...conf });
	const app = d.app(settings);
	await d.start();
	return { d, app };
}

// The newest child of the master, unless that is the old one; at once.
function childOf(master, old) {
	const pids = fs.readFileSync(
		`/proc/${master}/task/${master}/children`, 'utf8')
		.trim().split(' ').map(Number);
	const newest = pids.at(-1);
	return newest > old ? newest : null;
}

describe('stop', () => {
	for (const sig of ['SIGTERM', 'SIGINT'])
		test(`${sig}: clients get 4100, exit 0, no files`, async () => {
			const { d, app } = await daemon();
			const all = await Client.several(d, app, 20);
			for (const c of all) await c.subscribe('room');
			d.signal(sig);
			for (const c of all) {
				await c.expectError(4100);
				await c.expectClose(4100);
			}
			await d.stop();
		});

	test('SIGTERM with more than 1,000 clients spreads the closes', async () => {
		const { d, app } = await daemon({ drain_time: 2, workers: 1 });
		const all = await Client.several(d, app, 1100);
		const begin = Date.now();
		d.signal('SIGTERM');
		const times = await Promise.all(all.map(async (c) => {
			await c.expectError(4200);
			const at = Date.now() - begin;
			await c.expectClose(4200);
			return at;
		}));
		const spread = Math.max(...times) - Math.min(...times);
		assert.ok(spread > 700, `spread over ${spread} ms`);
		await d.stop();
	});

	test('while draining newcomers are told 4100, /ready is 503',
		async () => {
			const { d, app } = await daemon({ drain_time: 3, workers: 1 });
			const all = await Client.several(d, app, 30);
			const h = await Http.connect(d);
			assert.equal((await h.ask('GET', '/ready')).status, 200);
			d.signal('SIGTERM');
			await until('the drain', () =>
				/drain: closing \d+ connections over/.test(d.readLog()));
			let refused = 0;
			try {
				const c = new Client(d, `/app/${app.key}?protocol=7`);
				if ((await c.upgraded()).status === 101) {
					await c.expectFatal(4100);
					refused++;
				} else refused++;
			} catch (e) {
				if (e.code === 'ERR_ASSERTION') throw e;
			}
			assert.equal(refused, 1);
			if (!h.ended) {
				await h.request('GET', '/ready');
				const r = await h.answer().catch(() => null);
				if (r) assert.equal(r.status, 503);
			}
			h.end();
			for (const c of all) c.destroy();
			await d.stop();
		});

	test('SIGQUIT to the whole group, as from a terminal: no complaints',
		async () => {
			const { d } = await daemon();
			process.kill(-d.child.pid, 'SIGQUIT');
			await d.exited;
			await d.stop();
		});

	test('a process that is told to leave while it starts leaves in order',
		async () => {
			const { d } = await daemon({ workers: 1 });
			d.allow(/worker 0 (was killed by signal 9|exited with)/);
			for (let i = 0; i < 3; i++) {
				const old = await until('a worker', () =>
					d.pidsOf('worker')[0]);
				process.kill(old, 'SIGKILL');
				const pid = await until('the next one', () =>
					childOf(d.child.pid, old));
				process.kill(pid, 'SIGTERM');
				await until('another one', () =>
					d.pidsOf('worker').some((p) => p !== old && p !== pid));
			}
			await until('it to serve', () => /ready again/.test(d.readLog()));
			assert.doesNotMatch(d.readLog(), /signal 15/);
			await d.stop();
		});

	test('SIGQUIT: at once', async () => {
		const { d, app } = await daemon({ drain_time: 60 });
		const all = await Client.several(d, app, 20);
		const begin = Date.now();
		await d.stop({ sig: 'SIGQUIT', within: 5000 });
		assert.ok(Date.now() - begin < 5000);
		for (const c of all) await c.ended();
	});

	test('a second SIGTERM hurries', async () => {
		const { d, app } = await daemon({ drain_time: 60 });
		const all = await Client.several(d, app, 8);
		d.signal('SIGTERM');
		await until('the first', () => /stop: .* over/.test(d.readLog()));
		await d.stop({ within: 5000 });
		for (const c of all) await c.ended();
	});

	test('clients that do not answer the close do not hold it up',
		async () => {
			const { d, app } = await daemon();
			const all = await Client.several(d, app, 10);
			for (const c of all) c.sock.pause();
			await d.stop({ within: 15000 });
			for (const c of all) c.destroy();
		});

	test('B45 start and stop ten times', async () => {
		for (let i = 0; i < 10; i++) {
			const { d, app } = await daemon();
			const c = await Client.connect(d, app);
			await d.stop();
			await c.ended();
		}
	});

	test('SIGHUP and SIGPIPE end nothing', async () => {
		const { d, app } = await daemon();
		const c = await Client.connect(d, app);
		for (const sig of ['SIGHUP', 'SIGPIPE', 'SIGHUP']) d.signal(sig);
		await sleep(200);
		assert.deepEqual(await c.sync(), []);
		await c.close();
		await d.stop();
	});

	test('the master is killed: all others leave, files can be reused',
		async () => {
			const { d, app } = await daemon();
			const c = await Client.connect(d, app);
			d.signal('SIGKILL');
			await d.exited;
			await until('all processes to leave', () =>
				Object.keys(d.processes()).length === 0, 20000);
			await c.ended();
			const log = d.readLog();
			assert.doesNotMatch(log, /Sanitizer|Assertion/);
			d.stopped = true;
			d.remove();
		});
});

describe('a worker is killed', () => {
	test('B43 others keep their clients; the slot comes back', async () => {
		const { d, app } = await daemon({ crash_grace: 1 });
		d.allow(/worker/);
		const all = await Client.onEachWorker(d, app);
		for (const c of all) await c.subscribe('room');
		const before = d.pidsOf('worker');
		const victim = all[1];
		process.kill(victim.worker, 'SIGKILL');
		await victim.ended();
		const rest = all.filter((c) => c !== victim);
		await publish(d, app, 'room', 'e', '1').catch(() =>
			publish(d, app, 'room', 'e', '1'));
		for (const c of rest)
			assert.equal((await c.next()).data, '1');
		await until('the new worker', () => d.pidsOf('worker').length === 4);
		const after = d.pidsOf('worker');
		assert.equal(before.filter((p) => after.includes(p)).length, 3);
		const again = await Client.onEachWorker(d, app);
		for (const c of again) await c.subscribe('room');
		await publish(d, app, 'room', 'e', '2');
		for (const c of [...again, ...rest])
			assert.equal(await c.expect('e'), '2');
		await closeAll([...rest, ...again]);
		await d.stop();
	});

	test('B06 its presence members go, once each, after the grace',
		async () => {
			const { d, app } = await daemon({ crash_grace: 1 });
			d.allow(/worker/);
			const all = await Client.onEachWorker(d, app);
			await Client.joinAll(all, 'presence-x', (_, i) => ({ id: `u${i}` }));
			process.kill(all[0].worker, 'SIGKILL');
			for (const c of all.slice(1))
				assert.deepEqual(await c.expect(
					'pusher_internal:member_removed', 'presence-x'),
				{ user_id: 'u0' });
			const users = (await get(d, app, '/channels/presence-x/users'))
				.users.map((u) => u.id);
			assert.deepEqual(users.sort(), ['u1', 'u2', 'u3']);
			await sleep(300);
			for (const c of all.slice(1))
				assert.deepEqual(await c.sync(), []);
			await closeAll(all.slice(1));
			await d.stop();
		});

	test('a member that is back in time causes no event', async () => {
		const { d, app } = await daemon({ crash_grace: 5 });
		d.allow(/worker/);
		const all = await Client.onEachWorker(d, app);
		await Client.joinAll(all, 'presence-x',
			(_, i) => ({ id: `u${i}`, info: { i } }));
		process.kill(all[0].worker, 'SIGKILL');
		await all[0].ended();
		const back = await Client.connect(d, app);
		const p = await back.join('presence-x', 'u0', { new: 1 });
		assert.equal(p.count, 4);
		await sleep(6000);
		for (const c of all.slice(1)) assert.deepEqual(await c.sync(), []);
		assert.equal((await get(d, app, '/channels/presence-x',
			{ info: 'user_count' })).user_count, 4);
		await closeAll([back, ...all.slice(1)]);
		await d.stop();
	});

	test('B08 B44 counts and occupancy are right afterwards', async () => {
		const { d, app } = await daemon({ crash_grace: 0 });
		d.allow(/worker/);
		const all = await Client.several(d, app, 24);
		for (const c of all) {
			await c.subscribe('room');
			c.pid = c.worker;
		}
		process.kill(all[0].pid, 'SIGKILL');
		const left = all.filter((c) => c.pid !== all[0].pid);
		await until('the count', async () => (await get(d, app,
			'/channels/room', { info: 'subscription_count' })
			.catch(() => ({}))).subscription_count === left.length);
		await closeAll(left);
		await until('an empty channel', async () =>
			!(await get(d, app, '/channels/room')).occupied);
		await d.stop();
	});

	test('connections in its accept queue are served', async () => {
		const { d, app } = await daemon({ workers: 1 });
		d.allow(/worker/);
		const [pid] = d.pidsOf('worker');
		process.kill(pid, 'SIGSTOP');
		const waiting = Array.from({ length: 20 }, () =>
			new Client(d, `/app/${app.key}?protocol=7`));
		await sleep(200);
		process.kill(pid, 'SIGKILL');
		for (const c of waiting) await c.greeted();
		await closeAll(waiting);
		await d.stop();
	});
});

describe('the broker is killed', () => {
	test('clients stay; subscriptions, presence and events go on',
		async () => {
			const { d, app } = await daemon();
			d.allow(/broker|worker/);
			const all = await Client.onEachWorker(d, app);
			for (const c of all) await c.subscribe('room');
			await Client.joinAll(all, 'presence-x',
				(_, i) => ({ id: `u${i}`, info: { i } }));
			for (let round = 0; round < 3; round++) {
				const [pid] = d.pidsOf('broker');
				process.kill(pid, 'SIGKILL');
				await until('a new broker', () =>
					d.pidsOf('broker').some((p) => p !== pid));
				await until('an accepted publish', () =>
					publish(d, app, 'room', 'e', `${round}`)
						.then(() => true, () => false));
				for (const c of all) {
					const m = await c.next();
					assert.equal(m.data, `${round}`, c.text);
				}
				const users = (await get(d, app,
					'/channels/presence-x/users')).users;
				assert.deepEqual(users.map((u) => u.id),
					all.map((_, i) => `u${i}`), 'in the old order');
			}
			const late = await Client.connect(d, app);
			const p = await late.join('presence-x', 'late');
			assert.equal(p.count, all.length + 1);
			assert.deepEqual(p.hash.u0, { i: 0 });
			for (const c of all)
				assert.equal((await c.expect('pusher_internal:member_added'))
					.user_id, 'late');
			for (const c of all) assert.deepEqual(await c.sync(), []);
			await closeAll([late, ...all]);
			await d.stop();
		});

	test('no accepted publish is lost, none comes twice', async () => {
		const { d, app } = await daemon();
		d.allow(/broker|worker/);
		const all = await Client.onEachWorker(d, app);
		for (const c of all) await c.subscribe('room');
		const accepted = [];
		let on = true;
		const publisher = (async () => {
			const h = await Http.connect(d);
			for (let i = 0; on; i++) {
				const r = await h.api(app, 'POST', '/events', { body:
					{ name: 'e', channel: 'room', data: `${i}` } });
				if (r.status === 200) accepted.push(`${i}`);
				else await sleep(5);
			}
			h.end();
		})();
		for (let round = 0; round < 4; round++) {
			await sleep(150);
			const [pid] = d.pidsOf('broker');
			process.kill(pid, 'SIGKILL');
			await until('a new broker', () =>
				d.pidsOf('broker').some((p) => p !== pid));
			await sleep(300);
		}
		on = false;
		await publisher;
		assert.ok(accepted.length > 50 / SLOW, `${accepted.length} accepted`);
		await publish(d, app, 'room', 'end', '');
		for (const c of all) {
			const got = [];
			for (;;) {
				const m = await c.next();
				if (m.event === 'end') break;
				got.push(m.data);
			}
			assert.equal(new Set(got).size, got.length, 'none twice');
			const have = new Set(got);
			assert.deepEqual(accepted.filter((x) => !have.has(x)), []);
		}
		await closeAll(all);
		await d.stop();
	});
});

describe('descriptors', () => {
	test('none leak over many connections', async () => {
		const { d, app } = await daemon({ workers: 2 });
		const count = () => d.pidsOf('worker').map(descriptors);
		await closeAll(await Client.several(d, app, 10));
		await sleep(100);
		const before = count();
		for (let i = 0; i < 5; i++) {
			const all = await Client.several(d, app, 100);
			for (const c of all.slice(0, 50)) c.reset();
			await closeAll(all.slice(50));
		}
		await until('the old number of descriptors', () =>
			count().every((n, i) => n <= before[i]));
		await d.stop();
	});
});
