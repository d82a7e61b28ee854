// SPDX-License-Identifier: MIT
//
// run.js [--short] [--seed N] [--jobs N] [--all N] [ROLE:CALL[:WHICH] ...]:
// makes one call of a kind fail in one role of pusherd, once, for each call of
// that kind, while clients, publishers, a webhook receiver and pusherctl use
// the server (scenario.js).  A series with more than N calls (--all, 400) is
// not failed call by call but once for each call stack that leads to one.
// WHICH: a number, or xSTACK.  --short: a few by lot (--seed, or always the
// same), for `make check`.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { PUSHERD } = require('../system/lib/daemon');
const { Authority } = require('../system/lib/tls');
const { random } = require('../system/lib/random');
const { Run, SHIM } = require('./scenario');

const ROLES = ['master', 'broker', 'worker', 'courier'];
const CALLS = ['malloc', 'read', 'send', 'accept', 'open', 'fsync', 'step',
	'socket', 'connect', 'fork'];
const ALL = 400; // calls of a series, more: by stack
const LOTS = 12; // of --short
const STACK_SHOWN = 14; // frames

// name: what follows it on the command line.
function option(argv, name, otherwise) {
	const at = argv.indexOf(name);
	return at >= 0 ? Number(argv[at + 1]) : otherwise;
}

// The run without a fault: { calls, stacks: Set, open }.
async function runWhole(role, call, how) {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'torture-'));
	const file = path.join(dir, 'stacks');
	const stacks = new Set();
	let calls = 0;
	let run;
	try {
		run = new Run(`${role}:${call}:0`, { ...how, stacks: file });
		const r = await run.go();
		if (!r.ok) assert.fail(`nothing fails, and yet: ${r.why}`);
		const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
		for (const line of text.split('\n').filter(Boolean)) {
			calls++;
			stacks.add(line.split(' ')[0]);
		}
	} finally {
		fs.rmSync(dir, { recursive: true, force: true });
	}
	return { calls, stacks, open: run.open };
}

// Names of the functions, the innermost first.
function shown(frames) {
	const names = [];
	for (const frame of frames) {
		const [, file, at] = /^(.*)\+([0-9a-f]+)$/.exec(frame) ?? [];
		const r = spawnSync('addr2line', ['-fse', file || PUSHERD,
			(BigInt(`0x${at}`) - 1n).toString(16)], { encoding: 'utf8' });
		names.push((r.stdout ?? '').split('\n')[0].replace('??', '') ||
			path.basename(frame));
	}
	return names.slice(0, STACK_SHOWN).join(' < ');
}

// Runs fn for each of a list (or what next() gives), so many at a time.
async function lanes(n, next, fn) {
	await Promise.all(Array.from({ length: n }, async () => {
		for (let x; (x = next()) !== undefined;) await fn(x);
	}));
}

class Torture {
	constructor(argv) {
		this.jobs = option(argv, '--jobs', 2);
		this.all = option(argv, '--all', ALL);
		this.authority = new Authority();
		this.passed = this.failed = 0;
		this.usual = {};
	}

	async one(role, call, which) {
		const name = `${role}:${call}:${which}`;
		const r = await new Run(name, { authority: this.authority,
			usual: this.usual }).go();
		if (r.ok) this.passed++;
		else this.failed++;
		if (!r.ok)
			console.log(`not ok torture/${name} ${shown(r.frames)}\n` +
				`${r.why.replace(/^/gm, '  ')}\n  again: ` +
				`node tests/torture/run.js ${name}`);
		return r;
	}

	// The most that untouched runs have open.
	note(open) {
		for (const [role, kinds] of Object.entries(open))
			for (const [kind, n] of Object.entries(kinds)) {
				const u = this.usual[role] ??= {};
				u[kind] = Math.max(u[kind] ?? 0, n);
			}
	}

	// Each call, until it is not reached any more.
	async byNumber(role, call) {
		let n = 0;
		let end = false;
		let tried = 0;
		await lanes(this.jobs, () => (end ? undefined : ++n), async (k) => {
			const r = await this.one(role, call, k);
			if (r.hit) tried++;
			else if (r.ok) end = true;
		});
		return tried;
	}

	// The first call of each stack.
	async byStack(role, call, stacks) {
		const all = [...stacks];
		let tried = 0;
		await lanes(this.jobs, () => all.shift(), async (number) => {
			const r = await this.one(role, call, number);
			if (r.hit) tried++;
		});
		return tried;
	}

	async series(role, call) {
		const began = Date.now();
		const before = this.failed;
		const { calls, stacks, open } = await runWhole(role, call,
			{ authority: this.authority });
		this.note(open);
		const how = calls > this.all ? 'stacks' : 'calls';
		const tried = calls === 0 ? 0 : how === 'stacks' ?
			await this.byStack(role, call, stacks) :
			await this.byNumber(role, call);
		const failed = this.failed - before;
		console.log(`${failed ? 'not ok' : 'ok'} torture/${role}:${call} ` +
			`${calls} calls, ${stacks.size} stacks; ${tried} ${how} failed, ` +
			`${failed} wrong, ${Math.round((Date.now() - began) / 1000)} s`);
	}

	// Small numbers more often: the large ones are not reached everywhere.
	async byLot(seed) {
		const rnd = random(seed);
		console.log(`torture: seed ${seed}`);
		this.note((await runWhole('master', 'fork',
			{ authority: this.authority })).open);
		for (let i = 0; i < LOTS; i++)
			await this.one(rnd.pick(ROLES), rnd.pick(CALLS),
				1 + Math.floor(2 ** (rnd.next() * 7)));
	}

	async named(name) {
		const [role, call, which] = name.split(':');
		if (!which) return this.series(role, call);
		this.note((await runWhole(role, call,
			{ authority: this.authority })).open);
		const r = await this.one(role, call, which);
		console.log(r.hit ? 'it was reached' : 'it was not reached');
		return undefined;
	}
}

async function main() {
	assert.ok(fs.existsSync(SHIM), `${SHIM} is missing: make tools`);
	const argv = process.argv.slice(2);
	const names = argv.filter((a) => /^[a-z]+:[a-z]+/.test(a));
	const t = new Torture(argv);
	try {
		if (argv.includes('--short'))
			await t.byLot(option(argv, '--seed', 8));
		else
			for (const name of names.length > 0 ? names :
				ROLES.flatMap((r) => CALLS.map((c) => `${r}:${c}`)))
				await t.named(name);
	} finally {
		t.authority.remove();
	}
	console.log(`# torture ${t.passed} passed, ${t.failed} failed`);
	process.exit(t.failed > 0 ? 1 : 0);
}

main();
