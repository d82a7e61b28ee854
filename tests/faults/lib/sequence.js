// SPDX-License-Identifier: MIT
//
// Clients that see the events of an app, and whether all saw one sequence of
// all channels, in which nothing comes before what it followed.
'use strict';

const { Client, OP, closeOf } = require('../../system/lib/client');
const { until } = require('../../system/lib/daemon');
const { QUERY } = require('../../system/lib/resume');
const { Roster } = require('./history');

const ROOM = 'presence-b';
const CACHE = 'private-cache-c';
const CHANNELS = ['private-a', ROOM, CACHE]; // the cache last

// An event's number is how its text begins.
const number = (data) => parseInt(data, 10);
const now = () => performance.now();

// Writes down what comes, from the last confirmation on.
class Viewer extends Client {
	static async open(d, app, sequence, name, id) {
		const v = new Viewer(d, `/app/${app.key}${QUERY}`);
		Object.assign(v, { sequence, app, name, list: [],
			left: CHANNELS.length, pongs: [],
			roster: new Roster(sequence.history, name) });
		await v.greeted();
		v.live = true;
		for (const c of CHANNELS) v.sendSubscribe(c, c === ROOM ?
			{ data: { user_id: id } } : {});
		await until(`${name} to be subscribed`, () => v.left === 0 || v.closed,
			30000);
		return v;
	}

	onFrame(f) {
		if (!this.live) return super.onFrame(f);
		if (f.opcode === OP.PING) return this.sendFrame(OP.PONG, f.payload);
		if (f.opcode === OP.CLOSE) {
			const { code, reason } = closeOf(f);
			this.closed = `${code} ${reason}`;
			return undefined;
		}
		return this.message(JSON.parse(f.payload.toString('utf8')));
	}

	onWake() {
		if (this.gone && this.live && !this.leaving)
			this.closed ??= 'the connection ended';
		super.onWake();
	}

	message(m) {
		const { roster } = this;
		switch (m.event) {
		case 'e':
		case 'client-e':
			if (this.awaits) this.cached = `${number(m.data)} ${m.channel}`;
			else if (this.left === 0)
				this.sequence.seen(this, m.channel, m.data);
			this.awaits = false;
			break;
		case 'pusher:cache_miss':
			this.awaits = false;
			break;
		case 'pusher_internal:subscription_succeeded':
			this.left--;
			this.awaits = m.channel === CACHE; // the next message
			if (m.channel === ROOM)
				roster.start(JSON.parse(m.data).presence.ids);
			break;
		case 'pusher_internal:member_added':
			roster.added(JSON.parse(m.data).user_id);
			break;
		case 'pusher_internal:member_removed':
			roster.removed(JSON.parse(m.data).user_id);
			break;
		case 'pusher:pong':
			this.pongs.shift()?.();
			break;
		case 'pusher:error':
			this.sequence.history.wrong(`${this.name}: ${JSON.stringify(m.data)}`);
		}
	}

	sync() {
		this.send({ event: 'pusher:ping', data: {} });
		return new Promise((ok) => { this.pongs.push(ok); });
	}

	async leave() {
		this.leaving = true;
		await this.close();
	}
}

// All events, and what became of them.
class Sequence {
	constructor(history) {
		this.history = history;
		this.events = []; // by number
	}

	// A new one; its text.  by, except: those who do not get it.
	begin(channels, how, { by, except, size = 0 } = {}) {
		this.events.push({ channels, how, by, except, sent: now(),
			known: Infinity });
		return `${this.events.length - 1} ${'x'.repeat(size)}`;
	}

	// "number channel", or the text of one.
	of(key) {
		return this.events[number(key)];
	}

	answered(data, status) {
		const e = this.of(data);
		e.status = status;
		if (status === 200) e.known = Math.min(e.known, now());
	}

	seen(viewer, channel, data) {
		const n = number(data);
		viewer.list.push(`${n} ${channel}`);
		const e = this.events[n];
		if (e === undefined)
			this.history.wrong(`${viewer.name}: ${data.slice(0, 40)}`);
		else e.known = Math.min(e.known, now());
	}

	// The events that this viewer has to see, of all.
	wanted(v, all) {
		return all.filter((key) => {
			const e = this.of(key);
			return e.by !== v.name && e.except !== v.name;
		});
	}

	// The first place where a is not b.
	same(who, a, b) {
		const at = a.findIndex((key, i) => key !== b[i]);
		if (at === -1 && a.length === b.length) return;
		const i = at === -1 ? a.length : at;
		const show = (l) => l.slice(Math.max(0, i - 2), i + 3).map((k) =>
			`${k} ${this.of(String(k))?.how}`).join(', ');
		this.history.wrong(`${who}: at ${i} of ${b.length}: has ` +
			`[${show(a)}] instead of [${show(b)}]`);
	}

	// All that was taken is there, once; nothing before what it followed.
	checkMain(all) {
		const { history } = this;
		const twice = all.filter((key, i) => all.indexOf(key) !== i);
		if (twice.length > 0)
			history.wrong(`${twice.length} came twice: ` +
				twice.slice(0, 9).map((key) => `${key} (${this.of(key).how}) ` +
					`at ${all.indexOf(key)} and ${all.lastIndexOf(key)}`));
		const there = new Set(all);
		this.events.forEach((e, n) => {
			for (const c of e.channels) {
				const is = there.has(`${n} ${c}`);
				if (!is && (e.status === 200 || e.how === 'client'))
					history.wrong(`${n} (${e.how}) is lost`);
				if (is && e.status === 503)
					history.wrong(`${n} was answered 503, and is there`);
			}
		});
		let first = Infinity;
		for (const key of all.toReversed()) {
			const e = this.of(key);
			if (e.sent > first)
				history.wrong(`${key} (${e.how}) was sent behind one ` +
					'that comes later');
			first = Math.min(first, e.known);
		}
	}

	// An event that all were told of; a part of the others' sequence.
	checkPart(who, list, all) {
		const place = new Map(all.map((key, i) => [key, i]));
		const from = place.get(list[0]);
		if (list.length > 0)
			this.same(who, list, all.slice(from, from + list.length));
	}

	// The event that it was given first is the last one before all that came.
	checkCached(v, all) {
		const end = v.list.length > 0 ? all.indexOf(v.list[0]) : all.length;
		const last = all.slice(0, end).findLast((key) =>
			key.endsWith(` ${CACHE}`) && this.of(key).how !== 'client');
		if (v.cached !== last)
			this.history.wrong(`${v.name}: the cached event is ` +
				`${v.cached} instead of ${last}`);
	}

	// In order, perhaps with holes.
	checkOrder(who, list, all) {
		const place = new Map(all.map((key, i) => [key, i]));
		let last = -1;
		for (const key of list) {
			const at = place.get(key) ?? -1;
			if (at <= last)
				this.history.wrong(`${who}: ${key} is not in its place`);
			last = Math.max(last, at);
		}
	}
}

module.exports = { CACHE, CHANNELS, ROOM, Sequence, Viewer, now, number };
