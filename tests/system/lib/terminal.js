// SPDX-License-Identifier: MIT
//
// pusherctl in a terminal of the wanted size.
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { PUSHERCTL, SLOW, environment, options } = require('./daemon');

const quote = (s) => `'${s.replace(/'/g, '\'\\\'\'')}'`;

// A command in a terminal of this size; { out, type, ended }.
function terminal(d, args, { columns = 80, rows = 24, after = '',
	term = 'xterm' } = {}) {
	const command = [PUSHERCTL, ...options(d.conf), ...args].map(quote)
		.join(' ');
	const p = spawn('script', ['-qec', `stty cols ${columns} rows ${rows}; ` +
		`${command}${after}`, '/dev/null'], {
		env: { ...environment(), TERM: term, LESS: '' } });
	const t = { out: '', type: (s) => p.stdin.write(s) };
	p.stdout.on('data', (b) => { t.out += b; });
	t.ended = new Promise((ok) => p.on('close', ok));
	return t;
}

async function shown(d, args, how) {
	const t = terminal(d, args, how);
	const late = setTimeout(() => assert.fail(`${args} does not end`),
		20000 * SLOW);
	await t.ended;
	clearTimeout(late);
	return screen(t.out);
}

// Lines without colours.
const screen = (text) => text.replace(/\x1b\[[0-9;]*m/g, '')
	.replace(/\r/g, '').replace(/\n$/, '').split('\n');

module.exports = { screen, shown, terminal };
