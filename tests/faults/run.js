// SPDX-License-Identifier: MIT
//
// run.js [--short] [--seed N] [name ...]: runs the recipes of this folder, or
// those named, one after another, each on a daemon of its own.  A failure
// prints the command that repeats it.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { Daemon } = require('../system/lib/daemon');
const { random } = require('../system/lib/random');
const { History } = require('./lib/history');

const LIMIT_S = 900 + 60 * Number(process.env.MINUTES ?? 0);
const running = new Set(); // daemons, for the end of patience

function arguments_() {
	const all = { short: false, seed: null, names: [] };
	const argv = process.argv.slice(2);
	while (argv.length > 0) {
		const a = argv.shift();
		if (a === '--short') all.short = true;
		else if (a === '--seed') all.seed = Number(argv.shift());
		else all.names.push(a);
	}
	all.seed ??= Math.floor(Math.random() * 1e9);
	return all;
}

function recipes() {
	return fs.readdirSync(__dirname).filter((f) => f.endsWith('.js') &&
		f !== 'run.js').map((f) => path.basename(f, '.js')).sort();
}

async function run(name, { short, seed }) {
	const history = new History();
	const daemons = [];
	// prepare: what to do before the start; the arguments to add.
	const start = async (conf, settings, prepare = () => []) => {
		const d = new Daemon(conf);
		daemons.push(d);
		running.add(d);
		const app = d.app({ max_backend_events_per_second: 0, ...settings });
		await d.start(prepare(d));
		return { d, app };
	};
	const began = performance.now();
	let figures;
	try {
		figures = await require(`./${name}`)({ start, history, short,
			random: random(seed) });
		if (process.env.CI && !process.env.TEST_SLOW && figures?.skipped)
			history.wrong(`it skipped itself: ${figures.skipped}`);
		for (const d of daemons) await d.stop({ within: 20000 });
	} catch (e) {
		history.wrong(e.stack);
		for (const d of daemons) {
			if (!d.child || d.stopped) continue;
			console.log(d.readLog().slice(-3000));
			d.kill();
		}
	}
	const ok = history.report();
	const seconds = ((performance.now() - began) / 1000).toFixed(1);
	console.log(`${ok ? 'ok' : 'not ok'} faults/${name} (${seconds} s) ` +
		JSON.stringify(figures ?? {}));
	if (!ok)
		console.log(`  again: node tests/faults/run.js ${short ?
			'--short ' : ''}--seed ${seed} ${name}`);
	return ok;
}

async function main() {
	const how = arguments_();
	const names = how.names.length > 0 ? how.names : recipes();
	let failed = 0;
	console.log(`faults: seed ${how.seed}`);
	for (const name of names) {
		const timer = setTimeout(() => {
			console.log(`not ok faults/${name}: takes too long`);
			for (const d of running) if (d.child) d.kill();
			process.exit(1);
		}, LIMIT_S * 1000);
		if (!await run(name, how)) failed++;
		clearTimeout(timer);
	}
	console.log(`# faults ${names.length - failed} passed, ${failed} failed`);
	process.exit(failed > 0 ? 1 : 0);
}

main();
