// SPDX-License-Identifier: MIT
//
// pusherctl on terminals of 40 to 200 columns: no line is longer than the
// terminal, the important columns stay; what goes into a pipe stays as it
// was, with --header as an addition; a pager gets a heading.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, sleep, until } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { screen, shown, terminal } = require('./lib/terminal');

// Places: what is Japanese takes two.
const width = (line) => [...line].reduce((n, c) =>
	n + (/[\u3000-\u9fff]/.test(c) ? 2 : 1), 0);

function fits(lines, columns, what) {
	for (const l of lines)
		assert.ok(width(l) <= columns, `${what}: ${width(l)} > ${columns}: ${l}`);
}

describe('width', () => {
	const d = new Daemon();
	before(() => d.start());
	after(() => d.stop());
	const app = d.app({ client_events: 'on' },
		{ name: 'the app of a shop with a long name 日本語の名前' });
	for (let i = 0; i < 30; i++) d.app();
	d.ctl(['webhook', 'add', app.id, 'http://127.0.0.1:9/a/rather/long/path/' +
		'to/the/endpoint', '--channel-prefix', 'orders-', '--header',
	'X-One: a value']);
	let clients;

	test('C11: set up', async () => {
		clients = await Client.several(d, app, 5);
		for (const [i, c] of clients.entries()) {
			await c.signin({ id: `a-user-with-a-long-id-${i}`.repeat(3) });
			await c.subscribe(`a-channel-with-a-long-name-${'x'.repeat(100)}`);
			await c.join('presence-room', `日本語のユーザー-${i}`,
				{ text: 'y'.repeat(200) });
		}
		await publish(d, app, 'a', 'e', 'x'.repeat(5000));
		await publish(d, app, `A-channel-with-a-long-name-${'x'.repeat(100)}`,
			'e', '1');
	});

	const listing = [['app', 'list'], ['connections', 'list'],
		['channels'], ['channel', app.id, 'presence-room'],
		['users', 'list'], ['webhook', 'list'], ['webhook', 'deliveries'],
		['stats'], ['stats', '--minutes', '10'], ['stats', '--hours', '2'],
		['stats', app.id], ['closes'], ['config'], ['status'], ['doctor']];
	for (const columns of [40, 80, 132])
		test(`C11: ${columns} columns`, async () => {
			for (const args of listing) {
				const lines = await shown(d, args, { columns });
				// A word of a record is never cut: it may be copied.
				const table = lines.filter((l) => !/^\S+ +\S+$/.test(l) &&
					!/^$/.test(l));
				fits(table, columns, args.join(' '));
				assert.ok(lines.length >= 1, args.join(' '));
			}
		});

	test('C11: the help fits 80 columns', () => {
		const { out } = d.ctlRaw(['help']);
		assert.match(out, /^ {2}app create /m);
		fits(out.split('\n'), 80, 'help');
	});

	test('C11: columns that stay at 80 columns', async () => {
		const [head, first] = await shown(d, ['connections', 'list']);
		assert.match(head, /^SOCKET_ID +APP .*USER/);
		assert.ok(clients.some((c) => first.startsWith(`${c.sid} `)), first);
		assert.match((await shown(d, ['stats', '--minutes', '3']))[0],
			/^TIME +CONNS .*OUT\/S/);
		assert.match((await shown(d, ['webhook', 'deliveries']))[0],
			/^DELIVERY .*STATE/);
		assert.match((await shown(d, ['webhook', 'list']))[0],
			/^WEBHOOK .*STATE .*WAITING .*DROPPED/);
		const narrow = await shown(d, ['connections', 'list'],
			{ columns: 40 });
		assert.match(narrow.at(-1), /^\(no room for worker, /);
	});

	test('C11: output into a pipe does not change', () => {
		const rows = d.ctlRaw(['connections', 'list']).out.trim().split('\n');
		assert.equal(rows.length, 5);
		for (const r of rows) assert.equal(r.split('\t').length, 12);
		const top = d.ctlRaw(['top']).out.split('\n\n');
		assert.equal(top[2].split('\n')[0].split('\t').length, 9);
		assert.equal(top[1].split('\n')[0].split('\t').length, 13);
	});

	for (const [columns, rows] of [[80, 24], [40, 12], [132, 43], [200, 24]])
		test(`C11: top on ${columns} x ${rows}`, async () => {
			const t = terminal(d, ['top'], { columns, rows });
			const last = () => screen(t.out).join('\n').split('\x1b[H\x1b[J')
				.at(-1).split('\n');
			await until('the screen', () => /keys:/.test(last().at(-1)) ||
				(columns < 60 && /^q ends/.test(last().at(-1))));
			for (const [key, name] of [['c', 'connections'], ['n', 'name'],
				['r', 'name, reversed'], ['r', 'name'], ['c', 'connections']]) {
				t.type(key);
				await until(`by ${name}`, () =>
					new RegExp(`^q ends {2}by ${name}( |$)`)
						.test(last().at(-1)));
			}
			const lines = last();
			fits(lines, columns, 'top');
			assert.ok(lines.length <= rows, `${lines.length} lines`);
			assert.match(lines[0], /^pusherctl top {2}\d\d:\d\d:\d\d/);
			assert.match(lines[1], /^connections 5 /);
			const apps = lines.findIndex((l) => /^APP/.test(l));
			assert.match(lines[apps], /^APP +NAME .*CONN/);
			assert.ok(lines[apps + 1].startsWith(`${app.id} `), 'the busiest');
			assert.match(lines[apps + 1], /the app of/);
			t.type('q');
			await t.ended;
			assert.ok(t.out.includes('\x1b[?1049l'), 'the screen is as before');
		});

	test('top on a terminal without a cursor: once, and nothing is drawn',
		async () => {
			const lines = await shown(d, ['top'], { term: 'dumb' });
			assert.ok(lines.some((l) => l.includes('the app of')), lines);
			assert.doesNotMatch(lines.join(), /\x1b/);
		});

	test('C12: --header, before and behind the command', () => {
		const plain = d.ctlRaw(['app', 'list']);
		for (const args of [['--header', 'app', 'list'],
			['app', 'list', '--header']]) {
			const r = d.ctlRaw(args);
			assert.equal(r.code, 0, r.err);
			const at = r.out.indexOf('\n') + 1;
			assert.equal(r.out.slice(0, at),
				'ID\tKEY\tSECRET\tNAME\tENABLED\tOLD_KEY\tOLD_KEY_SECONDS\n');
			assert.equal(r.out.slice(at), plain.out);
		}
		// That of webhook add is another one.
		const r = d.ctlRaw(['webhook', 'add', app.id, 'http://127.0.0.1:9/b',
			'--header', 'X-Two: a']);
		assert.equal(r.code, 0, r.err);
		assert.match(d.ctlRaw(['users', 'list', '--header']).out,
			/^APP\tUSER\tCONNECTIONS\tWATCHERS\n/);
		assert.deepEqual(d.ctl(['--header', 'app', 'show', app.id])[0].id,
			app.id);
	});

	test('C12: a fact is yes or no, a setting on or off', () => {
		const [{ webhook }] = d.ctl(['webhook', 'list']);
		const lines = [['app', 'show', app.id],
			['webhook', 'show', String(webhook)]].map((args) =>
			d.ctlRaw(args).out).join('\n');
		assert.match(lines, /^enabled\tyes$/m);
		assert.match(lines, /^client_events\ton$/m);
		assert.match(lines, /^tls_only\toff$/m);
		assert.match(lines, /^batch\toff$/m);
		const show = d.ctl(['app', 'show', app.id])[0];
		assert.deepEqual([show.enabled, show.client_events, show.tls_only],
			[true, true, false]);
	});

	test('C12: a pager gets a heading', async () => {
		const seen = async (after, env) => (await shown(d, ['app', 'list'],
			{ after, env })).join('\n');
		assert.match(await seen(' | PAGER=cat cat'), /^101\tkey-1/m);
		const more = terminal(d, ['app', 'list'], { after: ' | more' });
		await until('more', () => /ID +KEY +SECRET/.test(more.out));
		more.type('q');
		await more.ended;
	});

	test('C11: clean up', async () => {
		await sleep(0);
		await closeAll(clients);
	});
});
