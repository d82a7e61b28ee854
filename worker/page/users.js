// SPDX-License-Identifier: MIT
//
// users.js: signed-in users, and the sessions of clients that get what they
// missed.
import { ask, run } from './api.js';
import { can, nameOf } from './state.js';
import { ago, badge, card, confirm, dialog, empty, facts, fill, h, head, link, num, toast } from './dom.js';
import { table } from './table.js';

const appColumn = (app) => (app ? [] : [{ key: 'app', low: true, show: (r) => link(`#/app/${r.app}`, nameOf(r.app)), value: (r) => nameOf(r.app) }]);

function kick(r, reconnect) {
	confirm(reconnect ? 'Close them, so that they reconnect?' : 'Close for good?', `All connections of ${r.user} are closed with ${reconnect ? '4200: they reconnect' : '4009: official clients do not reconnect'}.`, 'Close', async () => {
		const { rows } = await run('users kick', { app: r.app, user: r.user, reconnect });
		toast(`Closed: ${rows.closed}`);
	});
}

async function showSession(r) {
	const s = await ask('sessions show', { session: r.session });
	const list = table([{ key: 'channel' }, { key: 'answer', show: (x) => badge(x.answer, x.answer === 'continued' || x.answer === 'connected' ? 'good' : 'warn') },
		{ key: 'missed', num: true, show: (x) => num(x.missed) }], { id: (x) => x.channel, sort: 'channel', none: empty('It has no subscriptions.') });
	list.set(s.channels ?? []);
	dialog('The answer that it would get now', [facts([['session', h('code', null, r.session)], ['state', r.state], ['since', ago(r.since * 1000)],
		['connection', r.socket_id ? link(`#/connection/${r.socket_id}`, r.socket_id) : 'none']]), list.el]);
}

export async function users({ el, every, app }) {
	const list = table([
		{ key: 'user', show: (r) => h('b', null, r.user) }, ...appColumn(app),
		{ key: 'connections', num: true, show: (r) => link(`#/connections?user=${encodeURIComponent(r.user)}&app=${r.app}`, num(r.connections)) },
		{ key: 'watchers', low: true, num: true, show: (r) => num(r.watchers) },
		...(can('users kick') ? [{ key: 'close', label: '', show: (r) => h('span', { class: 'row' }, h('button', { class: 'small', onclick: () => kick(r, true) }, 'Reconnect…'), h('button', { class: 'small danger', onclick: () => kick(r, false) }, 'Close…')), sign: () => '' }] : []),
	], { id: (r) => `${r.app} ${r.user}`, sort: 'user', none: empty('No user is signed in.', 'Clients sign in with pusher.signin(); members of presence channels are on the page of the channel.') });
	const sessions = table([
		{ key: 'session', show: (r) => h('button', { class: 'small mono', onclick: () => showSession(r) }, r.session) }, ...appColumn(app),
		{ key: 'state', show: (r) => badge(r.state, r.state === 'connected' ? 'good' : 'warn') },
		{ key: 'since', show: (r) => ago(r.since * 1000) }, { key: 'channels', num: true, show: (r) => num(r.channels) },
		{ key: 'socket_id', low: true, show: (r) => r.socket_id && link(`#/connection/${r.socket_id}`, r.socket_id) },
	], { id: (r) => r.session, sort: 'since', down: true, none: empty('No client resumes its session.', 'Switch resume on for the app, and give clients a session: see etc/doc/resume.md, or the ', link('#/simulator', 'client simulator'), '.') });
	fill(el, head('Users and sessions', list.search), card('Signed in', list.el), card('Sessions that resume', sessions.el));
	await every(4, async () => {
		const args = app ? { app } : {};
		const [all, resuming] = await Promise.all([ask('users list', args), ask('sessions', args)]);
		list.set(all);
		sessions.set(resuming);
	});
}
