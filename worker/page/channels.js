// SPDX-License-Identifier: MIT
//
// channels.js: the occupied channels, and one of them: subscriptions, members,
// the cached event, the last events of the app's log.
import { ask, run } from './api.js';
import { can, nameOf, state } from './state.js';
import { ago, badge, bytes, card, confirm, duration, empty, facts, fill, h, head, link, num, tiles, toast } from './dom.js';
import { confirmed, eventLine } from './events.js';
import { table } from './table.js';

export const channelLink = (app, name) => link(`#/channel/${encodeURIComponent(app)}/${encodeURIComponent(name)}`, name);

export function kindOf(name) {
	const kinds = ['presence', 'private-encrypted', 'private'].filter((k) => name.startsWith(`${k}-`));
	return [kinds[0] ?? 'public', /^(private-|presence-)?(encrypted-)?cache-/.test(name) && 'cache'].filter(Boolean).join(', ');
}

export async function channels({ el, every, app }) {
	const list = table([
		{ key: 'channel', show: (r) => channelLink(r.app, r.channel) },
		...(app ? [] : [{ key: 'app', low: true, show: (r) => link(`#/app/${r.app}`, nameOf(r.app)), value: (r) => nameOf(r.app) }]),
		{ key: 'kind', low: true, value: (r) => kindOf(r.channel), show: (r) => badge(kindOf(r.channel)) },
		{ key: 'subscriptions', num: true, show: (r) => num(r.subscriptions) },
		{ key: 'users', num: true, show: (r) => (r.users === null ? '' : num(r.users)) },
		{ key: 'cached', low: true, show: (r) => (r.cached ? 'yes' : '') },
	], { id: (r) => `${r.app} ${r.channel}`, sort: 'subscriptions', down: true,
		none: empty('No channel has a subscriber.', 'Connect a client, or try the ', link('#/simulator', 'client simulator'), '.') });
	fill(el, head('Channels', list.search), card(null, list.el));
	await every(3, async () => list.set(await ask('channels', app ? { app } : {})));
}

// The rows of commands that print one text after the other.
const listOf = (rows) => (Array.isArray(rows) ? rows : rows ? [rows] : []);

export async function channel({ el, parts, every }) {
	const [, app, name] = parts;
	const about = tiles({ subscriptions: 'subscriptions', users: 'users', bytes: 'cached event' });
	const cached = h('div');
	const members = table([
		{ key: 'user', show: (r) => h('b', null, r.user) },
		{ key: 'connections', num: true },
		{ key: 'info', show: (r) => r.info && h('code', null, r.info) },
	], { id: (r) => r.user, sort: 'user', none: empty('This channel has no members.') });
	const subscribers = table([
		{ key: 'socket_id', show: (r) => link(`#/connection/${r.socket_id}`, r.socket_id) },
		{ key: 'user' }, { key: 'address' },
		{ key: 'age', num: true, show: (r) => duration(r.age), sign: (r) => duration(r.age) },
		{ key: 'queued', num: true, show: (r) => bytes(r.queued) },
	], { id: (r) => r.socket_id, sort: 'age', none: empty('This channel has no subscribers now.') });
	const log = h('div', { class: 'log' });
	const logCard = card('Last events', log);
	let newest = null;

	fill(el, head(name, badge(kindOf(name)), link(`#/app/${app}`, nameOf(app), { class: 'badge' }),
		can('publish') && h('a', { class: 'button', href: `#/publish?app=${app}&channel=${encodeURIComponent(name)}` }, 'Publish…'),
		h('a', { class: 'button', href: `#/events?app=${app}&channel=${encodeURIComponent(name)}` }, 'Live events'),
		h('a', { class: 'button', href: `#/simulator?channel=${encodeURIComponent(name)}` }, 'Join')),
	about.el, cached, name.startsWith('presence-') && card('Members', members.el), card('Subscribers', subscribers.el), logCard);

	async function drawEvents() {
		const a = state.apps.find((x) => x.id === app);
		if (a && !a.resume) {
			fill(log, empty('The app keeps no events.', 'With resume=on clients get missed events, and this list shows them: ', link(`#/app/${app}`, 'settings of the app'), '.'));
			return;
		}
		const list = listOf(await ask('channel', { app, channel: name, events: 30 })).reverse();
		const sign = JSON.stringify(list[0] ?? '') + list.length;
		if (sign === newest) return;
		newest = sign;
		fill(log, list.length > 0 ? list.map((e) => eventLine(e, false)) : empty('No event of this channel is in the log.', 'Publish one: it is shown here with its payload.'));
	}

	await every(3, async () => {
		const [r, conns] = await Promise.all([ask('channel', { app, channel: name }).catch((err) => {
			if (err.status !== 422) throw err;
			return { channel: { subscriptions: 0, users: null, cached_bytes: null }, members: [] };
		}), ask('connections list', { app, channel: name, limit: 500 })]);
		const c = r.channel;
		about.set({ subscriptions: num(c.subscriptions), users: num(c.users), bytes: c.cached_bytes === null ? '–' : bytes(c.cached_bytes) });
		if (c.cached_bytes !== null && c.cached_bytes !== undefined && !cached.firstChild)
			fill(cached, card('Cached event', facts([['age', ago(Date.now() - c.cached_age * 1000)], ['forgotten in', duration(c.cached_ttl)]]),
				can('channel purge-cache') && h('p', null, h('button', { class: 'danger', onclick: () => confirm('Forget the cached event?', 'New subscribers get pusher:cache_miss until the next event.', 'Forget it', async () => {
					await run('channel purge-cache', { app, channel: name });
					fill(cached);
					toast('Forgotten.');
				}) }, 'Forget it…'))));
		else if (c.cached_bytes === null) fill(cached);
		members.set(r.members ?? []);
		subscribers.set(conns);
		await drawEvents().catch((err) => fill(log, empty('No events to show.', err.message)));
		for (const line of log.querySelectorAll('.line:not(.open)')) line.querySelector('.more').textContent = confirmed(line.event, conns);
	});
}
