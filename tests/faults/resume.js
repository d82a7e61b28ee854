// SPDX-License-Identifier: MIT
//
// Sessions under faults, by a seed (FAULTS=1000 of them; MINUTES=40 for that):
// lines that break or fall silent, closes by the server, deaths of worker,
// broker, both and master, restarts by hand, upgrades, while 200 events a
// second go to channels of all kinds.  Each client, of another kind and behind
// nginx, HAProxy, Caddy or nothing, has each channel in order, once and whole,
// or was told of a gap.
'use strict';

const assert = require('node:assert/strict');
const { until } = require('../system/lib/daemon');
const { publish, Http } = require('../system/lib/http');
const { Line } = require('../system/lib/line');
const { server, authServer } = require('../system/lib/official');
const programs = require('../system/lib/programs');
const { Proxy } = require('../system/lib/proxies');
const { Publisher, newBroker, sleep } = require('./lib/actors');
const { KINDS, USER_CHANNEL, launch } = require('./lib/resume_clients');
const { Resumer, encrypted, endOf, MASTER } = require('./lib/resumer');

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
	USER_CHANNEL];
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
			const { n, sid } = r;
			this.own.set(`${OTHERS} ${seq}`, { n, sid });
			let status = 0;
			try {
				if (!http || http.ended) http = await Http.connect(this.s.d);
				({ status } = await http.api(this.s.app, 'POST', '/events',
					{ body: { name: 'n', channel: OTHERS,
						data: `${seq} x`, socket_id: sid } }));
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
			s.own.set(`${channel} ${seq[n]}`, { n, sid: r.sid });
			r.client.trigger(channel, 'client-n', `${seq[n]} x`);
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
	s.isNew = false;
	await s.d.start();
	await sleep(1000);
}

// How many clients upgrades have closed, for whom more than 32 MiB waited.
const unread = (s) => [...s.d.readLog()
	.matchAll(/move: unread output .*: (\d+) clients/g)]
	.reduce((n, m) => n + Number(m[1]), 0);

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
	// There and back.  Nobody is closed but for what it does not read, and
	// that one misses nothing.
	async upgrade(s) {
		const before = unread(s);
		s.isNew = !s.isNew;
		const { code, out, err } = await s.d.ctlAsync(['-j', 'upgrade',
			'--binary', s.files[Number(s.isNew)]]);
		assert.equal(code, 0, err);
		assert.equal(JSON.parse(out).closed, unread(s) - before, out);
	},
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

