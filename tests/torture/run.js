// SPDX-License-Identifier: MIT
//
// run.js [--short] [--seed N] [ROLE:CALL[:N] ...]: makes the N-th call of a
// kind fail in one role of pusherd, once, for N = 1, 2, 3 ... until it is not
// reached any more, while clients, publishers, a webhook receiver and
// pusherctl use the server.  What has to hold each time: no process dies by a
// signal, nothing that was answered 200 is lost or doubled for a client that
// stayed, and a moment later everything works; or the server refuses to start
// with a sentence.  --short: some of them by lot, for `make check`.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { Client } = require('../system/lib/client');
const { Daemon, PUSHERD, until } = require('../system/lib/daemon');
const { api } = require('../system/lib/http');
const { Receiver } = require('../system/lib/receiver');
const { History, random } = require('../faults/lib/history');
const { Watcher, sleep } = require('../faults/lib/actors');

const ROLES = ['master', 'broker', 'worker', 'courier'];
const CALLS = ['malloc', 'read', 'send', 'accept', 'open', 'fsync', 'step',
	'socket', 'connect', 'fork'];
const MOST = 3000; // calls of one kind that a run can reach
const LOTS = 12; // of --short
const SHIM = path.join(path.dirname(PUSHERD), 'torture_shim.so');

// Who loses its connection meanwhile has lost nothing but that.
async function attempt(fn) {
	try {
		return await Promise.race([fn(), sleep(2500)]);
	} catch {
		return undefined;
	}
}

class Run {
	constructor(role, call, n) {
		this.name = `${role}:${call}:${n}`;
		this.history = new History();
		this.seq = 0;
	}

	get hit() { return fs.existsSync(this.fired); }

	async start(receiver) {
		const d = this.d = new Daemon({ workers: 1, crash_grace: 0,
			webhook_allow_private: 'on' });
		d.allow(/./);
		this.app = d.app({ client_events: 'on' });
		d.ctl(['webhook', 'add', this.app.id, receiver.url]);
		this.fired = path.join(d.dir, 'fired');
		d.env = { LD_PRELOAD: SHIM, TORTURE: this.name,
			TORTURE_FIRED: this.fired };
		try {
			await d.start();
		} catch (e) {
			if (!d.exit) throw e;
			this.checkRefusal();
			return false;
		}
		return true;
	}

	// It did not start, and says why.
	checkRefusal() {
		const { d } = this;
		assert.equal(d.exit.signal, null);
		assert.notEqual(d.exit.code, 0);
		assert.ok(this.hit, 'it did not start, and nothing failed');
		const said = d.readLog().split('\n').filter((l) =>
			/"level":"error"/.test(l) || /^pusherd: /.test(l));
		assert.ok(said.length > 0, 'it did not start and said nothing');
		this.checkLog();
		assert.deepEqual(d.processes(), {}, 'leftover processes');
	}

	async publish(channel) {
		const seq = ++this.seq;
		const r = await attempt(() => api(this.d, this.app, 'POST', '/events',
			{ body: { name: 'n', channel, data: `${seq} 0` } }));
		this.history.published(channel, seq, r ? r.status : 0);
	}

	async use() {
		const { d, app, history } = this;
		const watchers = [];
		for (const name of ['a', 'b'])
			await attempt(async () => {
				watchers.push(await Watcher.open(d, app, history, name,
					['private-x', 'presence-r', 'cache-c'],
					{ data: { user_id: name } }));
			});
		await this.publish('private-x');
		await attempt(async () => {
			const c = await Client.connect(d, app);
			await c.subscribe('private-x');
			await c.subscribe('presence-r', { data: { user_id: 'c' } });
			c.trigger('private-x', 'client-e', 'hello');
			await c.sync();
			await c.close();
		});
		for (let i = 0; i < 3; i++) await this.publish('private-x');
		await this.publish('cache-c');
		for (const what of ['/channels', '/channels/presence-r/users',
			'/channels/private-x?info=subscription_count'])
			await attempt(() => api(d, app, 'GET', what));
		await attempt(() => d.ctlAsync(['status']));
		await attempt(() => d.ctlAsync(['app', 'set', app.id,
			'max_presence_members=50']));
		await sleep(200);
		for (const w of watchers) {
			w.mayClose = true;
			if (!w.closed) history.checkWatcher(w);
			w.leaving = true;
			await attempt(() => w.close());
		}
		assert.deepEqual(history.errors, []);
	}

