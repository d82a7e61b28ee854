// SPDX-License-Identifier: MIT
//
// The courier, the broker, a worker and the whole group are killed again and
// again while clients come, go and send.  Every event that was committed
// arrives, in order per channel, again only under its own id; what is said of
// a channel or a member alternates and is true in the end.
'use strict';

const fs = require('node:fs');
const { Client } = require('../system/lib/client');
const { until } = require('../system/lib/daemon');
const { Mailbox } = require('./lib/mailbox');
const { sleep } = require('./lib/actors');

// Client events that a killed process had not handed over are lost: the last
// ones of each channel before it died, on a busy machine those of this long.
// Others never are.
const BEFORE_MS = 3000;
const KINDS = ['courier', 'broker', 'worker', 'group'];

// Somebody who comes and goes, and sends numbers to a channel of his own; he
// is back when his connection ends.
class Guest {
	constructor(cast, i) {
		Object.assign(this, cast, { i, n: 0, here: new Set(), toggles: 0 });
		this.channel = `private-${i}`;
		this.sent = [];  // when, by number
		this.doubt = []; // [from, to]: his own connection was breaking
		this.rooms = Array.from({ length: cast.size.rooms },
			(_, k) => (k % 10 === 0 ? `presence-${k}` : `room-${i}-${k}`));
	}

	async connect() {
		const begin = performance.now();
		for (;;) {
			try {
				this.c = await Client.connect(this.d, this.app);
				await this.c.subscribe(this.channel);
				break;
			} catch {
				this.c?.destroy();
				await sleep(50);
			}
		}
		this.c.onFrame = () => {}; // nobody reads what comes now
		this.here.clear();
		// Events that he sent while it broke may have reached nobody.
		this.doubt.push([begin - BEFORE_MS, performance.now()]);
	}

	enter(room) {
		const data = room.startsWith('presence-') ?
			{ user_id: `guest "${this.i}"` } : undefined;
		this.c.sendSubscribe(room, { data });
		this.here.add(room);
	}

	step() {
		const room = this.random.pick(this.rooms);
		this.toggles++;
		if (this.here.delete(room)) this.c.unsubscribe(room);
		else this.enter(room);
	}

	// Three of four are client events.
	async run() {
		const rate = this.size.rate / this.size.guests;
		let done = 0;
		let began = performance.now();
		while (this.going) {
			if (this.c.gone) {
				await this.connect();
				[began, done] = [performance.now(), 0];
			}
			const due = (performance.now() - began) * rate / 1000;
			for (; done < due && !this.c.gone; done++) {
				if (done % 4 === 3) this.step();
				else this.send();
			}
			await sleep(5);
		}
	}

	send() {
		this.sent[++this.n] = performance.now();
		this.c.trigger(this.channel, 'client-n', String(this.n));
	}

	start() {
		this.going = true;
		this.done = this.run();
		this.done.catch(() => {}); // stop() tells
	}

	stop() {
		this.going = false;
		return this.done;
	}
}

// Kills one, and says when; the ids that waited on disk then.
class Killer {
	constructor(cast) {
		Object.assign(this, cast);
		this.waiting = new Set();
		this.count = {};
	}

	async kill(kind) {
		this.count[kind] = (this.count[kind] ?? 0) + 1;
		this.history.fault(kind);
		if (kind === 'group') return this.group();
		const pids = this.d.pidsOf(kind);
		if (pids.length > 0) process.kill(this.random.pick(pids), 'SIGKILL');
		this.note();
		return undefined;
	}

	// Webhooks that are on disk now have to arrive.
	note() {
		for (const x of this.d.ctl(['webhook', 'deliveries', '--state',
			'waiting'])) {
			const ids = this.waiting;
			ids.add(`${x.webhook} ${x.delivery}`);
		}
	}

	async group() {
		this.d.kill();
		await this.d.exited;
		this.note();
		this.d.exit = null;
		fs.rmSync(this.d.conf.runtime_dir, { recursive: true });
		await this.d.start();
	}
}

