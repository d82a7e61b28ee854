// SPDX-License-Identifier: MIT
//
// Resume of a line that was silent for so long that its client is not asked
// any more, of a session that had to make room for another, while a process is
// stopped, and from damaged copies.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const { Daemon, sleep } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { newId, open, enter, settled, datas, begin, cut } =
	require('./lib/resume');

describe('resume: silence and room', () => {
	const d = new Daemon({ resume_ack_interval: 10, resume_sessions: 100 });
	const app = d.app({ resume: 'on', resume_time: '1' });
	const other = d.app({ resume: 'on' });

	before(() => d.start());
	after(() => d.stop());

	// Three questions without an answer: it is not asked any more.
	test('a line that is silent for 16 s continues', async () => {
		let { id, c } = await begin(d, other, 'x');
		await publish(d, other, 'x', 'e', '0');
		await c.expect('e', 'x');
		await settled(c);
		c.answerPings = false;
		const sent = [];
		for (let i = 1; i <= 8; i++) {
			sent.push(`${i}`);
			await publish(d, other, 'x', 'e', `${i}`);
			await sleep(2000);
		}
		c.reset();
		c = await open(d, other, id);
		assert.deepEqual(datas(await enter(c, 'x')), sent);
		await c.close();
	});

	test('a session that expired, and one that made room, hear of a gap',
		async () => {
			const late = newId();
			let c = await open(d, app, late);
			await enter(c, 'x');
			await cut(c);
			await sleep(3000);
			const evicted = newId();
			c = await open(d, other, evicted);
			await enter(c, 'x');
			await cut(c);
			for (let i = 0; i < 100; i++) {
				c = await open(d, other, newId());
				await enter(c, 'x');
				c.reset();
			}
			const show = (id) => d.ctl(['sessions', 'show', id])[0].session;
			for (const [a, id, reason] of [[app, late, 'expired'],
				[other, evicted, 'evicted']]) {
				assert.equal(show(id).state, reason);
				c = await open(d, a, id);
				for (const channel of ['x', 'y'])
					assert.deepEqual(await enter(c, channel),
						{ status: 'gap', reason, events: [] });
				await cut(c);
				await publish(d, a, 'x', 'e', '1');
				c = await open(d, a, id);
				assert.deepEqual(datas(await enter(c, 'x')), ['1']);
				await c.close();
			}
		});
});

describe('resume: stopped processes and damaged copies', () => {
	const d = new Daemon({ workers: 2, resume_ack_interval: 10 });
	const app = d.app({ resume: 'on' });

	before(() => d.start());
	after(() => d.stop());

	for (const role of ['broker', 'worker'])
		test(`a ${role} that is stopped for 3 s during a return`, async () => {
			const id = newId();
			let c = await open(d, app, id);
			await enter(c, role);
			await publish(d, app, role, 'e', '0');
			await c.expect('e', role);
			await cut(c);
			await publish(d, app, role, 'e', '1');
			const pids = d.pidsOf(role);
			for (const pid of pids) process.kill(pid, 'SIGSTOP');
			const back = open(d, app, id).then(async (now) =>
				[now, await enter(now, role)]);
			const sent = publish(d, app, role, 'e', '2');
			await sleep(3000);
			for (const pid of pids) process.kill(pid, 'SIGCONT');
			const [now, r] = await back;
			await sent;
			await publish(d, app, role, 'e', '3');
			const got = datas(r);
			while (!got.includes('3')) got.push(await now.expect('e', role));
			assert.deepEqual(got, ['1', '2', '3']);
			await settled(now);
			now.reset();
			c = await open(d, app, id);
			assert.deepEqual(datas(await enter(c, role)), []);
			await c.close();
		});

	for (const [what, file, at, word] of [
		['log', /resume-\d+\.log$/, 4096 + 20, 'restarted'],
		['sessions', /resume-sessions$/, 0, 'new']])
		test(`a damaged copy of ${what}: one line, and the client is told`,
			async () => {
				d.allow(/apps\.db-resume-.* is damaged or/);
				let { id, c } = await begin(d, app, 'x');
				await cut(c);
				d.signal('SIGTERM');
				await d.exited;
				d.exit = null;
				fs.rmSync(d.conf.runtime_dir, { recursive: true });
				const dir = path.dirname(d.conf.database);
				const name = fs.readdirSync(dir).find((n) => file.test(n));
				const fd = fs.openSync(path.join(dir, name), 'r+');
				fs.writeSync(fd, 'damaged', at);
				fs.closeSync(fd);
				await d.start();
				c = await open(d, app, id);
				const r = await enter(c, 'x');
				assert.equal(r.reason ?? r.status, word);
				await c.close();
				assert.equal(d.logLines().filter((l) =>
					l.includes(name) && /damaged/.test(l)).length, 1);
			});
});

describe('resume: a restart with fewer rows', () => {
	const d = new Daemon({ resume_ack_interval: 10, resume_sessions: 150 });
	const app = d.app({ resume: 'on' });

	before(() => d.start());
	after(() => d.stop());

	// The answer of `come` for each id, 20 at a time.
	const each = async (ids, come) => {
		const words = [];
		for (let i = 0; i < ids.length; i += 20)
			words.push(...await Promise.all(ids.slice(i, i + 20).map(come)));
		return words;
	};
	const visit = async (id) => {
		const c = await open(d, app, id);
		const r = await enter(c, 'x');
		await cut(c);
		return r.reason ?? r.status;
	};
	const restart = async (how) => {
		d.signal('SIGTERM');
		await d.exited;
		d.exit = null;
		Object.assign(d.conf, how);
		await d.start();
	};

	test('a client that lost its row gets a gap, and it is logged',
		async () => {
			d.allow(/20 of 120 sessions are forgotten/);
			const ids = Array.from({ length: 120 }, newId);
			await each(ids, visit);
			await restart({ resume_sessions: 100 });
			assert.equal(d.logLines().filter((l) =>
				/resume_sessions is now 100/.test(l)).length, 1);
			await publish(d, app, 'x', 'e', '1');
			// The table is full: each that comes without a row takes one.
			const rows = d.ctl(['sessions', app.id]).map((r) => r.session);
			const lost = ids.filter((id) => !rows.includes(id));
			assert.deepEqual([rows.length, lost.length], [100, 20]);
			assert.ok((await each(ids.filter((id) => rows.includes(id)), visit))
				.every((w) => w === 'continued'));
			assert.ok((await each(lost, visit)).every((w) => w === 'evicted'));
		});
});
