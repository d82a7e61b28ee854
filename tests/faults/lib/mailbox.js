// SPDX-License-Identifier: MIT
//
// A receiver of webhooks that remembers little of each and says what cannot
// be: a wrong signature, a body that changed under its id, an event under two
// ids, one that overtook another, a channel occupied twice.
'use strict';

const http = require('node:http');
const { hmac } = require('../../system/lib/sign');

const STATE = /^(channel_(occupied|vacated)|member_(added|removed))$/;

class Mailbox {
	// fail(): answer this one with 500?
	static async start(history, name, apps, fail = () => false) {
		const m = new Mailbox();
		Object.assign(m, { history, name, fail, hooks: 0, repeats: 0,
			events: 0, last: 0 });
		m.secrets = new Map(apps.map((a) => [a.key, a.secret]));
		m.bodies = new Map();  // delivery id -> its signature
		m.state = new Map();   // subject -> the last that was said
		m.members = new Map(); // channel -> how many are there
		m.numbers = new Map(); // channel -> Set of the numbers that came
		m.latest = new Map();  // channel -> the last number
		m.server = http.createServer((req, res) => m.onRequest(req, res));
		m.server.keepAliveTimeout = 60000;
		await new Promise((ok) => m.server.listen(0, '127.0.0.1', ok));
		m.url = `http://127.0.0.1:${m.server.address().port}/`;
		return m;
	}

	wrong(text) {
		this.history.wrong(`${this.name}: ${text}`);
	}

	onRequest(req, res) {
		const parts = [];
		req.on('data', (b) => parts.push(b));
		req.on('end', () => {
			this.take(req.headers, Buffer.concat(parts));
			res.statusCode = this.fail() ? 500 : 200;
			res.end();
		});
		req.on('error', () => {});
	}

	take(headers, body) {
		const id = headers['x-pusherd-delivery'];
		const signature = headers['x-pusher-signature'];
		const key = headers['x-pusher-key'];

		this.hooks++;
		this.last = performance.now();
		if (!this.secrets.has(key) ||
		    signature !== hmac(this.secrets.get(key), body))
			this.wrong(`${id}: the signature is wrong`);
		const before = this.bodies.get(id);
		if (before !== undefined) {
			this.repeats++;
			if (before !== signature)
				this.wrong(`${id}: another body than before`);
			return;
		}
		this.bodies.set(id, signature);
		for (const e of JSON.parse(body).events) this.onEvent(key, e, id);
	}

	onEvent(key, e, id) {
		this.events++;
		if (e.event === 'client-n') this.onNumber(e, id);
		else if (STATE.test(e.name)) this.onState(key, e, id);
	}

	onNumber({ channel, data }, id) {
		const n = Number(data);
		if (!this.numbers.has(channel)) this.numbers.set(channel, new Set());
		if (this.numbers.get(channel).has(n))
			this.wrong(`${channel}: ${n} under two ids (${id})`);
		if (n < (this.latest.get(channel) ?? 0))
			this.wrong(`${channel}: ${n} behind ${this.latest.get(channel)}`);
		this.numbers.get(channel).add(n);
		this.latest.set(channel, n);
	}

	onState(key, { name, channel, user_id: user }, id) {
		const subject = [key, channel, user ?? ''].join(' ');
		if ((this.state.get(subject) ?? OPPOSITE[name]) !== OPPOSITE[name])
			this.wrong(`${subject}: ${name} twice (${id})`);
		this.state.set(subject, name);
		const room = `${key} ${channel}`;
		const n = this.members.get(room) ?? 0;
		if (name === 'member_added') this.members.set(room, n + 1);
		if (name === 'member_removed') this.members.set(room, n - 1);
		if (name === 'channel_vacated' && n !== 0)
			this.wrong(`${room}: vacated with ${n} members (${id})`);
		if (user !== undefined &&
		    this.state.get(`${room} `) !== 'channel_occupied')
			this.wrong(`${room}: ${name} and not occupied (${id})`);
	}

	// Facts whose last word is not this one.
	checkAll(want) {
		for (const [subject, said] of this.state)
			if (want[said] === undefined)
				this.wrong(`${subject}: ${said} is its last word`);
	}

	async stop() {
		this.server.closeAllConnections();
		await new Promise((ok) => this.server.close(ok));
	}
}

const OPPOSITE = { channel_occupied: 'channel_vacated',
	channel_vacated: 'channel_occupied', member_added: 'member_removed',
	member_removed: 'member_added' };

module.exports = { Mailbox };
