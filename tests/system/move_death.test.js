// SPDX-License-Identifier: MIT
//
// pusherctl worker replace, when the old or the new process is killed or
// stopped, early and late: the old one goes on, or the clients come back as
// after a crash.
'use strict';

const assert = require('node:assert/strict');
const { describe, before, after, test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, sleep, until } = require('./lib/daemon');
const { api } = require('./lib/http');

const event = (channel, data) => ({ body: { name: 'e', channel, data } });

describe('worker replace, when a process dies', () => {
	const d = new Daemon({ workers: 1 });
	let app;

	before(async () => {
		app = d.app();
		await d.start();
		d.allow(/move: /, /replace: /, /worker 0 /, /worker 0: /,
			/link to the broker/);
	});
	after(async () => {
		try {
			await d.stop();
		} finally {
			d.kill();
		}
	});

	const fresh = async (not) => (await until('another process', () =>
		d.pidsOf('worker').filter((pid) => !not.includes(pid))[0], 3000));

	test('the new one is stopped at once: the old one goes on', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('x');
		const [old] = d.pidsOf('worker');
		const asked = d.ctlAsync(['worker', 'replace', '0']);
		const successor = await fresh([old]);
		try {
			process.kill(successor, 'SIGKILL');
		} catch { /* it was fast */ }
		const r = await asked;
		await until('one worker', () => d.pidsOf('worker').length === 1);
		if (r.code !== 0) {
			assert.deepEqual(d.pidsOf('worker'), [old]);
			await api(d, app, 'POST', '/events', event('x', '1'));
			await c.expect('e');
			await c.close();
		} else {
			await c.ended();
		}
	});

	for (const who of ['old', 'new'])
		for (const sig of ['SIGKILL', 'SIGSTOP'])
			for (const ms of [0, 4, 8])
				test(`${sig} of the ${who} one after ${ms} ms`, async () => {
					const c = await Client.connect(d, app);
					await c.subscribe('x');
					const [old] = d.pidsOf('worker');
					const asked = d.ctlAsync(['-j', 'worker', 'replace', '0']);
					const successor = await fresh([old]);
					await sleep(ms);
					try {
						process.kill(who === 'old' ? old : successor, sig);
					} catch { /* it was fast */ }
					if (sig === 'SIGSTOP')
						setTimeout(() => {
							try {
								process.kill(who === 'old' ? old : successor,
									'SIGCONT');
							} catch { /* it is gone */ }
						}, 1000);
					const r = await asked;
					await until('one worker', () =>
						d.pidsOf('worker').length === 1, 8000);
					await until('it serves', async () => (await d.ctlAsync(
						['-j', 'status'])).code === 0);
					// The client is there, or it was closed.
					const sent = await until('published', async () => {
						try {
							return (await api(d, app, 'POST', '/events',
								event('x', 'y'))).status === 200;
						} catch { return false; }
					});
					assert.ok(sent);
					await until('the event, or the end', () =>
						c.frames.length > 0 || c.gone);
					if (!c.gone) {
						await c.expect('e');
						await c.close();
					} else {
						assert.ok(sig === 'SIGKILL' || r.code === 1,
							`closed: ${r.out}${r.err}`);
					}
				});
});
