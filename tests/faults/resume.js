// SPDX-License-Identifier: MIT
//
// Sessions under faults, by a seed (FAULTS=1000 of them; MINUTES=40 for that): lines that break or fall silent, closes by
// the server, deaths of worker, broker, both and master, restarts by hand,
// while 200 events a second go to channels of all kinds.  Each client has
// each channel in order, once and whole, or was told of a gap.
'use strict';

const assert = require('node:assert/strict');
const { until } = require('../system/lib/daemon');
const { publish, Http } = require('../system/lib/http');
const { server, authServer } = require('../system/lib/official');
const { Publisher, newBroker, sleep } = require('./lib/actors');
const { Resumer, encrypted, MASTER, USER } = require('./lib/resumer');

const kinds = (prefix, n) =>
	Array.from({ length: n }, (_, i) => `${prefix}${i}`);
const OTHERS = 'to-others';
const BULK = 'bulk'; // large events, until a client that does not read is closed
const TALKERS = 3;   // clients that send client events, each on its channel
const TALK = kinds('private-talk-', TALKERS);
const CHANNELS = [...kinds('news-', 5), ...kinds('private-', 4),
	...kinds('presence-', 3), ...kinds('cache-', 2),
	...kinds('private-cache-', 1), ...kinds('presence-cache-', 1),
	...kinds('private-encrypted-', 2), ...kinds('private-encrypted-cache-', 1),
	`#server-to-user-${USER}`];
const EXPECTED = [/was killed by signal 9/, /exited with code/,
	/link to the broker lost: /, /the broker had dropped this worker/,
	/resync: not every worker connected in time/, /another one in \d+ s/,
	/events may be missing/, /the master is gone/, /do not exit: killing/,
	/accepted events are lost: no broker/]; // the master's death ends it, too
const PROCESS_MS = 11000; // between deaths of processes: then they are forgotten

class Numbers extends Publisher {
	data(e, now) {
		return e.channel.startsWith('private-encrypted-') ?
			encrypted(e.channel, super.data(e, now)) : super.data(e, now);
	}
}

// Events that exclude one of the clients, whether it is there or away.
class ToOthers {
	constructor(s) {
		Object.assign(this, { s, own: new Map(), seq: 0 });
	}

	async run() {
		this.going = true;
		let http;
		while (this.going) {
			const r = this.s.random.pick(this.s.clients);
			await sleep(50);
			if (!r.sid) continue;
			const seq = ++this.seq;
			this.own.set(`${OTHERS} ${seq}`, r.n);
			let status = 0;
			try {
				if (!http || http.ended) http = await Http.connect(this.s.d);
				({ status } = await http.api(this.s.app, 'POST', '/events',
					{ body: { name: 'n', channel: OTHERS,
						data: `${seq} x`, socket_id: r.sid } }));
			} catch {
				http?.end();
				http = null;
			}
			this.s.history.published(OTHERS, seq, status);
		}
		http?.end();
	}
}

// Client events: nobody says that one was taken, but what one client has got
// all have, apart from the one that sent it.
async function talk(s) {
	const seq = TALK.map(() => 0);
	while (s.isTalking) {
		await sleep(200);
		for (const [n, channel] of TALK.entries()) {
			const r = s.clients[n];
			if (!r.isSettled || r.busy) continue;
			s.history.published(channel, ++seq[n], 0);
			s.own.set(`${channel} ${seq[n]}`, n);
			r.p.channel(channel).trigger('client-n', `${seq[n]} x`);
		}
	}
}

function judgeTalk(s) {
	for (const channel of TALK)
		for (const r of s.clients)
			for (const { seq } of r.logs.get(channel))
				if (seq) s.history.published(channel, seq, 200);
}

/* ---- faults of one client's line, or by the server for it ---- */

