// SPDX-License-Identifier: MIT
//
// dom.js: elements.  Data becomes text nodes and attributes, never markup.

export function h(tag, props, ...kids) {
	const el = document.createElement(tag);
	for (const [k, v] of Object.entries(props ?? {})) {
		if (v === undefined || v === null || v === false) continue;
		if (typeof v === 'function') el[k] = v;
		else if (k === 'value' || k === 'checked') el[k] = v;
		else el.setAttribute(k, v === true ? '' : v);
	}
	add(el, kids);
	return el;
}

export function add(el, kids) {
	for (const kid of [kids].flat(3))
		if (kid !== undefined && kid !== null && kid !== false) el.append(kid);
	return el;
}

export const fill = (el, ...kids) => {
	el.replaceChildren();
	return add(el, kids);
};

// ---- numbers and times ----

export const num = (n) => (n === null || n === undefined ? '–' : Number(n).toLocaleString('en-US'));

export function bytes(n) {
	if (n === null || n === undefined) return '–';
	for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
		if (n < 1024 || unit === 'GiB') {
			const text = n.toFixed(n < 10 ? 1 : 0);
			return `${unit === 'B' ? Number(text) : text} ${unit}`;
		}
		n /= 1024;
	}
	return '';
}

export function duration(s) {
	if (s === null || s === undefined) return '–';
	if (s < 60) return `${Math.floor(s)} s`;
	if (s < 3600) return `${Math.floor(s / 60)} min`;
	if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
	return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`;
}

const since = (ms) => {
	const s = Math.max(0, (Date.now() - ms) / 1000);
	return s < 1 ? 'now' : `${duration(s)} ago`;
};

// "3 s ago", with the exact time on hover.
export function ago(ms) {
	if (!ms) return h('span', { class: 'soft' }, '–');
	const d = new Date(ms);
	return h('time', { datetime: d.toISOString(), title: `${d.toLocaleString()} (${d.toISOString()})`, 'data-ms': ms },
		since(ms));
}
setInterval(() => {
	if (document.hidden) return;
	for (const t of document.querySelectorAll('time[data-ms]')) {
		const text = since(Number(t.dataset.ms));
		if (t.textContent !== text) t.textContent = text;
	}
}, 1000);

// ---- pieces ----

export const badge = (text, kind = '') => h('span', { class: `badge ${kind}` }, text);
export const link = (hash, text, props) => h('a', { href: hash, ...props }, text);
export const empty = (title, ...next) => h('div', { class: 'empty' }, h('b', null, title), next);
export const head = (title, ...tools) => h('div', { class: 'head' }, h('h1', null, title), h('span', { class: 'fill' }), tools);
export const card = (title, ...kids) => h('section', { class: 'card' }, title && h('h2', null, title), kids);
export const facts = (pairs) => h('dl', null, pairs.filter(Boolean).map(([k, v]) => [h('dt', null, k), h('dd', null, v ?? '–')]));

export function tiles(names) {
	const at = {};
	const el = h('div', { class: 'tiles' }, Object.entries(names).map(([key, label]) =>
		h('div', { class: 'tile' }, at[key] = h('b', null, '–'), h('span', null, label))));
	const set = (values) => {
		for (const [key, v] of Object.entries(values))
			if (at[key] && at[key].textContent !== String(v)) at[key].textContent = v;
	};
	return { el, set };
}

export function toast(text, bad = false) {
	const el = h('div', { class: bad ? 'toast bad' : 'toast' }, text);
	document.getElementById('toasts').append(el);
	setTimeout(() => el.remove(), bad ? 9000 : 4000);
}

// A dialog; `fn(form)` does the work, and what it throws is shown in it.
export function dialog(title, body, action, fn, danger = false) {
	const why = h('p', { class: 'bad', role: 'alert' });
	const form = h('form', { method: 'dialog' }, h('h2', null, title), body, why, h('div', { class: 'row end' },
		h('button', { type: 'button', onclick: () => box.close() }, fn ? 'Cancel' : 'Close'),
		fn && h('button', { class: danger ? 'danger' : 'main', type: 'submit' }, action)));
	const box = h('dialog', { onclose: () => box.remove() }, form);
	form.onsubmit = async (e) => {
		e.preventDefault();
		try {
			await fn?.(new FormData(form), box);
			box.close();
		} catch (err) {
			why.textContent = err.message;
		}
	};
	document.body.append(box);
	box.showModal();
	return box;
}

export const confirm = (title, text, action, fn) => dialog(title, h('p', null, text), action, fn, true);

export const field = (label, name, props = {}, note) => h('label', { class: props.wide ? 'wide' : null }, label,
	props.options ? h('select', { name }, props.options.map((o) => [o].flat()).map(([value, text]) =>
		h('option', { value, selected: value === props.value }, text ?? value)))
		: props.area ? h('textarea', { name, class: 'mono', ...props, area: null, wide: null }, props.value ?? '')
			: h('input', { name, ...props, wide: null }), note && h('small', null, note));
export const check = (label, name, checked) => h('label', { class: 'check' },
	h('input', { type: 'checkbox', name, checked: checked || null }), label);
