// SPDX-License-Identifier: MIT
//
// Delivery of webhooks: what counts as an answer, retries, dead letters,
// addresses that are refused, slow neighbours, and processes that are killed.
'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const fs = require('node:fs');
const path = require('node:path');
const { Client, closeAll } = require('./lib/client');
const { Daemon, until, sleep } = require('./lib/daemon');
const { freePort } = require('./lib/port');
const { Receiver } = require('./lib/receiver');

// Runs fn with a daemon of its own.
function withDaemon(name, conf, fn) {
	test(name, async () => {
		const d = new Daemon({ workers: 2, webhook_allow_private: 'on',
			...conf });
		const app = d.app({ client_events: 'on' });
		await d.start();
		await d.run(() => fn(d, app));
	});
}

const hook = (d, app, url, ...args) =>
	String(d.ctl(['webhook', 'add', app.id, url, ...args])[0].webhook);
const deliveries = (d, ...args) => d.ctl(['webhook', 'deliveries', ...args]);

// Occupies n channels, one after the other, at about rate a second.
async function occupy(c, prefix, n, rate = Infinity) {
	const begin = Date.now();
	for (let i = 0; i < n; i++) {
		c.sendSubscribe(`${prefix}-${i}`);
		const ahead = i * 1000 / rate - (Date.now() - begin);
		if (ahead > 5) await sleep(ahead);
	}
}

describe('answers', () => {
	withDaemon('B10 500 three times, then 200: same id, body, signature', {},
		async (d, app) => {
			let n = 0;
			const r = await Receiver.start({ answer: (req, res) => {
				res.statusCode = n++ < 3 ? 500 : 200;
				res.end();
			} });
			const num = hook(d, app, r.url);
			const c = await Client.connect(d, app);
			await c.subscribe('room');
			await until('four tries', () => r.hooks.length === 4, 20000);
			for (const h of r.hooks) {
				assert.equal(h.id, r.hooks[0].id);
				assert.deepEqual(h.body, r.hooks[0].body);
				r.check(h, app);
			}
			const gaps = r.hooks.slice(1).map((h, i) => h.at - r.hooks[i].at);
			[1000, 2000, 4000].forEach((ms, i) => assert.ok(
				gaps[i] >= ms - 50 && gaps[i] < ms * 1.25 + 500, `${gaps}`));
			await until('the record', () =>
				deliveries(d, num)[0].state === 'done');
			assert.equal(deliveries(d, num)[0].attempts, 4);
			for (const verb of ['deliveries', 'retry', 'purge', 'remove'])
				assert.match(d.ctlRaw(['webhook', verb, '99']).err,
					/there is no webhook 99; to see all: .* webhook list$/m);
			await c.close();
			await r.stop();
		});

	withDaemon('D21 redirect, 404, hang, reset, nobody: dead, retried by hand',
		{ webhook_retry_time: 3, webhook_timeout: 1 }, async (d, app) => {
			d.allow(/given up/);
			const other = await Receiver.start();
			const good = await Receiver.start();
			let well = false;
			const bad = {
				redirect: (req, res) => {
					res.writeHead(302, { Location: other.url }).end();
				},
				missing: (req, res) => { res.statusCode = 404; res.end(); },
				hang: () => {},
				reset: (req) => { req.socket.resetAndDestroy(); },
			};
			const rs = {};
			// No other test's server gets that port.
			const nums = { gone: hook(d, app,
				`http://127.0.0.1:${await freePort()}/`) };
			for (const [name, answer] of Object.entries(bad)) {
				rs[name] = await Receiver.start({ answer:
					(req, res) => (well ? res.end() : answer(req, res)) });
				nums[name] = hook(d, app, rs[name].url);
			}
			hook(d, app, good.url);
			const c = await Client.connect(d, app);
			await occupy(c, 'room', 20);
			await good.have(20, 3000);
			const dead = () => deliveries(d, nums.redirect)
				.filter((x) => x.state === 'dead');
			await until('dead letters', () => deliveries(d)
				.filter((x) => x.state === 'dead').length === 100, 40000);
			assert.equal(other.hooks.length, 0, 'redirects are not followed');
			assert.equal(dead()[0].status, 302);
			assert.match(deliveries(d, nums.hang)[0].answer, /time/i);
			assert.match(d.readLog(), /given up after/);
			well = true;
			const before = new Set(deliveries(d, nums.missing)
				.map((x) => x.delivery));
			assert.ok(rs.missing.hooks.every((h) => before.has(h.id)));
			rs.missing.hooks.length = 0;
			assert.deepEqual(d.ctl(['webhook', 'retry', nums.missing]),
				[{ retried: 20 }]);
			await rs.missing.have(20);
			assert.ok(rs.missing.hooks.every((h) => before.has(h.id)));
			assert.deepEqual(d.ctl(['webhook', 'purge', nums.redirect]),
				[{ purged: 20 }]);
			assert.equal(dead().length, 0);
			await c.close();
			for (const r of [other, good, ...Object.values(rs)])
				await r.stop();
		});

	withDaemon('a dead letter keeps its last answer, and had its last try',
		{ webhook_retry_time: 8 }, async (d, app) => {
			d.allow(/given up/);
			const r = await Receiver.start({ answer: (req, res) =>
				res.writeHead(404).end() });
			const num = hook(d, app, r.url);
			const c = await Client.connect(d, app);
			await c.subscribe('room');
			await until('a dead letter', () =>
				deliveries(d, num)[0]?.state === 'dead', 20000);
			const [row] = deliveries(d, num);
			assert.equal(row.answer, 'HTTP 404');
			assert.equal(row.status, 404);
			assert.equal(row.attempts, r.hooks.length);
			assert.ok(r.hooks.at(-1).at - r.hooks[0].at > 7400);
			await c.close();
			await r.stop();
		});

	withDaemon('a slow body and a long one do not make a 200 fail',
		{ webhook_timeout: 1 }, async (d, app) => {
			const r = await Receiver.start({ answer: (req, res) => {
				res.writeHead(200);
				res.write('x'.repeat(100));
			} });
			const long = await Receiver.start({ answer: (req, res) =>
				res.end('x'.repeat(1 << 20)) });
			hook(d, app, r.url);
			hook(d, app, long.url);
			const c = await Client.connect(d, app);
			await c.subscribe('room');
			await until('both done', () => {
				const all = deliveries(d);
				return all.length === 2 && all.every((x) =>
					x.state === 'done' && x.attempts === 1);
			});
			await c.close();
			await r.stop();
			await long.stop();
		});
});

