// SPDX-License-Identifier: MIT
//
// connections.js: the connections, one connection, and how connections ended.
import { ask, run } from './api.js';
import { can, nameOf } from './state.js';
import { channelLink } from './channels.js';
import { ago, badge, bytes, card, confirm, duration, empty, facts, fill, h, head, link, num, toast } from './dom.js';
import { table } from './table.js';

const MEANING = { 1000: 'closed by the client', 1001: 'the page was left', 1005: 'no reason given', 1006: 'the line was lost', 4000: 'TLS only', 4001: 'no app has this key',
	4003: 'the app is disabled', 4004: 'over the app’s connections', 4009: 'not allowed, or closed by an operator', 4100: 'over capacity, or read too slowly',
	4200: 'told to reconnect', 4201: 'answered no ping', 4301: 'client events too fast' };

export async function connections({ el, every, app, query }) {
	const user = query.get('user');
	app = (user && query.get('app')) || app;
	const list = table([
		{ key: 'socket_id', show: (r) => link(`#/connection/${r.socket_id}`, r.socket_id) },
		...(app ? [] : [{ key: 'app', low: true, show: (r) => link(`#/app/${r.app}`, nameOf(r.app)), value: (r) => nameOf(r.app) }]),
		{ key: 'user' }, { key: 'address', low: true },
		{ key: 'age', num: true, show: (r) => duration(r.age), sign: (r) => duration(r.age) },
		{ key: 'idle', low: true, num: true, show: (r) => duration(r.idle), sign: (r) => duration(r.idle) },
		{ key: 'subscriptions', num: true, show: (r) => num(r.subscriptions) },
		{ key: 'received', low: true, num: true, show: (r) => num(r.received) }, { key: 'sent', num: true, show: (r) => num(r.sent) },
		{ key: 'bytes_sent', num: true, show: (r) => bytes(r.bytes_sent) }, { key: 'queued', num: true, show: (r) => bytes(r.queued) },
		{ key: 'worker', low: true, num: true },
	], { id: (r) => r.socket_id, sort: 'age', none: empty('No client is connected.', 'Snippets with the key are on the page of the ', link('#/apps', 'app'), '; or try the ', link('#/simulator', 'client simulator'), '.') });
	fill(el, head('Connections', user && badge(`user ${user}`), list.search), card(null, list.el));
	await every(4, async () => {
		list.set(await ask('connections list', { ...(app && { app }), ...(app && user && { user }), sort: 'age', limit: 2000 }));
	});
}

function why(r) {
	return h('span', null, badge(r.code, r.code === 1000 || r.code === 1001 || r.code === 4200 ? '' : 'warn'), ' ', r.reason || MEANING[r.code] || '');
}

const closeColumns = (app) => [
	{ key: 'time', value: (r) => r.time, show: (r) => ago(r.time) },
	{ key: 'code', label: 'why', show: why, sign: (r) => [r.code, r.reason] },
	...(app ? [] : [{ key: 'app', show: (r) => (r.app ? link(`#/app/${r.app}`, nameOf(r.app)) : '') }]),
	{ key: 'address' }, { key: 'age', label: 'after', num: true, show: (r) => duration(r.age) },
	{ key: 'by', label: 'closed by' }, { key: 'bytes_out', label: 'sent', num: true, show: (r) => bytes(r.bytes_out) },
];

export async function connection({ el, parts, every }) {
	const sid = parts[1];
	const about = h('div');
	const state = h('span', { class: 'badge good' }, 'connected');
	const kill = (reconnect) => confirm(reconnect ? 'Close it, so that it reconnects?' : 'Close it for good?', reconnect ? 'The client gets 4200 and connects again at once.' : 'The client gets 4009: official clients do not reconnect.', 'Close', async () => {
		await run('connections kill', { socket_id: sid, reconnect });
		toast('Closed.');
	});
	const list = table([{ key: 'channel', show: (r) => channelLink(app, r.channel) }, { key: 'user' },
		{ key: 'on', label: 'state', show: (r) => (r.on === false ? badge('waits', 'warn') : badge('subscribed', 'good')) }],
	{ id: (r) => r.channel, sort: 'channel', none: empty('It has no subscriptions.') });
	let app = '';
	let last = null;
	fill(el, head(sid, state, can('connections kill') && [h('button', { onclick: () => kill(true) }, 'Reconnect…'), h('button', { class: 'danger', onclick: () => kill(false) }, 'Close…')]),
		about, card('Channels', list.el));
	await every(2, async () => {
		let r;
		try {
			r = await ask('connections show', { socket_id: sid });
		} catch (err) {
			if (err.status !== 422) throw err;
			state.className = 'badge bad';
			state.textContent = 'gone';
			const all = await ask('closes', { ...(app && { app }), limit: 1000 });
			const c = last && all.find((x) => x.address === last.address);
			fill(about, card('Why it closed', c ? facts([['when', ago(c.time)], ['code', why(c)], ['closed by', c.by], ['after', duration(c.age)]])
				: [h('p', null, 'There is no such connection now. '), link('#/closes', 'The last ones that ended')]));
			return;
		}
		const c = r.connection;
		app = c.app;
		last = c;
		fill(about, card('Connection', facts([['app', link(`#/app/${c.app}`, nameOf(c.app))], ['user', c.user ?? 'not signed in'], ['address', c.address],
			['connected', ago(Date.now() - c.age * 1000)], ['last heard of', ago(Date.now() - c.idle * 1000)], ['received', `${num(c.received)} messages`],
			['sent', `${num(c.sent)} messages, ${bytes(c.bytes_sent)}`], ['waits to be read', bytes(c.queued)],
			['compression', c.compression ? `${c.compression}, ${bytes(c.bytes_saved)} saved` : 'none'], ['worker', c.worker]])));
		list.set(r.channels);
	});
}

export async function closes({ el, every, app }) {
	const sums = h('div', { class: 'tiles' });
	const list = table(closeColumns(app), { id: (r) => `${r.time} ${r.address} ${r.code}`, sort: 'time', down: true,
		none: empty('No connection has ended yet.', 'The last 1,000 are kept here, with their reasons.') });
	fill(el, head('Closes', list.search), sums, card(null, list.el));
	let before = '';
	await every(3, async () => {
		const rows = await ask('closes', { ...(app && { app }), limit: 1000 });
		const by = new Map();
		for (const r of rows) by.set(r.code, (by.get(r.code) ?? 0) + 1);
		const top = [...by].sort((a, b) => b[1] - a[1]).slice(0, 6);
		if (JSON.stringify(top) !== before)
			fill(sums, top.map(([code, n]) => h('div', { class: 'tile' }, h('b', null, num(n)), h('span', null, `${code}: ${MEANING[code] ?? ''}`))));
		before = JSON.stringify(top);
		list.set(rows);
	});
}
