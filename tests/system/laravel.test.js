// SPDX-License-Identifier: MIT
//
// etc/doc/laravel.md with the Laravel of Debian (8; others by laravel.sh), block
// by block as it stands there: .env, config/broadcasting.php and Echo over TLS;
// the queue's worker, /broadcasting/auth, presence, toOthers(), whispers, resume.
// php/laravel has the application.
'use strict';

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const Pusher = require('pusher-js');
const { Daemon, SLOW, until } = require('./lib/daemon');
const { needs } = require('./lib/deps');
const { freePort } = require('./lib/port');
const { Authority } = require('./lib/tls');

const PAGE = fs.readFileSync(path.resolve(__dirname,
	'../../etc/doc/laravel.md'), 'utf8');

// The block of code that has this text.
const BLOCKS = [...PAGE.matchAll(/^```\w*\n([^]*?)^```$/gm)].map((m) => m[1]);
const block = (text) => BLOCKS.find((b) => b.includes(text));

// Replaces exactly what is there, or fails: the page may have changed.
const fill = (text, changes) => changes.reduce((t, [from, to]) => {
	assert.ok(t.includes(from), `the page has "${from}"`);
	return t.replace(from, to);
}, text);

describe('laravel.md', { timeout: 120000 * SLOW }, () => {
	const tls = new Authority();
	const d = new Daemon({ workers: 2, tls_certificate: tls.file('cert.pem'),
		tls_key: tls.file('key.pem'),
		listen: ['127.0.0.1:0', '127.0.0.1:0 tls'] });
	const app = d.app({ client_events: 'on', resume: 'on' });
	const dir = path.join(d.dir, 'laravel');
	const running = [];
	const echoes = [];
	let Echo;
	let url;
	let version;

	const options = { cwd: dir, env: { ...process.env, LARAVEL: dir,
		no_proxy: '*' } };
	const artisan = (...args) => {
		const r = spawnSync('php', ['app.php', ...args], { ...options,
			encoding: 'utf8', timeout: 60000 });
		assert.equal(r.status, 0, `artisan ${args}: ${r.stdout}${r.stderr}`);
		return r.stdout;
	};
	const start = (args, env) => {
		const log = fs.openSync(`${dir}/log`, 'a');
		const p = spawn('php', args, { ...options,
			env: { ...options.env, ...env }, stdio: ['ignore', log, log] });
		fs.closeSync(log);
		running.push(p);
		return p;
	};
	const serve = async (env) => {
		const port = await freePort();
		start(['-S', `127.0.0.1:${port}`, 'app.php'], env);
		const at = `http://127.0.0.1:${port}`;
		await until('PHP to listen', () =>
			fetch(at).then(() => true, () => false));
		return at;
	};
	const post = (where, headers, at = url) =>
		fetch(`${at}${where}`, { method: 'POST', headers });

	before(async () => {
		needs('laravel');
		({ default: Echo } = await import('laravel-echo'));
		await d.start();
		fs.cpSync(`${__dirname}/php/laravel`, dir, { recursive: true });
		for (const made of ['bootstrap/cache', 'database/migrations', 'storage'])
			fs.mkdirSync(`${dir}/${made}`, { recursive: true });
		fs.writeFileSync(`${dir}/database/database.sqlite`, '');
		fs.writeFileSync(`${dir}/.env`, fill(block('PUSHER_APP_ID'), [
			['BROADCAST_CONNECTION', 'BROADCAST_DRIVER'],
			['APP_ID=…', `APP_ID=${app.id}`], ['APP_KEY=…', `APP_KEY=${app.key}`],
			['SECRET=…', `SECRET=${app.secret}`], ['6001', d.ports[0]]]));
		fs.writeFileSync(`${dir}/config/broadcasting.php`, `<?php
			$pusher = ['driver' => 'pusher', 'key' => env('PUSHER_APP_KEY'),
			'secret' => env('PUSHER_APP_SECRET'),
			'app_id' => env('PUSHER_APP_ID'),
			${block('options')}];
			return ['default' => env('BROADCAST_DRIVER'), 'connections' => [
			'pusher' => $pusher, 'reverb' => ['driver' => 'reverb'] + $pusher]];`);
		version = Number(/^Laravel Framework (\d+)\./
			.exec(artisan('--version'))[1]);
		artisan(version < 11 ? 'queue:table' : 'make:queue-table');
		artisan('migrate', '--force');
		url = await serve();
	});
	after(async () => {
		for (const e of echoes) e.disconnect();
		delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
		for (const p of running)
			if (p.exitCode === null && p.signalCode === null) {
				p.kill();
				await new Promise((ok) => p.once('exit', ok));
			}
		tls.remove();
		await d.stop();
	});

	// Echo as the page makes it, of a browser in which this user is logged in.
	async function echo(user, broadcaster = 'pusher') {
		// pusher-js in Node.js has no place for the authority.
		process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
		const code = fill(block('new Echo').replace(/^import.*\n/gm, ''), [
			["'pusher'", `'${broadcaster}'`],
			['import.meta.env.VITE_PUSHER_APP_KEY', `'${app.key}'`],
			['ws.example.com', '127.0.0.1'], ['443', d.ports[1]],
			['})', `${block('wsPath')}
				authEndpoint: '${url}/broadcasting/auth',
				auth: { headers: ${JSON.stringify({ 'X-User': user })} },
			})`]]);
		// Echo looks for Pusher there.
		global.window ??= {};
		new Function('window', 'Echo', 'Pusher', code)(window, Echo, Pusher);
		const made = window.Echo;
		echoes.push(made);
		const { connection } = made.connector.pusher;
		await until('the connection', () => connection.state === 'connected');
		return made;
	}
	const once = (listen) => new Promise((ok) => listen(ok));
	const subscribed = (channel) => new Promise((ok, bad) => channel
		.subscribed(() => ok(channel)).error(bad));

	test('an event waits for the queue\'s worker', async () => {
		const orders = await subscribed((await echo('1')).private('orders.1'));
		const paid = once((ok) => orders.listen('.App\\Paid', ok));
		assert.equal((await post('/pay')).status, 200);
		assert.deepEqual(d.ctl(['channel', app.id, 'private-orders.1',
			'--events', '5']), [], 'nothing was published yet');
		const worker = start(['app.php', 'queue:work', '--sleep=1']);
		assert.deepEqual(await paid, { order: 7 });
		worker.kill();
	});

	test('ShouldBroadcastNow and toOthers() need no worker', async () => {
		const a = await echo('1');
		const seen = [];
		(await subscribed(a.private('orders.1')))
			.listen('.App\\PaidNow', (e) => seen.push(e));
		const b = await subscribed((await echo('1')).private('orders.1'));
		const paid = once((ok) => b.listen('.App\\PaidNow', ok));
		await post('/pay-now', { 'X-Socket-ID': a.socketId() });
		assert.deepEqual(await paid, { order: 8 });
		const both = once((ok) => a.private('orders.1')
			.listen('.App\\PaidNow', ok));
		await post('/pay-now');
		await both;
		assert.deepEqual(seen, [{ order: 8 }]);
	});

	test('from-reverb.md: the driver reverb, which 10.48 has, too, and Echo\'s',
		async () => {
			const at = await serve({ BROADCAST_DRIVER: 'reverb' });
			const orders = await subscribed((await echo('1', 'reverb'))
				.private('orders.1'));
			const paid = once((ok) => orders.listen('.App\\PaidNow', ok));
			const { status } = await post('/pay-now', {}, at);
			assert.equal(status, version < 10 ? 500 : 200);
			if (version < 10) await post('/pay-now');
			assert.deepEqual(await paid, { order: 8 });
		});

	test('/broadcasting/auth lets in who is logged in and may', async () => {
		for (const user of ['2', undefined])
			await assert.rejects(subscribed((await echo(user))
				.private('orders.1')), (e) => e.status === 403);
	});

	test('presence, and whispers', async () => {
		const a = (await echo('1')).join('room');
		assert.deepEqual(await once((ok) => a.here(ok)), [{ name: 'Zoë' }]);
		const joins = once((ok) => a.joining(ok));
		const b = (await echo('2')).join('room');
		const both = once((ok) => b.here(ok));
		assert.deepEqual(await joins, { name: 'Zoë' });
		assert.equal((await both).length, 2);
		const typing = once((ok) => b.listenForWhisper('typing', ok));
		a.whisper('typing', { on: true });
		assert.deepEqual(await typing, { on: true });
	});

	test('Echo gets what was broadcast while it was away', async () => {
		const e = await echo('1');
		const orders = await subscribed(e.private('orders.1'));
		const words = [];
		const got = [];
		orders.listen('.pusher:resume', (w) => words.push(w.status))
			.listen('.App\\PaidNow', (m) => got.push(m.order));
		await post('/pay-now');
		await until('the event', () => got.length === 1);
		d.ctl(['connections', 'kill', '--reconnect', e.socketId()]);
		await post('/pay-now');
		await until('both', () => got.length === 2 &&
			words.at(-1) === 'continued');
	});
});
