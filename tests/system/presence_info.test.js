// SPDX-License-Identifier: MIT
//
// A member's user_info is that of the oldest of its connections that is still
// there, whoever dies meanwhile, and nobody is told when it becomes another.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { becomes, until } = require('./lib/daemon');
const { suite } = require('./lib/suite');

const CH = 'presence-info';
const ADDED = 'pusher_internal:member_added';
const REMOVED = 'pusher_internal:member_removed';

// The list that a newcomer reads.
async function listed(d, app) {
	const c = await Client.connect(d, app);
	const p = await c.join(CH, 'reader');
	await c.close();
	delete p.hash.reader;
	return { ids: p.ids.filter((id) => id !== 'reader'), hash: p.hash };
}

async function seen(watcher, wanted) {
	for (const [event, id] of wanted)
		assert.equal((await watcher.expect(event, CH)).user_id, id);
	assert.deepEqual(await watcher.sync(), []);
}

const READ = [[ADDED, 'reader'], [REMOVED, 'reader']];

async function killed(d, role) {
	const before = d.pidsOf(role);
	process.kill(before[0], 'SIGKILL');
	await until(`a new ${role}`, () => {
		const now = d.pidsOf(role);
		return now.length === before.length && !now.includes(before[0]);
	});
}

suite('user_info of several connections', (d) => {
	const app = d.app();
	d.allow(/was killed by signal 9|link to the broker lost/);

	test('C7: the oldest connection that is left', async () => {
		const watcher = await Client.connect(d, app);
		await watcher.join(CH, 'watcher', 0);
		const tabs = await Client.several(d, app, 5);
		for (const [i, c] of tabs.entries())
			await c.join(CH, 'u', { tab: i });
		await seen(watcher, [[ADDED, 'u']]);
		const info = async () => {
			const { ids, hash } = await listed(d, app);
			await seen(watcher, READ);
			assert.deepEqual(ids, ['watcher', 'u']);
			return hash.u.tab;
		};
		assert.equal(await info(), 0);
		await tabs[1].close();
		assert.equal(await info(), 0);
		tabs[0].unsubscribe(CH);
		await tabs[0].sync();
		await becomes(info, 2);
		await tabs[0].join(CH, 'u', { tab: 'again' });
		assert.equal(await info(), 2, 'it is the youngest now');
		tabs[2].reset();
		await becomes(info, 3);
		await killed(d, 'broker');
		assert.equal(await info(), 3);
		await tabs[3].close();
		await becomes(info, 4);
		await killed(d, 'broker');
		await tabs[4].close();
		await becomes(info, 'again');
		await tabs[0].close();
		await seen(watcher, [[REMOVED, 'u']]);
		await watcher.close();
	});

	if (d.conf.workers > 1)
		test('C7: the worker of the oldest connection dies', async () => {
			const all = await Client.onEachWorker(d, app);
			const [watcher, first, ...others] = all;
			await watcher.join(CH, 'watcher', 0);
			for (const [i, c] of [first, ...others].entries())
				await c.join(CH, 'u', { tab: i });
			await seen(watcher, [[ADDED, 'u']]);
			process.kill(first.worker, 'SIGKILL');
			await until('the end', () => first.gone);
			await until('the second tab', async () => {
				const { hash } = await listed(d, app);
				await seen(watcher, READ);
				return hash.u.tab === 1;
			});
			await closeAll([watcher, ...others]);
		});
});
