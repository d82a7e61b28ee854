// SPDX-License-Identifier: MIT
//
// webhooks.js: endpoints, and one endpoint with its requests.
import { ask, run } from './api.js';
import { can, nameOf, state } from './state.js';
import { ago, badge, card, check, confirm, dialog, duration, empty, facts, field, fill, h, head, link, num, toast } from './dom.js';
import { table } from './table.js';

const EVENTS = ['channel_occupied', 'channel_vacated', 'member_added', 'member_removed', 'client_event', 'cache_miss', 'subscription_count'];
const good = (s) => (s === 'up' ? 'good' : s === 'failing' ? 'bad' : '');

function addHook(app) {
	dialog('Send webhooks to a URL', h('div', { class: 'form' }, field('App', 'app', { options: state.apps.map((a) => [a.id, a.name || a.id]), value: app }),
		field('URL', 'url', { type: 'url', required: true, placeholder: 'https://example.com/hook', wide: true }),
		EVENTS.map((e) => check(e, `event ${e}`, true)), field('Only channels that begin with', 'channel-prefix'), check('Several events in one request', 'batch', false)),
	'Add it', async (f) => {
		const events = EVENTS.filter((e) => f.has(`event ${e}`));
		const args = { app: f.get('app'), url: f.get('url'), batch: f.has('batch') };
		if (events.length < EVENTS.length) args.events = events.join(',');
		if (f.get('channel-prefix')) args['channel-prefix'] = f.get('channel-prefix');
		const { rows, notes } = await run('webhook add', args);
		if (notes) toast(notes, true);
		location.hash = `#/webhook/${rows.webhook}`;
	});
}

export async function webhooks({ el, every, app }) {
	const list = table([
		{ key: 'webhook', label: 'no.', num: true, show: (r) => link(`#/webhook/${r.webhook}`, r.webhook) },
		{ key: 'url', show: (r) => link(`#/webhook/${r.webhook}`, r.url) },
		...(app ? [] : [{ key: 'app', show: (r) => link(`#/app/${r.app}`, nameOf(r.app)) }]),
		{ key: 'state', show: (r) => badge(r.state ?? 'unknown', good(r.state)) },
		{ key: 'failing', label: 'failing since', show: (r) => (r.failing ? duration(r.failing) : '') },
		{ key: 'waiting', num: true, show: (r) => num(r.waiting) },
		{ key: 'oldest', num: true, show: (r) => (r.oldest ? duration(r.oldest) : '') },
		{ key: 'dropped', num: true, show: (r) => num(r.dropped) }, { key: 'events' },
	], { id: (r) => r.webhook, sort: 'webhook', none: empty('No webhook is set.', can('webhook add') ? 'Add one to notify your application when channels are occupied and members join and leave.' : 'An app has none until its owner adds one.') });
	fill(el, head('Webhooks', list.search, can('webhook add') && state.apps.length > 0 && h('button', { class: 'main', onclick: () => addHook(app) }, 'Add a webhook')), card(null, list.el));
	await every(4, async () => list.set(await ask('webhook list', app ? { app } : {})));
}

export async function webhook({ el, parts, every }) {
	const id = parts[1];
	const about = h('div');
	const deliveries = table([
		{ key: 'delivery', show: (r) => h('code', null, r.delivery) },
		{ key: 'state', show: (r) => badge(r.state, r.state === 'dead' ? 'bad' : r.state === 'done' ? 'good' : 'warn') },
		{ key: 'kind' }, { key: 'channel' }, { key: 'events', num: true }, { key: 'attempts', num: true },
		{ key: 'status', num: true, show: (r) => r.status || '' }, { key: 'answer' },
		{ key: 'age', show: (r) => ago(Date.now() - r.age * 1000), value: (r) => r.age, sign: (r) => Math.round((Date.now() / 1000 - r.age) / 3) },
		...(can('webhook retry') ? [{ key: 'again', label: '', show: (r) => r.state === 'dead' && h('button', { class: 'small', onclick: () => act('webhook retry', { delivery: r.delivery }, 'It is sent again.') }, 'Retry'), sign: (r) => r.state }] : []),
	], { id: (r) => r.delivery, sort: 'age', none: empty('No request yet.', 'Send a test, or occupy a channel.') });
	const act = async (verb, args, text) => {
		try {
			const { rows } = await run(verb, { webhook: id, ...args });
			toast(text ?? Object.entries(rows).map(([k, v]) => `${k}: ${v}`).join(', '));
			if (verb === 'webhook remove') location.hash = '#/webhooks';
			else await draw();
		} catch (err) {
			toast(err.message, true);
		}
	};
	async function draw() {
		const [w, list] = await Promise.all([ask('webhook show', { webhook: id }), ask('webhook deliveries', { webhook: id })]);
		const sign = JSON.stringify(w);
		if (about.dataset.was !== sign)
			fill(about, card('Endpoint', facts([['URL', w.url], ['app', link(`#/app/${w.app}`, nameOf(w.app))], ['state', badge(w.enabled ? 'enabled' : 'disabled', w.enabled ? 'good' : 'bad')],
				['events', w.events], w['channel-prefix'] && ['channels begin with', w['channel-prefix']], w['channel-suffix'] && ['channels end with', w['channel-suffix']],
				w['channel-glob'] && ['channels match', w['channel-glob']], ['batches', w.batch ? 'on' : 'off'], w.headers && ['headers', w.headers]]),
			can('webhook set') && h('p', { class: 'row' }, h('button', { onclick: () => act('webhook set', { option: { enabled: w.enabled ? 'off' : 'on' } }, w.enabled ? 'Disabled.' : 'Enabled.') }, w.enabled ? 'Disable' : 'Enable'),
				h('button', { onclick: () => act('webhook set', { option: { batch: w.batch ? 'off' : 'on' } }, 'Changed.') }, w.batch ? 'One event in a request' : 'Several events in a request'))));
		about.dataset.was = sign;
		deliveries.set(list);
	}
	fill(el, head(`Webhook ${id}`, can('webhook test') && h('button', { class: 'main', onclick: () => act('webhook test', {}, 'The test has arrived.') }, 'Send a test'),
		can('webhook retry') && h('button', { onclick: () => act('webhook retry', {}) }, 'Retry all dead'),
		can('webhook purge') && h('button', { class: 'danger', onclick: () => confirm('Delete the dead requests?', 'They will not be sent any more.', 'Delete', () => act('webhook purge', {})) }, 'Delete dead…'),
		can('webhook remove') && h('button', { class: 'danger', onclick: () => confirm('Remove the webhook?', 'Its waiting requests are deleted, too.', 'Remove', () => act('webhook remove', {}, 'Removed.')) }, 'Remove…')),
	about, card('Requests', deliveries.el));
	await every(4, draw);
}
