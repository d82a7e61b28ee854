// SPDX-License-Identifier: MIT
//
// A program that speaks like Redis, until it answers what Redis does not: the
// broker refuses that, and stays.
'use strict';

const assert = require('node:assert/strict');
const net = require('node:net');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { TROUBLES, becomesReady, host, isReady, logSays, metric, tryPublish } =
	require('./lib/cluster');
const { until } = require('./lib/daemon');

const REFUSED = /an answer has not the form that Redis gives it/;

const text = (s) => `$${s.length}\r\n${s}\r\n`;
const array = (...all) => `*${all.length}\r\n${all.join('')}`;
const texts = (...all) => array(...all.map(text));
const NONE = '*-1\r\n';

// Which command it is; the scripts have these words.
const KINDS = [['join', '\'taken\''], ['beat', '\'PTTL\''],
	['send', '\'known\''], ['leave', 'ARGV[5])\nredis.call(\'DEL\''],
	['apps', 'r[2], r[3]']];
const kindOf = ([name, script]) => (name !== 'EVAL' ? name :
	KINDS.find(([, word]) => script.includes(word))?.[0] ?? name);

// The commands in these bytes, and what is left of them.
function commands(bytes) {
	const all = [];
	for (;;) {
		let at = 0;
		const line = () => {
			const end = bytes.indexOf('\r\n', at);
			const s = bytes.slice(at + 1, end);
			at = end === -1 ? NaN : end + 2;
			return s;
		};
		const words = [];
		for (let n = Number(line()); n > 0 && at < bytes.length; n--) {
			const len = Number(line());
			words.push(bytes.slice(at, at + len));
			at += len + 2;
		}
		if (Number.isNaN(at) || words.length === 0 || at > bytes.length)
			return [all, bytes];
		all.push(words);
		bytes = bytes.slice(at);
	}
}

// A Redis with one host.  answers: by kind, what it says instead.
class Fake {
	constructor() {
		Object.assign(this, { answers: {}, asked: {}, entries: [] });
	}

	say([kind, words]) {
		this.asked[kind] = (this.asked[kind] ?? 0) + 1;
		return this.answers[kind] ?? this[kind]?.(words) ??
			`-ERR ${kind}\r\n`;
	}

	SELECT() { return '+OK\r\n'; }
	INFO() { return text('redis_version:7.0.0\r\n'); }
	join([, , , , host, epoch]) {
		this.entries.push([host, epoch, '']); // not read again
		const n = String(this.entries.length);
		return texts('ok', `${n}-0`, n, '', '', 'ab', '');
	}

	beat([, , , , host]) {
		return texts('ok', String(this.entries.length), 'kept', 'ab', host,
			'6000');
	}

	send([, , , , host, epoch, , , data]) {
		this.entries.push([host, epoch, data]);
		return text('ok');
	}

	XREAD(words) {
		const from = Number.parseInt(words.at(-1), 10);
		const news = this.entries.slice(from);
		if (news.length === 0) return NONE;
		return array(array(text('stream'), array(...news.map(
			([h, e, d], i) => array(text(`${from + i + 1}-0`), texts('n',
				String(from + i + 1), 'h', h, 'e', e, 'd', d))))));
	}

	apps() { return texts('0', '', ''); } // no process is needed for them
	leave() { return text('ok'); }
}

async function withFake(fn) {
	const fake = new Fake();
	const server = net.createServer((s) => {
		let rest = '';
		s.on('error', () => {});
		s.on('data', (b) => {
			let all;
			[all, rest] = commands(rest + b.toString('latin1'));
			for (const words of all) {
				const a = fake.say([kindOf(words), words]);
				if (a === NONE) setTimeout(() => s.write(a), 100);
				else s.write(a, 'latin1');
			}
		});
	});
	await new Promise((ok) => server.listen(0, '127.0.0.1', ok));
	const d = host({ url: `redis://127.0.0.1:${server.address().port}` }, 'a',
		{ workers: 1 });
	d.allow(...TROUBLES);
	try {
		await d.run(() => fn(d, fake));
	} finally {
		await new Promise((ok) => server.close(ok));
	}
}

const refusals = (d) =>
	metric(d, 'pusherd_cluster_connection_failures_total');

test('an answer of the wrong form is refused, and the broker stays', () =>
	withFake(async (d, fake) => {
		await d.start();
		await becomesReady(d);
		assert.equal((await tryPublish(d)).status, 200);
		const brokers = d.pidsOf('broker');
		const c = await Client.connect(d, d.shared);
		for (const [kind, answer, provoke = () => {}] of [
			['beat', array()],
			['XREAD', array(array())],
			['send', ':1\r\n', () => tryPublish(d)]]) {
			const before = await refusals(d);
			fake.answers[kind] = answer;
			const done = provoke();
			await until('a refusal', async () => await refusals(d) > before);
			await logSays(d, REFUSED);
			assert.equal(await isReady(d), false);
			// As while Redis is away: clients stay, publishes are refused.
			assert.equal((await tryPublish(d)).status, 503);
			assert.deepEqual(await c.sync(), []);
			fake.answers = {};
			await becomesReady(d);
			await done;
			assert.equal((await tryPublish(d)).status, 200);
			assert.deepEqual(d.pidsOf('broker'), brokers);
		}
		await c.close();
	}));

test('a host whose JOIN is answered so stays outside, and tries again', () =>
	withFake(async (d, fake) => {
		fake.answers.join = texts('ok');
		d.outside = true;
		await d.start();
		await until('two refusals', () => fake.asked.join >= 2);
		await logSays(d, REFUSED);
		assert.equal(await isReady(d), false);
		const brokers = d.pidsOf('broker');
		fake.answers = {};
		await becomesReady(d);
		assert.deepEqual(d.pidsOf('broker'), brokers);
	}));

test('"declared dead" to each broker: most of them stay and wait', () =>
	withFake(async (d, fake) => {
		d.outside = true;
		fake.answers.beat = texts('fenced', '1', 'kept');
		await d.start();
		await until('some tries', () => fake.asked.beat >= 8, 60000);
		const ends = d.readLog().split('joins again').length - 1;
		assert.ok(ends > 0 && ends <= 4, `${ends} brokers ended`);
		fake.answers = {};
		await becomesReady(d);
	}));
