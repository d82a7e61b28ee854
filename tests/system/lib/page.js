// SPDX-License-Identifier: MIT
//
// The numbered events of one channel, as a page has them whose session goes on
// after each close.  A connection that ends before it is a WebSocket is counted
// (cuts), and the page tries again.  Events that come twice because this process
// was late (lag.js) are counted (again).
'use strict';

const { Client, OP } = require('./client');
const { ORDERLY_MS, lag } = require('./lag');
const { newId, pathOf } = require('./resume');

const FOREVER = 3600000; // it waits for events, and may get none

class Page {
	// how: of Client.connect(), the channel and the event if not these, and
	// for how many milliseconds its answers to pings are on their way (away).
	constructor(d, app, how = {}) {
		Object.assign(this, { d, app, channel: 'room', event: 'e', how,
			id: newId(), got: [], closes: 0, cuts: 0, again: 0, away: 0,
			statuses: [], ...how });
		this.done = this.run();
	}

	// null: it was cut off.
	async connect() {
		const c = new Client(this.d, pathOf(this.id, this.app), this.how);
		c.app = this.app;
		if ((await c.upgraded()).status === 0) {
			this.cuts++;
			return null;
		}
		await c.greeted();
		c.answerPings = this.away === 0;
		c.keepPings = true;
		return c;
	}

	async run() {
		while (!this.ending) {
			const c = await this.connect();
			if (c === null) continue;
			this.c = c;
			if (this.ending) c.destroy();
			c.sendSubscribe(this.channel);
			for (;;) {
				const f = await c.nextFrame(FOREVER);
				if (f === null || f.opcode === OP.CLOSE) break;
				if (f.opcode === OP.TEXT) this.take(JSON.parse(f.payload));
				if (f.opcode === OP.PING && this.away > 0)
					setTimeout(() => c.sendFrame(OP.PONG, f.payload), this.away);
			}
			c.destroy();
			this.closes++;
			this.late = lag() + this.away >= ORDERLY_MS;
		}
	}

	take(m) {
		if (m.event === this.event) this.note(parseInt(m.data, 10));
		if (m.event === 'pusher:resume')
			this.statuses.push(JSON.parse(m.data).status);
	}

	note(n) {
		if (n <= this.got.at(-1) && this.late) this.again++;
		else this.got.push(n);
	}

	// Its next close is the last one.
	async end() {
		this.ending = true;
		this.c.destroy();
		await this.done;
	}
}

module.exports = { Page };
