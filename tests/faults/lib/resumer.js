// SPDX-License-Identifier: MIT
//
// A client with a session whose line is cut, and what must hold for it: each
// channel in order, complete unless it was told of a gap, and nothing twice
// but what was on its way when the line was cut.
'use strict';

const crypto = require('node:crypto');
const nacl = require('../../system/node_modules/tweetnacl');
const { Line } = require('../../system/lib/line');
const { ORDERLY_MS, lag } = require('../../system/lib/lag');
const { newId } = require('../../system/lib/resume');
const { SLOW } = require('../../system/lib/daemon');

const MASTER = crypto.createHash('sha256').update('resume').digest();
// An event that comes twice was there at most this long before the cut: a round
// trip and resume_ack_interval (250 ms), on a machine that is busy.
const DOUBLE_MS = 3000 * SLOW;
const SURVIVED_MS = 5000 * SLOW; // by then a broken connection is noticed

const keyOf = (channel) =>
	crypto.createHash('sha256').update(channel).update(MASTER).digest();

// As server libraries encrypt it.
function encrypted(channel, text) {
	const nonce = crypto.randomBytes(24);
	const box = nacl.secretbox(Buffer.from(text), nonce, keyOf(channel));
	return JSON.stringify({ nonce: nonce.toString('base64'),
		ciphertext: Buffer.from(box).toString('base64') });
}

// As a client that has got the key of a channel reads it.
function decrypted(channel, text) {
	if (!channel.startsWith('private-encrypted-')) return text;
	const { nonce, ciphertext } = JSON.parse(text);
	return Buffer.from(nacl.secretbox.open(Buffer.from(ciphertext, 'base64'),
		Buffer.from(nonce, 'base64'), keyOf(channel))).toString();
}

// What ended a connection, with the code that the client got.
const endOf = ({ cause, code }) => code ? `${cause} (${code})` : cause;

class Resumer {
	// kind: of KINDS; to: { port } of the server or of a proxy before it.
	static async open({ d, app, auth, short, browser, history }, n, kind, to,
		channels) {
		const r = new Resumer();
		const names = channels.filter(kind.takes);
		Object.assign(r, { n, history, kind: kind.title,
			name: `client ${n} (${kind.title}, ${to.name ?? 'direct'})`,
			logs: new Map(names.map((name) => [name, []])), ends: [],
			over: new Set(), open: 0, sids: [] });
		r.forget();
		r.line = await Line.open(to === d ? d : to, short);
		r.client = kind.open(r, { port: r.line.port, app, auth, browser,
			id: newId(), channels: names, read: decrypted });
		return r;
	}

	/* ---- what the client tells ---- */

	connected(sid) {
		this.sid = this.sids[this.ends.length] = sid;
		this.isConnected = true;
		this.forget();
	}

	event(channel, text, at = performance.now()) {
		this.logs.get(channel).push({ at,
			seq: Number(String(text).split(' ')[0]) });
	}

	word(channel, word, at = performance.now()) {
		this.open++;
		this.logs.get(channel).push({ word, at });
	}

	last(channel) {
		this.over.add(channel);
		this.logs.get(channel).push({ over: 1 });
	}

	broken(e) {
		this.history.wrong(`${this.name}: ${e.stack}`);
	}

	// late: for how long a client in another process has read nothing.
	ended(code, at = performance.now(), late = 0) {
		this.isConnected = false;
		this.open = 0;
		this.ends.push({ cause: this.cause, at: this.causeAt ?? at,
			lag: Math.max(late, lag()), code });
		for (const log of this.logs.values())
			log.push({ end: this.ends.length - 1 });
		this.forget();
	}

	// Back, and told of each channel how it is.
	get isSettled() {
		return this.isConnected && !this.line.isHole &&
			this.open >= this.logs.size;
	}

	// Of two causes the earlier one counts: its line may be silent already.
	because(cause) {
		const isFirst = this.causeAt === undefined;
		this.cause = isFirst ? cause : 'several';
		if (isFirst) this.causeAt = performance.now();
	}

	// Its connection may have survived the cause.
	unless(cause) {
		const at = this.causeAt;
		setTimeout(() => this.cause === cause && this.causeAt === at &&
			this.forget(), SURVIVED_MS).unref();
	}

