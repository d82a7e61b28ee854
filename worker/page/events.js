// SPDX-License-Identifier: MIT
//
// events.js: events as they pass, and the event creator.
import { ask, run, session, stream } from './api.js';
import { can, nameOf, state } from './state.js';
import { ago, badge, bytes, card, empty, field, fill, h, head, link, num, toast } from './dom.js';

const KEPT = 500;

export function pretty(text) {
	try {
		return JSON.stringify(JSON.parse(text), null, 2);
	} catch {
		return text;
	}
}

// How many of these connections, which have sessions or have none, confirmed.
export function confirmed(e, list) {
	const all = list.filter((c) => c.confirmed !== null);
	return e.pos && all.length > 0 ? `confirmed ${all.filter((c) => c.confirmed >= e.pos).length} of ${all.length}` : '';
}

// Only asked and computed for an event that is opened.
async function about(e, data) {
	const text = new Blob([data]);
	const packed = await new Response(text.stream().pipeThrough(new CompressionStream('deflate-raw'))).blob();
	const said = [bytes(text.size), packed.size < text.size && `${bytes(packed.size)} compressed by itself`];
	if (e.pos) {
		const list = await ask('connections list', { app: e.app, channel: e.channel, limit: 500 });
		said.push(confirmed(e, list) || `${num(list.length)} subscribers now, none with a session`);
	}
	return said.filter(Boolean).join(', ');
}

// One event; a click, Enter or blank opens it.
export function eventLine(e, withApp) {
	const data = typeof e.data === 'string' ? e.data : JSON.stringify(e.data);
	const text = h('span', { class: 'mono data' }, data);
	const more = h('small', { class: 'soft more' });
	const el = h('div', { class: `line ${e.kind ?? ''}`, tabindex: 0, role: 'button', 'aria-expanded': 'false' }, ago(e.time_ms),
		h('span', null, h('a', { href: `#/channel/${encodeURIComponent(e.app)}/${encodeURIComponent(e.channel)}`, title: e.channel }, e.channel), withApp && h('small', { class: 'soft' }, ` ${nameOf(e.app)}`)),
		h('span', { class: 'kind', title: `${e.kind}: ${e.event}` }, e.event), text, more);
	el.event = e;
	const open = () => {
		const is = el.classList.toggle('open');
		el.setAttribute('aria-expanded', String(is));
		text.textContent = is ? pretty(data) : data;
		more.textContent = '';
		if (is) about(e, data).then((t) => {
			more.textContent = t;
		}, () => {});
	};
	el.onclick = (ev) => {
		if (ev.target.tagName !== 'A' && !String(getSelection())) open();
	};
	el.onkeydown = (ev) => {
		if (ev.target === el && (ev.key === 'Enter' || ev.key === ' ')) {
			ev.preventDefault();
			open();
		}
	};
	return el;
}

