// SPDX-License-Identifier: MIT
//
// picture.js: draws tests/bench/results.svg from the first table of RESULTS.md
// that has servers side by side: for each scenario a bar for each server, as
// long as its rate is beside that of pusherd.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const COLOURS = { pusherd: '#1b6ca8', uws: '#8d99ae', ws: '#c9ada7',
	soketi: '#e07a5f', sockudo: '#81b29a' };
const LEFT = 290, WIDTH = 420, BAR = 13, GAP = 12, TOP = 64;

const cells = (line) => line.split('|').slice(1, -1).map((c) => c.trim());
const number = (c) => parseFloat(c.replaceAll(',', ''));
const escaped = (s) => s.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

// [scenario, [value, ...]] of the rows that are rates: more is better.
function read(text) {
	const lines = text.split('\n');
	const at = lines.findIndex((l) => l.startsWith('| scenario | pusherd |'));
	const names = cells(lines[at]).slice(1);
	const end = lines.findIndex((l, i) => i > at && !l.startsWith('|'));
	const rows = lines.slice(at + 2, end).map(cells)
		.filter(([name]) => !/open loop|\/s$|stampede|bytes/.test(name))
		.map(([name, ...rest]) => [name, rest.map(number)]);
	return { names, rows };
}

function picture({ names, rows }) {
	const out = [];
	const text = (x, y, s, more = '') => out.push(
		`<text x="${x}" y="${y}"${more}>${escaped(s)}</text>`);
	let y = TOP;
	for (const [name, values] of rows) {
		// A server far behind or ahead must not hide the others.
		const most = Math.max(...values.filter(Number.isFinite));
		text(LEFT - 10, y + BAR, name, ' text-anchor="end"');
		for (const [i, v] of values.entries()) {
			if (!Number.isFinite(v)) continue;
			const w = Math.max(1, Math.round(v / most * WIDTH));
			out.push(`<rect x="${LEFT}" y="${y}" width="${w}" height="` +
				`${BAR - 2}" fill="${COLOURS[names[i]]}"/>`);
			text(LEFT + w + 6, y + BAR - 3, Math.round(v).toLocaleString('en'),
				' class="n"');
			y += BAR;
		}
		y += GAP;
	}
	text(10, 22, 'Deliveries, publishes, joins or connects in a second: ' +
		'longer is better', ' class="h"');
	names.forEach((n, i) => {
		out.push(`<rect x="${10 + 100 * i}" y="34" width="12" height="12" ` +
			`fill="${COLOURS[n]}"/>`);
		text(28 + 100 * i, 44, n);
	});
	return '<svg xmlns="http://www.w3.org/2000/svg" ' +
		`width="${LEFT + WIDTH + 110}" height="${y}">\n<style>text { font: 12px ` +
		'sans-serif; fill: #222 } .n { font-size: 10px } .h { font-size: 14px; ' +
		'font-weight: bold }</style>\n<rect width="100%" height="100%" ' +
		`fill="#fff"/>\n${out.join('\n')}\n</svg>\n`;
}

fs.writeFileSync(path.join(__dirname, 'results.svg'), picture(read(
	fs.readFileSync(path.join(__dirname, 'RESULTS.md'), 'utf8'))));
