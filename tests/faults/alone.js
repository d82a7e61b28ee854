// SPDX-License-Identifier: MIT
//
// One order for everybody, by a seed: a lone worker, which delivers client
// events ahead of the broker, beside events by HTTP in all forms and by
// pusherctl.  The broker is stopped and killed, the worker is stopped,
// replaced and upgraded, and is not alone for a while (FAULTS of them).
// Clients that stay, clients that come and go, pusher-js, tail, webhooks and
// what a session is replayed are compared with the sequence of one client.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { OP } = require('../system/lib/client');
const { SLOW, becomes } = require('../system/lib/daemon');
const { Http, get } = require('../system/lib/http');
const official = require('../system/lib/official');
const { Receiver } = require('../system/lib/receiver');
const resume = require('../system/lib/resume');
const { Running } = require('../system/lib/running');
const { BROKER_KILLED, newBroker, sleep } = require('./lib/actors');
const { CHANNELS, ROOM, Sequence, Viewer, now, number } =
	require('./lib/sequence');

const BROKER_LIVES_MS = 10500; // else the master waits longer each time
const SIZES = [0, 0, 0, 0, 100, 3000, 40000, 300000];
const OF_CLIENTS = [0, 0, 0, 0, 10, 10, 500, 9000];
// Of a command whose broker is killed, or that comes too early.
const LATE = /try again|still leaving|cannot connect|hung up before its answer/;

class Alone extends Sequence {
	constructor(d, app, logged, history, random) {
		super(history);
		Object.assign(this, { d, app, logged, random, done: {}, going: true,
			killed: -Infinity, kills: 0, upgrades: 0 });
	}

	size() {
		return this.random.pick(SIZES);
	}

	// ---- those who send ----

	async sends(v) {
		const { random } = this;
		while (this.going) {
			const channel = random.pick(CHANNELS);
			v.trigger(channel, 'client-e', this.begin([channel], 'client',
				{ by: v.name, size: random.pick(OF_CLIENTS) }));
			if (random.below(4) > 0) continue;
			await v.sync();
			await sleep(12); // else more waits than a worker keeps
			if (random.below(40) === 0) await sleep(random.below(60));
		}
	}

	async ask(h, route, body, how, list, headers = {}) {
		const r = await h.api(this.app, 'POST', route, { body, headers });
		for (const data of list) this.answered(data, r.status);
		if (r.status !== 200 && r.status !== 503)
			this.history.wrong(`${how}: ${r.status} ${r.text}`);
		return r;
	}

	// One publish of some kind; it may not get to one of these.
	async publish(h, viewers) {
		const { random } = this;
		const size = this.size();
		const channel = random.pick(CHANNELS);
		const kind = random.below(10);
		if (kind === 1) {
			const list = CHANNELS.map((c) => this.begin([c], 'batch', { size }));
			await this.ask(h, '/batch_events', { batch: list.map((data, i) =>
				({ name: 'e', channel: CHANNELS[i], data,
					info: 'subscription_count' })) }, 'batch', list);
			return;
		}
		const v = random.pick(viewers);
		const data = this.begin(kind === 0 ? CHANNELS : [channel], 'http',
			{ size, except: kind === 2 ? v.name : undefined });
		const body = kind === 0 ? { name: 'e', channels: CHANNELS, data } :
			{ name: 'e', channel, data };
		if (kind === 2) body.socket_id = v.sid;
		const headers = kind === 3 ?
			{ 'X-Idempotency-Key': `k${number(data)}` } : {};
		const { status } = await this.ask(h, '/events', body, 'http', [data],
			headers);
		// It comes once, whichever process has died.
		if (kind === 3 && status === 200)
			await this.ask(h, '/events', body, 'again', [], headers);
	}

	async publishes(viewers) {
		const h = await Http.connect(this.d);
		while (this.going) {
			await this.publish(h, viewers);
			if (this.random.below(5) === 0) await sleep(this.random.below(30));
		}
		h.end();
	}

	async byHand() {
		while (this.going) {
			const channel = this.random.pick(CHANNELS);
			const data = this.begin([channel], 'pusherctl');
			const { code } = await this.d.ctlAsync(['publish', this.app.id,
				channel, 'e', data]);
			if (code === 0) this.answered(data, 200);
			await sleep(100 + this.random.below(300));
		}
	}

	// ---- those who come and go ----

	async guests() {
		this.gone = [];
		for (let i = 0; this.going; i++) {
			const v = await Viewer.open(this.d, this.app, this, `guest ${i}`,
				`g${i % 3}`);
			await sleep(this.random.below(700));
			if (v.closed) this.history.wrong(`${v.name}: ${v.closed}`);
			await v.leave();
			this.gone.push(v);
		}
	}

	async tails() {
		this.tailed = [];
		while (this.going) {
			this.tail = new Running(this.d, ['tail', this.app.id]);
			await this.tail.ended;
			this.tailed.push(this.tail.out.split('\n').slice(0, -1)
				.map((line) => JSON.parse(line))); // the last one is cut
			await sleep(100);
		}
	}

