// SPDX-License-Identifier: MIT
//
// L1, L2, L4, L5: everything at once, by a seed: broker, workers and courier
// are stopped, go on and are killed, alone and together; reloads change the
// number of workers; the database is locked.  The rule: a client that was not
// closed has every event that was answered 200 while it was subscribed, in
// order and once, and knows who is present.  One that was closed comes back
// and is exact from then on.  MINUTES=60 sets how long it goes on.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { get } = require('../system/lib/http');
const { SLOW, until } = require('../system/lib/daemon');
const { History } = require('./lib/history');
const { Watcher, Publisher, sleep, settle } = require('./lib/actors');

const CHANNELS = ['c0', 'c1', 'c2', 'c3'];
const ROOM = 'presence-room';
// Nothing else may be warned of: each of these is what a fault does.
const EXPECTED = [
	/(broker|courier|worker \d) was killed by signal 9 \(Killed\) pid=\d+/,
	/worker \d exited with code 0 pid=\d+; another one in \d+ s/,
	/link to the broker lost: /, /the broker had dropped this worker: exiting/,
	/resync: not every worker connected in time/,
	/events may be missing: closing \d+ connections/,
	/reload: nothing has changed: .* is still leaving: try again/,
	/apps: cannot read the database: .* busy with another process/];
// A death after less than 10 s is one "again", for which the master waits.
const BROKER_LIVES_MS = 10500;

// Notes when each event was begun: only then it is known who must have it.
class Writer extends Publisher {
	constructor(...args) {
		super(...args);
		this.began = [null]; // by seq
	}

	next() {
		const e = super.next();
		this.began[e.seq] = performance.now();
		return e;
	}
}

// One user who comes back whenever it is closed.
class Guest {
	constructor(s, n) {
		Object.assign(this, { s, id: `u${n}`, channel: CHANNELS[n % 4] });
		this.back = []; // ms from each close to being back
		this.sessions = 0;
	}

	async run() {
		let closed = 0;
		while (!this.s.over) {
			const history = new History();
			let w;
			try {
				w = await this.open(history);
			} catch {
				await sleep(50);
				continue;
			}
			if (closed) this.back.push(performance.now() - closed);
			this.sessions++;
			this.w = w;
			while (!w.closed && !this.s.over) await sleep(20);
			closed = performance.now();
			this.w = null;
			this.s.judge(w, history);
			w.destroy();
		}
	}

	async open(history) {
		let timer;
		const late = new Promise((_, no) => {
			timer = setTimeout(() => no(new Error('late')), 10000);
		});
		const w = Watcher.open(this.s.d, this.s.app, history, this.id,
			[this.channel, ROOM], { data: { user_id: this.id } });
		w.catch(() => {});
		try {
			const it = await Promise.race([w, late]);
			it.from = performance.now();
			return it;
		} catch (e) {
			w.then((it) => it.leave(), () => {});
			throw e;
		} finally {
			clearTimeout(timer);
		}
	}
}

class Stress {
	constructor(d, app, history, random) {
		Object.assign(this, { d, app, history, random });
		this.done = {};
		this.spared = 0; // when the broker was killed last
		this.later = new Set(); // changes that still have to be undone
	}

	// The events that one session saw; without a close they must be
	// complete.
	judge(w, own) {
		const seqs = w.seen.get(w.seen.keys().next().value);
		const channel = w.seen.keys().next().value;
		const answers = this.history.answers.get(channel) ?? new Map();
		const ok = (seq) => answers.get(seq)?.status === 200;
		const got = new Set(seqs);
		if (got.size !== seqs.length)
			this.history.wrong(`${w.name}: ${channel}: an event came twice`);
		let last = 0;
		for (const seq of seqs.filter(ok)) {
			if (seq < last)
				this.history.wrong(`${w.name}: ${channel}: ${seq} behind ` +
					last);
			last = Math.max(last, seq);
		}
		if (w.closed) return;
		for (const e of own.errors) this.history.wrong(e);
		const { began } = this.writers.get(channel);
		for (let seq = 1; seq < began.length; seq++)
			if (began[seq] > w.from && ok(seq) && !got.has(seq))
				this.history.wrong(`${w.name}: ${channel}: ${seq} was ` +
					'answered 200 and not delivered, and it was not closed');
	}

	signal(pid, sig) {
		if (pid === 0) return; // that would be this process
		try {
			process.kill(pid, sig);
		} catch { /* it is gone */ }
	}

	async stopFor(pid, ms) {
		this.signal(pid, 'SIGSTOP');
		this.later.add(pid);
		await sleep(ms);
		this.signal(pid, 'SIGCONT');
		this.later.delete(pid);
	}

	one(role) {
		return this.random.pick(this.d.pidsOf(role)) ?? 0;
	}

	// Before a fault that ends the broker.
	async spare() {
		const left = this.spared + this.lives - performance.now();
		if (left > 0) await sleep(left);
	}

