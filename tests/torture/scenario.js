// SPDX-License-Identifier: MIT
//
// One server that has one call fail, and all who use it meanwhile: clients
// with and without TLS, publishers, a webhook receiver, pusherctl.  The
// conditions are in README.md.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { Client } = require('../system/lib/client');
const { Daemon, PUSHERD, SLOW, until } = require('../system/lib/daemon');
const { api } = require('../system/lib/http');
const { Receiver } = require('../system/lib/receiver');
const { History } = require('../faults/lib/history');
const { Watcher, sleep } = require('../faults/lib/actors');

const SHIM = path.join(path.dirname(PUSHERD), 'torture_shim.so');
const STUCK_MS = 9000 * SLOW; // longer than a broker is away
const CHANNELS = ['private-x', 'presence-r', 'cache-c'];

// Descriptors of a process, of each kind so many.
function descriptors(pid) {
	const kinds = {};
	for (const fd of fs.readdirSync(`/proc/${pid}/fd`)) {
		let to;
		try {
			to = fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
		} catch {
			continue; // closed meanwhile
		}
		const kind = to.replace(/:\[\d+\]$/, '').replace(/^.*\//, '');
		kinds[kind] = (kinds[kind] ?? 0) + 1;
	}
	return kinds;
}

class Run {
	// usual: what an untouched run left open (this.open of that one).
	constructor(name, { authority, usual, stacks } = {}) {
		Object.assign(this, { name, authority, usual, stacks });
		[this.role, this.call] = name.split(':');
		this.history = new History();
		this.seq = 0;
		this.watchers = [];
		this.guests = [];
	}

	get hit() { return fs.existsSync(this.fired); }

	// The process that had the call fail.
	get victim() {
		return this.hit ? parseInt(fs.readFileSync(this.fired, 'utf8'), 10) : 0;
	}

	get frames() {
		return this.hit ? fs.readFileSync(this.fired, 'utf8').trim()
			.split(' ').slice(2) : [];
	}

	// The master may go, too, and says why; nobody is there to replace it.
	get over() {
		return this.role === 'master' && this.hit && this.d.exit !== null;
	}

	async start() {
		const d = this.d = new Daemon({ workers: 2, crash_grace: 0,
			webhook_allow_private: 'on', metrics_listen: '127.0.0.1:0',
			listen: ['127.0.0.1:0', '127.0.0.1:0 tls'],
			tls_certificate: this.authority.file('cert.pem'),
			tls_key: this.authority.file('key.pem') });
		d.allow(/./);
		this.app = d.app({ client_events: 'on' });
		d.ctl(['webhook', 'add', this.app.id, this.receiver.url]);
		this.fired = path.join(d.dir, 'fired');
		d.env = { LD_PRELOAD: SHIM, TORTURE: this.name,
			TORTURE_FIRED: this.fired,
			ASAN_OPTIONS: 'detect_leaks=1:verify_asan_link_order=0' };
		if (this.stacks) d.env.TORTURE_STACKS = this.stacks;
		try {
			await d.start();
		} catch (e) {
			if (d.exit) {
				await this.checkRefusal();
				return false;
			}
			// Perhaps it is ready, and the line that says so is
			// lost.
			if (!this.hit || this.call !== 'send' || !d.port) throw e;
		}
		return true;
	}

	// It did not start, or the master has left, and says why.
	async checkRefusal() {
		const { d } = this;
		assert.equal(d.exit.signal, null);
		assert.notEqual(d.exit.code, 0);
		assert.ok(this.hit, 'it has ended, and nothing failed');
		const said = d.readLog().split('\n').filter((l) =>
			/"level":"error"/.test(l) || /^pusherd: /.test(l));
		assert.ok(said.length > 0, 'it has ended and said nothing');
		await until('all to be gone', () =>
			Object.keys(d.processes()).length === 0);
		this.checkLog();
	}

	// A client that loses its connection meanwhile has lost only that, but
	// nobody waits for ever.
	async attempt(what, fn) {
		let timer;
		const late = new Promise((ok) => {
			timer = setTimeout(ok, STUCK_MS, 'late');
		});
		const done = fn().catch(() => undefined);
		const r = await Promise.race([done, late]);
		clearTimeout(timer);
		if (r === 'late') this.history.wrong(`${what}: stuck`);
		return r === 'late' ? undefined : r;
	}

	async publish(channel) {
		const seq = ++this.seq;
		const r = await this.attempt('a publisher', () => api(this.d, this.app,
			'POST', '/events',
			{ body: { name: 'n', channel, data: `${seq} 0` } }));
		this.history.published(channel, seq, r ? r.status : 0);
	}

	// One on each worker, if all goes well.
	async watch(name) {
		const have = new Set(this.watchers.map((w) => w.pid));
		for (let i = 0; i < 12; i++) {
			const w = await this.attempt(name, () => Watcher.open(this.d,
				this.app, this.history, name, CHANNELS,
				{ data: { user_id: name } }));
			if (!w) return;
			w.pid = w.worker;
			if (w.pid !== null && !have.has(w.pid)) {
				this.watchers.push(w);
				return;
			}
			w.leaving = true;
			await this.attempt(name, () => w.close());
		}
	}

	// A client that is gone in the end, also when something goes wrong.
	async join(to) {
		const c = new Client(to, `/app/${this.app.key}?protocol=7`);
		c.app = this.app;
		this.guests.push(c);
		await c.greeted();
		return c;
	}

	async guest() {
		const { d } = this;
		await this.attempt('a client', async () => {
			const c = await this.join(d);
			await c.subscribe('private-x');
			await c.subscribe('presence-r', { data: { user_id: 'c' } });
			await c.signin({ id: 'u', watchlist: ['v'] });
			c.trigger('private-x', 'client-e', 'hello');
			c.unsubscribe('private-x');
			await c.sync();
			await c.close();
		});
		await this.attempt('a client with TLS', async () => {
			const c = await this.join({ tls: true, port: d.ports[1] });
			await c.subscribe('private-x');
			await c.close();
		});
		for (const c of this.guests) c.destroy();
	}

	async admin() {
		const { d, app } = this;
		for (const args of [['status'], ['reload'], ['app', 'set', app.id,
			'max_presence_members=50'], ['connections', 'list'],
			['publish', app.id, 'room', 'e', 'x']])
			await this.attempt(`pusherctl ${args[0]}`, () =>
				d.ctlAsync(args));
	}

	async use() {
		const { d, app } = this;
		await this.watch('a');
		await this.watch('b');
		await this.publish('private-x');
		await this.guest();
		for (let i = 0; i < 3; i++) await this.publish('private-x');
		await this.publish('cache-c');
		for (const what of ['/channels', '/channels/presence-r/users',
			'/channels/private-x?info=subscription_count'])
			await this.attempt(what, () => api(d, app, 'GET', what));
		await this.attempt('/metrics', () => fetch(
			`http://127.0.0.1:${d.metrics}/metrics`).then((r) => r.text()));
		await this.admin();
		await this.publish('private-x');
	}

	// A watcher may lose its connection with the process that had the call
	// fail, or with a worker that lost its broker or its master.
	mayClose(w) {
		return this.over || w.pid === this.victim || new RegExp(
			'link ended: (?!closed|the broker exits).* ' +
			`pid=${w.pid}"` + (this.role === 'master' ?
				`|worker . exited with code 0 pid=${w.pid};` : ''))
			.test(this.d.readLog());
	}

	// An event that was answered 200 may still be held for a broker that
	// begins.
	hasAll(w) {
		return w.closed || this.over || [...w.seen].every(([channel, seqs]) =>
			[...this.history.answers.get(channel) ?? []].every(([seq, a]) =>
				a.status !== 200 || seqs.includes(seq)));
	}

	async checkWatchers() {
		const { history } = this;
		await until('all that was answered 200', () =>
			this.watchers.every((w) => this.hasAll(w) &&
				(!w.closed || this.mayClose(w))), 6000).catch(() => {});
		for (const w of this.watchers) {
			w.mayClose = this.mayClose(w);
			if (!w.closed || !w.mayClose) history.checkWatcher(w);
			w.leaving = true;
			await this.attempt('a client that leaves', () => w.close());
		}
		assert.deepEqual(history.errors, []);
	}

	async tryAll() {
		const { d, app } = this;
		const fresh = `after-${Math.random().toString(36).slice(2)}`;
		const c = await this.join(d);
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
			c.destroy();
		}
		return fresh;
	}

	hook(fresh) {
		return until('its webhook', () => this.receiver.events.some((e) =>
			e.name === 'channel_occupied' &&
			e.channel === `presence-${fresh}`), 4000);
	}

	// As if nothing had been.
	async works() {
		const { d } = this;
		await until('it to work again', async () => {
			if (this.over) return true;
			try {
				// A client that comes and goes while a broker
				// begins is not reported.
				await this.hook(await this.tryAll());
				return true;
			} catch (e) {
				this.why = e;
				await sleep(50);
				return false;
			}
		}, 15000).catch((e) => {
			assert.fail(`${e.message}: ${this.why?.message}`);
		});
		if (this.over) return;
		const r = await d.ctlAsync(['app', 'list']);
		assert.equal(r.code, 0, r.err);
		await this.checkDescriptors();
	}

	// Nobody keeps more open than it does when nothing fails.
	async checkDescriptors() {
		let more;
		const look = () => {
			more = [];
			this.open = {};
			for (const role of ['broker', 'worker', 'courier'])
				for (const pid of this.d.pidsOf(role))
					this.lookAt(role, descriptors(pid), more);
			this.lookAt('master', descriptors(this.d.child.pid), more);
			return more.length === 0;
		};
		await until('descriptors', look, 6000).catch(() => {
			assert.fail(`descriptors are left open: ${more.join(', ')}`);
		});
	}

	lookAt(role, kinds, more) {
		const usual = this.usual?.[role];
		const open = this.open[role] ??= {};
		for (const [kind, n] of Object.entries(kinds)) {
			open[kind] = Math.max(open[kind] ?? 0, n);
			// Webhooks go out over several, which are kept.
			const spare = role === 'courier' && kind === 'socket' ? 3 : 0;
			if (usual && n > (usual[kind] ?? 0) + spare)
				more.push(`${role}: ${n} ${kind}, usually ` +
					`${usual[kind] ?? 0}`);
		}
	}

	checkLog() {
		const text = this.d.readLog();
		const bad = /.*(killed by signal (?!15)|Assertion|stack smashing|corrupt|Sanitizer|runtime error:|stuck).*/;
		const found = bad.exec(text.replace(/corrupted ticket/g, ''));
		assert.equal(found, null, found?.[0]);
	}

	async go() {
		const began = performance.now();
		this.receiver = await Receiver.start();
		try {
			if (await this.start()) {
				await this.use();
				await this.checkWatchers();
				await this.works();
				this.checkLog();
			}
			this.reached = this.hit;
			if (!this.d.exit) await this.d.stop({ within: 20000 });
			else await this.end();
			return { ok: true, hit: this.reached,
				ms: performance.now() - began };
		} catch (e) {
			return { ok: false, hit: this.hit, why: this.explain(e),
				frames: this.frames };
		} finally {
			this.d.kill();
			this.d.remove();
			await this.receiver.stop();
		}
	}

	// The master has left by itself.
	async end() {
		await this.checkRefusal();
		this.d.remove();
	}

	explain(e) {
		const log = this.d.readLog();
		const at = log.search(/==\d+==ERROR|runtime error/);
		return `${e.message.slice(0, 1500)}\n` + (at >= 0 ?
			log.slice(at, at + 5000) :
			log.split('\n').slice(-25).join('\n'));
	}
}

module.exports = { Run, SHIM };
