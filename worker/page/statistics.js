// SPDX-License-Identifier: MIT
//
// statistics.js: the counters, minute by minute and hour by hour.  A
// server that keeps longer statistics (stats --since) has more to choose from.
import { ask } from './api.js';
import { nameOf, state } from './state.js';
import { lines } from './charts.js';
import { bytes, card, empty, fill, h, head, num } from './dom.js';

const SHORT = [['minutes 60', 'last hour'], ['hours 24', 'last day']];
const LONG = [['since 48h 1m', 'last two days, by the minute'], ['since 7d 1h', 'last week'], ['since 30d 1d', 'last month'],
	['since 395d 1d', 'last 13 months']];

const pick = (row, ...keys) => keys.map((k) => row[k]).find((v) => v !== undefined && v !== null) ?? 0;

// One row, whichever command it comes from, as values of the charts.
function reading(r) {
	const s = r.seconds || 60;
	const rate = (k, per) => pick(r, per) || pick(r, k) / s;
	return { ...r, time: pick(r, 'time') * (pick(r, 'time') > 1e11 ? 1 : 1000), connections: pick(r, 'connections', 'connections_max'),
		in: rate('messages_in', 'in_per_s'), out: rate('messages_out', 'out_per_s'), published: rate('published', 'published_per_s'),
		api: rate('api', 'api_per_s') || (pick(r, 'api_2xx') + pick(r, 'api_4xx') + pick(r, 'api_5xx')) / s,
		sent: rate('bytes_out', 'bytes_out_per_s'), received: rate('bytes_in', 'bytes_in_per_s'), cpu: pick(r, 'cpu_percent'),
		p50: pick(r, 'confirmed_p50_us') / 1000, p99: pick(r, 'confirmed_p99_us') / 1000 };
}

export async function statistics({ el, every, signal, app, query }) {
	const long = state.verbs.get('stats')?.options.some((o) => o.name === 'since');
	const range = query.get('range') ?? SHORT[0][0];
	const pickRange = h('select', { 'aria-label': 'Time', onchange: () => {
		location.hash = `#/statistics?range=${encodeURIComponent(pickRange.value)}`;
	} }, [...SHORT, ...(long ? LONG : [])].map(([v, text]) => h('option', { value: v, selected: v === range }, text)));
	const kept = range.startsWith('since');
	const rate = (v) => num(Math.round(v * 10) / 10);
	const charts = [
		['Connections', lines({ connections: 'connections' }, { signal, format: num, tall: true, label: 'Connections' })],
		['Messages a second', lines({ out: 'out', in: 'in', published: 'published', api: 'API calls' }, { signal, format: rate, tall: true, label: 'Messages a second' })],
		['Bytes a second', lines({ sent: 'sent', received: 'received' }, { signal, format: bytes, label: 'Bytes a second' })],
		['Opened and closed', lines({ opened: 'opened', closed: 'closed', ...(!kept && { refused: 'refused' }) }, { signal, format: num, label: 'Connections opened and closed' })],
		...(kept ? [
			['Why they closed', lines({ closed_normal: 'normal', closed_lost: 'lost', closed_busy: 'busy, come back later', closed_reconnect: 'reconnect', closed_error: 'error' }, { signal, format: num, label: 'Closed connections by class' })],
			['Webhook requests', lines({ webhooks_ok: 'ok', webhooks_failed: 'failed' }, { signal, format: num, label: 'Webhook requests' })],
			['Confirmed after', lines({ p50: 'half of them', p99: '99 %' }, { signal, format: (v) => `${rate(v)} ms`, label: 'Milliseconds until events were confirmed' })],
			['Compressed', lines({ compressed_raw: 'before', compressed_sent: 'as sent' }, { signal, format: bytes, label: 'Bytes of compressed messages' })],
			['Sessions', lines({ resumed: 'resumed', gaps: 'with a gap' }, { signal, format: num, label: 'Sessions that were resumed' })],
		] : app ? [] : [['Processors', lines({ cpu: 'percent of one processor' }, { signal, format: (v) => `${v} %`, label: 'Processor time' })]]),
	];
	const none = h('div');
	fill(el, head(app ? `Statistics of ${nameOf(app)}` : 'Statistics', pickRange), none, h('div', { class: 'cards' }, charts.map(([title, c]) => card(title, c.el))));
	await every(10, async () => {
		const [how, n, step] = range.split(' ');
		const rows = await ask('stats', { ...(app && { app }), [how]: how === 'since' ? n : Number(n), ...(step && { step }) });
		const list = (Array.isArray(rows) ? rows : rows?.rows ?? []).map(reading);
		fill(none, list.length === 0 && card(null, empty('Nothing has been counted yet.', 'The first row appears after the first full minute.')));
		for (const [, c] of charts) c.set(list);
	});
}