const LINE = {
	RST: (s, r) => r.line.cut('RST'),
	FIN: (s, r) => r.line.cut('FIN'),
	async hole(s, r) {
		r.line.isHole = true;
		r.line.cut('hole');
		await sleep(1000 * (1 + s.random.below(s.short ? 2 : 90)));
		r.line.heal();
	},
	// The old line is silent for good, and another one is there at once.
	handover: (s, r) => r.line.cut('hole'),
	async 4200(s, r) {
		const { code } = await s.d.ctlAsync(['connections', 'kill', r.sid,
			'--reconnect']);
		if (code === 0) return;
		r.cause = 'FIN'; // it has just gone for another reason
		r.line.cut('FIN');
	},
	// It does not read, is closed for that, and reads again.  When a process
	// dies meanwhile, it may be that nobody counted what it did not read.
	async 4100(s, r) {
		const ends = r.ends.length;
		for (let i = 0; i < 4 && r.ends.length === ends; i++) {
			await stopReading(s, r);
			await sleep(3000);
		}
	},
};

async function stopReading(s, r) {
	const pad = 'x'.repeat(90000);
	const { sid } = r;
	const release = r.line.hold();
	// The kernel takes the more, the faster the line was before.
	for (let round = 0; round < 12; round++) {
		for (let i = 0; i < 32; i++) {
			const seq = ++s.bulk;
			const status = await publish(s.d, s.app, BULK, 'n',
				`${seq} ${pad}`).then(() => 200, () => 0);
			s.history.published(BULK, seq, status);
		}
		await sleep(600); // it takes nothing for 0.3 s
		const { code } = await s.d.ctlAsync(['connections', 'show', sid]);
		if (code !== 0) break;
	}
	release();
}

/* ---- faults of processes ---- */

async function killed(s, what, pids) {
	for (const r of s.clients) r.because(what);
	for (const pid of pids) process.kill(pid, 'SIGKILL');
	await until('the processes to be replaced', () => {
		const now = [...s.d.pidsOf('worker'), ...s.d.pidsOf('broker')];
		return now.length === s.workers + 1 &&
			!pids.some((pid) => now.includes(pid));
	}, 40000);
	for (const r of s.clients) r.unless(what);
}

async function again(s, signal, cause) {
	for (const r of s.clients) r.because(r.isSettled ? cause : 'away');
	s.d.signal(signal);
	await s.d.exited;
	await until('the end of all', () =>
		Object.keys(s.d.processes()).length === 0);
	s.d.exit = null;
	await s.d.start();
	await sleep(1000);
}

const PROCESSES = {
	worker: (s) => killed(s, 'worker', [s.random.pick(s.d.pidsOf('worker'))]),
	async broker(s) {
		const [old] = s.d.pidsOf('broker');
		process.kill(old, 'SIGKILL');
		await newBroker(s.d, old, 40000);
	},
	both: (s) => killed(s, 'both', [s.random.pick(s.d.pidsOf('worker')),
		...s.d.pidsOf('broker')]),
	master: (s) => again(s, 'SIGKILL', 'master'),
	restart: (s) => again(s, 'SIGTERM', 'restart'),
};

/* ---- the run ---- */

async function lineFault(s, how) {
	let r;
	await until('a client that is there', () => {
		const there = s.clients.filter((c) => c.isSettled && !c.busy);
		r = there.length > 0 ? s.random.pick(there) : null;
		return r;
	}, 120000);
	r.busy = true;
	r.because(how);
	s.history.fault(how);
	s.counts[how] = (s.counts[how] ?? 0) + 1;
	const ends = r.ends.length;
	const done = (async () => {
		await LINE[how](s, r);
		await until(`${r.name} to notice ${how}`, () =>
			r.ends.length > ends, 30000);
		await until(`${r.name} to be back after ${how}`, () => r.isSettled,
			180000);
		await sleep(500);
		r.busy = false;
	})();
	s.pending.push(done);
	done.catch((e) => s.history.wrong(e.message));
}

