// SPDX-License-Identifier: MIT
//
// The completion of zsh and fish, in the real shells, with the apps of a
// database.  That of bash is tested in pages.test.js.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { Daemon, PUSHERCTL, environment } = require('./lib/daemon');

const ETC = path.resolve(__dirname, '../../etc');
const d = new Daemon();
let conf;

before(() => {
	d.app({}, { id: 'shop', name: 'the shop' });
	d.app({}, { id: 'second' });
	conf = `-o database=${d.conf.database}`;
});
after(() => d.remove());

function shell(program, args, input) {
	const r = spawnSync(program, args, { encoding: 'utf8', input,
		env: { ...environment(), HOME: d.dir,
			PATH: `${path.dirname(PUSHERCTL)}:${process.env.PATH}` } });
	assert.equal(r.status, 0, `${program}: ${r.stderr}`);
	assert.equal(r.stderr, '');
	return r.stdout.split('\n').filter(Boolean);
}

// zsh, with its own functions that show a list replaced by ones that print it.
function zsh(line) {
	const words = line.split(' ');
	const quoted = words.map((w) => `'${w}'`).join(' ');
	return shell('zsh', ['-f', '-c', `
		compadd() {
			while [[ $1 == -* ]]; do
				if [[ $1 == -- ]]; then shift; break; fi
				if [[ $1 == -S ]]; then shift; fi
				shift
			done
			print -l -- "$@"
		}
		_files() { print FILES }
		_describe() { print -l -- \${(P)2%%:*} }
		words=(${quoted}) CURRENT=${words.length}
		source ${ETC}/pusherctl.zsh`])
		.filter((w) => w === 'FILES' || w.startsWith(words.at(-1)));
}

const fish = (line) => shell('fish', ['--no-config', '-c',
	`source ${ETC}/pusherctl.fish; complete -C '${line}'`])
	.map((l) => l.split('\t')[0]);

for (const [line, want] of [
	['pusherctl sta', ['stats', 'status']],
	['pusherctl app sho', ['show']],
	['pusherctl app show --rev', ['--reveal']],
	['pusherctl app create --name x --if-', ['--if-absent', '--if-none']],
	['pusherctl app set shop client_', ['client_events=']],
	['pusherctl app set shop client_events=on max_conn', ['max_connections=']],
	['pusherctl -o drain_ti', ['drain_time=']],
	['pusherctl CONF app show s', ['second', 'shop']],
	['pusherctl CONF channel purge-cache sh', ['shop']],
	['pusherctl CONF publish --socket-id 1.1 sec', ['second']],
	['pusherctl help app del', ['delete']],
]) {
	const sorted = (list) => [...new Set(list)].sort();

	test(`completion in zsh: ${line}`, () => {
		assert.deepEqual(sorted(zsh(line.replace('CONF', conf))), want);
	});
	test(`completion in fish: ${line}`, () => {
		assert.deepEqual(sorted(fish(line.replace('CONF', conf))), want);
	});
}

test('completion in zsh and fish: files', () => {
	assert.ok(zsh('pusherctl app import ').includes('FILES'));
	assert.ok(zsh('pusherctl app create --secret-from ').includes('FILES'));
	assert.ok(fish(`pusherctl app import ${ETC}/pusherd.c`)
		.some((w) => w.endsWith('pusherd.conf')));
});

test('completion in zsh and fish: every noun', () => {
	const names = shell('bash', ['-c', 'pusherctl help'])
		.filter((l) => /^ {2}[a-z]/.test(l)).map((l) => l.trim().split(/[ ]/)[0])
		.filter((n) => !n.startsWith('-'));
	for (const n of new Set(names)) {
		assert.ok(zsh('pusherctl ').includes(n), `zsh: ${n}`);
		assert.ok(fish('pusherctl ').includes(n), `fish: ${n}`);
	}
});
