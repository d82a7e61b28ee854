// SPDX-License-Identifier: MIT
//
// Another program takes the place of the running one: which ones may not, and
// that nothing is lost, whichever way and however often it goes.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { test, describe } = require('node:test');
const tls = require('node:tls');
const { Client, closeAll } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { publish } = require('./lib/http');
const programs = require('./lib/programs');
const { Page } = require('./lib/page');
const { Receiver } = require('./lib/receiver');
const { Authority } = require('./lib/tls');

const EXPECTED = [/upgrade: nothing has changed/];

async function daemon(conf = {}) {
	const d = new Daemon({ workers: 2, ...conf });
	d.allow(...EXPECTED);
	const app = d.app({ resume: 'on', webhook_allow_private: 'on' });
	await d.start();
	return { d, app };
}

const upgrade = (d, file) => d.ctlAsync(['-j', 'upgrade',
	...(file === undefined ? [] : ['--binary', file])]);

const pids = (d) => Object.keys(d.processes()).sort();

async function refused(d, file, pattern) {
	const before = pids(d);
	const r = await upgrade(d, file);
	assert.equal(r.code, 1, `${file}: ${r.out}`);
	assert.match(r.err, /nothing has changed, version 0\.1\.0 goes on: /);
	assert.match(r.err, pattern);
	assert.equal(r.out, '');
	assert.deepEqual(pids(d), before);
}

describe('a program that cannot take over', () => {
	test('is refused, and nothing has changed', async () => {
		const { d, app } = await daemon();
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		const put = (name, text, mode) => {
			fs.writeFileSync(path.join(d.dir, name), text, { mode });
			return path.join(d.dir, name);
		};
		const cut = fs.readFileSync(programs.ofVersion(d, '0.1.9'))
			.subarray(0, 5000);
		const state = programs.ofState(d);
		for (const [file, pattern] of [
			['/no/such/program', /No such file or directory/],
			[d.dir, /is not a program that pusherd may execute/],
			[put('plain', 'text', 0o644), /may execute/],
			[put('script', '#!/bin/sh\nexit 0\n', 0o755),
				/it is a script/],
			[put('cut', cut, 0o755), /cut/],
			['/bin/true', /exited with code 0 .* is it pusherd\?/],
			[programs.crashing(d), /was killed by signal/],
			[state.file, new RegExp('version 0.1.0 has state version ' +
				`${state.other}, and the running version 0.1.0 has ` +
				`${state.now}: they cannot take over from each other`)],
			[`/${'x'.repeat(3000)}`, /a full path of at most 2048 bytes/],
		]) {
			if (/x{9}/.test(file)) {
				const r = await upgrade(d, file);
				assert.equal(r.code, 1);
				assert.match(r.err, pattern);
			} else {
				await refused(d, file, pattern);
			}
		}
		await publish(d, app, 'room', 'e', 'still here');
		assert.equal(await c.expect('e'), 'still here');
		await c.close();
		await d.stop();
	});

	test('is refused when it hangs, and the other one serves meanwhile',
		async () => {
			const { d, app } = await daemon();
			const c = await Client.connect(d, app);
			await c.subscribe('room');
			const r = refused(d, programs.hanging(d),
				/has not said within 10 s that it can take over/);
			await until('the trial', () => pids(d).length === 6);
			const second = await upgrade(d);
			assert.equal(second.code, 1);
			assert.match(second.err, /an upgrade is under way/);
			await publish(d, app, 'room', 'e', 'meanwhile');
			assert.equal(await c.expect('e'), 'meanwhile');
			await until('the end of the trial', () => pids(d).length === 5,
				15000);
			await r;
			await c.close();
			await d.stop();
		});

	test('is refused when the files have changed too much', async () => {
		const d = new Daemon({ workers: 1 });
		d.allow(...EXPECTED);
		d.app();
		const file = path.join(d.dir, 'pusherd.conf');
		fs.writeFileSync(file, '');
		await d.start(['-c', file]);
		for (const [text, pattern] of [
			['outbox /tmp/x.db\nsandbox on\n',
				/cannot change in an upgrade: .*sandbox.*: restart/],
			['nonsense 1\n', /pusherd\.conf:1: .*nonsense/],
			[`tls_certificate ${d.dir}/none.pem\n`, /none\.pem/],
		]) {
			fs.writeFileSync(file, text);
			await refused(d, undefined, pattern);
		}
		fs.writeFileSync(file, '');
		const r = await upgrade(d);
		assert.equal(r.code, 0, r.err);
		await d.stop();
	});
});

