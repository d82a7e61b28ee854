// SPDX-License-Identifier: MIT
//
// Numbered events, and a check that a client got each once, in their order.
'use strict';

const assert = require('node:assert/strict');
const { OP } = require('./client');
const { sleep } = require('./daemon');
const { Http } = require('./http');

// Publishes 0, 1, 2 … one after the other until it is told to stop, and keeps
// the statuses of the answers, which are these.
class Publisher {
	constructor(d, app, channels, statuses = [200]) {
		this.n = 0;
		this.answers = [];
		this.pause = 0;
		this.run = (async () => {
			const h = await Http.connect(d);
			for (let at = Date.now(); !this.stopped; this.n++) {
				const r = await h.api(app, 'POST', '/events', { body: {
					name: 'e', channels, data: String(this.n) } });
				assert.ok(statuses.includes(r.status),
					`${r.status} ${r.text}`);
				this.answers.push(r.status);
				this.pause = Math.max(this.pause, Date.now() - at);
				at = Date.now();
				if (this.n % 50 === 0) await sleep(1);
			}
			h.end();
		})();
	}

	async stop() {
		this.stopped = true;
		await this.run;
	}
}

// The messages that a client has got.
const messages = (c, what = '') => c.frames.map((f) => {
	assert.equal(f.opcode, OP.TEXT, `${what}: ${f.payload}`);
	return JSON.parse(f.payload);
});

// The numbers that came by this channel.
const numbers = (c, channel, what) => messages(c, what)
	.filter((m) => m.channel === channel && m.event === 'e')
	.map((m) => Number(m.data));

// Of one channel: exactly these, in this order.
function check(c, channel, n, what) {
	const got = numbers(c, channel, what);
	assert.equal(got.length, n, `${what}: how many`);
	got.forEach((v, i) => assert.equal(v, i, `${what}: the order`));
	assert.ok(!c.gone, `${what}: connected`);
}

module.exports = { Publisher, check, messages, numbers };
