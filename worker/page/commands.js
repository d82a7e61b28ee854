// SPDX-License-Identifier: MIT
//
// commands.js: every command of pusherctl that this session may run, with a
// form that is made from its help.
import { run } from './api.js';
import { can, state } from './state.js';
import { badge, card, check, empty, field, fill, h, head, link } from './dom.js';

const STREAMS = new Set(['tail', 'subscribe']);
const words = (v) => v.args.split(' ').filter(Boolean).map((w) => ({ text: w, name: /[A-Za-z_]+/.exec(w)?.[0].toLowerCase(), many: w.includes('...'),
	needed: !w.startsWith('['), pairs: w.includes('=') }));

function form(v, app) {
	const out = h('div');
	const args = words(v);
	const f = h('form', { class: 'form' }, args.map((a) => (a.name === 'app' ? field('app', 'app', { options: [...(a.needed ? [] : ['']), ...state.apps.map((x) => [x.id, x.name || x.id])], value: app })
		: a.name === 'file' ? field('file', 'stdin', { area: true, wide: true })
			: field(a.text.toLowerCase(), a.name, { required: a.needed || null, wide: a.pairs, area: a.pairs || null, rows: 3 }, a.pairs ? 'one option=value in each line' : a.many ? 'several with blanks between' : null))),
	v.options.map((o) => (o.value === null ? check(`${o.name}: ${o.help}`, `--${o.name}`, false) : field(o.name, `--${o.name}`, { placeholder: o.value }, o.help))),
	h('div', { class: 'wide' }, h('button', { class: v.access.endsWith('write') ? 'danger' : 'main' }, `Run ${v.verb}`)));
	f.onsubmit = async (e) => {
		e.preventDefault();
		const given = {};
		let stdin;
		for (const [k, value] of new FormData(f)) {
			const o = v.options.find((x) => `--${x.name}` === k);
			const a = args.find((x) => x.name === k);
			if (k === 'stdin') [stdin, given.file] = [value, '-'];
			else if (o) {
				if (o.value === null) given[o.name] = true;
				else if (value) given[o.name] = value;
			} else if (value && a?.pairs) given[k] = value.split('\n').map((s) => s.trim()).filter(Boolean);
			else if (value) given[k] = a?.many ? value.split(/\s+/) : value;
		}
		fill(out, h('p', { class: 'soft' }, 'It runs …'));
		try {
			const r = await run(v.verb, given, stdin);
			fill(out, r.notes && h('p', { class: 'warn' }, r.notes), h('pre', null, r.rows === null ? 'Done.' : JSON.stringify(r.rows, null, 2)));
		} catch (err) {
			fill(out, h('p', { class: 'bad', role: 'alert' }, err.message));
		}
	};
	return [f, out];
}

export async function commands({ el, query, app }) {
	const chosen = state.verbs.get(query.get('verb'));
	if (chosen)
		fill(el, head(chosen.verb, badge(chosen.access), link('#/commands', 'All commands')), h('p', { class: 'lead' }, `${chosen.summary}.`), card(null, form(chosen, app)));
	else {
		const list = [...state.verbs.values()].filter((v) => can(v.verb) && !STREAMS.has(v.verb));
		fill(el, head('All commands'), h('p', { class: 'lead' }, 'The commands of pusherctl that this session may run.'),
			card(null, list.length === 0 ? empty('This session may run no command.') : h('dl', null, list.map((v) => [h('dt', null, link(`#/commands?verb=${encodeURIComponent(v.verb)}`, v.verb)), h('dd', null, v.summary)]))));
	}
}