export async function events({ el, query, signal, every, app }) {
	const log = h('div', { class: 'log', 'aria-live': 'off' });
	const count = h('span', { class: 'soft' });
	const nothing = empty('No event has been published yet.', 'Publish one with the ', link('#/publish', 'event creator'), ', or let a client send one: it is shown at once.');
	const pause = h('button', { type: 'button', 'aria-pressed': 'false' }, 'Pause');
	const channel = field('Channel', 'channel', { value: query.get('channel') ?? '', placeholder: 'any; * and ?' });
	const names = field('Events', 'events', { placeholder: 'any; commas, * and ?' });
	const grep = field('Text', 'grep', { placeholder: 'in event or data' });
	const own = h('input', { type: 'checkbox' });
	let stop = null;
	let seen = 0;
	let missed = 0;
	let waiting = [];
	let paused = false;
	const chosen = query.get('app') ?? app;

	const say = () => {
		count.textContent = [`${seen.toLocaleString('en-US')} events`, paused && waiting.length > 0 && `${waiting.length} wait`, missed > 0 && `${missed} not shown: too fast`].filter(Boolean).join(', ');
	};
	function put(list) {
		if (list.length === 0) return;
		nothing.remove();
		log.prepend(...list.slice(-KEPT).reverse().map((e) => eventLine(e, !chosen)));
		while (log.children.length > KEPT) log.lastChild.remove();
	}
	// Many events in one frame are drawn together.
	function flush() {
		if (!paused) {
			put(waiting);
			waiting = [];
		}
		say();
	}
	let drawn = false;
	function row(e) {
		if (e.missed) missed += e.missed;
		else {
			seen++;
			waiting.push(e);
			if (waiting.length > KEPT) waiting.shift();
		}
		if (drawn) return;
		drawn = true;
		setTimeout(() => {
			drawn = false;
			if (!signal.aborted) flush();
		}, 100);
	}
	// The session may be over, too: then the page says so.
	function over(...text) {
		fill(log, empty(...text));
		every(60, session);
	}
	function start() {
		stop?.();
		const value = (f) => f.querySelector('input').value.trim();
		if (value(channel) && !chosen) return fill(log, empty('Choose an app above', 'to filter by channel.'));
		stop = stream('tail', { app: chosen, channel: value(channel), events: value(names), grep: value(grep), own: own.checked }, {
			row,
			dropped: (n) => {
				missed += n;
				say();
			},
			end: (r) => {
				if (r.notes) over('The stream has ended.', r.notes);
			},
			error: (closed) => {
				if (closed) over('The stream cannot be opened.', 'Too many are open: reload the page.');
			} });
		return undefined;
	}

	pause.onclick = () => {
		paused = !paused;
		pause.textContent = paused ? 'Go on' : 'Pause';
		pause.setAttribute('aria-pressed', String(paused));
		flush();
	};
	const form = h('form', { class: 'form', onchange: start, onsubmit: (e) => {
		e.preventDefault();
		start();
	} }, channel, names, grep, h('label', { class: 'check' }, own, 'Also events of the server (member_added …)'));
	fill(el, head('Live events', count, pause, h('button', { type: 'button', onclick: () => {
		seen = missed = 0;
		waiting = [];
		fill(log, nothing);
		say();
	} }, 'Clear'), can('publish') && h('a', { class: 'button', href: '#/publish' }, 'Publish…')), card(null, form), card(null, log));
	fill(log, nothing);
	say();
	start();
	signal.addEventListener('abort', () => stop?.());
}

// ---- the event creator ----

const LAST = 'last-event';

export async function publish({ el, query, app }) {
	const last = JSON.parse(sessionStorage.getItem(LAST) ?? '{}');
	const result = h('span', { role: 'status' });
	const sent = h('div', { class: 'log' });
	const wait = state.verbs.get('publish')?.options.some((o) => o.name === 'wait');
	const form = h('form', { class: 'form' },
		field('App', 'app', { options: state.apps.map((a) => [a.id, a.name || a.id]), value: query.get('app') || app || last.app }),
		field('Channel', 'channel', { required: true, value: query.get('channel') ?? last.channel ?? 'my-channel' }),
		field('Event', 'event', { required: true, value: last.event ?? 'my-event' }),
		field('Leave out the connection', 'socket-id', { placeholder: 'socket id, or empty' }),
		wait && field('Wait for confirmations', 'wait', { placeholder: 'for example 2s' }, 'how many subscribers have it (resume=on)'),
		field('Data', 'data', { wide: true, area: true, spellcheck: 'false', rows: 8, value: last.data ?? '{"hello":"world"}' }),
		h('div', { class: 'wide row' }, h('button', { class: 'main' }, 'Publish'), result));
	form.onsubmit = async (e) => {
		e.preventDefault();
		const args = {};
		for (const [k, v] of new FormData(form)) if (v !== '' || k === 'data') args[k] = v;
		sessionStorage.setItem(LAST, JSON.stringify(args));
		try {
			const { rows } = await run('publish', { ...args, data: '-' }, args.data);
			result.className = 'good';
			result.textContent = Object.entries(rows).map(([k, v]) => `${k.replaceAll('_', ' ')}: ${v}`).join(', ');
			if (rows.subscriptions === 0) {
				result.className = 'warn';
				result.textContent = 'Published, but this channel has no subscribers.';
			}
			sent.prepend(eventLine({ ...args, time_ms: Date.now() }, true));
		} catch (err) {
			result.className = '';
			result.textContent = '';
			toast(err.message, true);
		}
	};
	form.onkeydown = (e) => {
		if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) form.requestSubmit();
	};
	fill(el, head('Event creator', badge('Ctrl+Enter publishes')), card(null, state.apps.length > 0 ? form : empty('There is no app yet.', link('#/apps', 'Make one first'))), card('Published from here', sent));
}
