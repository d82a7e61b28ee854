// SPDX-License-Identifier: MIT
//
// The questions of an operator: pusherctl status, stats, top and closes.
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, PUSHERCTL, environment, options, sleep, until } =
	require('./lib/daemon');
const { api } = require('./lib/http');
const { suite } = require('./lib/suite');

const publish = (d, app, channel, data = '{}') => api(d, app, 'POST', '/events',
	{ body: { name: 'e', channel, data } });
const one = (rows) => rows[0];

suite('numbers for an operator', (d) => {
	const app = d.app({ max_connections: 8 });

	test('stats: an app, the server, why and how long', async () => {
		const all = await Client.several(d, app, 3);
		for (const c of all) await c.subscribe('room');
		await publish(d, app, 'room', '"hello"');
		await Promise.all(all.map((c) => c.expect('e')));
		const own = one(d.ctl(['stats', app.id])).app;
		assert.equal(own.app, app.id);
		assert.equal(own.connections, 3);
		assert.equal(own.subscriptions, 3);
		assert.equal(own.channels, 1);
		assert.equal(own.published, 1);
		assert.equal(own.delivered, 3);
		assert.equal(own.api, 1);
		assert.equal(own.api_errors, 0);
		assert.equal(own.messages_in, 3);
		assert.equal(own.connections_limit, 8);
		await all.pop().close(1000);
		all.pop().destroy();
		let s;
		await until('both ends to be counted', () => {
			s = one(d.ctl(['stats']));
			return s.server.ended === 2;
		});
		assert.equal(s.server.connections, 1);
		assert.equal(s.server.opened, 3);
		const row = s.apps.find((a) => a.app === app.id);
		assert.equal(row.delivered, 3);
		const code = (n) => s.codes.find((c) => c.code === n);
		assert.deepEqual(code('1000'), { code: '1000', meaning: 'normal',
			closed: 1, refused: 0 });
		assert.equal(code('1006').closed, 1);
		assert.equal(s.lifetimes.reduce((n, l) => n + l.closed, 0), 2);
		await closeAll(all);
	});

	test('stats: minutes and hours', async () => {
		const all = await Client.several(d, app, 2);
		for (const args of [['--minutes', '5'], ['--hours', '2']])
			for (const who of [[], [app.id]]) {
				const rows = await until('rows', () => {
					const got = d.ctl(['stats', ...who, ...args]);
					return got.length > 0 && got;
				});
				for (const r of rows) {
					assert.equal(r.time % 60, 0);
					assert.ok(r.connections >= 0 && r.messages_in >= 0);
				}
				// The last one is not over.
				assert.ok(rows.length <= Number(args[1]) + 1);
				assert.equal(rows.filter((r) =>
					r.peak_of.includes('connections')).length, 1);
			}
		assert.equal(d.ctlRaw(['stats', '--minutes', '0']).code, 2);
		assert.equal(d.ctlRaw(['stats', '--minutes', '1', '--hours', '1'])
			.code, 2);
		await closeAll(all);
	});

	test('closes: client, time, duration, reason', async () => {
		const c = await Client.connect(d, app);
		const port = c.sock.localPort;
		await c.close(1001);
		const bad = new Client(d, '/app/nobody-knows-it?protocol=7');
		await bad.expectFatal(4001);
		const rows = d.ctl(['closes']);
		const mine = rows.find((r) => r.address === `127.0.0.1:${port}`);
		assert.equal(mine.app, app.id);
		assert.equal(mine.code, 1001);
		assert.equal(mine.by, 'client');
		assert.ok(mine.age >= 0 && mine.bytes_out > 100);
		assert.ok(Math.abs(mine.time - Date.now() / 1000) < 600);
		const refused = rows.find((r) => r.code === 4001);
		assert.equal(refused.app, null);
		assert.equal(refused.by, 'server');
		assert.match(refused.reason, /no app/);
		for (let i = 1; i < rows.length && d.conf.workers === 1; i++)
			assert.ok(rows[i - 1].time >= rows[i].time, 'latest first');
		assert.equal(d.ctl(['closes', '--limit', '1']).length, 1);
		assert.ok(d.ctl(['closes', app.id]).every((r) => r.app === app.id));
	});

	test('status: limits, the nearest first', async () => {
		const all = await Client.several(d, app, 6);
		const { limits, workers } = one(d.ctl(['status']));
		assert.equal(limits[0].limit, `app ${app.id} connections`);
		assert.equal(limits[0].percent, 75);
		assert.equal(limits[0].used, 6);
		assert.equal(limits[0].maximum, 8);
		for (let i = 1; i < limits.length; i++)
			assert.ok(limits[i - 1].percent >= limits[i].percent);
		for (const what of ['connections', 'descriptors', 'memory'])
			assert.ok(limits.some((l) => l.limit === `worker 0 ${what}`), what);
		assert.ok(limits.some((l) => l.limit === 'cached events'));
		assert.ok(workers.every((w) => w.memory > 1e6 && w.descriptors > 5));
		await closeAll(all);
	});

	test('top: one snapshot with rates, into a pipe', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('busy');
		let going = true;
		const load = (async () => {
			while (going) {
				await publish(d, app, 'busy');
				await c.expect('e');
			}
		})();
		const { out, code } = await d.ctlAsync(['-j', 'top']);
		going = false;
		await load;
		assert.equal(code, 0);
		const t = JSON.parse(out);
		assert.equal(t.server.connections, 1);
		assert.ok(t.server.published_per_s > 0);
		assert.equal(t.workers.length, d.conf.workers);
		assert.equal(t.apps[0].app, app.id);
		assert.ok(t.apps[0].out_per_s > 0 && t.apps[0].bytes_out_per_s > 0);
		await c.close();
	});

	test('top on a terminal: refreshes, q ends it, the screen is restored',
		async () => {
			const p = spawn('script', ['-qec', [PUSHERCTL,
				...options(d.conf).map((o) => `'${o}'`), 'top', '--interval',
				'1'].join(' '), '/dev/null'], { env: { ...environment(),
				TERM: 'xterm' }, stdio: ['pipe', 'pipe', 'inherit'] });
			let text = '';
			p.stdout.on('data', (b) => { text += b; });
			await until('two screens', () =>
				text.split('q ends').length > 2, 20000);
			p.stdin.write('q');
			const code = await new Promise((ok) => p.on('close', ok));
			assert.equal(code, 0);
			assert.ok(text.includes('\x1b[?1049h'));
			assert.ok(text.trimEnd().endsWith('\x1b[?1049l'));
			assert.match(text, /CONN/);
		});

	test('numbers survive a worker, and nobody waits for a stopped one',
		async () => {
			const before = one(d.ctl(['stats', app.id])).app;
			const [pid] = d.pidsOf('worker');
			process.kill(pid, 'SIGSTOP');
			let r;
			try {
				r = await d.ctlAsync(['-j', 'stats', app.id]);
			} finally {
				process.kill(pid, 'SIGCONT');
			}
			assert.equal(r.code, 0, r.err);
			assert.equal(JSON.parse(r.out).app.opened, before.opened);
			d.allow(/worker \d.*(ended|died|killed)/, /link/);
			process.kill(pid, 'SIGKILL');
			await until('a new worker', () => d.pidsOf('worker').length ===
				d.conf.workers && !d.pidsOf('worker').includes(pid));
			const s = one(d.ctl(['stats', app.id])).app;
			assert.equal(s.opened, before.opened);
			assert.equal(s.delivered, before.delivered);
		});
});

