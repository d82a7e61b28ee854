// SPDX-License-Identifier: MIT
//
// apps.js: the list of apps, and one app with its settings.
import { ask, run } from './api.js';
import { can, loadApps, state } from './state.js';
import { badge, card, check, confirm, dialog, duration, empty, facts, field, fill, h, head, link, toast } from './dom.js';
import { table } from './table.js';

const FIXED = ['id', 'key', 'secret', 'name', 'enabled', 'old_key', 'old_key_seconds'];

const secretDialog = (title, a) => dialog(title, [h('p', null, 'The secret is shown only now: store it.'),
	facts([['id', h('code', null, a.id)], ['key', h('code', null, a.key)], ['secret', h('code', null, a.secret)]])]);

function create() {
	dialog('Make an app', h('div', { class: 'form' }, field('Name', 'name', { required: true, autofocus: true }),
		field('Id', 'id', { placeholder: 'random digits' }), field('Key', 'key', { placeholder: 'random' }),
		check('Resume: clients get missed events', 'resume', true), check('Client events', 'client_events', false)),
	'Make it', async (f) => {
		const set = {};
		for (const k of ['resume', 'client_events']) set[k] = f.has(k) ? 'on' : 'off';
		const args = { name: f.get('name'), set };
		for (const k of ['id', 'key']) if (f.get(k)) args[k] = f.get(k);
		const a = await ask('app create', args);
		await loadApps();
		location.hash = `#/app/${a.id}`;
		secretDialog('The app is made', a);
	});
}

export async function apps({ el, every }) {
	const list = table([
		{ key: 'name', show: (r) => link(`#/app/${r.id}`, r.name || r.id), value: (r) => r.name || r.id },
		{ key: 'id', show: (r) => h('code', null, r.id) },
		{ key: 'key', show: (r) => h('code', null, r.key) },
		{ key: 'enabled', label: 'state', show: (r) => badge(r.enabled ? 'enabled' : 'disabled', r.enabled ? 'good' : 'bad') },
		{ key: 'resume', show: (r) => (r.resume ? 'on' : 'off') },
		{ key: 'max_connections', label: 'connections at most', num: true, show: (r) => r.max_connections || 'no limit' },
		{ key: 'old_key_seconds', label: 'old key', show: (r) => (r.old_key ? `counts for ${duration(r.old_key_seconds)}` : '–') },
	], { id: (r) => r.id, sort: 'name', none: empty('There is no app yet.', can('app create') ? 'Create the first one: its key and secret connect your clients.' : 'Ask the administrator of the server for one.') });
	fill(el, head('Apps', list.search, can('app create') && h('button', { class: 'main', onclick: create }, 'Make an app')), card(null, list.el));
	await every(5, async () => list.set(await ask('app list')));
}

// ---- one app ----

function settingsForm(a, redraw) {
	const inputs = Object.keys(a).filter((k) => !FIXED.includes(k));
	const form = h('form', { class: 'form' }, field('name', 'name', { value: a.name }), inputs.map((k) => (typeof a[k] === 'boolean'
		? field(k.replaceAll('_', ' '), k, { options: ['on', 'off'], value: a[k] ? 'on' : 'off' })
		: field(k.replaceAll('_', ' '), k, { value: a[k], inputmode: typeof a[k] === 'number' ? 'numeric' : null }))),
	h('div', { class: 'wide row' }, h('button', { class: 'main' }, 'Save'), h('span', { class: 'soft' }, 'Only what you change is sent; it takes effect at once.')));
	form.onsubmit = async (e) => {
		e.preventDefault();
		const option = {};
		for (const [k, v] of new FormData(form)) {
			const was = typeof a[k] === 'boolean' ? (a[k] ? 'on' : 'off') : String(a[k]);
			if (v !== was) option[k] = v;
		}
		if (Object.keys(option).length === 0) return toast('Nothing has changed.');
		try {
			await run('app set', { app: a.id, option });
			toast(`Saved: ${Object.keys(option).join(', ')}`);
			await loadApps();
			redraw();
		} catch (err) {
			toast(err.message, true);
		}
		return undefined;
	};
	if (!can('app set')) for (const i of form.elements) i.disabled = true;
	return form;
}

async function snippets(id) {
	const r = await ask('app snippets', { app: id });
	dialog('Connect clients and servers', Object.entries(r).map(([name, text]) => (typeof text === 'string' && text.includes('\n')
		? [h('h2', null, name.replaceAll('_', ' ')), h('pre', null, text)] : null)));
}

function rotate(a, redraw) {
	dialog('Rotate the key', h('div', { class: 'form' }, h('p', { class: 'wide' }, 'A new key and secret are created. The old pair stays valid for some time, so that no client is disconnected.'),
		field('The old pair stays valid for (seconds)', 'overlap', { value: '86400', inputmode: 'numeric' })), 'Rotate', async (f) => {
		const r = await ask('app rotate-key', { app: a.id, overlap: f.get('overlap') });
		await redraw();
		secretDialog('The key is rotated', r);
	});
}

export async function app({ el, parts }) {
	const id = parts[1];
	const draw = async () => {
		const a = await ask('app show', { app: id });
		const act = async (verb, args, text) => {
			await run(verb, { app: a.id, ...args });
			toast(text);
			await loadApps();
			if (verb === 'app delete') location.hash = '#/apps';
			else draw();
		};
		const tool = (verb, label, fn, kind) => can(verb) && h('button', { class: kind, onclick: fn }, label);
		fill(el, head(a.name || a.id, badge(a.enabled ? 'enabled' : 'disabled', a.enabled ? 'good' : 'bad'),
			tool('app snippets', 'Connect…', () => snippets(a.id)), tool('app rotate-key', 'Rotate key…', () => rotate(a, draw)),
			a.enabled ? tool('app disable', 'Disable…', () => confirm('Disable the app?', 'Its clients are closed (4003) and refused until it is enabled again.', 'Disable', () => act('app disable', {}, 'Disabled.')), 'danger')
				: tool('app enable', 'Enable', () => act('app enable', {}, 'Enabled.'), 'main'),
			tool('app delete', 'Delete…', () => confirm('Delete the app?', `The key and the secret of ${a.name || a.id} are lost, and its clients are closed.`, 'Delete', () => act('app delete', { yes: true }, 'Deleted.')), 'danger')),
		card('Credentials', facts([['id', h('code', null, a.id)], ['key', h('code', null, a.key)],
			['secret', h('span', { class: 'row' }, h('code', null, a.secret), state.session.app === null && !state.session.read_only
				&& h('button', { class: 'small', onclick: async () => secretDialog('Credentials', await ask('app show', { app: id, reveal: true })) }, 'Show'))],
			a.old_key && ['old key', h('span', null, h('code', null, a.old_key), ` counts for ${duration(a.old_key_seconds)} more `,
				tool('app rotate-key', 'End it now', () => act('app rotate-key', { finish: true }, 'The old key has expired.'), 'small'))]])),
		card('Settings', settingsForm(a, draw)));
	};
	await draw();
}
