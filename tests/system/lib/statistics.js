// SPDX-License-Identifier: MIT
//
// The counters of GET /metrics, and the sums of statistics over time that have
// to say the same.
'use strict';

const { Daemon, until } = require('./daemon');
const { Http } = require('./http');
const { parse } = require('./prometheus');

async function scrape(d) {
	const h = await Http.connect({ ...d, port: d.metrics });
	const a = await h.ask('GET', '/metrics');
	h.sock.destroy();
	return parse(a.text);
}

// Column -> the counter, with the labels that choose its lines.
const byClass = (c) => ['connections_closed_by_class_total', { class: c }];
const COUNTERS = {
	opened: ['connections_opened_total'],
	closed: ['connections_closed_total'],
	closed_normal: byClass('normal'),
	closed_lost: byClass('lost'),
	closed_busy: byClass('busy'),
	closed_reconnect: byClass('reconnect'),
	closed_error: byClass('error'),
	slow: ['slow_closes_total'],
	messages_in: ['messages_received_total'],
	messages_out: ['messages_sent_total'],
	bytes_in: ['received_bytes_total'],
	bytes_out: ['sent_bytes_total'],
	compressed_raw: ['compressed_bytes_total', { form: 'raw' }],
	compressed_sent: ['compressed_bytes_total', { form: 'sent' }],
	published: ['events_published_total'],
	client_events: ['events_published_total', { source: 'client' }],
	delivered: ['events_delivered_total'],
	api_2xx: ['api_requests_total', { status: '2xx' }],
	api_4xx: ['api_requests_total', { status: '4xx' }],
	api_5xx: ['api_requests_total', { status: '5xx' }],
	webhooks_ok: ['webhook_attempts_total', { result: 'ok' }],
	webhooks_failed: ['webhook_attempts_total', { result: 'failed' }],
	resumed: ['resume_total', { status: 'continued' }],
	gaps: ['resume_total', { status: 'gap' }],
};

function counted(m, app) {
	const all = {};
	for (const [column, [name, labels]] of Object.entries(COUNTERS))
		all[column] = m.families.get(`pusherd_${name}`).samples
			.filter((s) => (!app || s.labels.app === app.id) &&
				Object.entries(labels ?? {})
					.every(([k, v]) => s.labels[k] === v))
			.reduce((n, s) => n + s.value, 0);
	return all;
}

function stored(d, app, step = '1m', since = '2h') {
	const rows = d.ctl(['stats', ...(app ? [app.id] : []), '--since', since,
		'--step', step]);
	const sums = {};
	for (const column of Object.keys(COUNTERS))
		sums[column] = rows.reduce((n, r) => n + r[column], 0);
	return { rows, sums };
}

// The counters do not move any more.
async function settled(d) {
	let before = '';
	return until('the counters to stand still', async () => {
		const m = await scrape(d);
		const now = JSON.stringify(counted(m));
		const same = now === before;
		before = now;
		return same && m.families.get('pusherd_worker_connections').samples
			.every((s) => s.value === 0) && m;
	}, 20000);
}

async function withDaemon(conf, run) {
	const d = new Daemon(conf);
	await d.run(run);
}

module.exports = { counted, scrape, settled, stored, withDaemon };
