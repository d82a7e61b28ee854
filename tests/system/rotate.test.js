// SPDX-License-Identifier: MIT
//
// pusherctl app rotate-key: two keys count in every worker for the overlap,
// for clients, the API and webhooks; then the old one ends by itself, in time,
// and nobody is disconnected by any of it.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { WrongClock } = require('./lib/clock');
const { Daemon, until, sleep, SLOW } = require('./lib/daemon');
const { Http, onEachWorker } = require('./lib/http');
const { Receiver } = require('./lib/receiver');
const { suite } = require('./lib/suite');

const rotate = (d, app, ...more) => {
	const [r] = d.ctl(['app', 'rotate-key', app.id, ...more]);
	assert.equal(r.id, app.id);
	assert.notEqual(r.key, app.key);
	assert.notEqual(r.secret, app.secret);
	return { ...app, key: r.key, secret: r.secret };
};

// The status of a request that is signed with this key, in every worker.
async function statuses(d, app) {
	const all = await onEachWorker(d);
	const got = [];
	for (const h of all) {
		got.push((await h.api(app, 'GET', '/channels')).status);
		h.end();
	}
	return [...new Set(got)];
}

async function refused(d, app) {
	const c = new Client(d, `/app/${app.key}?protocol=7`);
	await c.upgraded();
	await c.expectFatal(4001);
}

