// SPDX-License-Identifier: MIT
//
// Other files of this directory once more, with clients that come by TLS: the
// official libraries trust the authority of the test by NODE_EXTRA_CA_CERTS,
// as they would that of a company.
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const { SLOW } = require('./lib/daemon');
const { Authority } = require('./lib/tls');

const FILES = ['official', 'channel', 'presence', 'websocket', 'session',
	'api_events', 'pipeline', 'move', 'compression',
	'compression_events', 'compression_moves', 'upgrade_resume'];

// node --test in a process of its own; { code, out }.
function run(file, authority) {
	return new Promise((resolve) => {
		const env = { ...process.env, TEST_TLS: authority.dir,
			TEST_WORKERS: '4',
			NODE_EXTRA_CA_CERTS: authority.file('ca.pem') };
		delete env.NODE_TEST_CONTEXT; // it is not part of this run
		const p = spawn(process.execPath, ['--test',
			'--test-reporter=spec', path.join(__dirname,
				`${file}.test.js`)],
		{ env, stdio: ['ignore', 'pipe', 'pipe'] });
		let out = '';
		p.stdout.on('data', (b) => { out += b; });
		p.stderr.on('data', (b) => { out += b; });
		const late = setTimeout(() => p.kill('SIGKILL'), 90000 * SLOW);
		p.on('close', (code) => {
			clearTimeout(late);
			resolve({ code, out });
		});
	});
}

describe('over TLS', () => {
	let authority;
	before(() => { authority = new Authority(); });
	after(() => authority.remove());

	for (const file of FILES) {
		test(`${file}.test.js`, async () => {
			const { code, out } = await run(file, authority);
			assert.equal(code, 0, out.slice(-8000));
			const passed = Number(/^\S* ?pass (\d+)$/m.exec(out)?.[1]);
			assert.ok(passed > 0, `tests ran: ${out.slice(-2000)}`);
			const skipped = /^\S* ?skipped (\d+)$/m.exec(out)?.[1];
			assert.equal(skipped, '0', 'none was skipped');
		});
	}
});
