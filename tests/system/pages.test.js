// SPDX-License-Identifier: MIT
//
// The pages of etc/ say of the programs what the programs say of themselves:
// manual pages, example configuration and completion are current, complete,
// and do what they should in the real man(1) and bash(1).
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { PUSHERD, PUSHERCTL, environment } = require('./lib/daemon');

const TOP = path.resolve(__dirname, '../..');
const read = (file) => fs.readFileSync(path.join(TOP, file), 'utf8');

function run(program, args, more = {}) {
	const r = spawnSync(program, args, { env: environment(),
		encoding: 'utf8', timeout: 30000, ...more });
	assert.equal(r.error, undefined);
	assert.equal(r.status, 0, r.stderr);
	return r.stdout;
}

const plain = (roff) => roff.replace(/\\-/g, '-').replace(/\\\(aq/g, "'")
	.replace(/\\f[A-Z]/g, '').replace(/\\&/g, '').replace(/\\e/g, '\\');

// [name, usage] of every command, by the program's own help.
function commands() {
	const help = run(PUSHERCTL, ['help']);
	const list = help.slice(help.indexOf('commands:\n') + 10);
	return list.slice(0, list.indexOf('\n\n')).split('\n')
		// The text of a long one stands in the next line.
		.filter((line) => !/^ {4}/.test(line))
		.map((line) => line.trim().split(/ {2,}/)[0]
			.replace(/ [A-Z[].*$/, ''))
		.filter((name) => name !== 'help');
}

for (const [page, file] of [['pusherctl.8', 'etc/man/pusherctl.8'],
	['pusherd.conf.5', 'etc/man/pusherd.conf.5'],
	['pusherd.conf', 'etc/pusherd.conf'],
	['metrics', 'etc/doc/metrics.md'],
	['completion', 'etc/pusherd.bash'],
	['zsh', 'etc/pusherctl.zsh'],
	['fish', 'etc/pusherctl.fish']])
	test(`${file} is current (make pages)`, () => {
		assert.equal(read(file), run(PUSHERCTL, ['help', '--print', page]));
	});

test('on a full disk no page is a success', () => {
	const full = fs.openSync('/dev/full', 'w');
	const name = ['-o', 'database=none'];
	for (const [program, ...args] of [[PUSHERD, ...name, '-T'],
		[PUSHERCTL, 'help'], [PUSHERCTL, '--help'], [PUSHERCTL, '-V'],
		[PUSHERCTL, 'help', '--print', 'pusherd.conf'],
		[PUSHERCTL, 'app', 'create', '--help']]) {
		const r = spawnSync(program, args, { env: environment(),
			encoding: 'utf8', stdio: ['ignore', full, 'pipe'] });
		assert.equal(r.status, 1, `${args}`);
		assert.match(r.stderr, /stdout: No space left on device/);
	}
	fs.closeSync(full);
});

test('pusherctl(8) has every command, option and exit code', () => {
	const page = plain(read('etc/man/pusherctl.8'));
	const names = commands();
	assert.ok(names.length >= 14, names.join());
	for (const name of names) {
		assert.match(page, new RegExp(`^\\.TP\n${name}( |$)`, 'm'), name);
		const help = run(PUSHERCTL, ['help', ...name.split(' ')]);
		for (const [, option] of help.matchAll(/^ {2}(--[a-z-]+)/gm))
			assert.ok(page.includes(`.TP\n${option}`), `${name} ${option}`);
	}
	const help = run(PUSHERCTL, ['--help']);
	for (const [, option] of help.matchAll(/^ {2}(-[a-zA-Z])/gm))
		assert.ok(page.includes(option), option);
	for (const [, code] of help.matchAll(/^ {2}(\d) {2}/gm))
		assert.ok(page.includes(`.TP\n.B ${code}\n`), `exit code ${code}`);
});

test('pages: the help of every command fits into 80 columns', () => {
	for (const name of commands()) {
		const help = run(PUSHERCTL, ['help', ...name.split(' ')],
			{ argv0: 'pusherctl' });
		assert.ok(help.startsWith(`usage: pusherctl ${name}`), help);
		for (const line of help.split('\n'))
			assert.ok([...line].length <= 80, line);
	}
});

test('pusherd(8) has every option', () => {
	const page = plain(read('etc/man/pusherd.8'));
	const help = run(PUSHERD, ['-h']);
	const options = [...help.matchAll(/^ {2}(-[a-zA-Z])/gm)];
	assert.ok(options.length >= 7);
	for (const [, option] of options)
		assert.match(page, new RegExp(`^\\.BR? ${option}\\b`, 'm'), option);
	const version = run(PUSHERD, ['-V']).split('\n')[0];
	for (const file of fs.readdirSync(path.join(TOP, 'etc/man')))
		assert.ok(read(`etc/man/${file}`).includes(`"${version}"`), file);
});

// The words that bash offers behind this line.
function complete(line) {
	const words = line.match(/=|[^\s=]+|\s$/g).map((w) => w.trim());
	const program = words[0];
	const quoted = words.map((w) => `'${w}'`).join(' ');
	return run('bash', ['-uc', `source etc/pusherd.bash
		COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}
		COMPREPLY=()
		_${program} ${program} '${words.at(-1)}' '${words.at(-2)}'
		printf '%s\\n' "\${COMPREPLY[@]}"`.replace('etc/', `${TOP}/etc/`)])
		.split('\n').filter(Boolean);
}

for (const [line, want] of [
	['pusherctl sta', ['status', 'stats']],
	['pusherctl app sh', ['show']],
	['pusherctl app show --r', ['--reveal']],
	['pusherctl app create --secret', ['--secret-from']],
	['pusherctl app create --name x --if', ['--if-none', '--if-absent']],
	['pusherctl app create --set client_', ['client_events=']],
	['pusherctl app set shop client_events=on max_conn',
		['max_connections=']],
	['pusherctl -o workers=2 chan', ['channels', 'channel']],
	['pusherctl -o drain', ['drain_time=']],
	['pusherctl -c /dev/nul', ['/dev/null']],
	['pusherctl help app del', ['delete']],
	['pusherctl -V', ['-V']],
	['pusherctl --j', []],
	['pusherd -o wor', ['workers=']],
	['pusherd --vers', ['--version']],
])
	test(`completion: ${line}`, () => {
		assert.deepEqual(complete(line), want);
	});

test('completion offers every command', () => {
	const words = new Set();
	for (const first of complete('pusherctl '))
		for (const word of [first, ...complete(`pusherctl ${first} `)
			.filter((w) => !w.startsWith('-')).map((w) => `${first} ${w}`)])
			words.add(word);
	for (const name of commands())
		assert.ok(words.has(name), name);
});

test('pages: pusherctl(8) fits into 80 columns', () => {
	const page = path.join(TOP, 'etc/man/pusherctl.8');
	const r = spawnSync('groff', ['-K', 'utf8', '-man', '-Tutf8', '-P-cbou',
		'-ww', '-rLL=78n', page], { encoding: 'utf8' });
	assert.equal(r.status, 0, r.stderr);
	assert.equal(r.stderr, '');
	for (const line of r.stdout.split('\n'))
		assert.ok([...line].length <= 80, line);
});

test('O4: every proxy snippet says what pusherd needs', () => {
	for (const file of ['nginx.conf', 'Caddyfile', 'haproxy.cfg', 'apache.conf',
		'traefik.yml'])
		assert.match(read(`etc/doc/${file}`), /trusted_proxies 127\.0\.0\.1/);
});

test('pages: files that metrics.md names are installed', () => {
	const mk = read('etc/install.mk');
	for (const file of ['etc/grafana/pusherd.json',
		'etc/prometheus/pusherd.rules.yml']) {
		assert.ok(mk.includes(file));
		assert.ok(fs.existsSync(path.join(TOP, file)));
	}
});

// Each command, option of pusherctl and option of the configuration that a
// page of etc/doc shows as code is one that there is.
test('pages: commands and options that the pages name exist', () => {
	const names = commands();
	const conf = read('etc/pusherd.conf');
	let checked = 0;
	for (const file of fs.readdirSync(path.join(TOP, 'etc/doc'))) {
		if (!file.endsWith('.md') || file === 'changelog.md') continue;
		const code = [...read(`etc/doc/${file}`)
			.matchAll(/```.*?```|`[^`\n]+`/gs)].map((m) => m[0]).join('\n');
		for (const [, line] of code.matchAll(/\bpusherctl ([a-z][^`\n|#]*)/g)) {
			const words = line.split(/\s+/);
			const name = names.includes(words.slice(0, 2).join(' '))
				? words.slice(0, 2).join(' ') : words[0];
			assert.ok(names.includes(name) || name === 'help' ||
				names.some((n) => n.startsWith(`${name} `)),
			`${file}: pusherctl ${line}`);
			checked++;
			if (!names.includes(name)) continue;
			const help = run(PUSHERCTL, ['help', ...name.split(' ')]);
			for (const option of line.match(/(?<= )--[a-z-]+/g) || [])
				assert.ok(['--header', '--help'].includes(option) ||
					help.includes(`${option} `) || help.includes(`${option}\n`),
				`${file}: pusherctl ${line}: ${option}`);
		}
		for (const [, option] of code.matchAll(/PUSHERD_([A-Z_]+)\b/g)) {
			if (option === 'NAME' || option === 'BIN') continue;
			assert.ok(conf.includes(`#${option.toLowerCase()} `) ||
				/^(CTL)$/.test(option), `${file}: PUSHERD_${option}`);
			checked++;
		}
	}
	assert.ok(checked > 60, `${checked}`);
});

// The names that its headings have in a link.
const anchors = (file) => [...read(file).replace(/^```[^]*?^```/gm, '')
	.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading.toLowerCase()
	.replace(/[^\p{L}\p{N} _-]/gu, '').trim().replace(/ /g, '-'));

test('pages: every link leads to a file, and a heading, that is there', () => {
	const files = ['README.md', 'tests/README.md', ...fs.readdirSync(
		path.join(TOP, 'etc/doc')).filter((f) => f.endsWith('.md'))
		.map((f) => `etc/doc/${f}`)];
	for (const file of files)
		for (const [link, to, heading] of read(file)
			.matchAll(/\]\(([^)#\s]*)#?([^)\s]*)\)/g)) {
			if (/^https?:/.test(to)) continue;
			const target = to === '' ? file
				: path.join(path.dirname(file), to);
			assert.ok(fs.existsSync(path.join(TOP, target)), `${file}: ${link}`);
			assert.ok(heading === '' || anchors(target).includes(heading),
				`${file}: ${link}`);
		}
});

test('pages: every file of the source that they name is there', () => {
	const pages = ['README.md', 'etc/doc/contributing.md', 'tests/README.md'];
	const named = pages.flatMap((page) => [...read(page).matchAll(
		/`((?:shared|broker|worker|cli|tests)\/[\w./-]*\w\.\w+)`/g)]
		.map(([, file]) => file));
	assert.ok(named.length > 60, `${named.length}`);
	assert.deepEqual(named.filter((f) => !fs.existsSync(path.join(TOP, f))), []);
});

test('pages: the versions that they name are those of the tests', () => {
	const { dependencies: npm } = JSON.parse(read('tests/system/package.json'));
	const [echo, ...libraries] = Object.entries(npm)
		.filter(([name]) => /^(laravel-echo|pusher.*)$/.test(name))
		.map(([, version]) => version.replace(/.*@/, ''));
	const found = (file, pattern) => pattern.exec(read(file))[1];
	const java = found('tests/system/java/pom.xml',
		/pusher-http-java<\/artifactId>\s*<version>([^<]+)/);
	const soketi = JSON.parse(read('tests/bench/peers/package.json'))
		.dependencies['@soketi/soketi'];
	for (const [file, versions] of [
		['from-pusher.md', [echo, ...libraries, java,
			found('tests/system/python/requirements.txt', /^pusher==(\S+)/m),
			found('tests/system/go/go.mod', /pusher-http-go\S* v(\S+)/)]],
		['from-soketi.md', [soketi]],
		['comparison.md', [soketi]],
		['from-sockudo.md', [found('Makefile', /install sockudo --version (\S+)/)]],
		['laravel.md', [echo]],
		['backends.md', [java]]])
		for (const version of versions)
			assert.ok(read(`etc/doc/${file}`).includes(version),
				`${file}: ${version}`);
});