describe('addresses', () => {
	withDaemon('private ones are refused, unless the app may',
		{ webhook_allow_private: 'off' }, async (d, app) => {
			const r = await Receiver.start();
			const localhost = r.url.replace('127.0.0.1', 'localhost');
			for (const url of [r.url, localhost,
				r.url.replace('127.0.0.1', '[::ffff:127.0.0.1]'),
				r.url.replace('127.0.0.1', '0x7f.1')])
				hook(d, app, url);
			const c = await Client.connect(d, app);
			await c.subscribe('room');
			await until('refusals', () => deliveries(d)
				.filter((x) => x.attempts > 0).length === 4);
			assert.equal(r.connections, 0, 'no connection at all');
			assert.ok(deliveries(d).some((x) =>
				/webhook_allow_private/.test(x.answer)));
			d.ctl(['app', 'set', app.id, 'webhook_allow_private=on']);
			await r.have(1, 10000);
			await c.close();
			await r.stop();
		});

	// The daemon inherits the environment of this process.
	process.env.http_proxy = 'http://127.0.0.1:9';
	withDaemon('the proxy of the environment is not used', {},
		async (d, app) => {
			const r = await Receiver.start();
			hook(d, app, r.url);
			const c = await Client.connect(d, app);
			await c.subscribe('room');
			await r.have(1);
			assert.equal(r.hooks[0].url, '/hook');
			await c.close();
			await r.stop();
		});
});

