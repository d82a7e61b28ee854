// SPDX-License-Identifier: MIT
//
// `make run`: one screen, the commands on it, and Ctrl-C.
'use strict';

const assert = require('node:assert/strict');
const { execFileSync, spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { blocksOf } = require('./lib/blocks');
const { launch } = require('./lib/browser');
const { open } = require('./lib/console');
const { environment, PUSHERD, SLOW, until } = require('./lib/daemon');
const { freePort } = require('./lib/port');

const ROOT = path.resolve(__dirname, '../..');
const BUILD = path.relative(ROOT, path.dirname(PUSHERD));

function variables() {
	const env = { ...environment() };
	for (const name of ['MAKEFLAGS', 'MFLAGS', 'MAKELEVEL']) delete env[name];
	return env;
}

function run(dir) {
	const r = { text: '' };
	r.child = spawn('make', ['run', `BUILD=${BUILD}`, `RUN=${dir}`],
		{ cwd: ROOT, env: variables(), detached: true,
			stdio: ['ignore', 'pipe', 'pipe'] });
	r.child.stdout.on('data', (b) => { r.text += b; });
	r.child.stderr.on('data', (b) => { r.text += b; });
	r.exited = new Promise((ok) => { r.child.on('close', ok); });
	r.stop = () => {
		process.kill(-r.child.pid, 'SIGINT'); // as the terminal does
		return r.exited;
	};
	return r;
}

describe('make run', () => {
	let dir;
	let key;

	before(async () => {
		dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-run-'));
		fs.writeFileSync(path.join(dir, 'pusherd.conf'), [
			`database ${dir}/apps.db`, `runtime_dir ${dir}`,
			`log ${dir}/pusherd.log`, 'listen 127.0.0.1:0',
			`listen 127.0.0.1:${await freePort()} role=console`,
			'metrics_listen ""', '',
		].join('\n'));
	});
	after(() => fs.rmSync(dir, { recursive: true, force: true }));

	test('one screen, whose commands work; Ctrl-C ends it', async () => {
		const r = run(dir);
		await until('the screen', () => /Ctrl-C stops/.test(r.text),
			120000 * SLOW);
		const shown = r.text.slice(r.text.indexOf('pusherd is ready'));
		assert.ok(shown.split('\n').length < 24, shown);
		for (const name of ['key', 'secret'])
			assert.match(shown, new RegExp(`^ +${name} [0-9a-f]+$`, 'm'));
		assert.ok(shown.includes(
			"wsPath: '/app/resume/' + crypto.randomUUID()\n"), shown);
		key = /key ([0-9a-f]+)/.exec(shown)[1];
		const commands = shown.match(/^ {2}\S*pusherctl -c .*$/mg);
		assert.equal(commands.length, 3, shown);
		const sh = (text) => spawn('sh', ['-c', text],
			{ cwd: ROOT, env: variables() });
		const sub = sh(`exec ${commands[0]}`);
		let events = '';
		sub.stdout.on('data', (b) => { events += b; });
		sub.stderr.on('data', (b) => { events += b; });
		await until('the subscription', () => /my-channel/.test(events), 20000);
		// README.md prints the second one with the app's name.
		const publish = blocksOf('README.md', 'sh')[1]
			.replace('build/', `${BUILD}/`).replace('run/', `${dir}/`);
		for (const [n, command] of [commands[1], publish].entries()) {
			execFileSync('sh', ['-c', command], { cwd: ROOT, env: variables() });
			await until('the event', () => events.split(/my-event.*world/)
				.length === n + 2, 20000);
		}
		sub.kill();
		assert.match(execFileSync('sh', ['-c', commands[2]],
			{ cwd: ROOT, env: variables(), encoding: 'utf8' }),
		/new Pusher\(/);
		await r.stop();
		assert.ok(!fs.existsSync(path.join(dir, 'pusherd.pid')));
	});

	test('the URL on the screen opens the console in a browser, once',
		async (t) => {
			const r = run(dir);
			t.after(r.stop);
			await until('the screen', () => /Ctrl-C stops/.test(r.text),
				120000 * SLOW);
			const [, url] = /^ +console +(http:\S+#\S+)$/m.exec(r.text);
			const [, later] = /opens once; later: (.*)\)$/m.exec(r.text);
			const browser = await launch();
			t.after(() => browser.close());
			const visit = (address) => open(browser, {
				port: new URL(address).port, token: () => address });
			const page = await visit(url);
			await page.go('#/apps', `#main td >> text=${key}`);
			assert.deepEqual(page.faults, []);
			await page.context().close();
			const second = await browser.newPage();
			await second.goto(url);
			await second.waitForSelector('text=pusherctl console');
			const more = await visit(execFileSync('sh', ['-c', later],
				{ cwd: ROOT, env: variables(), encoding: 'utf8' })
				.match(/http:\S+/)[0]);
			await more.go('#/doctor');
			assert.deepEqual(more.faults, []);
		});

	test('a directory of another user is named, with the remedy', (t) => {
		if (process.getuid() !== 0) return t.skip('only root becomes another');
		const r = spawnSync('sh', ['-s', 'build', dir], { cwd: '/',
			uid: 65534, encoding: 'utf8',
			input: fs.readFileSync(path.join(ROOT, 'etc/run.sh')) });
		assert.equal(r.status, 1, r.stderr);
		assert.match(r.stderr,
			/^\S+ belongs to root: .* sudo chown -R \S+ build \S+\n$/);
	});

	test('a later start keeps the app; a second server is refused', async () => {
		const r = run(dir);
		await until('the screen', () => /Ctrl-C stops/.test(r.text),
			120000 * SLOW);
		assert.ok(r.text.includes(key));
		const again = run(dir);
		assert.notEqual(await again.exited, 0);
		assert.match(again.text, /runs already with/);
		await r.stop();
	});
});