	kill(role) {
		if (role === 'broker') this.spared = performance.now();
		this.signal(this.one(role), 'SIGKILL');
	}

	async lock(ms) {
		const p = spawn('sqlite3', [this.d.conf.database],
			{ stdio: ['pipe', 'ignore', 'ignore'] });
		p.stdin.on('error', () => {});
		p.stdin.write('.timeout 2000\nBEGIN EXCLUSIVE;\n');
		await sleep(ms);
		p.stdin.end('ROLLBACK;\n');
		await new Promise((ok) => p.on('exit', ok));
	}

	async reload(n) {
		const text = `workers ${n}\n`;
		fs.writeFileSync(this.file, text);
		await this.d.ctlAsync(['-c', this.file, 'reload']);
	}

	async fault() {
		const { random } = this;
		const w = this.one('worker');
		const ms = random.below(3500);
		const all = {
			broker: () => this.kill('broker'),
			worker: () => this.kill('worker'),
			courier: () => this.kill('courier'),
			'worker stopped': () => this.stopFor(w, ms),
			'broker stopped': () => this.stopFor(this.one('broker'),
				random.below(2500)),
			'worker stopped, broker killed': async () => {
				const done = this.stopFor(w, 2500 + random.below(1500));
				await sleep(random.below(200));
				this.kill('broker');
				await done;
			},
			'worker stopped, broker killed twice': async () => {
				const done = this.stopFor(w, 4000);
				this.kill('broker');
				await sleep(2800);
				this.kill('broker');
				await done;
			},
			reload: () => this.reload(1 + random.below(4)),
			'reload without broker': async () => {
				this.kill('broker');
				await this.reload(1 + random.below(4));
			},
			'database locked': async () => {
				const done = this.lock(1000 + random.below(8000));
				await sleep(300);
				this.kill('broker');
				await done;
			},
		};
		const what = random.pick(Object.keys(all));
		this.done[what] = (this.done[what] ?? 0) + 1;
		if (/broker|locked/.test(what)) await this.spare();
		this.history.fault(what);
		await all[what]();
	}

	calm() {
		for (const pid of this.later) this.signal(pid, 'SIGCONT');
	}
}

async function present(s, guests) {
	const want = guests.map((g) => g.id).sort();
	await until('everybody to be there', async () => {
		if (!guests.every((g) => g.w && !g.w.closed)) return false;
		const users = await get(s.d, s.app, `/channels/${ROOM}/users`)
			.then((r) => r.users, () => []); // the master may wait, too
		return users.length === want.length;
	}, 60000);
	await sleep(4000 * SLOW); // those who left while it was dark
	await settle(guests.map((g) => g.w).filter(Boolean));
	for (const g of guests) if (g.w && !g.w.closed) g.w.roster.expect(want);
}

module.exports = async function stress({ start, history, random, short }) {
	const seconds = process.env.MINUTES ? process.env.MINUTES * 60
		: short ? 25 : 300;
	let file;
	const { d, app } = await start({ drain_time: 1 },
		{ max_presence_members: 1000, client_events: 'on' }, (it) => {
			delete it.conf.workers; // the file says it, for the reloads
			file = path.join(it.dir, 'p.conf');
			fs.writeFileSync(file, 'workers 3\n');
			return ['-c', file];
		});
	d.allow(...EXPECTED);
	const s = new Stress(d, app, history, random);
	s.file = file;
	s.lives = short ? 3000 : BROKER_LIVES_MS;
	s.writers = new Map(CHANNELS.map((c) =>
		[c, new Writer(d, app, history, [c])]));
	const guests = Array.from({ length: 24 }, (_, i) => new Guest(s, i));
	const runs = guests.map((g) => g.run());
	await until('all guests', () => guests.every((g) => g.w), 20000);
	for (const p of s.writers.values()) p.start(short ? 20 : 40);
	const end = performance.now() + seconds * 1000;
	while (performance.now() < end) {
		await s.fault();
		await sleep(200 + random.below(short ? 1500 : 6000));
	}
	s.calm();
	try {
		await until('the writers', () => Promise.race([Promise.all(
			[...s.writers.values()].map((p) => p.stop())).then(() => true),
		sleep(1000).then(() => false)]), 30000);
		await present(s, guests);
	} finally {
		s.over = true;
		await Promise.all(runs);
	}
	const back = guests.flatMap((g) => g.back).sort((a, b) => a - b);
	const answers = {};
	for (const p of s.writers.values())
		for (const [k, v] of Object.entries(p.status))
			answers[k] = (answers[k] ?? 0) + v;
	assert.ok(answers[200] > 0, 'something was published');
	const at = (q) => Math.round(back[Math.floor(q * (back.length - 1))] ?? 0);
	return { faults: s.done, answers, closed: back.length,
		'ms from a close to being back':
			{ median: at(0.5), '99 %': at(0.99), most: at(1) } };
};
