// SPDX-License-Identifier: MIT
//
// Each block of code that a page prints has a test that runs or compares it, as
// it stands there.  Those that no other test has are here, in the order in
// which a newcomer meets them.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { afterEach, beforeEach, describe, test } = require('node:test');
const Pusher = require('pusher-js');
const { PAGES, TOP, blocksOf } = require('./lib/blocks');
const { Daemon, PUSHERCTL, PUSHERD, environment, options, until } =
	require('./lib/daemon');
const { publish } = require('./lib/http');
const { suite } = require('./lib/suite');
const { Authority } = require('./lib/tls');

const BUILD = path.relative(TOP, path.dirname(PUSHERD));

// What a page's commands find in their directory.
const FILES = {
	'.env': 'REVERB_APP_ID=r\nREVERB_APP_KEY=rk\nREVERB_APP_SECRET=rs\n',
	'config.json': '[{"id":"k","key":"kk","secret":"ks"}]',
	'config.toml': '[[app_manager.array.apps]]\nid = "s"\nkey = "sk"\n' +
		'secret = "ss"\n',
};

// By page: the test of each block, in order; with a dot: not in system/.
const TESTS = {
	'README.md': 'blocks blocks run blocks blocks blocks',
	'backends.md': 'backends '.repeat(10),
	'backup.md': 'backup '.repeat(3),
	'cluster.md': 'blocks cluster_connect samples samples',
	'console.md': 'blocks samples',
	'containers.md': 'container.sh '.repeat(3),
	'contributing.md': 'blocks blocks',
	'doctor.md': 'samples',
	'from-pusher.md': 'blocks',
	'from-reverb.md': 'blocks',
	'from-sockudo.md': 'blocks blocks',
	'from-soketi.md': 'blocks blocks',
	'laravel.md': 'blocks laravel laravel laravel laravel',
	'metrics.md': 'prometheus/run.js',
	'receipts.md': 'samples samples receipts receipts receipts',
	'resume.md': 'blocks blocks samples',
	'statistics.md': 'blocks samples',
	'troubleshooting.md': 'troubleshooting '.repeat(5),
	'tuning.md': 'blocks blocks blocks',
	'upgrade.md': 'samples samples samples',
	'webhooks.md': 'blocks samples',
	'pusherctl.8': 'blocks',
	'pusherd.8': 'blocks',
	'pusherd.conf.5': 'blocks',
};

test('each block of code of a page has a test', () => {
	for (const page of PAGES.keys()) {
		const blocks = blocksOf(page);
		const tests = (TESTS[page] ?? '').split(' ').filter(Boolean);
		assert.equal(blocks.length, tests.length, `${page}: write a test for ` +
			`the block that has none, and name it in TESTS:\n\n${
				blocks.join('\n')}`);
		for (const name of new Set(tests)) {
			const file = path.join(TOP, 'tests', name.includes('.') ? name
				: `system/${name}.test.js`);
			assert.ok(fs.readFileSync(file, 'utf8').includes(page),
				`${file} names ${page}`);
		}
	}
});

// By page: what its commands print.
const PRINTED = {
	'from-pusher.md': /YOUR_KEY/,
	'from-reverb.md': /REVERB_APP_KEY|written/,
	'from-sockudo.md': /written/,
	'from-soketi.md': /written/,
	// Nothing but a period that has just ended; the third writes a file.
	'statistics.md': /^(\d+-\d\d-\d\dT\d\d:\d\dZ[\t\d]+\n)*$/,
	'resume.md': /^resume\s+on$/m,
	'tuning.md': /somaxconn = \d+/,
	'webhooks.md': /example\.com\/pusher\/webhook/,
};

