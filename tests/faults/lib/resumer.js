// SPDX-License-Identifier: MIT
//
// A pusher-js with a session whose line is cut, and what must hold for it:
// each channel in order, complete unless it was told of a gap, and nothing
// twice but what was on its way when the line was cut.
'use strict';

const crypto = require('node:crypto');
const nacl = require('../../system/node_modules/tweetnacl');
const { client } = require('../../system/lib/official');
const { Line } = require('../../system/lib/line');
const { newId } = require('../../system/lib/resume');
const { SLOW } = require('../../system/lib/daemon');

const MASTER = crypto.createHash('sha256').update('resume').digest();
const USER = 'everybody'; // all are signed in as one user
// What may come twice was there at most this long before the cut: a round
// trip and resume_ack_interval (250 ms), on a machine that is busy.
// Closes after which nothing comes twice if the client is not later, in ms.
const ORDERLY = { 4200: 500, restart: 100 };
const DOUBLE_MS = 3000 * SLOW;

// As server libraries encrypt it.
function encrypted(channel, text) {
	const key = crypto.createHash('sha256').update(channel).update(MASTER)
		.digest();
	const nonce = crypto.randomBytes(24);
	const box = nacl.secretbox(Buffer.from(text), nonce, key);
	return JSON.stringify({ nonce: nonce.toString('base64'),
		ciphertext: Buffer.from(box).toString('base64') });
}

// The longest time for which this process has read nothing, of the last 5 s:
// a client that answers late may get events twice after an orderly close, too.
const turns = [];
setInterval(() => {
	turns.push(performance.now());
	if (turns.length > 250) turns.shift();
}, 20).unref();
const lag = () => Math.max(0, performance.now() - (turns.at(-1) ?? 0),
	...turns.slice(1).map((t, i) => t - turns[i]));

class Resumer {
	static async open({ d, app, auth, short }, n, channels) {
		const r = new Resumer();
		Object.assign(r, { n, name: `client ${n}`, logs: new Map(), ends: [],
			over: new Set(),
			open: 0, cause: 'other' });
		r.line = await Line.open(d, short);
		r.p = client(8, { port: r.line.port }, app, auth, { user: USER,
			wsPath: `/app/resume/${newId()}`, activityTimeout: 1000,
			pongTimeout: 2000,
			enabledTransports: ['ws'] });
		for (const name of channels) r.follow(name);
		r.p.signin();
		r.p.connection.bind('state_change', ({ previous }) => {
			if (previous === 'connected') r.ended();
			else if (r.p.connection.socket_id) r.sid = r.p.connection.socket_id;
		});
		return r;
	}

	follow(name) {
		const log = [];
		this.logs.set(name, log);
		const on = (text) => log.push({ at: performance.now(),
			seq: Number(String(text).split(' ')[0]) });
		const word = (w) => {
			this.open++;
			log.push({ word: w, at: performance.now() });
		};
		const over = () => { this.over.add(name); log.push({ over: 1 }); };
		if (name !== `#server-to-user-${USER}`) {
			this.p.subscribe(name).bind('n', on).bind('end', over)
				.bind('pusher:resume', word);
			return;
		}
		// The word about it reaches no callback of a user.
		this.p.user.bind('n', on).bind('end', over);
		this.p.connection.bind('message', (m) =>
			m.channel === name && m.event === 'pusher:resume' && word(m.data));
	}

	ended() {
		this.open = 0;
		this.ends.push({ cause: this.cause, at: this.causeAt ??
			performance.now(), lag: lag() });
		for (const log of this.logs.values())
			log.push({ end: this.ends.length - 1 });
		this.cause = 'other';
		this.causeAt = undefined;
	}

	// Back, and told of each channel how it is.
	get isSettled() {
		return this.p.connection.state === 'connected' && !this.line.isHole &&
			this.open >= this.logs.size;
	}

	because(cause) {
		this.cause = cause;
		this.causeAt = performance.now();
	}

	async stop() {
		this.p.disconnect();
		await this.line.close();
	}

	check(history, own) {
		const sum = { words: {}, doubles: {}, most: {} };
		for (const [channel, log] of this.logs)
			this.checkChannel(history, channel, log, own, sum);
		return sum;
	}

	checkChannel(history, channel, log, own, sum) {
		const wrong = (text) =>
			history.wrong(`${this.name}: ${channel}: ${text}`);
		const answers = history.answers.get(channel) ?? new Map();
		const first = new Map();
		let last = 0;
		let end = null;     // how the connection before this one ended
		let doubles = 0;
		let told = 0;       // when the last word came
		let since = 0;      // events since the subscribe
		let isGap = true;   // before the first word nothing is promised
		const complete = (from, to) => {
			for (let s = from + 1; s < to; s++)
				if (answers.get(s)?.status === 200 && !first.has(s) &&
				    own.get(`${channel} ${s}`) !== this.n)
					wrong(`${s} was answered 200 and is missing, after ` +
						`${end?.cause}`);
		};
		const count = () => {
			if (end === null) return;
			const k = end.cause;
			sum.doubles[k] = (sum.doubles[k] ?? 0) + doubles;
			sum.most[k] = Math.max(sum.most[k] ?? 0, doubles);
			if (doubles > 0 && end.lag < ORDERLY[k])
				wrong(`${doubles} came twice after ${k}`);
			doubles = 0;
		};
		for (const e of log) {
			if (e.end !== undefined) {
				count();
				end = this.ends[e.end];
				since = 0;
			} else if (e.word !== undefined) {
				const w = e.word;
				const k = w.reason ?? w.status;
				sum.words[k] = (sum.words[k] ?? 0) + 1;
				if (w.status !== 'continued') isGap = true;
				// The table of sessions dies with the master.
				if (w.status === 'new' && end !== null &&
				    !history.faults.some((f) => f.what === 'master' &&
					f.at > told && f.at < e.at))
					wrong(`"new" after ${end.cause}`);
				told = e.at;
				if (w.status === 'continued' && w.replayed !== since)
					wrong(`${since} events and replayed ${w.replayed}`);
			} else if (e.over) {
				since++; // an event as well, at the end of the run
			} else {
				since++;
				if (own.get(`${channel} ${e.seq}`) === this.n)
					wrong(`its own ${e.seq} came back, after ${end?.cause}`);
				if (first.has(e.seq)) {
					doubles++;
					const age = Math.round(end?.at - first.get(e.seq));
					if (!(age < DOUBLE_MS + end?.lag))
						wrong(`${e.seq} twice, ${age} ms before ${end?.cause}`);
					continue;
				}
				if (e.seq < last) wrong(`${e.seq} behind ${last}`);
				if (answers.get(e.seq)?.status >= 400)
					wrong(`${e.seq} was refused and came`);
				if (!isGap) complete(last, e.seq);
				isGap = false;
				first.set(e.seq, e.at);
				last = Math.max(last, e.seq);
			}
		}
		count();
		if (!isGap) complete(last, Math.max(0, ...answers.keys()) + 1);
	}
}

module.exports = { Resumer, encrypted, MASTER, USER };
