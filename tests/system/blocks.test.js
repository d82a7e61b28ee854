// SPDX-License-Identifier: MIT
//
// The commands, the configuration and the code that pages print in blocks of
// their own and that no other test runs, as they stand there, in the order in
// which a newcomer meets them.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const Pusher = require('pusher-js');
const { PUSHERCTL, PUSHERD, environment, options, until } =
	require('./lib/daemon');
const { publish } = require('./lib/http');
const { suite } = require('./lib/suite');
const { Authority } = require('./lib/tls');

const TOP = path.resolve(__dirname, '../..');
const DOC = path.join(TOP, 'etc/doc');
const BUILD = path.relative(TOP, path.dirname(PUSHERD));

// What a page's commands find in their directory.
const FILES = {
	'.env': 'REVERB_APP_ID=r\nREVERB_APP_KEY=rk\nREVERB_APP_SECRET=rs\n',
	'config.json': '[{"id":"k","key":"kk","secret":"ks"}]',
	'config.toml': '[[app_manager.array.apps]]\nid = "s"\nkey = "sk"\n' +
		'secret = "ss"\n',
};

// By page: what its commands print.
const PAGES = {
	'from-pusher': /YOUR_KEY/,
	'from-reverb': /REVERB_APP_KEY|written/,
	'from-sockudo': /written/,
	'from-soketi': /written/,
	// Nothing but a period that has just ended; the third writes a file.
	statistics: /^(\d+-\d\d-\d\dT\d\d:\d\dZ[\t\d]+\n)*$/,
	resume: /^resume\s+on$/m,
	tuning: /somaxconn = \d+/,
};

const blocksOf = (page, kind = 'sh') => [...fs.readFileSync(path.join(DOC,
	`${page}.md`), 'utf8').matchAll(/^```(\w*)\n([^]*?)^```$/gm)]
	.filter((m) => m[1] === kind).map((m) => m[2]);

// In the top directory, with what the tests have built, and as nothing that
// node or make has started.
function make(script) {
	const env = environment();
	for (const name of ['NODE_TEST_CONTEXT', 'MAKEFLAGS', 'MFLAGS',
		'MAKELEVEL'])
		delete env[name];
	const r = spawnSync('bash', ['-ec', script.replace(/\bmake\b/g,
		`make BUILD=${BUILD}`).replace(/\bbuild\//g, `${BUILD}/`)],
	{ cwd: TOP, env, encoding: 'utf8', timeout: 600000 });
	assert.equal(r.status, 0, r.stdout + r.stderr);
	return r.stdout + r.stderr;
}

test('contributing.md: its targets are those of make help', () => {
	const [targets] = blocksOf('contributing');
	const help = make('make help');
	for (const [, target] of targets.matchAll(/^make( [a-z]+)?/gm)) {
		make(`make -n${target ?? ''}`);
		if (target !== undefined)
			assert.match(help, new RegExp(`^${target.trim()} `, 'm'));
	}
});

test('contributing.md: one file of the tests alone', () => {
	const out = make(blocksOf('contributing')[1]);
	assert.match(out, /^# pass [1-9]/m);
	assert.match(out, /^\[ {2}PASSED {2}\] [1-9]/m);
});

test('configuration that pages print is accepted', (t) => {
	const tls = new Authority();
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-test-'));
	t.after(() => {
		tls.remove();
		fs.rmSync(dir, { recursive: true });
	});
	const file = path.join(dir, 'pusherd.conf');
	let n = 0;
	for (const page of ['../../README', 'console', 'tuning'])
		for (const text of blocksOf(page, '').filter((b) => /^listen/.test(b))) {
			fs.writeFileSync(file, text.replace(/\/(var\/lib|run)\/pusherd/g, dir)
				.replace(/\S+\.pem\b/, tls.file('cert.pem'))
				.replace(/\S+\.key\b/, tls.file('key.pem'))
				.replace(/^user .*/m, `user ${os.userInfo().username}`));
			const r = spawnSync(PUSHERD, ['-t', '-c', file],
				{ env: environment(), encoding: 'utf8' });
			assert.equal(r.status, 0, `${page}: ${r.stderr}`);
			n++;
		}
	assert.equal(n, 4);
});

suite('README', (d) => {
	const app = d.app({ resume: 'on' });

	test('its clients get the event', async () => {
		const [plain, resumes] = blocksOf('../../README', 'js');
		const [, shared] = /\{([^]*) \}\)\n/.exec(plain);
		const [subscribe] = /^pusher\.subscribe.*/m.exec(plain);
		for (const code of [plain, `${resumes
			.replace('/* as above */', `${shared},`)}${subscribe}`]) {
			const seen = [];
			const pusher = new Function('Pusher', 'KEY', 'crypto', 'console',
				`${code.replace('6001', d.port)}\nreturn pusher`)(Pusher, app.key,
				crypto, { log: (data) => seen.push(data) });
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
});

suite('blocks of pages', (d) => {
	test('each command does what its page says', async () => {
		for (const [file, text] of Object.entries(FILES))
			fs.writeFileSync(path.join(d.dir, file), text);
		const call = [PUSHERCTL, ...options(d.conf)].map((w) => `'${w}'`)
			.join(' ');
		for (const [page, printed] of Object.entries(PAGES)) {
			const blocks = blocksOf(page);
			assert.ok(blocks.length > 0, page);
			const r = spawnSync('bash', ['-c', `set -e
				pusherctl() { ${call} "$@"; }
				${blocks.join('').replace('set APP ', 'set shop ')
		// More than the limit of the tests is refused.
		.replace('ulimit -n 65536', 'ulimit -n $(ulimit -Hn)')}`],
			{ cwd: d.dir, env: environment(), encoding: 'utf8',
				input: 'a-secret\n', timeout: 60000 });
			assert.equal(r.status, 0, `${page}: ${r.stdout}${r.stderr}`);
			assert.match(r.stdout, printed, page);
		}
		for (const [id, key, secret] of [['123456', 'YOUR_KEY', 'a-secret'],
			['r', 'rk', 'rs'], ['s', 'sk', 'ss'],
			['k', 'kk', 'ks']])
			await publish(d, { id, key, secret }, 'c', 'e', '');
		assert.equal(d.ctl(['app', 'show', 'shop'])[0].resume, true);
		assert.match(fs.readFileSync(path.join(d.dir, 'shop.csv'), 'utf8'),
			/^time,/);
	});
});
