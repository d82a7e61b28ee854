// SPDX-License-Identifier: MIT
//
// A worker and the broker die together, or one shortly after the other, in
// both orders.  No client is left to say goodbye and no process to remember
// it; still everybody who is lost leaves exactly once, in presence channels
// and in watchlists, and a member that is back in time never left.
'use strict';

const assert = require('node:assert/strict');
const { get } = require('../system/lib/http');
const { until } = require('../system/lib/daemon');
const { Watcher, sleep, settle } = require('./lib/actors');

const ROOMS = ['presence-a', 'presence-b'];
const GRACE = 3;

// The process that dies first, and how many ms later the other one dies.
const ORDERS = [['worker', 'broker', 0], ['broker', 'worker', 0],
	['worker', 'broker', 50], ['broker', 'worker', 50],
	['worker', 'broker', 1000]];

async function member(d, app, history, id, name = `member ${id}`) {
	const m = await Watcher.open(d, app, history, name, ROOMS,
		{ data: { user_id: id, user_info: { id } } });
	Object.assign(m, { id, news: 0, signedIn: false });
	m.state = new Map();   // "room user" -> "added" | "removed"
	m.removed = new Map(); // the same -> how often
	m.online = new Map();  // user -> "online" | "offline"
	const { message } = m;
	m.roster.ids = null; // it is of one channel
	m.message = (x) => {
		m.news++;
		if (/member_(added|removed)$/.test(x.event))
			note(history, m, `${x.channel} ${JSON.parse(x.data).user_id}`,
				x.event.slice(-5) === 'added' ? 'added' : 'removed');
		else if (x.event === 'pusher_internal:watchlist_events')
			watched(history, m, JSON.parse(x.data).events);
		else if (x.event === 'pusher:signin_success')
			m.signedIn = true;
		else
			message.call(m, x);
	};
	return m;
}

function note(history, m, key, state) {
	if (m.state.get(key) === state)
		history.wrong(`${m.name}: ${key} ${state} twice`);
	m.state.set(key, state);
	if (state === 'removed')
		m.removed.set(key, (m.removed.get(key) ?? 0) + 1);
	else
		m.added = (m.added ?? 0) + 1;
}

// An event of a watchlist has to be a change.
function watched(history, m, events) {
	for (const e of events)
		for (const id of e.user_ids) {
			if (m.online.get(id) === e.name)
				history.wrong(`${m.name}: ${id} is ${e.name} twice`);
			m.online.set(id, e.name);
		}
}

async function signIn(m, watchlist) {
	m.sendSignin({ id: m.id, ...(watchlist ? { watchlist } : {}) });
	await until('the sign-in', () => m.signedIn);
}

async function round({ d, app, history, random }, n, order) {
	const ids = Array.from({ length: 18 }, (_, i) => `u${n}-${i}`);
	const members = [];
	for (const id of ids)
		members.push(await member(d, app, history, id));
	for (const m of members) await signIn(m, ids);
	await settle(members, (m) => m.news);
	for (const m of members) {
		m.added = 0;
		m.removed.clear();
		m.mayClose = true;
	}
	const victim = random.pick(d.pidsOf('worker'));
	const pid = { worker: victim, broker: d.pidsOf('broker')[0] };
	const lost = members.filter((m) => m.worker === victim);
	history.fault(order.join(' '));
	process.kill(pid[order[0]], 'SIGKILL');
	if (order[2] > 0) await sleep(order[2]);
	process.kill(pid[order[1]], 'SIGKILL');
	await until('the end of its clients', () => lost.every((m) => m.gone));
	const stay = members.filter((m) => !lost.includes(m));
	assert.ok(stay.length > 0 && lost.length > 0, 'members on both sides');
	assert.ok(stay.every((m) => !m.gone), 'nobody else is closed');
	const back = [];
	for (const m of lost.filter((_, i) => i % 2 === 0)) {
		const b = await member(d, app, history, m.id, `${m.id} again`);
		await signIn(b);
		back.push(b);
	}
	const away = lost.filter((_, i) => i % 2 === 1).map((m) => m.id);
	await until('those to leave who are lost', () => stay.every((m) =>
		m.removed.size >= away.length * ROOMS.length &&
		away.every((id) => m.online.get(id) === 'offline')), 20000)
		.catch((e) => history.wrong(e.message));
	await sleep(GRACE * 1000); // and whatever comes too much
	await settle([...stay, ...back], (m) => m.news);
	judge({ history, stay, back, away });
	const { users } = await get(d, app, `/channels/${ROOMS[0]}/users`);
	const here = [...stay, ...back].map((m) => m.id).sort();
	assert.deepEqual(users.map((u) => u.id).sort(), here);
	for (const m of [...stay, ...back]) await m.leave();
	await until('an empty channel', async () =>
		!(await get(d, app, `/channels/${ROOMS[0]}`)).occupied);
	return { lost: lost.length, back: back.length };
}

function judge({ history, stay, back, away }) {
	for (const m of [...stay, ...back]) {
		for (const id of away)
			for (const room of ROOMS) {
				const k = m.removed.get(`${room} ${id}`) ?? 0;
				if (k !== 1)
					history.wrong(`${m.name}: ${k} member_removed of ` +
						`${id} in ${room}`);
			}
		if (m.removed.size > away.length * ROOMS.length)
			history.wrong(`${m.name}: removed: ` +
				`${[...m.removed.keys()].join(', ')}; lost: ${away}`);
		if (m.added > 0 && stay.includes(m))
			history.wrong(`${m.name}: ${m.added} member_added`);
	}
	for (const m of stay)
		for (const [id, state] of m.online) {
			const want = away.includes(id) ? 'offline' : 'online';
			if (state !== want)
				history.wrong(`${m.name}: ${id} is ${state} in its list`);
		}
}

module.exports = async function together({ start, random, history, short }) {
	const { d, app } = await start({ workers: 3, crash_grace: GRACE },
		{ max_presence_members: 1000 });
	d.allow(/was killed by signal 9|link to the broker lost|another one in/,
		/resync: not every worker/);
	const rounds = short ? [random.pick(ORDERS)]
		: [...ORDERS, ...ORDERS, ...ORDERS, ...ORDERS];
	const seen = [];
	for (const [n, order] of rounds.entries()) {
		seen.push(await round({ d, app, history, random }, n, order));
		if (!short) await sleep(10000); // deaths are forgotten
	}
	return { rounds: seen.length,
		lost: seen.reduce((n, r) => n + r.lost, 0),
		back: seen.reduce((n, r) => n + r.back, 0) };
};