	// Its line breaks again and again; what it has of the log, in order.
	async session() {
		const id = resume.newId();
		this.resumed = { list: [], gaps: 0, times: 0 };
		const take = (m) => {
			if (m.event === 'e') this.resumed.list.push(number(m.data));
		};
		while (this.going) {
			const c = await resume.open(this.d, this.logged, id);
			const r = await resume.enter(c, 'log');
			this.resumed.times++;
			if (r.status === 'gap') this.resumed.gaps++;
			r.events.forEach(take);
			for (const end = now() + this.random.below(1500); now() < end;) {
				await sleep(20);
				for (const f of c.frames.splice(0))
					if (f.opcode === OP.TEXT)
						take(JSON.parse(f.payload.toString('utf8')));
			}
			c.reset();
			await sleep(this.random.below(300));
		}
	}

	async logs() {
		const h = await Http.connect(this.d);
		this.log = [];
		for (let i = 0; this.going; i++) {
			const r = await h.api(this.logged, 'POST', '/events',
				{ body: { name: 'e', channel: 'log', data: `${i} ` } });
			if (r.status === 200) this.log.push(i);
			else assert.equal(r.status, 503, r.text);
			await sleep(10);
		}
		h.end();
	}

	// ---- faults ----

	async stopFor(pid, ms) {
		process.kill(pid, 'SIGSTOP');
		await sleep(ms);
		process.kill(pid, 'SIGCONT');
	}

	async kill() {
		const [old] = this.d.pidsOf('broker');
		this.kills++;
		this.killed = now();
		process.kill(old, 'SIGKILL');
		await newBroker(this.d, old, 20000);
	}

	async ctl(...args) {
		const r = await this.d.ctlAsync(['-c', this.file, ...args]);
		if (r.code !== 0 && !LATE.test(r.err))
			this.history.wrong(`${args.join(' ')}: ${r.err}`);
		return r;
	}

	async reload(n) {
		fs.writeFileSync(this.file, `workers ${n}\n`);
		await this.ctl('reload');
	}

	all() {
		const { random } = this;
		const ms = random.below(1200);
		const broker = () => this.d.pidsOf('broker')[0];
		const worker = () => random.pick(this.d.pidsOf('worker'));
		return {
			'broker killed': () => this.kill(),
			'broker stopped': () => this.stopFor(broker(), ms),
			'broker stopped and killed': async () => {
				process.kill(broker(), 'SIGSTOP');
				await sleep(ms);
				await this.kill();
			},
			'worker stopped': () => this.stopFor(worker(), ms),
			'worker stopped, broker killed': async () => {
				const done = this.stopFor(worker(), ms);
				await sleep(ms / 3);
				await this.kill();
				await done;
			},
			'both slow': async () => {
				for (let i = 0; i < 6; i++) {
					await this.stopFor(random.pick([broker(), worker()]), 150);
					await sleep(30);
				}
			},
			'worker replaced': () => this.ctl('worker', 'replace', '0'),
			upgrade: () => {
				this.upgrades++;
				return this.ctl('upgrade');
			},
			'two workers': async () => {
				await this.reload(2);
				await sleep(ms);
				await this.reload(1);
			},
			'two workers, broker killed': async () => {
				const first = this.reload(2);
				await sleep(random.below(200));
				await this.kill();
				await first;
				await this.reload(2);
				await sleep(ms);
				await this.reload(1);
			},
		};
	}

	async fault() {
		const all = this.all();
		const what = this.random.pick(Object.keys(all));
		if (/killed/.test(what))
			await sleep(Math.max(0, this.killed + this.lives - now()));
		this.done[what] = (this.done[what] ?? 0) + 1;
		this.history.fault(what);
		await all[what]();
		await sleep(this.random.below(800));
	}

	// ---- what they saw ----

	// In the order of the broker, which hears of client events later.  It
	// lacks what passes between two brokers, and what it says that it missed.
	checkTails(all) {
		const mine = (key) => this.of(key).how !== 'pusherctl';
		this.tailed.forEach((rows, i) => {
			const whole = this.kills + this.upgrades === 0 &&
				!rows.some((m) => m.missed);
			this[whole ? 'checkPart' : 'checkOrder'](`tail ${i}`,
				rows.filter((m) => /^(client-)?e$/.test(m.event))
					.map((m) => `${number(m.data)} ${m.channel}`).filter(mine),
				all.filter(mine));
		});
	}

	// Those that a broker had in its hands when it was killed are lost.
	checkHooks(hooks, all) {
		const keys = [...new Map(hooks.map((h) => [h.id, h])).values()]
			.flatMap((h) => h.json.events)
			.filter((e) => e.event === 'client-e')
			.map((e) => `${number(e.data)} ${e.channel}`);
		const mine = all.filter((key) => this.of(key).how === 'client');
		for (const c of CHANNELS) {
			const of = (l) => l.filter((key) => key.endsWith(` ${c}`));
			if (this.kills > 0)
				this.checkOrder(`webhooks of ${c}`, of(keys), of(mine));
			else this.same(`webhooks of ${c}`, of(keys), of(mine));
		}
		return keys.length;
	}

