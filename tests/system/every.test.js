// SPDX-License-Identifier: MIT
//
// Every command and every option of pusherctl is run against a daemon, as text
// and as JSON; the table here is held against the program's own help, so that
// a new command without a call fails.  And what README and manual page print
// is typed in: their examples work, and their commands and options exist.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, PUSHERCTL, PUSHERD, environment, options, until } =
	require('./lib/daemon');
const { Receiver } = require('./lib/receiver');
const { hmac, signedTarget } = require('./lib/sign');

const TOP = path.resolve(__dirname, '../..');
const read = (file) => fs.readFileSync(path.join(TOP, file), 'utf8');

function help(...words) {
	const r = spawnSync(PUSHERCTL, ['help', ...words],
		{ env: environment(), encoding: 'utf8' });
	assert.equal(r.status, 0, r.stderr);
	return r.stdout;
}

// "app create" -> { args: 'APP', options: ['--name', …] }
const COMMANDS = new Map(help().split('commands:\n')[1].split('\n\n')[0]
	.split('\n').map((line) => /^ {2}([a-z][a-z -]*[a-z])(?= |$)/.exec(line))
	.filter((m) => m && m[1] !== 'help').map((m) => {
		const text = help(...m[1].split(' '));
		return [m[1], [...text.matchAll(/^ {2}(--[a-z-]+)/gm)]
			.map((o) => o[1])];
	}));

// Without the options before the command, which move the ends of its lines.
const anyOptions = (text) => text.replace(/^usage: \S+( -o \S+)*([^]*?)\n\n/,
	(all, own, usage) => `${usage.replace(/\s+/g, ' ')}\n\n`);

const SESSION = 'a-session-of-a-test-1';

// Calls of a command; each is an array of words, or a function that gives one.
// Objects of `x`: what before() has made.
const calls = (x) => ({
	'app create': [['--name', 'n1', '--id', `i${x.n}`, '--key', `k${x.n}`,
		'--set', 'client_events=on', '--secret-from', x.secret],
	['--if-none'], ['--if-absent', '--id', x.app.id]],
	'app list': [[]],
	'app show': [[x.app.id], ['--reveal', x.app.id]],
	'app set': [[x.app.id, 'client_events=on', 'name=shop']],
	'app enable': [[x.app.id]],
	'app disable': [[x.spare.id]],
	'app delete': [() => ['--yes', x.d.app().id]],
	'app import': [['--from', 'soketi', '--dry-run', '--replace', x.soketi]],
	'app export': [[], [x.app.id]],
	'app snippets': [[x.app.id]],
	'app rotate-key': [() => [x.d.app().id, '--overlap', '60'],
		() => {
			const a = x.d.app();
			x.d.ctl(['app', 'rotate-key', a.id]);
			return ['--finish', a.id];
		}],
	status: [[]],
	'cluster status': [[]],
	'cluster hosts': [[]],
	'cluster leave': [], // refused here: cluster_leave.test.js
	top: [['--interval', '1']],
	stats: [[], [x.app.id], ['--minutes', '5'], ['--hours', '2'],
		['--since', '1h', '--step', '1m', x.app.id]],
	closes: [[], ['--limit', '3', x.app.id]],
	config: [[], ['--here', 'workers']],
	'config set': [['client_buffer_age', '11']],
	'config rewrite': [[]],
	channels: [[], [x.app.id, '--prefix', 'pre']],
	channel: [[x.app.id, 'presence-cache-room'],
		['--events', '3', x.kept.id, 'tick']],
	sessions: [[], [x.app.id]],
	'sessions show': [[SESSION]],
	'channel purge-cache': [[x.app.id, 'presence-cache-room']],
	'connections list': [[], [x.app.id, '--channel', 'presence-cache-room',
		'--user', 'ann', '--sort', 'age', '--reverse', '--limit', '5']],
	'connections show': [() => [x.c.sid]],
	'connections kill': [() => ['--app', x.spare.id, '--channel', 'c',
		'--reconnect', '--yes'], async () => [(await x.client()).sid],
	async () => {
		await (await x.client()).signin({ id: 'bob' });
		return ['--app', x.app.id, '--user', 'bob'];
	}],
	'users list': [[], [x.app.id]],
	'users show': [[x.app.id, 'ann']],
	'users kick': [async () => {
		await (await x.client()).signin({ id: 'eve' });
		return [x.app.id, 'eve', '--reconnect'];
	}],
	publish: [[x.app.id, 'c', 'e', '{}'],
		() => ['--socket-id', x.c.sid, '--wait', '500ms', x.app.id, 'c', 'e',
			'{}']],
	tail: [[x.app.id, 'tick', '--own', '--events', 'tick', '--grep', 't',
		'--limit', '1'], [x.kept.id, '--since', '5m', '--limit', '1']],
	subscribe: [[x.app.id, 'presence-tick', 'tick', '--user', 'u', '--info',
		'{}', '--events', 'tick', '--grep', 't', '--limit', '1'],
	[x.kept.id, 'tick', '--resume', SESSION, '--limit', '1']],
	sign: [[x.app.id, '1.1', 'presence-a', '{}'],
		['--user', '{"id":"a"}', x.app.id, '1.1']],
	'explain-auth': [['GET', signedTarget(x.app, 'GET',
		`/apps/${x.app.id}/channels`), '--at',
	String(Math.floor(Date.now() / 1000))]],
	'webhook add': [[x.app.id, x.r.url, '--events', 'channel_occupied',
		'--channel-prefix', 'p', '--channel-suffix', 's', '--channel-glob',
		'*', '--header', 'X-A: b', '--batch']],
	'webhook list': [[], [x.app.id]],
	'webhook show': [[x.hook], ['--reveal', x.hook]],
	'webhook set': [[x.hook, 'batch=on', '--header', 'X-A: c'],
		['--no-headers', x.hook]],
	'webhook remove': [() => [x.add()]],
	'webhook test': [[x.hook]],
	'webhook deliveries': [[], [x.hook, '--state', 'done']],
	'webhook retry': [[x.hook]],
	'webhook purge': [['--waiting', x.hook]],
	'verify-webhook': [[x.app.id, hmac(x.app.secret, 'body'), x.body]],
	doctor: [[], [x.app.id, '--channel', 'c', '--url',
		`http://127.0.0.1:${x.d.port}`]],
	reload: [[], ['--wait']],
	'worker replace': [['0']],
	upgrade: [[], ['--binary', PUSHERD]],
	'log-level': [['info']],
	console: [[], ['--app', x.app.id, '--read-only', '--ttl', '5']],
	bench: [['connect', '--host', '127.0.0.1', '--port', String(x.d.port),
		'--app', x.app.id, '--clients', '5', '--seconds', '1', '--channels',
		'1', '--at-once', '5', '--pid', String(x.d.child.pid)]],
	drain: [['--time', '0', '--wait']], // the last: it ends the daemon
});

