// SPDX-License-Identifier: MIT
//
// pusherctl app import from Sockudo and Reverb: what people have in their
// files becomes apps that work, and nothing of it is lost without a word.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { SLOW } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { suite } = require('./lib/suite');

const toml = (id) => `# a sample
debug = false
host = "0.0.0.0"
port = 6001

[app_manager]
driver = "memory"

[[app_manager.array.apps]]   # the first
id = "${id}-1"
key = 'key-${id}-1'
secret = "s3cret # \\"quoted\\""
enabled = true
max_connections = 1_000
max_client_events_per_second = 50
max_event_payload_in_kb = 20
enable_client_messages = true
allowed_origins = ["https://a.example.com", # one
  "*.example.org"]

[[app_manager.array.apps]]
id = "${id}-2"
key = "key-${id}-2"
secret = "secret-two"
[app_manager.array.apps.policy.limits]
max_presence_members_per_channel = 7
decay_seconds = 1
[app_manager.array.apps.policy.limits.message_rate_limit]
enabled = true
[app_manager.array.apps.policy.history]
enabled = true
[app_manager.array.apps.policy.features]
enable_client_messages = true
enable_watchlist_events = true

[cache]
options = { a = 1, "b c" = [1, 2.5, -3] }
`;

const env = (id) => `APP_NAME=Laravel
APP_KEY=base64:xxxx
REVERB_APP_ID=${id}
REVERB_APP_KEY="key-${id}"   # the key
export REVERB_APP_SECRET='a secret'
REVERB_APP_MAX_CONNECTIONS=
REVERB_APP_ACTIVITY_TIMEOUT=30
REVERB_APP_MAX_MESSAGE_SIZE=10_000_is_wrong
REVERB_HOST="localhost"
`;