// Connects again and again, and counts who was refused.
function probe(port) {
	const p = { n: 0, errors: [] };
	const timer = setInterval(() => {
		const s = net.connect(port, '127.0.0.1');
		s.on('connect', () => { p.n++; s.destroy(); });
		s.on('error', (e) => p.errors.push(e.code));
	}, 5);
	p.stop = () => clearInterval(timer);
	return p;
}

describe('upgrades there and back', () => {
	test('lose nothing, refuse nobody, tell webhooks once', async () => {
		const { d, app } = await daemon();
		const hooks = await Receiver.start();
		d.ctl(['webhook', 'add', app.id, hooks.url,
			'--events', 'channel_occupied,channel_vacated']);
		const all = Array.from({ length: 6 }, () => new Page(d, app));
		await until('all to be there', () =>
			all.every((p) => p.statuses.length > 0));
		const plain = await Client.several(d, app, 3);
		await Client.joinAll(plain, 'presence-all',
			(c, i) => ({ id: `user-${i}` }));
		const p = probe(d.port);
		const master = d.child.pid;
		const versions = ['0.1.1', '0.1.0']
			.map((v) => programs.ofVersion(d, v));
		let n = 0;
		let stop = false;
		const publisher = (async () => {
			while (!stop) {
				await publish(d, app, 'room', 'e', String(n++));
				await new Promise((ok) => setTimeout(ok, 3));
			}
		})();
		for (let i = 0; i < 6; i++) {
			const r = await upgrade(d, versions[i % 2]);
			assert.equal(r.code, 0, r.err);
			const report = JSON.parse(r.out);
			assert.equal(report.to, i % 2 === 0 ? '0.1.1' : '0.1.0');
			assert.deepEqual([report.workers, report.closed], [2, 0]);
			assert.ok(report.moved >= 9, r.out);
		}
		stop = true;
		await publisher;
		p.stop();
		const want = Array.from({ length: n }, (_, i) => i);
		for (const page of all) {
			await until('the last event', () => page.got.length >= n);
			assert.deepEqual(page.got, want);
			assert.deepEqual([...new Set(page.statuses.slice(1))]
				.filter((s) => s !== 'continued'), []);
			assert.deepEqual([page.closes, page.cuts], [0, 0]);
		}
		await Promise.all(all.map((page) => page.end()));
		for (const c of plain) await c.quiet();
		await closeAll(plain);
		assert.deepEqual(p.errors, []);
		assert.ok(p.n > 20);
		assert.equal(d.child.pid, master);
		assert.match(fs.readlinkSync(`/proc/${master}/exe`), /0\.1\.0$/);
		// A courier that is replaced before it hears the answer says it
		// again, under the same id.
		const once = new Map(hooks.hooks.map((h) => [h.id, h.json.events]));
		assert.deepEqual([...once.values()].flat()
			.filter((e) => e.channel === 'room').map((e) => e.name),
		['channel_occupied']);
		await d.stop();
	});
});

describe('a program whose processes die', () => {
	for (const [role, why] of [
		['worker', /worker \d is not replaced: \w+ new process has ended/],
		['courier', /the courier of version 0\.1\.1 does not start/],
		['broker', /the broker of version 0\.1\.1 does not start/]]) {
		test(`${role}: the old one goes on with each client`, async () => {
			const { d, app } = await daemon();
			d.allow(/was killed by signal/, /is not replaced/,
				/keeps its clients/, /back to version/);
			const all = await Client.several(d, app, 4);
			for (const c of all) await c.subscribe('room');
			const r = await upgrade(d, programs.dying(d, '0.1.1', role));
			assert.equal(r.code, 1, r.out);
			assert.match(r.err, why);
			assert.match(r.err, /: version 0\.1\.0 goes on\n$/);
			const { version } = d.ctl(['status'])[0].server;
			assert.equal(version, '0.1.0');
			await publish(d, app, 'room', 'e', 'still here');
			for (const c of all)
				assert.equal(await c.expect('e'), 'still here');
			const again = await upgrade(d, programs.ofVersion(d, '0.1.1'));
			assert.equal(again.code, 0, again.err);
			await closeAll(all);
			await d.stop();
		});
	}
});