describe('killed', () => {
	// Every event at least once, in order, repeats under the same id.
	const checkAll = (r, app, want) => {
		const seen = new Map();
		for (const h of r.hooks) {
			r.check(h, app);
			const text = h.body.toString();
			assert.equal(seen.get(h.id) ?? text, text);
			seen.set(h.id, text);
		}
		const got = new Set(r.events.map((e) => `${e.name} ${e.channel}`));
		for (const w of want) assert.ok(got.has(w), `missing: ${w}`);
		assert.equal(seen.size, want.length, 'one id for each event');
	};
	const names = (what, prefix, n) => Array.from({ length: n },
		(_, i) => `${what} ${prefix}-${i}`);

	withDaemon('the courier, again and again', {}, async (d, app) => {
		d.allow(/courier/);
		const r = await Receiver.start();
		hook(d, app, r.url, '--events', 'channel_occupied');
		const c = await Client.connect(d, app);
		const busy = occupy(c, 'room', 900, 400);
		for (let i = 0; i < 4; i++) {
			await sleep(400);
			const [pid] = d.pidsOf('courier');
			if (pid) process.kill(pid, 'SIGKILL');
		}
		await busy;
		const want = names('channel_occupied', 'room', 900);
		await until('all of them', () => new Set(r.events.map((e) =>
			e.channel)).size === 900, 30000);
		await sleep(300);
		checkAll(r, app, want);
		await c.close();
		await r.stop();
	});

	withDaemon('the broker: nothing twice, nothing forgotten', {},
		async (d, app) => {
			d.allow(/broker|worker/);
			const r = await Receiver.start();
			hook(d, app, r.url);
			const [a, b] = await Client.several(d, app, 2);
			await a.join('presence-x', 'stays');
			await b.join('presence-x', 'goes');
			await r.have(3);
			b.destroy();
			await sleep(300); // held back now
			const [pid] = d.pidsOf('broker');
			process.kill(pid, 'SIGKILL');
			await until('a new broker', () =>
				d.pidsOf('broker').some((p) => p !== pid));
			await sleep(1000); // every worker has found it
			const late = await Client.connect(d, app);
			await late.subscribe('room');
			await r.have(5, 15000);
			await sleep(500);
			assert.deepEqual(r.events.map((e) =>
				[e.name, e.channel, e.user_id].join(' ').trim()).sort(), [
				'channel_occupied presence-x', 'channel_occupied room',
				'member_added presence-x goes',
				'member_added presence-x stays',
				'member_removed presence-x goes']);
			await closeAll([a, late]);
			await r.stop();
		});

	withDaemon('the whole group; the rest comes after the start', {},
		async (d, app) => {
			let up = false;
			const r = await Receiver.start({ answer: (req, res) => {
				res.statusCode = up ? 200 : 503;
				res.end();
			} });
			hook(d, app, r.url);
			const c = await Client.connect(d, app);
			await c.join('presence-x', 'u');
			await occupy(c, 'room', 50);
			await until('committed', () => deliveries(d).length === 52);
			d.kill();
			await d.exited;
			await c.ended();
			up = true;
			const ids = new Set(deliveries(d).map((x) => x.delivery));
			const again = new Daemon({ ...d.conf });
			fs.rmSync(path.join(d.dir, 'run'), { recursive: true });
			d.stopped = true;
			try {
				await again.start();
				await until('occupied and vacated', () =>
					new Set(r.events.filter((e) =>
						e.name === 'channel_vacated').map((e) =>
						e.channel)).size === 51, 20000);
				const ok = r.events.map((e) => e.name);
				for (const n of ['member_added', 'member_removed'])
					assert.ok(ok.includes(n));
				for (const id of ids)
					assert.ok(r.hooks.some((h) => h.id === id));
				await again.stop();
			} catch (e) {
				again.kill();
				throw e;
			} finally {
				d.remove();
			}
			await r.stop();
		});

	withDaemon('a damaged outbox touches nothing else and is said', {},
		async (d, app) => {
			d.allow(/outbox|courier|webhooks/);
			const r = await Receiver.start();
			hook(d, app, r.url);
			const [pid] = d.pidsOf('courier');
			const file = path.join(d.dir, 'outbox.db');
			await until('the outbox', () => fs.existsSync(file));
			await sleep(300);
			process.kill(pid, 'SIGSTOP');
			for (const end of ['', '-wal', '-shm'])
				if (fs.existsSync(file + end)) fs.unlinkSync(file + end);
			fs.writeFileSync(file, 'no database'.repeat(500),
				{ mode: 0o600 });
			process.kill(pid, 'SIGKILL');
			await until('the trouble', () => /outbox/.test(
				d.ctlRaw(['status']).out));
			const c = await Client.connect(d, app);
			await c.subscribe('room');
			fs.unlinkSync(file);
			await r.have(1, 15000);
			await c.close();
			await r.stop();
		});
});