	// Events that were on their way when its line broke may come twice.
	checkSession() {
		const { list, gaps } = this.resumed;
		const got = [];
		for (const n of list) if (!(n <= got.at(-1))) got.push(n);
		const all = this.log.map(String);
		if (gaps > 0) this.checkOrder('session', got.map(String), all);
		else this.checkPart('session', got.map(String), all);
	}

	async checkLast(all) {
		const v = await Viewer.open(this.d, this.app, this, 'last', 'last');
		await v.sync();
		this.checkCached(v, all);
		await v.leave();
	}
}

async function pusherJs(s, auth) {
	const p = official.client(8, s.d, s.app, auth);
	const v = { name: 'pusher-js', list: [], p };
	await Promise.all(CHANNELS.map((c) => new Promise((ok) => {
		const channel = p.subscribe(c);
		channel.bind('pusher:subscription_succeeded', ok);
		channel.bind_global((event, data) => {
			if (/^(client-)?e$/.test(event)) s.seen(v, c, String(data));
		});
	})));
	return v;
}

// Until nothing more comes.
async function settle(viewers, hooks) {
	const count = () => [...viewers.map((v) => v.list.length),
		hooks.hooks.length].join();
	for (let before; before !== count();) {
		before = count();
		await sleep(1000 * SLOW);
	}
}

async function check(s, viewers, hooks) {
	const { history } = s;
	const all = viewers[0].list; // nothing is kept from it
	s.checkMain(all);
	for (const v of viewers) {
		if (v.closed) history.wrong(`${v.name}: closed: ${v.closed}`);
		s.same(v.name, v.list, s.wanted(v, all));
	}
	for (const v of s.gone) {
		s.checkPart(v.name, v.list, s.wanted(v, all));
		if (v.list.length > 0) s.checkCached(v, all);
	}
	s.checkTails(all);
	s.checkSession();
	const sent = s.checkHooks(hooks.hooks, all);
	const ids = (await get(s.d, s.app, `/channels/${ROOM}/users`)).users
		.map((u) => u.id);
	for (const v of viewers) v.roster?.expect(ids);
	assert.equal(ids.length, viewers.length);
	await s.checkLast(all);
	return { events: all.length, guests: s.gone.length, hooks: sent,
		tails: s.tailed.map((t) => t.length).join(' '),
		resumed: s.resumed.times, gaps: s.resumed.gaps };
}

async function begin({ start, history, random, short }) {
	let file;
	let logged;
	const { d, app } = await start({ client_buffer: 64 << 20,
		log_level: 'debug', max_message_bytes: 500000 },
	{ client_events: 'on', max_event_bytes: 400000,
		max_client_events_per_second: 0, max_presence_members: 1000,
		webhook_allow_private: 'on' },
	(it) => {
		delete it.conf.workers; // the file says it, for the reloads
		file = path.join(it.dir, 'p.conf');
		fs.writeFileSync(file, 'workers 1\n');
		logged = it.app({ resume: 'on', max_backend_events_per_second: 0 });
		return ['-c', file];
	});
	d.allow(...BROKER_KILLED, /resync: not every worker connected/,
		/move: this worker keeps/, /is still leaving/);
	const s = new Alone(d, app, logged, history, random);
	s.file = file;
	s.lives = short ? 3000 : BROKER_LIVES_MS;
	return s;
}

module.exports = async function alone(how) {
	const s = await begin(how);
	const { d, app } = s;
	const hooks = await Receiver.start();
	const auth = await official.authServer(official.server(d, app));
	d.ctl(['webhook', 'add', app.id, hooks.url, '--events', 'client_event']);
	const viewers = [];
	for (let i = 0; i < 6; i++)
		viewers.push(await Viewer.open(d, app, s, `viewer ${i}`, `v${i}`));
	viewers.push(await pusherJs(s, auth));
	const some = viewers.slice(1, 3);
	const began = [...viewers.slice(3, 6).map((v) => s.sends(v)), s.guests(),
		s.tails(), s.session(), s.logs(), s.byHand(), s.publishes(some),
		s.publishes(some)];
	for (const p of began) p.catch((e) => how.history.wrong(e.stack));
	const n = Number(process.env.FAULTS ?? (how.short ? 6 : 60));
	for (let i = 0; i < n; i++) await s.fault();
	s.going = false;
	await becomes(() => s.tail.code !== undefined || !s.tail.p.kill(), true);
	await Promise.all(began);
	await settle(viewers, hooks);
	const figures = await check(s, viewers, hooks);
	for (const v of viewers) await v.leave?.();
	viewers.at(-1).p.disconnect();
	await auth.stop();
	await hooks.stop();
	return { faults: n, ...figures, ...s.done };
};