	// As if nothing had been.
	async works(receiver) {
		const { d, app } = this;
		const fresh = `after-${Math.random().toString(36).slice(2)}`;
		await until('it to work again', () => attempt(async () => {
			const c = await Client.connect(d, app);
			try {
				await c.subscribe(`presence-${fresh}`,
					{ data: { user_id: 'last' } });
				const r = await api(d, app, 'POST', '/events', { body: {
					name: 'e', channel: `presence-${fresh}`, data: 'x' } });
				assert.equal(r.status, 200);
				await c.expect('e', `presence-${fresh}`, 2000);
				const u = await api(d, app, 'GET',
					`/channels/presence-${fresh}/users`);
				assert.deepEqual(u.json.users, [{ id: 'last' }]);
				const all = await api(d, app, 'GET', '/channels');
				assert.deepEqual(Object.keys(all.json.channels),
					[`presence-${fresh}`]);
			} finally {
				await c.close();
			}
			return true;
		}), 15000);
		await until('its webhook', () => receiver.events.some((e) =>
			e.name === 'channel_occupied' &&
			e.channel === `presence-${fresh}`), 15000);
		const r = await d.ctlAsync(['app', 'list']);
		assert.equal(r.code, 0, r.err);
	}

	checkLog() {
		const text = this.d.readLog();
		assert.doesNotMatch(text,
			/killed by signal (?!15)|Assertion|stack smashing|corrupt/);
	}

	async go(receiver) {
		let hit;
		try {
			if (await this.start(receiver)) {
				await this.use();
				await this.works(receiver);
				hit = this.hit;
				this.checkLog();
				await this.d.stop({ within: 20000 });
			} else {
				hit = true;
				this.d.remove();
			}
		} catch (e) {
			console.log(`  ${e.message.slice(0, 2000)}`);
			console.log(this.d.readLog().split('\n').slice(-12).join('\n'));
			this.d.kill();
			this.d.remove();
			return { ok: false, hit: true };
		}
		return { ok: true, hit };
	}
}

async function one(role, call, n) {
	const receiver = await Receiver.start();
	const r = await new Run(role, call, n).go(receiver);
	await receiver.stop();
	if (!r.ok)
		console.log(`not ok torture/${role}:${call}:${n}\n  again: ` +
			`node tests/torture/run.js ${role}:${call}:${n}`);
	return r;
}

// Small numbers more often: the large ones are not reached in every role.
function lots(rnd) {
	return Array.from({ length: LOTS }, () => [
		ROLES[rnd.below(ROLES.length)], CALLS[rnd.below(CALLS.length)],
		1 + Math.floor(2 ** (rnd.next() * 7))]);
}

async function series(role, call) {
	let n = 1;
	let failed = 0;
	for (; n <= MOST; n++) {
		const r = await one(role, call, n);
		if (!r.ok) failed++;
		if (!r.hit) break;
	}
	console.log(`${failed ? 'not ok' : 'ok'} torture/${role}:${call} ` +
		`${n - 1} calls, ${failed} failed`);
	return [n - 1 - failed, failed];
}

async function main() {
	assert.ok(fs.existsSync(SHIM), `${SHIM} is missing: make tools`);
	const argv = process.argv.slice(2);
	const short = argv.includes('--short');
	const at = argv.indexOf('--seed');
	const seed = at >= 0 ? Number(argv[at + 1])
		: Math.floor(Math.random() * 1e9);
	const names = argv.filter((a) => /^[a-z]+:[a-z]+/.test(a));
	let passed = 0;
	let failed = 0;
	const count = (r) => { r.ok ? passed++ : failed++; };
	if (short) {
		console.log(`torture: seed ${seed}`);
		for (const [role, call, n] of lots(random(seed)))
			count(await one(role, call, n));
	} else {
		for (const name of names.length > 0 ? names : ROLES.flatMap((r) =>
			CALLS.map((c) => `${r}:${c}`))) {
			const [role, call, n] = name.split(':');
			if (n) {
				const r = await one(role, call, Number(n));
				console.log(r.hit ? 'it was reached' : 'it was not reached');
				count(r);
				continue;
			}
			const [p, f] = await series(role, call);
			passed += p;
			failed += f;
		}
	}
	console.log(`# torture ${passed} passed, ${failed} failed`);
	process.exit(failed > 0 ? 1 : 0);
}

main();