async function processFault(s, how) {
	s.history.fault(how);
	s.counts[how] = (s.counts[how] ?? 0) + 1;
	await PROCESSES[how](s);
}

// 14 faults of lines at once, and the processes one after another.
async function short(s) {
	const lines = Object.keys(LINE);
	for (const how of ['restart', 'worker', 'broker', 'both']) {
		await until('all to be there', () =>
			s.clients.every((r) => r.isSettled && !r.busy), 40000);
		for (let i = 0; i < 4; i++)
			await lineFault(s, lines[s.faults++ % lines.length]);
		await Promise.all(s.pending.splice(0));
		await sleep(300);
		await processFault(s, how);
		s.faults++;
	}
}

async function long(s, total) {
	let last = 0;
	while (s.faults < total) {
		const now = performance.now();
		if (now - last > PROCESS_MS) {
			last = now;
			await processFault(s, s.random.pick(Object.keys(PROCESSES)));
		} else {
			await lineFault(s, s.random.pick(Object.keys(LINE)));
		}
		s.faults++;
		if (s.faults % 50 === 0)
			console.log(`  ${s.faults} faults ${JSON.stringify(s.counts)}`);
		await sleep(s.random.below(1200));
	}
}

async function settle(s) {
	await Promise.allSettled(s.pending);
	await until('all to be there', () =>
		s.clients.every((r) => r.isSettled), 60000);
	judgeTalk(s);
	for (const c of [...CHANNELS, OTHERS, BULK, ...TALK])
		await publish(s.d, s.app, c, 'end', c.startsWith('private-enc') ?
			encrypted(c, '0') : '0');
	await until('the last event', () => s.clients.every((r) =>
		r.over.size === r.logs.size), 20000);
}

module.exports = async function resume({ start, history, random,
	short: isShort }) {
	const workers = 2;
	const { d, app } = await start({ workers, resume_max_events: 5000 },
		{ resume: 'on', resume_client_events: 'on', client_events: 'on',
			activity_timeout: 5, resume_time: 300, resume_bytes: 67108864,
			max_presence_members: 1000, max_event_bytes: 100000 });
	d.allow(...EXPECTED);
	const auth = await authServer(server(d, app,
		{ encryptionMasterKeyBase64: MASTER.toString('base64') }));
	const s = { d, app, auth, history, random, short: isShort, workers, counts: {},
		faults: 0, pending: [], clients: [], bulk: 0, isTalking: true };
	for (let n = 0; n < (isShort ? 5 : 12); n++)
		s.clients.push(await Resumer.open(s, n, [...CHANNELS, OTHERS, BULK,
			...TALK]));
	await until('all to be there', () =>
		s.clients.every((r) => r.isSettled), 30000);
	const numbers = new Numbers(d, app, history, CHANNELS);
	const others = new ToOthers(s);
	numbers.start(200);
	s.own = others.own;
	const done = Promise.all([others.run(), talk(s)]);
	await sleep(1000);
	try {
		await (isShort ? short(s) : long(s, Number(process.env.FAULTS ?? 1000)));
	} finally {
		others.going = s.isTalking = false;
		await Promise.allSettled([numbers.stop(), done]);
	}
	await settle(s);
	const sum = { faults: s.counts, published: numbers.sent, words: {},
		doubles: {}, 'most doubles of a channel': {} };
	for (const r of s.clients) {
		const one = r.check(history, others.own);
		for (const [k, v] of Object.entries(one.words))
			sum.words[k] = (sum.words[k] ?? 0) + v;
		for (const [k, v] of Object.entries(one.doubles))
			sum.doubles[k] = (sum.doubles[k] ?? 0) + v;
		for (const [k, v] of Object.entries(one.most))
			sum['most doubles of a channel'][k] = Math.max(v,
				sum['most doubles of a channel'][k] ?? 0);
		await r.stop();
	}
	await auth.stop();
	assert.ok(sum.words.continued > 0);
	return sum;
};