suite('nobody is there', (d) => {
	test('every verb of numbers answers', () => {
		for (const args of [['status'], ['stats'], ['closes'], ['top'],
			['stats', '--minutes', '3'], ['stats', '--hours', '3']]) {
			assert.equal(d.ctlRaw(args).code, 0, args.join(' '));
			d.ctl(args);
		}
		assert.equal(d.ctlRaw(['stats', 'no-such-app']).code, 1);
		assert.equal(d.ctlRaw(['closes', '--limit', '2000']).code, 2);
		assert.equal(d.ctlRaw(['top', '--interval', 'x']).code, 2);
	});
});

test('a spike is still known when broker and daemon have died', async () => {
	const d = new Daemon({ workers: 2 });
	const app = d.app();
	await d.start();
	const again = async (between = () => {}) => {
		d.signal('SIGTERM');
		await d.exited;
		between();
		d.exit = null;
		await d.start();
	};
	await d.run(async () => {
		// A minute ends under the test: what is asked for are sums.
		const sums = () => {
			const rows = d.ctl(['stats', '--minutes', '10']);
			const sum = (key) => rows.reduce((n, r) => n + r[key], 0);
			assert.ok(rows.every((r) => r.seconds <= 61), 'rows are minutes');
			return { opened: sum('opened'), api: sum('api'),
				out: sum('messages_out'), cpu: sum('cpu_ms'),
				peak: Math.max(...rows.map((r) => r.connections)) };
		};
		const all = await Client.several(d, app, 20);
		await until('20 to be seen', () => sums().peak === 20);
		await closeAll(all);
		await sleep(2200); // the broker writes down, once a second
		const peak = (s) => s.peaks.find((p) => p.peak === 'connections');
		const [before] = d.ctl(['stats']);
		assert.equal(peak(before).value, 20);
		assert.ok(peak(before).cpu_percent >= 0);

		d.allow(/broker|link/);
		const [broker] = d.pidsOf('broker');
		process.kill(broker, 'SIGKILL');
		await until('another broker', () => {
			const r = d.ctlRaw(['-j', 'stats', '--minutes', '10']);
			return r.code === 0 && d.pidsOf('broker')[0] !== broker;
		});
		assert.equal(sums().opened, 20);
		assert.equal(sums().peak, 20);

		await again();
		assert.ok(fs.statSync(path.join(d.dir, 'history')).size < 1 << 18);
		assert.equal(sums().opened, 20);
		assert.equal(peak(d.ctl(['stats'])[0]).value, 20);
		// A file of somebody else stays, and disturbs nothing.
		d.allow(/statistics/);
		await again(() => fs.writeFileSync(path.join(d.dir, 'history'),
			'my diary '.repeat(9)));
		assert.equal(sums().opened, 0);
		d.signal('SIGTERM');
		await d.exited;
		assert.match(fs.readFileSync(path.join(d.dir, 'history'), 'utf8'),
			/^my diary/);
	});
});
