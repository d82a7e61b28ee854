// SPDX-License-Identifier: MIT
//
// Other programs made of the one under test: of another version, of another
// state version, and some that crash or hang where they begin.
'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { PUSHERD } = require('./daemon');

function replaceAll(bytes, from, to) {
	assert.equal(from.length, to.length);
	let n = 0;
	for (let at = 0; (at = bytes.indexOf(from, at)) !== -1; n++)
		at += bytes.write(to, at);
	assert.ok(n > 0, `${from} is in the program`);
}

function write(d, name, edit) {
	const file = path.join(d.dir, name);
	const bytes = fs.readFileSync(PUSHERD);
	edit(bytes);
	fs.writeFileSync(file, bytes, { mode: 0o755 });
	return file;
}

const ofVersion = (d, version) => write(d, `pusherd-${version}`, (b) =>
	replaceAll(b, '0.1.0', version));

function ofState(d) {
	const now = /state version ([\d.]+)/.exec(
		fs.readFileSync(PUSHERD, 'latin1'))[1];
	const other = now.slice(0, -1) + (Number(now.at(-1)) + 1) % 10;
	return { now, other, file: write(d, 'pusherd-state', (b) =>
		replaceAll(b, `state version ${now}`, `state version ${other}`)) };
}

// The first instructions are these: position-independent programs have their
// entry where the file has it.
const beginsWith = (d, name, code) => write(d, name, (b) =>
	Buffer.from(code, 'hex').copy(b, Number(b.readBigUInt64LE(24))));

// Its children of this role die at once, and of no other one.
function dying(d, version, role) {
	const at = new RegExp(`^(\\w+) T ${role}_main$`, 'm').exec(
		execFileSync('nm', [PUSHERD], { encoding: 'utf8',
			maxBuffer: 1 << 28 }));
	return write(d, `pusherd-${role}`, (b) => {
		replaceAll(b, '0.1.0', version);
		Buffer.from(CRASH, 'hex').copy(b, parseInt(at[1], 16));
	});
}

const X64 = process.arch === 'x64';
const CRASH = X64 ? '0f0b' : '00000000';
const crashing = (d) => beginsWith(d, 'pusherd-crash', CRASH);
const hanging = (d) => beginsWith(d, 'pusherd-hang',
	X64 ? 'ebfe' : '00000014');

module.exports = { ofVersion, ofState, dying, crashing, hanging };
