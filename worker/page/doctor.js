// SPDX-License-Identifier: MIT
//
// doctor.js: why an event does not arrive: the findings of `pusherctl doctor`,
// the most probable first, each with what it was seen by and what mends it.
import { run } from './api.js';
import { badge, card, duration, empty, field, fill, h, head, num } from './dom.js';
import { nameOf } from './state.js';

const finding = (f) => h('li', { class: 'card finding' }, h('b', null, f.finding), ' ', f.app && badge(nameOf(f.app)),
	f.seen && h('p', { class: 'soft' }, f.seen), f.mend && h('pre', null, f.mend));

export async function doctor({ el, every, app, query }) {
	const list = h('ol', { class: 'findings' });
	const channel = field('Channel', 'channel', { value: query.get('channel') ?? '', placeholder: 'any' });
	let was = null;
	const look = async () => {
		const name = channel.querySelector('input').value.trim();
		const { rows } = await run('doctor', { ...(app && { app }), ...(app && name && { channel: name }) });
		const found = rows?.findings ?? [];
		const looked = rows?.looked ?? {};
		const sign = JSON.stringify(found.length > 0 ? found : looked);
		if (sign === was) return;
		was = sign;
		fill(list, found.map(finding), found.length === 0 && h('li', { class: 'card' }, empty('Nothing is wrong that the server can see.',
			`It has looked at ${num(looked.connections)} connections, ${num(looked.channels)} channels and the failures of ${duration(looked.seconds)}. `,
			`Events published in the last 5 minutes: ${num(looked.events_5_minutes)}; in the last hour: ${num(looked.events_hour)}. `,
			'Try what does not work while this page is open: a failure is shown within seconds.')));
	};
	fill(el, head('Doctor', h('button', { onclick: () => look() }, 'Look again')),
		h('p', { class: 'lead' }, 'Failures that the server has seen: the most probable reason first, each with its remedy.'),
		app && card(null, h('form', { class: 'form', onchange: look, onsubmit: (e) => e.preventDefault() }, channel)), list);
	await every(5, look);
}