// Four faults of lines at once before each fault of processes.
async function short(s) {
	const lines = Object.keys(LINE);
	for (const how of ['restart', 'worker', 'broker', 'both', 'upgrade']) {
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

// Clients that do not come back in time count as wrong; the others are judged.
async function expectAll(s, what, isThere, ms) {
	try {
		await until(what, () => s.clients.every(isThere), ms);
	} catch (e) {
		const late = s.clients.filter((r) => !isThere(r));
		s.history.wrong(`${e.message}, but for ${late.map((r) => r.name)}`);
		s.late.push(...late);
		s.clients = s.clients.filter((r) => !late.includes(r));
	}
}

async function settle(s) {
	await Promise.allSettled(s.pending);
	await expectAll(s, 'all to be there', (r) => r.isSettled, 60000);
	judgeTalk(s);
	for (const c of [...CHANNELS, OTHERS, BULK, ...TALK])
		await publish(s.d, s.app, c, 'end', c.startsWith('private-enc') ?
			encrypted(c, '0') : '0');
	await expectAll(s, 'the last event',
		(r) => r.over.size === r.logs.size, 20000);
}

/* ---- who takes part ---- */

// A proxy before the server, whose port changes at a restart.
async function behind(s, name) {
	const back = await Line.open(s.d);
	s.lines.push(back);
	const proxy = await Proxy.open(name, back.port, true);
	s.proxies.push(proxy);
	return { name, port: proxy.port };
}

// Each client is of another kind; in the long form each fourth one is behind
// the same proxy, or none.  The short form has pusher-js in this process only.
async function enter(s) {
	const kinds = s.short ? KINDS.slice(0, 5) : KINDS;
	const ways = [s.d];
	if (!s.short) {
		s.browser = await launch();
		for (const name of ['nginx', 'haproxy', 'caddy'])
			ways.push(await behind(s, name));
	}
	for (const [n, kind] of kinds.entries())
		s.clients.push(await Resumer.open(s, n, kind, ways[n % ways.length],
			[...CHANNELS, OTHERS, BULK, ...TALK]));
	await until('all to be there', () =>
		s.clients.every((r) => r.isSettled), 60000);
}

async function leave(s) {
	for (const r of [...s.clients, ...s.late]) await r.stop();
	await s.browser?.close();
	for (const p of s.proxies) await p.stop();
	for (const l of s.lines) await l.close();
	await s.auth.stop();
}

/* ---- the table of doubles ---- */

const add = (to, from, how) => {
	for (const [k, v] of Object.entries(from)) to[k] = how(to[k] ?? 0, v);
};
const plus = (a, b) => a + b;

// The most events of a channel that came twice after one end of a connection,
// by what ended it and by client.  Empty: it did not happen to this client.
function table(most) {
	const causes = [...new Set(Object.values(most)
		.flatMap((m) => Object.keys(m)))].sort();
	console.log(`| client | ${causes.join(' | ')} |\n` +
		`| --- |${' --- |'.repeat(causes.length)}`);
	for (const [kind, m] of Object.entries(most))
		console.log(`| ${kind} | ${causes.map((c) => m[c] ?? '').join(' | ')} |`);
}

function judge(s, own) {
	const sum = { faults: s.counts, published: s.numbers.sent, words: {},
		ends: {}, doubles: {}, 'most doubles of a channel': {} };
	const most = {};
	for (const r of s.clients) {
		const one = r.check(s.history, own);
		add(sum.words, one.words, plus);
		add(sum.doubles, one.doubles, plus);
		const ends = r.ends.map(endOf);
		for (const end of ends) add(sum.ends, { [end]: 1 }, plus);
		add(sum['most doubles of a channel'], one.most, Math.max);
		add(most[r.kind] ??= {}, Object.fromEntries(ends.map((end) =>
			[end, 0])), Math.max);
		add(most[r.kind], one.most, Math.max);
	}
	if (!s.short) table(most);
	assert.ok(sum.words.continued > 0);
	return sum;
}

async function work(s) {
	const numbers = s.numbers = new Numbers(s.d, s.app, s.history, CHANNELS);
	const others = new ToOthers(s);
	numbers.start(200);
	s.own = others.own;
	const done = Promise.all([others.run(), talk(s)]);
	await sleep(1000);
	try {
		await (s.short ? short(s) :
			long(s, Number(process.env.FAULTS ?? 1000)));
	} catch (e) { // that counts, and so does what was seen until then
		s.history.wrong(e.stack);
	}
	others.going = s.isTalking = false;
	await Promise.allSettled([numbers.stop(), done]);
	await settle(s);
	return judge(s, others.own);
}

module.exports = async function resume({ start, history, random,
	short: isShort }) {
	const workers = 2;
	const { d, app } = await start({ workers, resume_max_events: 5000,
		trusted_proxies: '127.0.0.1' },
	{ resume: 'on', resume_client_events: 'on', client_events: 'on',
		activity_timeout: 5, resume_time: 300, resume_bytes: 67108864,
		max_presence_members: 1000, max_event_bytes: 100000 });
	d.allow(...EXPECTED);
	const auth = await authServer(server(d, app,
		{ encryptionMasterKeyBase64: MASTER.toString('base64') }));
	const s = { d, app, auth, history, random, short: isShort, workers, counts: {},
		faults: 0, pending: [], clients: [], lines: [], proxies: [], bulk: 0,
		isTalking: true, isNew: false, late: [],
		files: ['0.1.0', '0.1.1'].map((v) => programs.ofVersion(d, v)) };
	try {
		await enter(s);
		return await work(s);
	} finally {
		await leave(s);
	}
};
