// SPDX-License-Identifier: MIT
//
// RFC 6455 and RFC 7692, by the cases of the Autobahn testsuite (groups 1 to 7,
// 9, 10, 12 and 13) against ws_echo.  The suite needs Python 2.7: PYTHON2 names it, if it is not
// python2.7.  It is installed once, with pip, beside the binaries.  Without it
// this file fails: nothing here may skip itself.
'use strict';

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const { PUSHERD, SLOW } = require('../system/lib/daemon');

const BUILD = path.dirname(PUSHERD);
const SUITE = path.join(BUILD, 'autobahn');
const VERSION = '25.10.1';
const PYTHON = process.env.PYTHON2 || 'python2.7';
const GROUPS = { 1: 16, 2: 11, 3: 7, 4: 10, 5: 20, 6: 145, 7: 37, 9: 54,
	10: 1, 12: 90, 13: 126 };
// "pip --target" leaves .pth files that only a site directory reads.
const WSTEST = `
import site, sys
site.addsitedir(sys.argv[1])
sys.path.insert(0, sys.argv.pop(1))
from autobahntestsuite.wstest import run
run()
`;

const python = (args) => spawnSync(PYTHON, args,
	{ encoding: 'utf8', timeout: 600000, stdio: ['ignore', 'pipe', 'pipe'] });

function installed() {
	if (python(['-c', 'import pip']).status !== 0) return false;
	const mark = path.join(SUITE, VERSION);
	if (fs.existsSync(mark)) return true;
	const r = python(['-m', 'pip', 'install', '--quiet', '--target', SUITE,
		`autobahntestsuite==${VERSION}`]);
	if (r.status !== 0) return false;
	fs.writeFileSync(mark, '');
	return true;
}

describe('Autobahn', () => {
	let echo;
	let dir;
	let results;

	before(async () => {
		assert.ok(installed(), `autobahntestsuite ${VERSION} is missing: ` +
			'it needs Python 2.7 with pip; name it by ' +
			'PYTHON2=/path/to/python2.7');
		echo = spawn(path.join(BUILD, 'ws_echo'), ['0'],
			{ stdio: ['ignore', 'pipe', 'inherit'] });
		const [address] = await new Promise((ok) => {
			echo.stdout.once('data', (b) => ok(String(b).split('\n')));
		});
		dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-autobahn-'));
		fs.writeFileSync(path.join(dir, 'spec.json'), JSON.stringify({
			outdir: dir,
			servers: [{ agent: 'pusherd', url: `ws://${address}/` }],
			cases: Object.keys(GROUPS).map((g) => `${g}.*`),
			'exclude-cases': [],
			'exclude-agent-cases': {},
		}));
		const run = spawn(PYTHON, ['-c', WSTEST, SUITE, '-m', 'fuzzingclient',
			'-s', path.join(dir, 'spec.json')],
		{ stdio: ['ignore', 'ignore', 'inherit'], timeout: 3600000 * SLOW });
		await new Promise((ok) => { run.on('close', ok); });
		results = JSON.parse(fs.readFileSync(path.join(dir, 'index.json'),
			'utf8')).pusherd;
	});
	after(() => {
		echo?.kill('SIGKILL');
		if (dir) fs.rmSync(dir, { recursive: true, force: true });
	});

	const good = ['OK', 'NON-STRICT', 'INFORMATIONAL'];
	for (const [group, n] of Object.entries(GROUPS))
		test(`group ${group}: ${n} cases`, () => {
			const cases = Object.entries(results)
				.filter(([id]) => id.split('.')[0] === group);
			assert.equal(cases.length, n);
			assert.deepEqual(cases.filter(([, r]) =>
				!good.includes(r.behavior) ||
				!good.includes(r.behaviorClose)), []);
		});
});