// In the top directory, with what the tests have built, and as nothing that
// node or make has started.
function make(script) {
	const env = environment();
	for (const name of ['NODE_TEST_CONTEXT', 'MAKEFLAGS', 'MFLAGS',
		'MAKELEVEL'])
		delete env[name];
	// Not the package of this name.
	const r = spawnSync('bash', ['-ec', script.replace(/\bmake\b(?! &&)/g,
		`make BUILD=${BUILD}`).replace(/\bbuild\//g, `${BUILD}/`)],
	{ cwd: TOP, env, encoding: 'utf8', timeout: 600000 });
	assert.equal(r.status, 0, r.stdout + r.stderr);
	return r.stdout + r.stderr;
}

// run.test.js has `make run`.  Nothing is installed: apt-get says what it would
// do, and where it would get its lists.
test('README.md: its first commands', () => {
	const [install] = blocksOf('README.md');
	const [apt, check] = install.replace(/#.*/gm, '').split('\n');
	assert.match(apt, / && make run *$/);
	assert.match(make(`sudo() { "$@"; }
		apt-get() { case $1 in
			update) command apt-get --print-uris "$@" ;;
			*) command apt-get --simulate "$@" ;; esac; }
		${apt.replace('make run', 'make -n run')}`), /etc\/run\.sh/);
	make(check.replace('make', 'make -n'));
});

test('contributing.md: .ci/run has its checks', () => {
	const ran = fs.readFileSync(path.join(TOP, '.ci/run'), 'utf8');
	const [targets] = blocksOf('contributing.md');
	for (const check of ['make check', 'make lint']) {
		assert.match(targets, new RegExp(`^${check} `, 'm'));
		assert.match(ran, new RegExp(`^(exec )?${check}$`, 'm'));
	}
});

test('contributing.md: its targets are those of make help', () => {
	const [targets] = blocksOf('contributing.md');
	const help = make('make help');
	for (const [, target] of targets.matchAll(/^make( [a-z]+)?/gm)) {
		make(`make -n${target ?? ''}`);
		if (target !== undefined)
			assert.match(help, new RegExp(`^${target.trim()} `, 'm'));
	}
});

test('contributing.md: one file of the tests alone', () => {
	const out = make(blocksOf('contributing.md')[1]);
	assert.match(out, /^ok system\/channel\.test\.js: [1-9]/m);
	assert.match(out, /^ok unit\/broker\/channel\/presence_test: [1-9]/m);
	assert.equal(out.match(/^[1-9]\d* passed, 0 failed$/gm).length, 2);
	// A name without a test is told, and that of the environment is none.
	assert.match(make('! make system NAME=chanel 2>&1'),
		/^tests\/system has no test "chanel"$/m);
	assert.doesNotMatch(make('NAME=host make -n system'), /deps\.sh build node/);
});

test('configuration that pages print is accepted', (t) => {
	const tls = new Authority();
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-test-'));
	t.after(() => {
		tls.remove();
		fs.rmSync(dir, { recursive: true });
	});
	const file = path.join(dir, 'pusherd.conf');
	fs.writeFileSync(path.join(dir, 'auth'), 'SECRET\n', { mode: 0o600 });
	let n = 0;
	for (const page of PAGES.keys())
		for (const text of blocksOf(page).filter((b) =>
			/^ *(listen|cluster) /.test(b))) {
			fs.writeFileSync(file, text.replace(/\/(var\/lib|run)\/pusherd/g, dir)
				.replace(/\S+\.pem\b/, tls.file('cert.pem'))
				.replace(/\S+\.key\b/, tls.file('key.pem'))
				.replace(/\S+\.auth\b/, path.join(dir, 'auth'))
				.replace(/^user .*/m, `user ${os.userInfo().username}`));
			const r = spawnSync(PUSHERD, ['-t', '-c', file],
				{ env: environment(), encoding: 'utf8' });
			assert.equal(r.status, 0, `${page}: ${r.stderr}`);
			n++;
		}
	assert.equal(n, 7);
});

// The pusher-js that code of a page makes, connected to this daemon.
function pusherOf(d, code, names) {
	const all = { Pusher, crypto, wsHost: '127.0.0.1', wsPort: d.port,
		forceTLS: false, enabledTransports: ['ws', 'wss'], ...names };
	return new Function(...Object.keys(all),
		`${code.replace('6001', d.port)}\nreturn pusher`)(...Object.values(all));
}

suite('clients of pages', (d) => {
	const app = d.app({ resume: 'on' });

	test('README.md: its clients get the event', async () => {
		const [plain, resumes] = blocksOf('README.md', 'js');
		const [, shared] = /\{([^]*) \}\)\n/.exec(plain);
		const [subscribe] = /^pusher\.subscribe.*/m.exec(plain);
		for (const code of [plain, `${resumes
			.replace('/* as above */', `${shared},`)}${subscribe}`]) {
			const seen = [];
			const pusher = pusherOf(d, code, { KEY: app.key,
				console: { log: (data) => seen.push(data) } });
			try {
				await until('the subscription', () =>
					pusher.channel('my-channel').subscribed);
				await publish(d, app, 'my-channel', 'my-event',
					'{"hello":"world"}');
				await until('the event', () => seen.length > 0);
				assert.deepEqual(seen, [{ hello: 'world' }]);
			} finally {
				pusher.disconnect();
			}
		}
	});

	test('resume.md: its client gets what it missed, or loads the state again',
		async () => {
			const [code] = blocksOf('resume.md', 'js');
			let loads = 0;
			const pusher = pusherOf(d, code.replace('let first', `const channel =
				pusher.subscribe('news'); let first`), { KEY: app.key,
				location: { reload: () => loads++ } });
			const seen = [];
			const words = [];
			try {
				pusher.channel('news').bind('e', (data) => seen.push(data))
					.bind('pusher:resume', (s) => words.push(s.status));
				// It comes back after this.
				const breaks = async (n) => {
					await until('an answer', () => words.length === n);
					d.ctl(['connections', 'kill', '--reconnect',
						pusher.connection.socket_id]);
					await publish(d, app, 'news', 'e', String(n));
				};
				await breaks(1);
				await breaks(2);
				await until('the events', () => seen.length === 2);
				assert.deepEqual(seen, [1, 2]);
				await until('two answers', () => words.length === 3);
				assert.equal(loads, 0);
				for (const value of ['off', 'on'])
					d.ctl(['app', 'set', app.id, `resume=${value}`]);
				await breaks(3);
				await until('the state is loaded', () => loads === 1);
				assert.deepEqual(words,
					['new', 'continued', 'continued', 'gap']);
			} finally {
				pusher.disconnect();
			}
		});
});

// What the commands of this page print, run in the directory of the daemon.
function run(d, page) {
	const call = [PUSHERCTL, ...options(d.conf)].map((w) => `'${w}'`).join(' ');
	const commands = blocksOf(page, 'sh').join('')
		.replace('set APP ', 'set shop ')
		// More than the limit of the tests is refused.
		.replace('ulimit -n 65536', 'ulimit -n $(ulimit -Hn)');
	assert.notEqual(commands, '', page);
	const r = spawnSync('bash', ['-c',
		`set -e; pusherctl() { ${call} "$@"; }\n${commands}`],
	{ cwd: d.dir, env: environment(), encoding: 'utf8', input: 'a-secret\n',
		timeout: 60000 });
	assert.equal(r.status, 0, `${page}: ${r.stdout}${r.stderr}`);
	return r.stdout;
}

suite('blocks of pages', (d) => {
	test('each command does what its page says', async () => {
		for (const [file, text] of Object.entries(FILES))
			fs.writeFileSync(path.join(d.dir, file), text);
		for (const [page, printed] of Object.entries(PRINTED))
			assert.match(run(d, page), printed, page);
		for (const [id, key, secret] of [['123456', 'YOUR_KEY', 'a-secret'],
			['r', 'rk', 'rs'], ['s', 'sk', 'ss'],
			['k', 'kk', 'ks']])
			await publish(d, { id, key, secret }, 'c', 'e', '');
		assert.equal(d.ctl(['app', 'show', 'shop'])[0].resume, true);
		assert.match(fs.readFileSync(path.join(d.dir, 'shop.csv'), 'utf8'),
			/^time,/);
	});
});

describe('a page that makes an app', () => {
	let d;
	beforeEach(async () => {
		d = new Daemon();
		await d.start();
	});
	afterEach(() => d.stop());

	test('laravel.md: its commands print the settings below them', () => {
		const printed = run(d, 'laravel.md').split('\n');
		const settings = blocksOf('laravel.md', '')[0].trim().split('\n');
		for (const line of settings.slice(0, -1))
			assert.ok(printed.some((p) => p.startsWith(line.replace('…', '')
				.replace('6001', d.port))), `${line} is in ${printed.join('\n')}`);
	});

	test('pusherctl.8: its examples', () => {
		assert.match(run(d, 'pusherctl.8'),
			/^key[\t ][^]*PUSHER_APP_KEY[^]*^\{.*"connections":0\D/m);
	});
});
