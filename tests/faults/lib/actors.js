// SPDX-License-Identifier: MIT
//
// Those who use the server while it suffers: watchers that only listen,
// publishers that number what they send, members that come and go.
'use strict';

const fs = require('node:fs');
const { Client, OP, closeOf } = require('../../system/lib/client');
const { Http } = require('../../system/lib/http');
const { SLOW, sleep, until } = require('../../system/lib/daemon');
const { Roster } = require('./history');

// A client that logs every message the moment it comes.
class Watcher extends Client {
	// how: of its subscriptions; socket: of the connection.
	static async open(d, app, history, name, channels, how = {}, socket = {}) {
		const w = new Watcher(d, `/app/${app.key}?protocol=7&client=js` +
			'&version=8.6.0', socket);
		w.app = app;
		w.name = name;
		w.seen = new Map();
		w.times = [];
		w.roster = new Roster(history, name);
		try {
			await w.greeted();
			for (const c of channels) {
				w.seen.set(c, []);
				await w.subscribe(c, how);
			}
		} catch (e) {
			w.destroy();
			throw e;
		}
		w.live = true;
		for (const f of w.frames.splice(0)) w.take(f);
		return w;
	}

	onFrame(f) {
		if (this.live) this.take(f);
		else super.onFrame(f);
		// The roster begins with the confirmation, not a turn later.
		if (!this.live && f.opcode === OP.TEXT) this.peek(f);
	}

	peek(f) {
		const m = JSON.parse(f.payload.toString('utf8'));
		if (m.event === 'pusher_internal:subscription_succeeded' &&
		    m.channel.startsWith('presence-'))
			this.roster.start(JSON.parse(m.data).presence.ids);
	}

	take(f) {
		if (f.opcode === OP.PING) return this.sendFrame(OP.PONG, f.payload);
		if (f.opcode === OP.CLOSE) {
			const c = closeOf(f);
			this.closed = `${c.code} ${c.reason}`;
			this.sendFrame(OP.CLOSE, f.payload);
			return undefined;
		}
		if (f.opcode !== OP.TEXT) return undefined;
		return this.message(JSON.parse(f.payload.toString('utf8')));
	}

	message(m) {
		if (m.event === 'n') {
			const [seq, sent] = m.data.split(' ').map(Number);
			this.seen.get(m.channel).push(seq);
			this.times.push({ sent, at: performance.now() });
		} else if (m.event === 'pusher_internal:member_added') {
			this.roster.added(JSON.parse(m.data).user_id);
		} else if (m.event === 'pusher_internal:member_removed') {
			this.roster.removed(JSON.parse(m.data).user_id);
		} else if (m.event === 'pusher:error') {
			this.error = m.data;
		}
	}

	onWake() {
		if (this.gone && this.live && !this.leaving)
			this.closed ??= 'the connection ended';
		super.onWake();
	}

	async leave() {
		this.leaving = true;
		this.destroy();
		await this.ended();
	}
}

// Publishes numbered events to its channels, so many a second, in batches of
// up to ten, each channel in order.
class Publisher {
	constructor(d, app, history, channels) {
		Object.assign(this, { d, app, history, channels });
		this.seq = new Map(channels.map((c) => [c, 0]));
		this.sent = 0;
		this.status = {};
	}

	async run(rate) {
		const started = performance.now();
		this.going = true;
		while (this.going) {
			const due = (performance.now() - started) * rate / 1000;
			if (this.sent >= due) {
				await sleep(2);
				continue;
			}
			await this.batch(Math.min(10, Math.ceil(due - this.sent)));
		}
		this.http?.end();
	}

	start(rate) {
		this.done = this.run(rate);
		this.done.catch(() => {}); // stop() tells
	}

	stop() {
		this.going = false;
		return this.done;
	}

	next() {
		const channel = this.channels[this.sent++ % this.channels.length];
		const seq = this.seq.get(channel) + 1;
		this.seq.set(channel, seq);
		return { channel, seq };
	}

	data({ seq }, now) {
		return `${seq} ${now}${this.pad ? ` ${this.pad}` : ''}`;
	}

	async batch(n) {
		const events = Array.from({ length: n }, () => this.next());
		const now = performance.now().toFixed(3);
		const body = { batch: events.map((e) => ({ name: 'n',
			channel: e.channel,
			data: this.data(e, now) })) };
		let status = 0; // nobody knows
		try {
			if (!this.http || this.http.ended)
				this.http = await Http.connect(this.d);
			status = (await this.http.api(this.app, 'POST', '/batch_events',
				{ body })).status;
		} catch {
			this.http?.end();
			this.http = null;
		}
		for (const e of events)
			this.history.published(e.channel, e.seq, status);
		this.status[status] = (this.status[status] ?? 0) + n;
	}
}

// Users who come and go; `here` is who should be there in the end.
class Crowd {
	constructor(d, app, history, channel, random) {
		Object.assign(this, { d, app, history, channel, random });
		this.members = new Map();
		this.changes = 0;
	}

	async join(id) {
		const c = await Watcher.open(this.d, this.app, this.history,
			`member ${id}`, [this.channel], { data: { user_id: id } });
		this.members.set(id, c);
	}

	async run(n, pause) {
		this.going = true;
		while (this.going) {
			const id = `u${this.random.below(n)}`;
			const c = this.members.get(id);
			if (c) {
				this.members.delete(id);
				await c.leave();
			} else {
				await this.join(id);
			}
			this.changes++;
			await sleep(pause);
		}
	}

	start(n, pause) {
		this.done = this.run(n, pause);
		this.done.catch(() => {}); // stop() tells
	}

	stop() {
		this.going = false;
		return this.done;
	}
}

// Lines of the log when a broker is killed.
const BROKER_KILLED = [
	/broker was killed by signal 9|link to the broker lost/, /another one in/];

// Until another broker is there than this one.
function newBroker(d, old, ms) {
	return until('a new broker', () => {
		const now = d.pidsOf('broker');
		return now.length === 1 && now[0] !== old;
	}, ms);
}

// Until nothing has come to anybody for a while.
async function settle(watchers, of = (w) => w.times.length) {
	const count = () => watchers.reduce((n, w) => n + of(w), 0);
	for (let i = 0, before = -1; i < 40 && before !== count(); i++) {
		before = count();
		await sleep(400 * SLOW);
	}
}

// Is the server's end of this client's connection established?
function isOpen(d, port) {
	const hex = (n) => n.toString(16).toUpperCase().padStart(4, '0');
	return fs.readFileSync('/proc/net/tcp', 'utf8').split('\n')
		.map((l) => l.trim().split(/\s+/))
		.some((f) => f[1]?.endsWith(`:${hex(d.port)}`) &&
			f[2].endsWith(`:${hex(port)}`) && f[3] === '01');
}

module.exports = { BROKER_KILLED, Watcher, Publisher, Crowd, newBroker, settle,
	sleep, isOpen };
