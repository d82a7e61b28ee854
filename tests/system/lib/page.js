// SPDX-License-Identifier: MIT
//
// The numbered events of one channel, as a page has them whose session goes on
// after each close.
'use strict';

const { Client } = require('./client');
const { newId, pathOf } = require('./resume');

const FOREVER = 3600000; // it waits for events, and may get none

class Page {
	// how: of Client.connect(), and the channel and the event if not these.
	constructor(d, app, how = {}) {
		Object.assign(this, { d, app, channel: 'room', event: 'e', how,
			id: newId(), got: [], closes: 0, statuses: [], ...how });
		this.done = this.run();
	}

	async run() {
		while (!this.ending) {
			const c = await Client.connect(this.d, this.app,
				{ ...this.how, path: pathOf(this.id, this.app) });
			this.c = c;
			if (this.ending) c.destroy();
			c.sendSubscribe(this.channel);
			for (;;) {
				const f = await c.nextFrame(FOREVER);
				if (f === null || f.opcode === 8) break;
				if (f.opcode === 1) this.take(JSON.parse(f.payload));
			}
			c.destroy();
			this.closes++;
		}
	}

	take(m) {
		if (m.event === this.event) this.got.push(parseInt(m.data, 10));
		if (m.event === 'pusher:resume')
			this.statuses.push(JSON.parse(m.data).status);
	}

	// Its next close is the last one.
	async end() {
		this.ending = true;
		this.c.destroy();
		await this.done;
	}
}

module.exports = { Page };