suite('import', (d) => {
	const show = (id) => d.ctl(['app', 'show', '--reveal', id])[0];
	let n = 0;

	function run(from, text, ...more) {
		const file = path.join(d.dir, `import-${++n}`);
		fs.writeFileSync(file, text);
		const r = d.ctlRaw(['-j', 'app', 'import', '--from', from, file,
			...more]);
		return { code: r.code, err: r.err,
			...(r.out ? JSON.parse(r.out) : {}) };
	}

	test('Sockudo: TOML', async () => {
		const dry = run('sockudo', toml('dry'), '--dry-run');
		assert.equal(dry.code, 0, dry.err);
		assert.equal(dry.result.written, false);
		assert.equal(d.ctlRaw(['app', 'show', 'dry-1']).code, 1);
		const r = run('sockudo', toml('st'));
		assert.equal(r.code, 0, r.err);
		assert.deepEqual(r.result, { apps: 2, written: true });
		const a = show('st-1');
		assert.equal(a.secret, 's3cret # "quoted"');
		assert.equal(a.max_connections, 1000);
		assert.equal(a.max_client_events_per_second, 50);
		assert.equal(a.max_event_bytes, 20480);
		assert.equal(a.client_events, true);
		assert.equal(a.allowed_origins, 'https://a.example.com *.example.org');
		const b = show('st-2');
		assert.equal(b.max_presence_members, 7);
		assert.equal(b.client_events, true);
		assert.ok(r.fields.some((f) => f.field === 'decay_seconds' &&
			f.result === 'ignored'));
		const said = (field) => r.fields.find((f) => f.field === field);
		assert.match(said('message_rate_limit').note, /max_messages_per_second/);
		assert.match(said('history').note, /resume=on/);
		assert.ok(!JSON.stringify(r).includes('secret-two'));
		await (await Client.connect(d, b)).close();
		await publish(d, b, 'c', 'e', '');
	});

	test('Sockudo: JSON, and its environment', () => {
		const r = run('sockudo', JSON.stringify({ app_manager: { array: {
			apps: [{ id: 'sj', key: 'sjk', secret: 'sjs', policy: {
				limits: { max_connections: 5 } } }] } } }));
		assert.equal(r.code, 0, r.err);
		assert.equal(show('sj').max_connections, 5);
		const e = run('sockudo', 'PORT=6001\nSOCKUDO_DEFAULT_APP_ID=se\n' +
			'SOCKUDO_DEFAULT_APP_KEY=sek\nSOCKUDO_DEFAULT_APP_SECRET=ses\n' +
			'SOCKUDO_DEFAULT_APP_ENABLE_CLIENT_MESSAGES=true\n' +
			'SOCKUDO_DEFAULT_APP_ALLOWED_ORIGINS=https://x.y,https://z\n');
		assert.equal(e.code, 0, e.err);
		// Sockudo has another default for this app than for those of a file.
		for (const [said, there] of [[r, 'no limit'], [e, '100']])
			assert.ok(said.fields.some((f) => f.note ===
				`max_client_events_per_second=10 (Sockudo: ${there})`), there);
		assert.equal(show('se').client_events, true);
		assert.equal(show('se').allowed_origins, 'https://x.y https://z');
	});

	test('Reverb: .env', async () => {
		const bad = run('reverb', env('re'));
		assert.equal(bad.code, 1);
		assert.match(JSON.stringify(bad.fields), /max_message_size/);
		assert.match(bad.err, /nothing was written/);
		const text = env('re').replace(/10_000_is_wrong/, '10000')
			.replace(/REVERB_APP_MAX_CONNECTIONS=\n/, '');
		const r = run('reverb', text);
		assert.equal(r.code, 0, r.err);
		const a = show('re');
		assert.equal(a.key, 'key-re');
		assert.equal(a.secret, 'a secret');
		assert.equal(a.activity_timeout, 30);
		assert.equal(a.max_event_bytes, 10000);
		await publish(d, a, 'c', 'e', '');
	});

	test('C8: a byte order mark, and what Reverb says of client events', () => {
		for (const [from, text] of [
			['reverb', 'REVERB_APP_ID=bom1\nREVERB_APP_KEY=kb1\n' +
				'REVERB_APP_SECRET=s\n'],
			['reverb', '[{"id":"bom2","key":"kb2","secret":"s"}]'],
			['sockudo', '[[apps]]\nid="bom3"\nkey="kb3"\nsecret="s"\n'],
			['soketi', '[{"id":"bom4","key":"kb4","secret":"s"}]']]) {
			const r = run(from, `\ufeff${text}`);
			assert.equal(r.code, 0, r.err);
			assert.equal(from === 'reverb', /off; Reverb lets members.*set bom/
				.test(JSON.stringify(r.fields)));
		}
	});

	test('Reverb: the array of config/reverb.php as JSON', () => {
		for (const [from, on] of [['members', true], ['all', true],
			['none', false]]) {
			const id = `rj-${from}`;
			const r = run('reverb', JSON.stringify([{ key: `k-${id}`,
				secret: 's', app_id: id, options: { host: 'x', port: 443 },
				allowed_origins: ['*'], ping_interval: 60,
				activity_timeout: 30, max_connections: null,
				max_message_size: 10000, accept_client_events_from: from,
				rate_limiting: { enabled: false } }]));
			assert.equal(r.code, 0, r.err);
			assert.equal(show(id).client_events, on);
			assert.equal(show(id).allowed_origins, '');
		}
	});

	test('a dry run says how the apps differ from those that are there', () => {
		const of = (apps) => JSON.stringify(apps.map(([id, more]) =>
			({ id, key: `${id}-key`, secret: `${id}-first-secret`, ...more })));
		const env = (id, secret, more) => `SOCKUDO_DEFAULT_APP_ID=${id}\n` +
			`SOCKUDO_DEFAULT_APP_KEY=${id}-key\n` +
			`SOCKUDO_DEFAULT_APP_SECRET=${secret}\n${more}`;
		const reverb = (id, secret, more) => `REVERB_APP_ID=${id}\n` +
			`REVERB_APP_KEY=${id}-key\nREVERB_APP_SECRET=${secret}\n${more}`;
		const dry = (from, text) => {
			const r = run(from, text, '--dry-run', '--replace');
			assert.equal(r.code, 0, r.err);
			assert.equal(r.result.written, false);
			assert.doesNotMatch(JSON.stringify(r), /-secret/);
			return r.changes;
		};
		const none = { setting: null, from: null, to: null };
		const changed = (app, setting, from, to) =>
			({ app, change: 'changed', setting, from, to });

		assert.equal(run('soketi', of([['da', {}], ['db', {}]])).code, 0);
		assert.deepEqual(dry('soketi', of([['dz', {}], ['db', {}],
			['da', { secret: 'da-other-secret', maxConnections: 9,
				enableClientMessages: true }]])),
		[{ app: 'dz', change: 'new', ...none },
			{ app: 'db', change: 'unchanged', ...none },
			changed('da', 'secret', null, 'changed'),
			changed('da', 'client_events', 'off', 'on'),
			changed('da', 'max_connections', '0', '9')]);
		// Without --replace it says so, too, and what would stop it.
		const r = run('soketi', of([['da', {}]]), '--dry-run');
		assert.equal(r.code, 1);
		assert.equal(r.changes[0].change, 'unchanged');
		assert.match(r.err, /give --replace/);
		const twin = run('soketi', of([['dx', { key: 'da-key' }]]),
			'--dry-run');
		assert.equal(twin.changes[0].change, 'conflict');

		assert.equal(run('sockudo', env('dc', 'dc-1-secret', '')).code, 0);
		assert.deepEqual(dry('sockudo', env('dc', 'dc-2-secret',
			'SOCKUDO_DEFAULT_APP_ENABLE_CLIENT_MESSAGES=true\n')).map((c) =>
			c.setting), ['secret', 'client_events']);
		assert.equal(run('reverb', reverb('dd', 'dd-1-secret', '')).code, 0);
		const of60 = reverb('dd', 'dd-1-secret',
			'REVERB_APP_ACTIVITY_TIMEOUT=60\n');
		assert.deepEqual(dry('reverb', of60), [
			changed('dd', 'activity_timeout',
				String(show('dd').activity_timeout), '60')]);
		assert.equal(show('da').max_connections, 0, 'nothing was written');
		assert.deepEqual(Object.keys(run('reverb', of60, '--replace')),
			['code', 'err', 'fields', 'result']);
		assert.equal(dry('reverb', of60)[0].change, 'unchanged');
	});

	// Each is looked for among all: 25 million comparisons took a minute.
	test('thousands of webhooks are compared with those that exist', () => {
		const hooks = Array.from({ length: 5000 }, (_, i) => ({
			url: `https://hooks.example/${i}`,
			event_types: ['channel_occupied'] }));
		const text = () => JSON.stringify([{ id: 'thousands',
			key: 'thousands-key', secret: 's', webhooks: hooks }]);
		const count = () => d.ctl(['webhook', 'list', 'thousands']).length;
		assert.equal(run('soketi', text()).code, 0);
		assert.equal(count(), 5000);
		hooks.push({ ...hooks[0], url: 'https://hooks.example/one-more' });
		const began = performance.now();
		const dry = run('soketi', text(), '--dry-run', '--replace');
		assert.deepEqual(dry.changes.map((c) => [c.change, c.to]),
			[['new', hooks[5000].url]]);
		assert.equal(run('soketi', text(), '--replace').code, 0);
		const seconds = (performance.now() - began) / 1000;
		assert.ok(seconds < 20 * SLOW, `${seconds} s`);
		assert.equal(count(), 5001);
		d.ctl(['app', 'delete', '--yes', 'thousands']);
	});

	test('C10: webhooks come along, and an equal one only once', () => {
		const hooks = [{ url: 'https://hooks.example/a',
			event_types: ['channel_occupied', 'channel_vacated'],
			filter: { channel_name_starts_with: 'presence-',
				channel_name_ends_with: '-x' },
			headers: { 'X-Token': 'top-hidden' } },
		{ url: 'http://127.0.0.1:9/b', event_types: ['client_event'] }];
		const of = (id, webhooks) => JSON.stringify([{ id, key: `${id}-key`,
			secret: 's', webhooks }]);
		const listed = (id) => d.ctl(['webhook', 'list', id]).map((h) =>
			[h.url, h.events, h['channel-prefix'], h['channel-suffix'],
				h.headers]);
		const want = [['https://hooks.example/a',
			'channel_occupied channel_vacated', 'presence-', '-x',
			'X-Token'], ['http://127.0.0.1:9/b', 'client_event', '', '', '']];

		const dry = run('soketi', of('h1', hooks), '--dry-run');
		assert.deepEqual(dry.changes.map((c) => [c.change, c.setting, c.to]),
			[['new', null, null], ['new', 'webhook', hooks[0].url],
				['new', 'webhook', hooks[1].url]]);
		const first = run('soketi', of('h1', hooks));
		assert.equal(first.code, 0, first.err);
		assert.match(first.err, /will never be delivered/);
		assert.doesNotMatch(JSON.stringify([dry, first]), /hidden/);
		assert.deepEqual(listed('h1'), want);
		const [{ webhook }] = d.ctl(['webhook', 'list', 'h1']);
		assert.equal(d.ctl(['webhook', 'show', String(webhook),
			'--reveal'])[0].headers, 'X-Token: top-hidden');
		// Once more, as text as a table of SQL has it.
		const again = of('h1', JSON.stringify(hooks));
		assert.equal(run('soketi', again, '--dry-run', '--replace')
			.changes[0].change, 'unchanged');
		assert.equal(run('soketi', again, '--replace').code, 0);
		assert.deepEqual(listed('h1'), want);
		hooks[1].event_types.push('cache_miss');
		const more = run('soketi', of('h1', hooks), '--dry-run', '--replace');
		assert.deepEqual(more.changes, [{ app: 'h1', change: 'new',
			setting: 'webhook', from: null, to: hooks[1].url }]);
		// An error in one leaves nothing behind.
		const bad = run('soketi', of('h2', [hooks[0], { url: 'x' }]));
		assert.equal(bad.code, 1);
		assert.match(JSON.stringify(bad.fields), /webhooks\[1\].url/);
		assert.equal(d.ctlRaw(['app', 'show', 'h2']).code, 1);

		const r = run('sockudo', `[[app_manager.array.apps]]
id = "h3"
key = "h3-key"
secret = "s"
[[app_manager.array.apps.policy.webhooks]]
url = "https://hooks.example/a"
event_types = ["channel_occupied", "channel_vacated"]
[app_manager.array.apps.policy.webhooks.filter]
channel_prefix = "presence-"
channel_suffix = "-x"
[app_manager.array.apps.policy.webhooks.headers]
X-Token = "top-hidden"
[[app_manager.array.apps.policy.webhooks]]
lambda = { function_name = "f", region = "r" }
event_types = ["client_event"]
`);
		assert.equal(r.code, 0, r.err);
		assert.match(JSON.stringify(r.fields), /AWS Lambda/);
		assert.deepEqual(listed('h3'), want.slice(0, 1));
	});

	test('an error names its line', () => {
		for (const [from, text, re] of [
			['sockudo', '[a\nb = 1', /line 1: a heading without/],
			['sockudo', '[a]\nb = "x', /line 2: a string without its end/],
			['sockudo', '[a]\nb = 1979-05-27', /line 2: a value/],
			['sockudo', '[a]\nb = """x"""', /line 2: .*several lines/],
			['sockudo', '[a]\nb = 1\nb = 2', /line 3: the same name twice/],
			['sockudo', '[a]\nb = 1 c', /line 2: text after/],
			['sockudo', `[a]\nb = ${'['.repeat(40)}`, /line 2: too deep/],
			['sockudo', '[a]\nb = 1', /not an array of apps.*app_manager/],
			['sockudo', 'PORT=1', /neither JSON.*SOCKUDO_DEFAULT_APP_/],
			['reverb', 'A=1', /neither JSON.*REVERB_APP_/],
			['reverb', '{"apps"', /not JSON/],
			['reverb', 'REVERB_APP_ID="x', /line 1: a string without/],
			['reverb', 'REVERB_APP_ID=1\n', /error/],
			['nginx', '', /only from pusherd, soketi, sockudo and reverb/],
		]) {
			const r = run(from, text);
			assert.notEqual(r.code, 0, text);
			assert.match(r.err, re, text);
		}
	});
});
