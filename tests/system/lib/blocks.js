// SPDX-License-Identifier: MIT
//
// The blocks of code that the pages print: those of README.md and etc/doc in
// fences or indented, those of etc/man between .nf and .fi.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const TOP = path.resolve(__dirname, '../../..');
const FENCED = /^```(\w*)\n([^]*?)^```$|(?<=\n\n)((?: {4}.*\n)+)/gm;
const ROFF = /^\.nf\n([^]*?)^\.fi$/gm;

// By name: the file.
const PAGES = new Map([['README.md', path.join(TOP, 'README.md')],
	...['etc/doc', 'etc/man'].flatMap((dir) => fs.readdirSync(path.join(TOP,
		dir)).filter((name) => /\.(md|\d)$/.test(name))
		.map((name) => [name, path.join(TOP, dir, name)]))]);

// Its blocks in order.  kind: of a page in Markdown only those whose fence says
// so, '' those without a word.
function blocksOf(page, kind) {
	const text = fs.readFileSync(PAGES.get(page), 'utf8');
	if (!page.endsWith('.md'))
		return [...text.matchAll(ROFF)].map((m) => m[1]
			.replace(/\\\(aq/g, '\'').replace(/\\-/g, '-'));
	return [...text.matchAll(FENCED)]
		.map((m) => ({ kind: m[1] ?? '', text: m[2] ?? m[3] }))
		.filter((b) => kind === undefined || b.kind === kind)
		.map((b) => b.text);
}

module.exports = { PAGES, TOP, blocksOf };
