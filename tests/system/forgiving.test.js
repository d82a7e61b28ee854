// SPDX-License-Identifier: MIT
//
// Small slips of those who configure and call: doubled slashes, a byte order
// mark, an empty body.  And every sentence about a limit names it.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { PUSHERD, environment } = require('./lib/daemon');
const { Http, api } = require('./lib/http');
const { signedTarget } = require('./lib/sign');
const { suite } = require('./lib/suite');

suite('slips', (d) => {
	const app = d.app({ max_subscriptions: 2 });

	for (const to of ['//app/KEY', '/app//KEY', '///app///KEY', '/ws//app/KEY',
		'//ws/app/KEY', '/ws/app/KEY', '/ws///app//KEY'])
		test(`C8: ${to}`, async () => {
			const c = await Client.connect(d, app, {
				path: `${to.replace('KEY', app.key)}?protocol=7` });
			await c.close();
		});

	for (const [wire, signed] of [['//apps/ID/channels', '//apps/ID/channels'],
		['//apps//ID/channels', '/apps/ID/channels'],
		['/ws//apps/ID/channels', '/ws//apps/ID/channels'],
		['/ws//apps/ID/channels', '/apps/ID/channels'],
		['/ws//apps/ID/channels', '/ws/apps/ID/channels'],
		['/apps/ID//channels', '/apps/ID/channels']])
		test(`C8: ${wire}, signed as ${signed}`, async () => {
			const h = await Http.connect(d);
			const query = signedTarget(app, 'GET',
				signed.replace('ID', app.id)).split('?')[1];
			const r = await h.ask('GET', `${wire.replace('ID', app.id)}?${query}`);
			assert.equal(r.status, 200, r.text);
			const bad = await h.ask('GET',
				`${wire.replace('ID', app.id)}?${query}`
					.replace(/.$/, (x) => (x === '0' ? '1' : '0')));
			assert.equal(bad.status, 401, bad.text);
			h.end();
		});

	test('C8: a slash at the end is another path', async () => {
		const r = await api(d, app, 'GET', '/channels/');
		assert.equal(r.status, 404);
	});

	test('C8: the limit of subscriptions is named', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('a');
		await c.subscribe('b');
		c.sendSubscribe('c');
		const { error, message } = await c.expectRefused('c');
		assert.match(error, /max_subscriptions is 2/);
		assert.match(message, /max_subscriptions/);
		await c.close();
	});

	test('C13: an empty body is called so', async () => {
		for (const to of ['/events', '/batch_events'])
			for (const body of [undefined, '']) {
				const r = await api(d, app, 'POST', to, { body });
				assert.equal(r.status, 400);
				assert.match(r.json.error, /the body is empty/);
			}
	});

	test('C13: a form or multipart body is called so', async () => {
		for (const to of ['/events', '/batch_events'])
			for (const [body, re] of [
				['name=e&channel=a&data=x', /looks like a form/],
				['--b\r\nContent-Disposition: form-data\r\n', /multipart/],
				['{"name":', /not valid JSON/], ['   ', /not valid JSON/]]) {
				const r = await api(d, app, 'POST', to, { body });
				assert.equal(r.status, 400);
				assert.match(r.json.error, re);
			}
	});
}, { path_prefix: '/ws', max_auth_failures_per_minute: 0 });

test('C8: a configuration with a byte order mark and CRLF', () => {
	const dir = fs.mkdtempSync(path.join(require('node:os').tmpdir(),
		'pusherd-bom-'));
	const file = path.join(dir, 'pusherd.conf');
	for (const text of ['\ufefflisten 127.0.0.1:7001\r\nworkers 1\r\n',
		'\ufeff# a comment\r\nlisten "127.0.0.1:7001"\r\n', '\ufeff\r\n', '\ufeff']) {
		fs.writeFileSync(file, text);
		const r = spawnSync(PUSHERD, ['-c', file, '-o', `database=${dir}/a.db`,
			'-o', `runtime_dir=${dir}`, '-t'],
			{ encoding: 'utf8', env: environment() });
		assert.equal(r.status, 0, r.stderr);
	}
	fs.writeFileSync(file, 'workers 1\n\ufeffworkers 2\n');
	const r = spawnSync(PUSHERD, ['-c', file, '-t'],
			{ encoding: 'utf8', env: environment() });
	assert.equal(r.status, 1);
	fs.rmSync(dir, { recursive: true });
});
