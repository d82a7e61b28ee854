// SPDX-License-Identifier: MIT
//
// tests/deps.sh on systems with other package managers: each is played by
// small scripts that write down what they are asked.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');

const SCRIPT = path.resolve(__dirname, '../deps.sh');

// Runs deps.sh where only these commands exist; has: packages that are there.
function run(parts, { managers, has = [], root = true, sudo = false, env }) {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-test-'));
	const put = (name, text) => fs.writeFileSync(path.join(dir, name),
		`#!/bin/sh\n${text}\n`, { mode: 0o755 });
	try {
		for (const name of ['sh', 'awk', 'cat', 'tr', 'mktemp', 'rm'])
			fs.symlinkSync(spawnSync('sh', ['-c', `command -v ${name}`],
				{ encoding: 'utf8' }).stdout.trim(), path.join(dir, name));
		put('id', `echo ${root ? 0 : 1000}`);
		if (sudo) put('sudo', 'echo sudo >>$CALLS; exec "$@"');
		// The last argument is the package.
		const query = `for p; do :; done; case " ${has.join(' ')} " in
			*" $p "*) exit 0 ;; esac; exit 1`;
		for (const name of managers)
			put(name, `case "$1 $2" in "info -e" | "-Qq "*) ${query} ;; esac
				echo "${name} $*" >>$CALLS`);
		if (managers.includes('dnf')) put('rpm', query);
		const calls = path.join(dir, 'calls');
		const r = spawnSync('/bin/sh', [SCRIPT, ...parts], { encoding: 'utf8',
			env: { PATH: dir, CALLS: calls, TMPDIR: dir, ...env } });
		return { code: r.status, out: r.stdout + r.stderr,
			calls: fs.existsSync(calls) ? fs.readFileSync(calls, 'utf8') : '' };
	} finally {
		fs.rmSync(dir, { recursive: true });
	}
}

for (const [managers, all, install] of [
	[['dnf'], ['gcc', 'glibc-devel', 'make', 'libev-devel', 'openssl-devel',
		'cjson-devel', 'sqlite-devel', 'libcurl-devel', 'hiredis-devel',
		'libseccomp-devel', 'zlib-devel'], 'dnf -q -y install'],
	[['apk'], ['gcc', 'musl-dev', 'linux-headers', 'make', 'libev-dev',
		'openssl-dev', 'cjson-dev', 'sqlite-dev', 'curl-dev', 'hiredis-dev',
		'libseccomp-dev', 'zlib-dev'], 'apk -q add'],
	[['pacman'], ['gcc', 'make', 'libev', 'openssl', 'cjson', 'sqlite', 'curl',
		'hiredis', 'libseccomp', 'zlib'], 'pacman -Sq --noconfirm --needed'],
]) {
	test(`deps: ${managers[0]} installs what is missing, and only that`, () => {
		const has = all.slice(0, 2);
		const r = run(['build'], { managers, has });
		assert.equal(r.calls, `${install} ${all.slice(2).join(' ')}\n`);
		// Chart.js is not packaged there.
		assert.equal(r.code, 1);
		assert.match(r.out, new RegExp(`not packaged for ${managers[0]}, ` +
			'and needed: libjs-chart.js\n.*make CHARTJS='));
		const whole = run(['build'], { managers, has: all,
			env: { CHARTJS: SCRIPT } });
		assert.deepEqual([whole.code, whole.out, whole.calls], [0, '', '']);
	});

	test(`deps: ${managers[0]} without root`, () => {
		const env = { CHARTJS: SCRIPT };
		const alone = run(['build'], { managers, root: false, env });
		assert.equal(alone.code, 1);
		assert.ok(alone.out.includes(`as an administrator run:\n  ${install} ${
			all.join(' ')}\n`), alone.out);
		assert.equal(alone.calls, '');
		const helped = run(['build'], { managers, root: false, sudo: true, env });
		assert.equal(helped.code, 0, helped.out);
		assert.ok(helped.calls.startsWith('sudo\n'));
	});
}

test('deps: a package without a name there is told', () => {
	const r = run(['browser', 'lint'], { managers: ['apk'] });
	assert.equal(r.code, 1);
	assert.match(r.out, /not packaged for apk, and needed: chromium/);
	assert.match(r.calls, /clang-extra-tools/);
});

test('deps: no package manager that is known', () => {
	const r = run(['build'], { managers: [] });
	assert.equal(r.code, 1);
	assert.match(r.out, /no package manager.*equivalents of: gcc libc6-dev/);
});