	forget() {
		this.cause = 'other';
		this.causeAt = undefined;
	}

	async stop() {
		await this.client.stop();
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
		const came = new Map(); // when it came the last time, on which line
		let last = 0;
		let end = null;     // how the connection before this one ended
		let line = 0;       // the number of the connection
		const doubles = new Map(); // by the number of the first one's line
		let word = {};      // the last one
		let told = 0;       // when it came
		let again = [];     // events of this connection before its word
		let cut = [];       // likewise, of those that got no word
		let isGap = true;   // nothing is promised up to the next event
		const complete = (from, to) => {
			for (let s = from + 1; s < to; s++)
				if (answers.get(s)?.status === 200 && !came.has(s) &&
				    own.get(`${channel} ${s}`)?.n !== this.n)
					wrong(`${s} was answered 200 and is missing, after ` +
						`${end?.cause} and ${JSON.stringify(word)}`);
		};
		const count = () => {
			for (const [n, times] of doubles) {
				const { cause, code, lag } = this.ends[n];
				const name = endOf(this.ends[n]);
				sum.doubles[name] = (sum.doubles[name] ?? 0) + times;
				sum.most[name] = Math.max(sum.most[name] ?? 0, times);
				if (code && lag < ORDERLY_MS)
					wrong(`${times} came twice after ${cause} (${code})`);
			}
		};
		const event = (e) => {
			if (e.over) return; // at the end of the run
			const its = own.get(`${channel} ${e.seq}`);
			if (its?.n === this.n) {
				// A session knows its last four sockets, a new one the last.
				const known = this.sids.slice(0, e.line + 1)
					.slice(word.status === 'new' ? -1 : -4);
				if (known.includes(its.sid))
					wrong(`its own ${e.seq} came back, after ${end?.cause}`);
				return;
			}
			if (came.has(e.seq)) {
				const before = came.get(e.seq);
				came.set(e.seq, e);
				if (before.line === e.line) {
					wrong(`${e.seq} twice on one connection`);
					return;
				}
				doubles.set(before.line, (doubles.get(before.line) ?? 0) + 1);
				const { at, cause, lag } = this.ends[before.line];
				if (at - before.at > DOUBLE_MS + lag)
					wrong(`${e.seq} twice, ${Math.round(at - before.at)} ms ` +
						`before ${cause}`);
				return;
			}
			if (e.seq < last) wrong(`${e.seq} behind ${last}`);
			if (answers.get(e.seq)?.status >= 400)
				wrong(`${e.seq} was refused and came`);
			if (!isGap) complete(last, e.seq);
			isGap = false;
			came.set(e.seq, e);
			last = Math.max(last, e.seq);
		};
		const resume = (w, at) => {
			const k = w.reason ?? w.status;
			sum.words[k] = (sum.words[k] ?? 0) + 1;
			// The table of sessions dies with the master; what it
			// had said before is still on its way then.
			if (w.status === 'new' && end !== null &&
			    !history.faults.some((f) => f.what === 'master' &&
				f.at > told - DOUBLE_MS - end.lag && f.at < at))
				wrong(`"new" after ${end.cause}`);
			word = w;
			told = at;
			if (w.status !== 'continued') isGap = true;
			if (again === null) {
				wrong(`told ${JSON.stringify(w)} a second time`);
				return;
			}
			// Without `continued` only a cached event comes before
			// the word.
			const n = w.status === 'continued' ? w.replayed :
				Math.min(again.length, channel.includes('cache-') ? 1 : 0);
			if (again.length !== n)
				wrong(`${again.length} events before ${JSON.stringify(w)}`);
			[...cut, ...again].forEach(event);
			cut = [];
			again = null;
		};
		for (const e of log) {
			if (e.end !== undefined) {
				cut.push(...again ?? []);
				end = this.ends[e.end];
				line = e.end + 1;
				again = [];
			} else if (e.word !== undefined) {
				resume(e.word, e.at);
			} else if (again) {
				again.push({ ...e, line });
			} else {
				event({ ...e, line });
			}
		}
		count();
		if (!isGap) complete(last, Math.max(0, ...answers.keys()) + 1);
	}
}

module.exports = { Resumer, encrypted, endOf, MASTER };
