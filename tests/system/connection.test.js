// SPDX-License-Identifier: MIT
//
// pusherctl connections, users and channel: what is said of clients is true in
// every worker, closing closes whom it names and nobody else, and neither long
// lists nor many closes are felt by others.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Client, OP, closeAll, closeOf } = require('./lib/client');
const { sleep, until } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { suite } = require('./lib/suite');

const KEYS = ['socket_id', 'app', 'worker', 'address', 'age', 'idle', 'user',
	'subscriptions', 'received', 'sent', 'bytes_sent', 'queued', 'confirmed'];
const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

// The close code, whatever comes before it.
async function closeCode(c) {
	for (;;) {
		const f = await c.nextFrame();
		assert.notEqual(f, null, 'dropped without a close');
		if (f.opcode !== OP.CLOSE) continue;
		c.sendFrame(OP.CLOSE, f.payload);
		await c.ended();
		return closeOf(f).code;
	}
}

suite('connections', (d) => {
	const app = d.app();
	const other = d.app();
	const workers = d.conf.workers;

	test('list: one row for each, in every worker', async () => {
		const mine = await Client.onEachWorker(d, app);
		const theirs = await Client.connect(d, other);
		const [rows] = [d.ctl(['connections', 'list', app.id])];
		assert.deepEqual(rows.map((r) => r.socket_id).sort(byText),
			mine.map((c) => c.sid).sort(byText));
		for (const r of rows) {
			assert.deepEqual(Object.keys(r), KEYS);
			const c = mine.find((x) => x.sid === r.socket_id);
			assert.equal(r.app, app.id);
			assert.equal(r.address, `127.0.0.1:${c.sock.localPort}`);
			assert.equal(r.subscriptions, 0);
			assert.equal(r.queued, 0);
			assert.equal(r.user, null);
			assert.ok(r.age < 30 && r.idle < 30, JSON.stringify(r));
		}
		assert.equal(new Set(rows.map((r) => r.worker)).size, workers);
		const all = d.ctl(['connections', 'list']);
		assert.equal(all.length, mine.length + 1);
		assert.ok(all.some((r) => r.socket_id === theirs.sid));
		await closeAll([...mine, theirs]);
	});

	test('list: --channel, --user, --limit', async () => {
		const mine = await Client.onEachWorker(d, app);
		await mine[0].subscribe('news');
		await mine[0].signin('{"id":"ann"}');
		const ids = (...args) => d.ctl(['connections', 'list', app.id, ...args])
			.map((r) => r.socket_id);
		assert.deepEqual(ids('--channel', 'news'), [mine[0].sid]);
		assert.deepEqual(ids('--channel', 'nothing'), []);
		assert.deepEqual(ids('--user', 'ann'), [mine[0].sid]);
		assert.deepEqual(ids('--user', 'an'), []);
		assert.deepEqual(ids('--user', 'ann', '--channel', 'news'),
			[mine[0].sid]);
		assert.equal(ids('--limit', '1').length, 1);
		const [row] = d.ctl(['connections', 'list', app.id, '--user', 'ann']);
		assert.equal(row.user, 'ann');
		assert.equal(row.subscriptions, 1);
		await closeAll(mine);
	});

	test('list: --sort and --reverse', async () => {
		const all = await Client.several(d, app, 6);
		for (const [i, c] of all.entries())
			for (let k = 0; k <= i; k++) await c.subscribe(`s-${k}`);
		const subs = (...more) => d.ctl(['connections', 'list', app.id,
			'--sort', 'subscriptions', ...more]).map((r) => r.subscriptions);
		assert.deepEqual(subs(), [6, 5, 4, 3, 2, 1]);
		assert.deepEqual(subs('--reverse'), [1, 2, 3, 4, 5, 6]);
		assert.deepEqual(subs('--limit', '2'), [6, 5]);
		for (const key of KEYS) {
			const got = d.ctl(['connections', 'list', '--sort', key])
				.map((r) => r[key]).filter((v) => v !== null);
			const want = [...got].sort((a, b) => (typeof a === 'number' ?
				b - a : byText(a, b)));
			assert.deepEqual(got, want, key);
		}
		await closeAll(all);
	});

	test('list: counts of each connection, and the order by them', async () => {
		const own = d.app({ client_events: 'on' });
		const all = await Client.several(d, own, 3);
		await all[0].subscribe('private-x');
		await all[1].subscribe('private-x');
		const rows = () => Object.fromEntries(d.ctl(['connections', 'list',
			own.id]).map((r) => [r.socket_id, r]));
		const before = rows();
		for (let i = 0; i < 5; i++)
			all[0].trigger('private-x', 'client-e', { i });
		for (let i = 0; i < 5; i++) await all[1].expect('client-e');
		const now = rows();
		const grown = (c, key) => now[c.sid][key] - before[c.sid][key];
		assert.equal(grown(all[0], 'received'), 5);
		assert.equal(grown(all[0], 'sent'), 0);
		assert.equal(grown(all[1], 'sent'), 5);
		assert.ok(grown(all[1], 'bytes_sent') > 5 * 50);
		assert.equal(grown(all[2], 'bytes_sent'), 0);
		assert.equal(d.ctl(['connections', 'list', own.id, '--sort',
			'received', '--limit', '1'])[0].socket_id, all[0].sid);
		await closeAll(all);
	});

	test('list as text: a line of tabs for each', async () => {
		const c = await Client.connect(d, app);
		const r = d.ctlRaw(['connections', 'list', app.id]);
		assert.equal(r.code, 0, r.err);
		const cells = r.out.trimEnd().split('\t');
		assert.equal(cells.length, KEYS.length - 1); // "confirmed": only -j
		assert.equal(cells[0], c.sid);
		await c.close();
	});

	test('list: wrong usage', () => {
		for (const [args, re] of [
			[['list', '--channel', 'x'], /need an APP/],
			[['list', '--limit', '0'], /above 0/],
			[['list', '--limit', 'x'], /above 0/],
			[['list', '--sort', 'size'], /no column "size".* received, .*, user$/m],
			[['list', '--reverse'], /needs --sort/],
			[['show', 'x'], /not a socket id/],
			[['kill'], /SOCKET_ID, or an app/],
			[['kill', '1.1', '--app', app.id], /either a SOCKET_ID, or an app/],
			[['kill', '1.1', '--user', 'u'], /need --app/],
			[['kill', '--app', app.id], /--yes/],
		]) {
			const r = d.ctlRaw(['connections', ...args]);
			assert.equal(r.code, 2, args.join(' '));
			assert.match(r.err, re);
		}
		for (const args of [['connections', 'list', 'nobody'],
			['users', 'list', 'nobody'], ['channel', 'nobody', 'x']]) {
			const r = d.ctlRaw(args);
			assert.equal(r.code, 1);
			assert.match(r.err, /"nobody".*app list/);
		}
	});

	test('show: the connection and its channels', async () => {
		const mine = await Client.onEachWorker(d, app);
		for (const c of mine) {
			await c.subscribe('a');
			await c.join('presence-p', 'bob', { n: 1 });
			const [got] = d.ctl(['connections', 'show', c.sid]);
			assert.equal(got.connection.socket_id, c.sid);
			assert.equal(got.connection.subscriptions, 2);
			assert.equal(got.connection.channels_not_shown, 0);
			assert.deepEqual(got.channels, [
				{ channel: 'a', user: null, on: true },
				{ channel: 'presence-p', user: 'bob', on: true }]);
		}
		await closeAll(mine);
		for (const sid of ['1.1', '123456.654321']) {
			const r = d.ctlRaw(['connections', 'show', sid]);
			assert.equal(r.code, 1);
			assert.match(r.err, /no (such )?connection.*\n.*connections list/);
		}
	});

	test('idle counts from the last word of the client', async () => {
		const c = await Client.connect(d, app);
		const idle = () => d.ctl(['connections', 'list', app.id])[0].idle;
		await until('it to be idle', () => idle() >= 2);
		c.send({ event: 'pusher:ping', data: {} });
		await c.next();
		assert.ok(idle() <= 1);
		await c.close();
	});

	test('kill: one, for good', async () => {
		const mine = await Client.onEachWorker(d, app);
		const left = await Client.connect(d, app);
		for (const c of mine) {
			assert.deepEqual(d.ctl(['connections', 'kill', c.sid]),
				[{ closed: 1 }]);
			await c.expectFatal(4009, /terminated/);
		}
		const r = d.ctlRaw(['connections', 'kill', mine[0].sid]);
		assert.equal(r.code, 1);
		assert.match(r.err, /no such connection[^]*to see the connections: .* connections list$/m);
		await left.sync();
		await left.close();
	});

	test('kill --app: all of it, nobody else', async () => {
		const all = await Client.several(d, app, 120);
		const theirs = await Client.onEachWorker(d, other);
		const p = d.ctlAsync(['-j', 'connections', 'kill', '--app', app.id,
			'--yes']);
		const r = await p;
		assert.equal(r.code, 0, r.err);
		assert.deepEqual(JSON.parse(r.out), { closed: 120 });
		for (const c of all) assert.equal(await closeCode(c), 4009);
		for (const c of theirs) await c.sync();
		await closeAll(theirs);
		assert.deepEqual(d.ctl(['connections', 'kill', '--app', app.id,
			'--yes']), [{ closed: 0 }]);
	});

	test('kill --reconnect: they shall come back', async () => {
		const c = await Client.connect(d, app);
		assert.deepEqual(d.ctl(['connections', 'kill', c.sid, '--reconnect']),
			[{ closed: 1 }]);
		assert.equal(await closeCode(c), 4200);
	});

	test('kill --channel', async () => {
		const mine = await Client.onEachWorker(d, app);
		const out = await Client.connect(d, app);
		for (const c of mine) await c.subscribe('room');
		assert.deepEqual(d.ctl(['connections', 'kill', '--app', app.id,
			'--channel', 'room', '--yes']), [{ closed: mine.length }]);
		for (const c of mine) assert.equal(await closeCode(c), 4009);
		await out.sync();
		await out.close();
	});

	test('the control socket: owner and group; changes leave a line', () => {
		const file = path.join(d.conf.runtime_dir, 'ctl.sock');
		assert.equal(fs.statSync(file).mode & 0o777, 0o660);
		const audits = (verb) => d.logLines().filter((l) =>
			l.includes(`control: ${verb}`)).length;
		for (const [verb, args] of [['publish', ['publish', app.id, 'c', 'e',
			'']], ['apps-changed', ['app', 'set', app.id, 'name=x']],
		['kill', ['connections', 'kill', '--app', other.id, '--yes']]]) {
			const n = audits(verb);
			d.ctl(args);
			assert.equal(audits(verb), n + 1, verb);
		}
		const n = d.logLines().filter((l) => /control: /.test(l)).length;
		d.ctl(['status']);
		d.ctl(['connections', 'list']);
		assert.equal(d.logLines().filter((l) => /control: /.test(l)).length,
			n);
	});

	test('the log has every close, with user and process', async () => {
		const c = await Client.connect(d, app);
		d.ctl(['connections', 'kill', c.sid]);
		const lines = d.logLines().map((l) => JSON.parse(l))
			.filter((l) => /control: kill/.test(l.msg));
		const line = JSON.stringify(lines.at(-1));
		assert.match(line, new RegExp(`uid\\W+${process.getuid()}\\b`));
		assert.match(line, /pid\W+\d+/);
	});

	test('users: list, show, kick', async () => {
		const ann = await Client.onEachWorker(d, app);
		const bob = await Client.connect(d, app);
		const anns = await Client.connect(d, other);
		for (const c of ann) await c.signin('{"id":"ann"}');
		await anns.signin('{"id":"ann"}');
		await bob.signin('{"id":"bob","watchlist":["ann"]}');
		assert.deepEqual(d.ctl(['users', 'list', app.id]), [
			{ app: app.id, user: 'ann', connections: workers, watchers: 1 },
			{ app: app.id, user: 'bob', connections: 1, watchers: 0 }]);
		assert.equal(d.ctl(['users', 'list']).length, 3);
		const [got] = d.ctl(['users', 'show', app.id, 'ann']);
		assert.equal(got.user.connections, workers);
		assert.deepEqual(
			got.connections.map((x) => x.socket_id).sort(byText),
			ann.map((c) => c.sid).sort(byText));
		assert.deepEqual(d.ctl(['users', 'kick', app.id, 'ann']),
			[{ closed: workers }]);
		for (const c of ann) assert.equal(await closeCode(c), 4009);
		await anns.sync();
		for (const verb of ['show', 'kick']) {
			const r = d.ctlRaw(['users', verb, app.id, 'ann']);
			assert.equal(r.code, 1);
			assert.match(r.err, /nobody is signed in.*\n.*users list/);
		}
		assert.deepEqual(d.ctl(['users', 'kick', app.id, 'bob',
			'--reconnect']), [{ closed: 1 }]);
		assert.equal(await closeCode(bob), 4200);
		await anns.close();
	});

	test('channel: counts by worker, members, cached event', async () => {
		const name = 'presence-cache-room';
		const mine = await Client.onEachWorker(d, app);
		for (const [i, c] of mine.entries())
			await c.join(name, `u${i % 2}`, { n: 'é"\\' });
		await publish(d, app, name, 'e', 'x'.repeat(100));
		const [got] = d.ctl(['channel', app.id, name]);
		assert.equal(got.channel.channel, name);
		assert.equal(got.channel.subscriptions, workers);
		assert.equal(got.channel.users, Math.min(workers, 2));
		assert.ok(got.channel.cached_bytes > 100);
		assert.ok(got.channel.cached_age <= 10);
		assert.ok(got.channel.cached_ttl > 1000);
		assert.equal(got.workers.length, workers);
		for (const w of got.workers) assert.equal(w.subscriptions, 1);
		assert.deepEqual(got.members.map((m) => m.user),
			workers > 1 ? ['u0', 'u1'] : ['u0']);
		for (const m of got.members) {
			assert.equal(m.connections, workers > 1 ? workers / 2 : 1);
			assert.deepEqual(JSON.parse(m.info), { n: 'é"\\' });
		}
		await closeAll(mine);
		const r = d.ctlRaw(['channel', app.id, 'nothing']);
		assert.equal(r.code, 1);
		assert.match(r.err, /nobody is in .*\n.*channels/);
		assert.equal(d.ctlRaw(['channel', app.id, 'a b']).code, 1);
		d.ctl(['channel', 'purge-cache', app.id, name]);
	});

	test('a worker that dies is left out', async () => {
		if (workers === 1) return;
		const mine = await Client.onEachWorker(d, app);
		d.allow(/ended|link|lost|died|signal/);
		const [pid] = d.pidsOf('worker');
		process.kill(pid, 'SIGKILL');
		await until('it to be replaced', () =>
			d.pidsOf('worker').length === workers &&
			!d.pidsOf('worker').includes(pid));
		await until('the rest to be listed', () => d.ctl(
			['connections', 'list', app.id]).length === workers - 1);
		for (const c of mine) c.sock.destroy();
		await until('nobody to be left', () => d.ctl(
			['connections', 'list', app.id]).length === 0);
	});

	test('B16 1,000 closes are not felt in another app', async () => {
		const all = await Client.several(d, app, 1000);
		const theirs = await Client.onEachWorker(d, other);
		const p = d.ctlAsync(['-j', 'connections', 'kill', '--app', app.id,
			'--yes']);
		let done = false;
		p.then(() => { done = true; });
		let worst = 0;
		while (!done) {
			const at = process.hrtime.bigint();
			for (const c of theirs) await c.sync();
			worst = Math.max(worst, Number(process.hrtime.bigint() - at) / 1e6);
			await sleep(2);
		}
		assert.deepEqual(JSON.parse((await p).out), { closed: 1000 });
		for (const c of all) c.sock.destroy();
		assert.ok(worst < 500 * theirs.length, `${worst} ms`);
		await closeAll(theirs);
	});
});