describe('traffic during an upgrade', () => {
	test('clients with TLS stay over two of them', async () => {
		const a = new Authority();
		const { d, app } = await daemon({
			listen: ['127.0.0.1:0', '127.0.0.1:0 tls'],
			tls_certificate: a.file('cert.pem'),
			tls_key: a.file('key.pem') });
		const sock = () => tls.connect({ port: d.ports[1],
			host: '127.0.0.1', ca: a.ca, servername: 'localhost' });
		const all = await Client.several(d, app, 4, { sock });
		for (const c of all) await c.subscribe('room');
		for (let i = 0; i < 2; i++) {
			const r = await upgrade(d);
			assert.equal(r.code, 0, r.err);
			const report = JSON.parse(r.out);
			assert.equal(report.closed, 0);
			// The second time they are connections from the first one.
			assert.ok(report.moved >= 4);
			assert.equal(report.tls_lingers, i === 0 ? 4 : 0);
			assert.equal(report.linger_seconds, i === 0 ? 3600 : 0);
			await publish(d, app, 'room', 'e', `after ${i}`);
			for (const c of all)
				assert.equal(await c.expect('e'), `after ${i}`);
		}
		await closeAll(all);
		await until('the old processes to leave', () =>
			pids(d).length === 5);
		await d.stop();
		a.remove();
	});

	test('clients with TLS are told to come back before it ends', async () => {
		const a = new Authority();
		const { d, app } = await daemon({ upgrade_linger: 4,
			listen: ['127.0.0.1:0', '127.0.0.1:0 tls'],
			tls_certificate: a.file('cert.pem'),
			tls_key: a.file('key.pem') });
		const sock = () => tls.connect({ port: d.ports[1],
			host: '127.0.0.1', ca: a.ca, servername: 'localhost' });
		const c = await Client.connect(d, app, { sock });
		const plain = await Client.connect(d, app);
		for (const one of [c, plain]) await one.subscribe('room');
		for (let i = 0; i < 2; i++) { // it goes on with the time it has
			const r = await upgrade(d);
			assert.equal(r.code, 0, r.err);
		}
		await c.expectFatal(4200, /restarting/);
		c.destroy();
		await until('the old process to leave', () => pids(d).length === 5);
		await publish(d, app, 'room', 'e', 'last');
		assert.equal(await plain.expect('e'), 'last');
		await plain.close();
		await d.stop();
		a.remove();
	});

	test('kill -9 of a trial, a worker, the broker', async () => {
		const { d } = await daemon();
		d.allow(/was killed by signal 9/, /another one in/,
			/not (taken over|replaced): /, /cannot be answered/);
		const hang = programs.hanging(d);
		const before = pids(d);
		const r = upgrade(d, hang);
		const trial = await until('the trial', () =>
			pids(d).find((pid) => !before.includes(pid)));
		process.kill(Number(trial), 'SIGKILL');
		assert.match((await r).err, /nothing has changed.* signal 9/);
		const count = (text) => d.readLog().split(text).length - 1;
		for (const role of ['worker', 'broker', 'courier']) {
			const [old] = d.pidsOf(role);
			const begun = count('has taken over from version');
			const ended = count('upgrade: done');
			const going = upgrade(d);
			await until('the exec', () =>
				count('has taken over from version') > begun);
			try {
				process.kill(old, 'SIGKILL');
			} catch { /* it has been replaced */ }
			await going; // a broker takes the answer with it
			await until('the end', () => d.pidsOf(role)[0] !== old &&
				count('upgrade: done') > ended && pids(d).length === 5);
		}
		const last = await upgrade(d);
		assert.equal(last.code, 0, last.err);
		await d.stop();
	});
});

describe('the signal', () => {
	test('SIGUSR2 takes the program that lies there now', async () => {
		const { d } = await daemon();
		d.signal('SIGUSR2');
		await until('the upgrade', () =>
			/upgrade: done in \d+ ms/.test(d.readLog()));
		await until('the new files', () =>
			/reload: done/.test(d.readLog()));
		await d.stop();
	});
});