suite('rotation', (d) => {
	test('both keys count in every worker; nobody is dropped', async () => {
		const app = d.app();
		const before = await Client.onEachWorker(d, app);
		for (const c of before) await c.subscribe('private-a');
		const now = rotate(d, app, '--overlap', '600');
		assert.deepEqual(await statuses(d, app), [200]);
		assert.deepEqual(await statuses(d, now), [200]);
		const old = await Client.onEachWorker(d, app);
		const fresh = await Client.onEachWorker(d, now);
		for (const c of [...before, ...old, ...fresh])
			for (const signer of [app, now])
				await c.subscribe(`private-${signer.key}`, { app: signer });
		for (const [i, c] of [...old, ...fresh].entries()) {
			c.app = i % 2 ? app : now;
			await c.signin('{"id":"ann"}');
			await c.sync();
		}
		await closeAll([...before, ...old, ...fresh]);
	});

	test('shown with the rest of its time; secrets are not', async () => {
		const app = d.app();
		// For people and pipes only when there is one; in JSON always.
		const shown = () => d.ctlRaw(['app', 'show', app.id]).out;
		assert.doesNotMatch(shown(), /old_key/);
		assert.equal(d.ctl(['app', 'show', app.id])[0].old_key, null);
		const now = rotate(d, app, '--overlap', '600');
		assert.match(shown(), /old_key_seconds/);
		for (const args of [['app', 'show', app.id], ['app', 'list']]) {
			const [row] = d.ctl(args).filter((r) => r.id === app.id);
			assert.equal(row.key, now.key);
			assert.equal(row.old_key, app.key);
			assert.ok(row.old_key_seconds > 500 &&
				row.old_key_seconds <= 600);
			assert.ok(!JSON.stringify(row).includes(app.secret));
			assert.ok(!JSON.stringify(row).includes(now.secret));
		}
		// The old key still names the app, and nobody else may have it.
		assert.equal(d.ctl(['app', 'show', app.key])[0].id, app.id);
		const r = d.ctlRaw(['app', 'create', '--key', app.key]);
		assert.equal(r.code, 1);
		assert.match(r.err, /key already/);
		assert.ok(!d.readLog().includes(now.secret));
	});

	test('it ends by itself, in every worker, in time', async () => {
		const app = d.app();
		const before = await Client.onEachWorker(d, app);
		const hs = await onEachWorker(d);
		const begin = Date.now();
		const now = rotate(d, app, '--overlap', '4'); // whole seconds
		while (Date.now() < begin + 1500)
			for (const h of hs)
				assert.equal((await h.api(app, 'GET', '/channels')).status,
					200);
		for (const h of hs) {
			await until('its end', async () => (await h.api(app, 'GET',
				'/channels')).status === 401);
			assert.ok(Date.now() >= begin + 2900, 'not before its time');
			assert.equal((await h.api(now, 'GET', '/channels')).status, 200);
			h.end();
		}
		await refused(d, app);
		// Connected clients stay, and need the new key from now on.
		for (const c of before) {
			c.sendSubscribe('private-x');
			await c.expectRefused('private-x', 'AuthError', 401);
			await c.subscribe('private-y', { app: now });
		}
		await closeAll(before);
		await until('the broker to have forgotten it', () =>
			d.readLog().includes(`app: the old key has expired app=${app.id}`) ||
			d.logLines().some((l) => /the old key has expired/.test(l) &&
				l.includes(app.key)));
		assert.equal(d.ctl(['app', 'show', app.id])[0].old_key, null);
		// Free again: nothing is left of it.
		assert.equal(d.ctl(['app', 'create', '--key', app.key])[0].key,
			app.key);
	});

	test('--overlap 0 and --finish end it at once', async () => {
		const app = d.app();
		const second = rotate(d, app, '--overlap', '0');
		assert.deepEqual(await statuses(d, app), [401]);
		const third = rotate(d, second);
		const [row] = d.ctl(['app', 'show', app.id]);
		assert.ok(row.old_key_seconds > 86000 && row.old_key_seconds <= 86400);
		const r = d.ctlRaw(['app', 'rotate-key', app.id]);
		assert.equal(r.code, 1);
		assert.match(r.err, /two keys already.*--finish/);
		assert.deepEqual(await statuses(d, second), [200]);
		const [end] = d.ctl(['app', 'rotate-key', app.id, '--finish']);
		assert.equal(end.key, third.key);
		assert.equal(end.old_key, null);
		assert.deepEqual(await statuses(d, second), [401]);
		assert.deepEqual(await statuses(d, third), [200]);
		assert.equal(d.ctlRaw(['app', 'rotate-key', app.id, '--finish']).code,
			1);
	});

	test('wrong usage', () => {
		const app = d.app();
		for (const args of [['--overlap', 'x'], ['--overlap', '-1'],
			['--overlap', '31536001'], ['--overlap', '1', '--finish']])
			assert.equal(d.ctlRaw(['app', 'rotate-key', app.id, ...args]).code,
				2, args.join());
		assert.equal(d.ctlRaw(['app', 'rotate-key', 'nobody']).code, 1);
		assert.equal(d.ctlRaw(['app', 'rotate-key']).code, 2);
	});

	test('no request is refused while keys are changed', async () => {
		const app = d.app();
		let using = app;
		let done = false;
		let n = 0;
		const work = (async () => {
			while (!done) {
				const h = await Http.connect(d);
				for (let i = 0; i < 5; i++) {
					const r = await h.api(using, 'POST', '/events',
						{ body: { name: 'e', channel: 'c', data: '' } });
					assert.equal(r.status, 200, r.text);
					n++;
				}
				h.end();
			}
		})();
		const ctl = async (...args) => {
			const r = await d.ctlAsync(['-j', 'app', 'rotate-key', app.id,
				...args]);
			assert.equal(r.code, 0, r.err);
			return JSON.parse(r.out);
		};
		for (let i = 0; i < 4; i++) {
			const r = await ctl('--overlap', '600');
			await sleep(50);
			using = { ...app, key: r.key, secret: r.secret };
			await sleep(100 * SLOW);
			await ctl('--finish');
		}
		done = true;
		await work;
		assert.ok(n > 20, String(n));
	});

	test('webhooks are signed with the oldest key that counts', async () => {
		const app = d.app();
		const r = await Receiver.start();
		d.ctl(['webhook', 'add', app.id, r.url]);
		const now = rotate(d, app, '--overlap', '4');
		const c = await Client.connect(d, now);
		await c.subscribe('one');
		await r.have(1);
		r.check(r.hooks[0], app);
		const [valid] = d.ctl(['verify-webhook', app.id,
			r.hooks[0].headers['x-pusher-signature'], '-'], r.hooks[0].body);
		assert.deepEqual(valid, { valid: true, key: app.key });
		await until('the old key to end', () =>
			d.ctl(['app', 'show', app.id])[0].old_key === null);
		await sleep(1500);
		await c.subscribe('two');
		await until('the second', () => r.hooks.length === 2);
		r.check(r.hooks[1], now);
		await c.close();
		await r.stop();
		d.ctl(['webhook', 'remove', String(d.ctl(['webhook', 'list',
			app.id])[0].webhook)]);
	});
}, { webhook_allow_private: 'on' });

// As on a machine whose clock is put right after the start.
test('webhooks are signed with the oldest key, whatever the clock was', async () => {
	const clock = new WrongClock();
	const d = new Daemon({ workers: 1, webhook_allow_private: 'on' });
	const r = await Receiver.start();
	try {
		const app = d.app();
		d.ctl(['webhook', 'add', app.id, r.url]);
		clock.set(86400);
		await clock.with({}, () => d.start());
		const c = await Client.connect(d, app);
		await c.subscribe('one');
		await r.have(1);
		clock.set(0);
		rotate(d, app, '--overlap', '600');
		await c.subscribe('two');
		await r.have(2);
		r.check(r.hooks[1], app);
		await c.close();
		await d.stop();
	} finally {
		d.kill();
		await r.stop();
		clock.remove();
	}
});
