// SPDX-License-Identifier: MIT
//
// Members of one presence channel on several hosts, and what all of them must
// have seen in common: one sequence of events, of which each has a part without
// a hole for each time that it was there.
'use strict';

const { Client, OP } = require('../../system/lib/client');
const { sleep } = require('../../system/lib/daemon');
const { Roster } = require('./history');

const ROOM = 'presence-room';
const FRAME_MS = 900000; // without one, something else is wrong
// What can be lost with a primary: with cluster_wait 1, an event of each host,
// and another if its broker dies.  Its clients are told, and it is sent again.
const LOST_MAX = 6;

// A member of the room that comes back whenever it is sent away.  seen: the
// events since it came last; told: it was sent away with 4200.
class Guest {
	constructor(host, id, history) {
		Object.assign(this, { host, id, history, all: [], seen: [] });
		this.times = 0;
		this.ended = this.run();
	}

	async stay() {
		const c = await Client.connect(this.host.d, this.host.app);
		this.client = c;
		const { ids } = await c.join(ROOM, this.id);
		this.roster = new Roster(this.history, this.id);
		this.roster.start(ids);
		this.seen = [];
		this.all.push(this.seen);
		this.since = performance.now();
		this.there = true;
		for (;;) {
			const f = await c.nextFrame(FRAME_MS);
			if (f === null || f.opcode === OP.CLOSE) {
				this.seen.told = f?.payload.readUInt16BE(0) === 4200;
				return;
			}
			if (f.opcode === OP.TEXT) this.take(JSON.parse(f.payload));
		}
	}

	take(m) {
		if (m.event === 'e')
			this.seen.push(m.data);
		else if (m.event === 'pusher_internal:member_added')
			this.roster.added(JSON.parse(m.data).user_id);
		else if (m.event === 'pusher_internal:member_removed')
			this.roster.removed(JSON.parse(m.data).user_id);
	}

	async run() {
		while (!this.stops) {
			try {
				await this.stay();
			} catch (e) { // no host, no cluster: it tries again
				this.why = e;
			}
			this.there = false;
			this.client?.sock.destroy();
			this.times++;
			await sleep(200);
		}
	}

	// Its connection is cut.
	cut() {
		this.client?.sock.resetAndDestroy();
	}

	leave() {
		this.stops = true;
		this.client.sock.destroy();
		return this.ended;
	}
}

// An event has the same neighbours in all that anybody has seen.
class Sequence {
	constructor(history) {
		this.history = history;
		this.sides = { before: new Map(), after: new Map() };
	}

	side(which, event, neighbour, id) {
		const first = this.sides[which].get(event);
		if (first === undefined)
			this.sides[which].set(event, { neighbour, id });
		else if (first.neighbour !== neighbour)
			this.history.wrong(`${which} ${event} ${id} got ${neighbour}, ` +
				`and ${first.id} ${first.neighbour}`);
	}

	add(seen, id) {
		const once = new Set();
		for (const e of seen) {
			if (once.has(e)) this.history.wrong(`${id} got ${e} twice`);
			once.add(e);
		}
		const kept = seen.told ? seen.slice(0, -LOST_MAX) : seen;
		for (let i = 1; i < kept.length; i++) {
			this.side('after', kept[i - 1], kept[i], id);
			this.side('before', kept[i], kept[i - 1], id);
		}
	}
}

// taken: { data, began } of what was answered 200.
function check(history, guests, taken) {
	const sequence = new Sequence(history);
	for (const g of guests) {
		for (const seen of g.all) sequence.add(seen, g.id);
		const has = new Set(g.seen);
		const lost = taken.filter((e) => e.began > g.since && !has.has(e.data));
		if (lost.length > 0)
			history.wrong(`${g.id} lacks ${lost.length} events that were ` +
				`answered 200, as ${lost[0].data}`);
	}
}

module.exports = { Guest, ROOM, check };
