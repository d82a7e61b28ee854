// SPDX-License-Identifier: MIT
//
// Records what everybody saw, and checks whether it can be true.  Publishers
// log what they were answered, watchers what they received, the injector what
// it did; check() returns a list of sentences, one for each contradiction.
'use strict';

const MAX_SHOWN = 10;

class History {
	constructor() {
		this.answers = new Map(); // channel -> Map(seq -> { status, at })
		this.faults = [];         // { what, at }
		this.errors = [];
	}

	wrong(text) {
		if (this.errors.length < 1000) this.errors.push(text);
	}

	fault(what) {
		this.faults.push({ what, at: performance.now() });
	}

	published(channel, seq, status) {
		if (!this.answers.has(channel)) this.answers.set(channel, new Map());
		this.answers.get(channel).set(seq,
			{ status, at: performance.now() });
	}

	// A watcher that was subscribed all the time: order, duplicates, loss.
	// w.seen: Map(channel -> [seq, ...]).
	checkWatcher(w) {
		for (const [channel, seqs] of w.seen) {
			for (let i = 1; i < seqs.length; i++)
				if (seqs[i] <= seqs[i - 1])
					this.wrong(`${w.name}: ${channel}: ${seqs[i]} behind ` +
						`${seqs[i - 1]} (order or duplicate)`);
			const got = new Set(seqs);
			const answers = this.answers.get(channel) ?? new Map();
			for (const [seq, a] of answers) {
				if (a.status === 200 && !got.has(seq))
					this.wrong(`${w.name}: ${channel}: ${seq} was answered ` +
						'200 and not delivered');
				if (a.status >= 400 && got.has(seq))
					this.wrong(`${w.name}: ${channel}: ${seq} was answered ` +
						`${a.status} and delivered`);
			}
		}
		if (w.closed && !w.mayClose)
			this.wrong(`${w.name}: closed: ${w.closed}`);
	}

	// Two who were subscribed all the time: one order, nothing twice, all
	// of it.
	checkSame(w, other) {
		if (w.closed) this.wrong(`${w.name}: closed: ${w.closed}`);
		for (const [channel, seqs] of w.seen) {
			const theirs = other.seen.get(channel);
			const at = seqs.findIndex((seq, i) => seq !== theirs[i]);
			if (at !== -1)
				this.wrong(`${channel}: ${w.name} has ${seqs[at]} where ` +
					`${other.name} has ${theirs[at]}`);
			const got = new Set(seqs);
			if (got.size !== seqs.length)
				this.wrong(`${w.name}: ${channel}: an event came twice`);
			for (const [seq, a] of this.answers.get(channel))
				if ((a.status === 200) !== got.has(seq))
					this.wrong(`${w.name}: ${channel}: ${seq} was answered ` +
						`${a.status} and is ${got.has(seq) ? '' : 'not '}there`);
		}
	}

	// Seconds from each fault to the first event published behind it.
	recovery(watchers, what) {
		let worst = 0;
		for (const f of this.faults.filter((x) => x.what === what)) {
			let first = Infinity;
			for (const w of watchers)
				for (const { sent, at } of w.times)
					if (sent >= f.at && at < first) first = at;
			if (first === Infinity)
				this.wrong(`nothing was delivered after ${what}`);
			else worst = Math.max(worst, first - f.at);
		}
		return worst;
	}

	report() {
		for (const e of this.errors.slice(0, MAX_SHOWN)) console.log(`  ${e}`);
		if (this.errors.length > MAX_SHOWN)
			console.log(`  … and ${this.errors.length - MAX_SHOWN} more`);
		return this.errors.length === 0;
	}
}

// The members of a presence channel as one connection is told of them.
class Roster {
	constructor(history, name) {
		this.history = history;
		this.name = name;
		this.ids = null;
	}

	start(ids) {
		this.ids = new Set(ids);
	}

	added(id) {
		if (this.ids === null) return;
		if (this.ids.has(id))
			this.history.wrong(`${this.name}: member_added ${id} twice`);
		this.ids.add(id);
	}

	removed(id) {
		if (this.ids === null) return;
		if (!this.ids.delete(id))
			this.history.wrong(`${this.name}: member_removed ${id}, who ` +
				'was not there');
	}

	expect(ids) {
		const want = [...ids].sort().join(' ');
		const have = [...this.ids].sort().join(' ');
		if (want !== have)
			this.history.wrong(`${this.name}: members are "${have}" ` +
				`instead of "${want}"`);
	}
}

module.exports = { History, Roster };
