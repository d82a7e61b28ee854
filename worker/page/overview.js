// SPDX-License-Identifier: MIT
//
// overview.js: the present load of the server, or of one app.
import { ask } from './api.js';
import { can, nameOf } from './state.js';
import { lines } from './charts.js';
import { ago, badge, bytes, card, duration, empty, fill, h, head, link, num, tiles } from './dom.js';
import { table } from './table.js';

const KEPT = 90; // readings in the chart
const ms = (us) => (us < 10000 ? `${(us / 1000).toFixed(1)} ms` : us < 1e6 ? `${Math.round(us / 1000)} ms` : `${(us / 1e6).toFixed(1)} s`);
const counted = ['messages_in', 'messages_out', 'published', 'bytes_out'];

function limits(list) {
	return h('div', { class: 'limit' }, [...list].sort((a, b) => b.percent - a.percent || a.limit.localeCompare(b.limit)).slice(0, 8).map((l) => [h('span', null, l.limit),
		h('small', { class: 'soft' }, /memory|cached|queue/.test(l.limit) ? `${bytes(l.used)} of ${bytes(l.maximum)}` : `${num(l.used)} of ${num(l.maximum)}`),
		meter(l.percent)]));
}

function meter(percent) {
	const i = h('i', { class: percent > 90 ? 'bad' : percent > 70 ? 'warn' : null });
	i.style.width = `${Math.min(100, Math.max(percent, 1))}%`;
	return h('div', { class: 'bar', role: 'meter', 'aria-valuenow': percent, 'aria-valuemax': 100, 'aria-label': `${percent} %`, title: `${percent} %` }, i);
}

const hooksCard = (w) => card('Webhooks', h('p', { class: 'row' }, badge(w.state, w.state === 'up' || w.state === 'idle' ? 'good' : 'bad'),
	`${num(w.waiting)} waiting`, h('span', { class: w.dead > 0 ? 'bad' : '' }, `${num(w.dead)} dead`), `${num(w.dropped)} dropped`),
w.trouble && h('p', { class: 'bad' }, w.trouble), link('#/webhooks', 'All webhooks'));

const certsCard = (list) => list.length > 0 && card('Certificates', list.map((c) => h('p', { class: 'row' }, c.name,
	badge(`${c.days_left} days left`, c.days_left < 14 ? 'bad' : 'good'), ago(c.expires * 1000))));

export async function overview({ el, every, signal, app }) {
	const big = tiles({ connections: 'connections', channels: 'channels', in: 'messages in /s', out: 'messages out /s', published: 'published /s', bytes: 'sent /s' });
	const note = h('p', { class: 'soft' });
	const chart = lines({ out: 'out /s', in: 'in /s', published: 'published /s' }, { signal, format: num, label: 'Messages a second' });
	const clients = lines({ connections: 'connections' }, { signal, format: num, label: 'Connections' });
	const more = h('div', { class: 'cards' });
	const about = h('span', { class: 'soft' });
	const list = table([
		{ key: 'app', show: (r) => link(`#/app/${r.app}`, r.name || r.app) },
		{ key: 'connections', num: true, show: (r) => num(r.connections) },
		{ key: 'channels', num: true, show: (r) => num(r.channels) },
		{ key: 'messages_in', label: 'in', num: true, show: (r) => num(r.messages_in) },
		{ key: 'messages_out', label: 'out', num: true, show: (r) => num(r.messages_out) },
		{ key: 'bytes_out', label: 'sent', num: true, show: (r) => bytes(r.bytes_out) },
	], { id: (r) => r.app, sort: 'messages_out', down: true, none: empty('There is no app yet.', link('#/apps', 'Make the first one')) });
	const readings = [];
	let before = null;
	let drawn = '';

	fill(el, head(app ? nameOf(app) : 'Overview', about), big.el,
		h('div', { class: 'cards' }, card('Messages a second', chart.el, note), card('Connections', clients.el)), more,
		!app && card('Apps', list.el));
	await every(2, async () => {
		const [stats, status] = await Promise.all([ask('stats', app ? { app } : {}), can('status') && !app ? ask('status') : null]);
		const s = stats.server ?? stats.app;
		const now = { at: performance.now(), s };
		const first = !before;
		const rate = (key) => (before ? Math.max(0, (s[key] - before.s[key]) / (now.at - before.at) * 1000) : 0);
		const [input, out, published, sent] = counted.map(rate);
		before = now;
		readings.push({ time: Date.now(), ...(!first && { in: Math.round(input), out: Math.round(out), published: Math.round(published) }), connections: s.connections });
		if (readings.length > KEPT) readings.shift();
		big.set({ connections: num(s.connections), channels: num(s.channels), in: num(Math.round(input)), out: num(Math.round(out)),
			published: num(Math.round(published)), bytes: bytes(Math.round(sent)) });
		note.textContent = [s.confirmed_p50_us > 0 && `Clients with a session confirmed events within ${ms(s.confirmed_p50_us)} (p50), ${ms(s.confirmed_p99_us)} (p99).`,
			s.compressed_raw > 0 && `Compressed messages took ${Math.round(100 * s.compressed_sent / s.compressed_raw)} % of their bytes.`].filter(Boolean).join(' ');
		chart.set(readings);
		clients.set(readings);
		if (!app) list.set(stats.apps);
		if (!status) return;
		about.textContent = `version ${status.server.version}, up for ${duration(status.server.uptime)}, ${status.server.addresses}`;
		// Only what has changed is drawn again.
		const sign = JSON.stringify([status.limits.map((l) => [l.limit, l.percent, l.used]), status.webhooks, status.workers.map((w) => [w.state, w.connections]), status.certificates]);
		if (sign === drawn || more.contains(document.activeElement)) return;
		drawn = sign;
		fill(more, card('Nearest limits', limits(status.limits)), hooksCard(status.webhooks), certsCard(status.certificates),
			card('Workers', h('p', null, status.workers.map((w) => [badge(`${w.slot}: ${w.state}, ${num(w.connections)} connections, ${bytes(w.memory)}`,
				w.state === 'up' ? 'good' : 'bad'), ' ']))));
	});
}