// Tried in tests of their own: shapes of a measurement; CSV is not JSON.
const ELSEWHERE = { stats: ['--csv'], bench: ['--app-id', '--key',
	'--secret-from', '--subscriptions', '--publishers', '--in-flight', '--rate',
	'--batch', '--size', '--slow', '--sources', '--processes', '--tls', '--resume'] };

describe('every command', () => {
	const d = new Daemon({ webhook_allow_private: 'on', workers: 2,
		console_url: 'http://127.0.0.1:6003' });
	const x = { d, n: 0 };
	let table;
	let tick;

	before(async () => {
		x.app = d.app({ client_events: 'on' });
		x.spare = d.app();
		x.kept = d.app({ resume: 'on' });
		x.client = () => Client.connect(d, x.app);
		const file = (name, text) => {
			fs.writeFileSync(path.join(d.dir, name), text);
			return path.join(d.dir, name);
		};
		x.secret = file('secret', 'a-secret-of-a-file\n');
		x.body = file('body', 'body');
		x.file = file('pusherd.conf', '');
		x.soketi = file('soketi.json',
			'[{"id":"so","key":"sok","secret":"sos"}]');
		await d.start();
		x.r = await Receiver.start();
		x.add = () => String(d.ctl(['webhook', 'add', x.app.id,
			x.r.url])[0].webhook);
		x.hook = x.add();
		x.c = await x.client();
		x.c.sock.unref();
		await x.c.signin({ id: 'ann' });
		await x.c.join('presence-cache-room', 'ann');
		// A command that goes on until it has seen an event gets one.
		tick = setInterval(() => [x.app, x.kept].forEach((app) =>
			d.ctlAsync(['publish', app.id, 'tick', 'tick', 't'])), 300);
		x.away = await Client.connect(d, x.kept, { path:
			`/app/resume/${SESSION}/app/${x.kept.key}?protocol=7` });
		x.away.sock.unref();
		table = calls(x);
	});
	after(async () => {
		clearInterval(tick);
		await x.r.stop();
		try {
			await d.stop();
		} finally {
			d.kill();
		}
	});

	test('the table has them all, and every option', () => {
		assert.deepEqual(Object.keys(table).sort(),
			[...COMMANDS.keys()].sort());
		for (const [name, known] of COMMANDS) {
			const used = table[name].map(String).join();
			for (const option of known)
				assert.ok(used.includes(option) ||
					ELSEWHERE[name]?.includes(option),
				`${name} ${option} is never used here`);
		}
	});

	for (const name of [...COMMANDS.keys()].sort((a, b) =>
		(a === 'drain') - (b === 'drain')))
		test(name, async () => {
			const first = name === 'config rewrite' ? ['-c', x.file] : [];
			for (const json of name === 'drain' ? [true] : [true, false]) {
				for (const call of table[name]) {
					x.n++;
					const words = typeof call === 'function' ? await call() :
						calls(x)[name][table[name].indexOf(call)];
					const r = await d.ctlAsync([...first, ...(json ? ['-j'] : []),
						...name.split(' '), ...words]);
					assert.equal(r.code, 0,
						`${name} ${words.join(' ')}: ${r.err}`);
					assert.doesNotMatch(r.err, /Sanitizer|runtime error:/);
					if (json)
						for (const l of r.out.split('\n').filter(Boolean))
							JSON.parse(l);
				}
			}
			const r = d.ctlRaw([...name.split(' '), '--help']);
			assert.equal(r.code, 0);
			assert.equal(anyOptions(r.out), anyOptions(help(...name.split(' '))));
			const bad = d.ctlRaw([...name.split(' '), '--no-such-option']);
			assert.equal(bad.code, 2);
			assert.match(bad.err, /there is no option --no-such-option/);
		});

	test('drain has ended it', () =>
		until('the daemon to end', () => d.exit));
});