// Numbers that did not come, although nothing excuses it.
function checkNumbers(guest, mailbox, history) {
	const got = mailbox.numbers.get(guest.channel) ?? new Set();
	const excuses = [...guest.doubt, ...history.faults
		.filter((f) => f.what === 'broker' || f.what === 'group')
		.map((f) => [f.at - BEFORE_MS, f.at + BEFORE_MS])];
	let lost = 0;
	let runs = 0;
	for (let n = 1; n <= guest.n; n++) {
		if (got.has(n)) continue;
		const at = guest.sent[n];
		lost++;
		if (n === 1 || got.has(n - 1)) runs++;
		if (!excuses.some(([from, to]) => at >= from && at <= to))
			history.wrong(`${mailbox.name}: ${guest.channel}: ${n} is lost`);
	}
	if (runs > excuses.length)
		history.wrong(`${mailbox.name}: ${guest.channel}: ${runs} gaps`);
	return lost;
}

const quiet = (d, mailboxes) => until('the outbox to be empty', () => {
	const [{ webhooks }] = d.ctl(['status']);
	return webhooks.queued === 0 && webhooks.waiting === 0 &&
		mailboxes.every((m) => performance.now() - m.last > 1000);
}, 600000);

module.exports = async function webhook({ start, history, random, short }) {
	const size = short ? { guests: 4, rooms: 40, rate: 400, kills: 6,
		every: 1500 } : { guests: 8, rooms: 100, rate: 1000, kills: 200,
		every: 2000 };
	// The clients of two apps in each worker.
	const settings = { client_events: 'on', max_client_events_per_second: 0,
		max_presence_members: 1000 };
	const apps = [];
	const { d, app } = await start({ workers: 4,
		webhook_allow_private: 'on' }, settings, (x) => {
		apps.push(x.app(settings));
		return [];
	});
	apps.push(app);
	d.allow(/was killed by signal 9|link to the broker lost|another one in/,
		/resync|the master is gone|webhook \d+|not every worker/);
	const boxes = [
		await Mailbox.start(history, 'one by one', apps,
			() => random.below(2000) === 0),
		await Mailbox.start(history, 'batches', apps)];
	const of = new Map(); // the mailbox of each webhook
	for (const a of apps)
		for (const [i, m] of boxes.entries())
			of.set(d.ctl(['webhook', 'add', a.id, m.url,
				...(i === 1 ? ['--batch'] : [])])[0].webhook, m);
	const cast = { d, history, random, size };
	const guests = Array.from({ length: size.guests },
		(_, i) => new Guest({ ...cast, app: apps[i % 2] }, i));
	for (const g of guests) await g.connect();
	guests.forEach((g) => g.start());
	const killer = new Killer(cast);
	const began = performance.now();
	for (let i = 0; i < size.kills; i++) {
		await sleep(size.every * (0.6 + 0.8 * random.next()));
		await killer.kill(KINDS[(i + 1) % KINDS.length]);
	}
	await sleep(3000);
	await Promise.all(guests.map((g) => g.stop()));
	const seconds = (performance.now() - began) / 1000;
	await inTheEnd({ d, guests, boxes, history });
	for (const id of killer.waiting) {
		const [num, delivery] = id.split(' ');
		if (!of.get(Number(num)).bodies.has(delivery))
			history.wrong(`${id} was on disk and did not arrive`);
	}
	const lost = guests.reduce((n, g) => n + boxes.reduce((k, m) =>
		k + checkNumbers(g, m, history), 0), 0);
	for (const m of boxes) await m.stop();
	return { kills: killer.count, seconds: Math.round(seconds),
		'client events': guests.reduce((n, g) => n + g.n, 0),
		'came and went': guests.reduce((n, g) => n + g.toggles, 0),
		'lost with a broker': lost,
		'found on disk after a kill': killer.waiting.size,
		...Object.fromEntries(boxes.map((m) => [m.name, { events: m.events,
			requests: m.hooks, repeats: m.repeats }])) };
};

// All come, then all go: the last state of each channel is true.
async function inTheEnd({ d, guests, boxes, history }) {
	for (const g of guests) {
		if (g.c.gone) await g.connect();
		for (const room of g.rooms) if (!g.here.has(room)) g.enter(room);
	}
	await sleep(4000);
	await quiet(d, boxes);
	const rooms = new Set(guests.flatMap((g) =>
		g.rooms.map((room) => `${g.app.key} ${room}`)));
	for (const m of boxes) {
		m.checkAll({ channel_occupied: 1, member_added: 1 });
		for (const room of rooms)
			if (m.state.get(`${room} `) !== 'channel_occupied')
				history.wrong(`${m.name}: ${room} is not occupied`);
	}
	for (const g of guests) await g.c.close();
	await sleep(4000);
	await quiet(d, boxes);
	for (const m of boxes)
		m.checkAll({ channel_vacated: 1, member_removed: 1 });
}
