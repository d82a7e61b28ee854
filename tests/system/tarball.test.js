// SPDX-License-Identifier: MIT
//
// The source as `make dist` packs it, without .git: what make and the checks
// need of it is there, and git is not asked.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');

const TOP = path.resolve(__dirname, '../..');

describe('an unpacked tarball', () => {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-test-'));
	const tree = path.join(dir, 'tree');
	const run = (cwd, command, ...args) => {
		const r = spawnSync(command, args, { cwd, encoding: 'utf8',
			env: { ...process.env, PATH: cwd === TOP ? process.env.PATH :
				`${dir}/bin:${process.env.PATH}` } });
		assert.equal(r.status, 0, `${command}: ${r.stdout}${r.stderr}`);
		return r.stdout;
	};
	const files = run(TOP, 'tests/files.sh').trim().split('\n').sort();

	before(() => {
		for (const file of files) {
			const to = path.join(tree, file);
			fs.mkdirSync(path.dirname(to), { recursive: true });
			fs.copyFileSync(path.join(TOP, file), to);
		}
		for (const made of ['build', 'tests/system/node_modules/x', 'run']) {
			fs.mkdirSync(path.join(tree, made), { recursive: true });
			fs.writeFileSync(path.join(tree, made, 'made.js'), '');
		}
		fs.mkdirSync(path.join(dir, 'bin'));
		fs.writeFileSync(path.join(dir, 'bin/git'),
			'#!/bin/sh\necho "git is called: $*" >&2\nexit 1\n', { mode: 0o755 });
	});
	after(() => fs.rmSync(dir, { recursive: true }));

	test('its files are those of the clone', () => {
		assert.deepEqual(run(tree, 'tests/files.sh').trim().split('\n').sort(),
			files);
		assert.deepEqual(run(tree, 'tests/files.sh', 'cli/*.def', 'etc/*.mk')
			.trim(), files.filter((f) => /^etc\/.*\.mk$/.test(f)).join('\n'));
	});

	test('the checks that ask for all files find them', () => {
		run(tree, 'tests/lint/rooms.sh');
		run(tree, 'tests/lint/promises.sh');
	});

	test('make knows how to make everything', () => {
		const plan = run(tree, 'make', '-n', 'all', 'unit-bins', 'corpus-bins',
			'tools');
		assert.match(plan, /build\/unit\/shared\/conf\/conf_rewrite_test/);
	});
});