describe('output of every command', () => {
	// `a b|c ARGS` in a cell of README's table -> ['a b', 'a c'].
	const cells = read('README.md').split('| command | what it does |')[1]
		.split('\n\n')[0].split('\n').slice(2)
		.flatMap((line) => line.split(/(?<!\\)\|/).slice(1, 2))
		.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)])
		.map((m) => m[1].replace(/\\\|/g, '|'));
	const names = (cell) => {
		const [one, two = ''] = cell.split(' ');
		return two.split('|').map((w) => (COMMANDS.has(`${one} ${w}`) ?
			`${one} ${w}` : one));
	};

	test('README: its commands and options exist, and none is left out', () => {
		assert.ok(cells.length >= 25);
		const seen = new Set();
		for (const cell of cells)
			for (const name of names(cell)) {
				assert.ok(COMMANDS.has(name), `README: ${cell}`);
				seen.add(name);
				for (const [option] of cell.matchAll(/--[a-z-]+/g))
					assert.ok(COMMANDS.get(name).includes(option),
						`README: ${cell}: ${option}`);
			}
		assert.deepEqual([...COMMANDS.keys()].filter((n) => !seen.has(n)), [],
			'not in the README');
	});

	test('README and pusherctl(8): their examples work', async () => {
		const d = new Daemon({ workers: 1 });
		await d.start();
		try {
			const man = read('etc/man/pusherctl.8').split('.SH EXAMPLES\n.nf\n')[1]
				.split('.fi')[0].replace(/\\-/g, '-').replace(/\\\(aq/g, '\'')
				.replace(/\\&/g, '').replace(/\\e/g, '\\');
			const shown = [...read('README.md').matchAll(/```sh\n(.*?)```/gs)]
				.flatMap((m) => m[1].split('\n'));
			const lines = [...man.split('\n'), ...shown]
				.filter((l) => /^(build\/)?pusherctl /.test(l));
			assert.ok(lines.length >= 6, lines.join('\n'));
			d.ctl(['app', 'create', '--name', 'demo']);
			for (const line of lines) {
				const own = options(d.conf).map((w) => `'${w}'`).join(' ');
				const command = line.replace(/ -o \S+/g, '')
					.replace(/^(build\/)?pusherctl/, `'${PUSHERCTL}' ${own}`);
				const r = spawnSync('bash', ['-c', command],
					{ env: environment(), encoding: 'utf8' });
				assert.equal(r.status, 0, `${line}: ${r.stderr}`);
			}
		} finally {
			await d.stop();
		}
	});

	test('etc/doc: the commands and options exist', () => {
		const found = fs.readdirSync(path.join(TOP, 'etc/doc'))
			.flatMap((f) => [...read(`etc/doc/${f}`)
				.matchAll(/pusherctl ((?:-\S+ )*)([a-z][^`\n#]*)/g)]
				.map((m) => [f, m[2]]));
		assert.ok(found.length >= 5);
		for (const [file, line] of found) {
			const [one, two] = line.replace(/,.*/, '').split(/\s+/);
			const name = COMMANDS.has(`${one} ${two}`) ? `${one} ${two}` : one;
			assert.ok(COMMANDS.has(name) || [...COMMANDS.keys()].some((n) =>
				n.startsWith(`${one} `)), `${file}: ${line}`);
			for (const [option] of line.matchAll(/--[a-z-]+/g))
				assert.ok(COMMANDS.get(name)?.includes(option),
					`${file}: ${line}: ${option}`);
		}
	});
});
