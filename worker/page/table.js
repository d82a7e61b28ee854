// SPDX-License-Identifier: MIT
//
// table.js: a table that is updated in place: a row that stays keeps its
// element, and a cell changes only when its value does.
import { h, fill } from './dom.js';

const SHOWN = 500;

// columns: { key, label, show: (row) => text or node, num, value: (row) => to
// sort by }.  id: (row) => its key.  none: what stands there without rows.
export function table(columns, { id, none, sort, down = false }) {
	const body = h('tbody');
	const more = h('p', { class: 'soft', hidden: true });
	const kind = (c) => [c.num && 'num', c.low && 'low'].filter(Boolean).join(' ');
	const heads = columns.map((c) => h('th', { class: kind(c), scope: 'col' },
		h('button', { type: 'button', onclick: () => by(c) }, c.label ?? c.key.replaceAll('_', ' '))));
	const grid = h('div', { class: 'scroll' }, h('table', null, h('thead', null, h('tr', null, heads)), body));
	const place = h('div');
	const el = h('div', null, grid, more, place);
	const known = new Map();
	let rows = [];
	let order = columns.find((c) => c.key === sort);
	let filter = '';

	function by(c) {
		down = order === c ? !down : Boolean(c.num);
		order = c;
		draw();
	}

	const valueOf = (c, row) => (c.value ? c.value(row) : row[c.key]) ?? '';
	const compare = (a, b) => {
		const x = valueOf(order, a);
		const y = valueOf(order, b);
		const r = typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y), 'en', { numeric: true });
		return down ? -r : r;
	};

	function make() {
		const cells = columns.map((c) => h('td', { class: kind(c) }));
		return { tr: h('tr', null, cells), cells, was: [] };
	}

	function update(r, row) {
		columns.forEach((c, i) => {
			const sign = JSON.stringify(c.sign ? c.sign(row) : valueOf(c, row));
			if (r.was[i] === sign) return;
			r.was[i] = sign;
			const v = c.show ? c.show(row) : row[c.key];
			fill(r.cells[i], v === null || v === undefined || v === '' ? '–' : typeof v === 'object' ? v : String(v));
			if (typeof v !== 'object') r.cells[i].title = v ?? '';
		});
	}

	function draw() {
		let list = rows;
		if (filter) list = list.filter((r) => JSON.stringify(r).toLowerCase().includes(filter));
		if (order) list = [...list].sort(compare);
		heads.forEach((th, i) => th.setAttribute('aria-sort', order !== columns[i] ? 'none' : down ? 'descending' : 'ascending'));
		more.hidden = list.length <= SHOWN;
		more.textContent = `${SHOWN} of ${list.length.toLocaleString('en-US')} rows are shown: filter or sort to see others.`;
		list = list.slice(0, SHOWN);
		const keep = new Set();
		list.forEach((row, i) => {
			const key = id(row);
			keep.add(key);
			if (!known.has(key)) known.set(key, make());
			const r = known.get(key);
			update(r, row);
			if (body.children[i] !== r.tr) body.insertBefore(r.tr, body.children[i] ?? null);
		});
		for (const [key, r] of known)
			if (!keep.has(key)) {
				r.tr.remove();
				known.delete(key);
			}
		grid.hidden = list.length === 0;
		if (list.length > 0) fill(place);
		else if (!place.firstChild || place.dataset.filter !== filter) {
			place.dataset.filter = filter;
			fill(place, filter ? h('div', { class: 'empty' }, `Nothing matches “${filter}”.`) : none ?? h('div', { class: 'empty' }, 'Nothing here.'));
		}
	}

	const search = h('input', { type: 'search', placeholder: 'Filter', 'aria-label': 'Filter',
		oninput: () => {
			filter = search.value.trim().toLowerCase();
			draw();
		} });
	return { el, search, set(list) {
		rows = list ?? [];
		draw();
	} };
}
