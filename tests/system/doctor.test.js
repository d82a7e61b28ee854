// SPDX-License-Identifier: MIT
//
// pusherctl doctor: each fault is made for real, and its sentence is read.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const { after, before, describe, test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, until, sleep } = require('./lib/daemon');
const { Authority } = require('./lib/certificate');
const doctor = require('./lib/doctor');
const { authServer, client, server } = require('./lib/official');
const { channelAuth, hmac, signedTarget } = require('./lib/sign');

const d = new Daemon({ workers: 2, max_auth_failures_per_minute: 1000 });

before(async () => {
	d.app();
	await d.start();
});
after(() => d.remove());

const ask = (...args) => doctor.ask(d, ...args);
const found = (...args) => doctor.found(d, ...args);

function get(target) {
	return new Promise((ok, no) => http.get({ host: '127.0.0.1', port: d.port,
		path: target, agent: false }, (r) => {
		r.resume();
		r.on('end', () => ok(r.statusCode));
	}).on('error', no));
}

const NAMES = [
	['private-orders.7', 'orders.7', /new PrivateChannel/],
	['orders.8', 'private-orders.8', /new Channel/],
	['presence-room.1', 'room.1', /new PresenceChannel/],
	['Chat', 'chat', /Publish to Chat/],
	['laravel_database_news', 'news', /^Subscribe to news: laravel_database_ is /],
	['private-my-shop-database-news', 'private-news', / my-shop-database- is /],
	['orders.9', 'my_shop_database_orders.9', /^Publish to orders\.9, with BROADCAST_CONNECTION=pusher /],
	['order-status-4', 'order.status.4', /subscribe to order\.status\.4/],
	['invoices', 'invocies', /Publish to invoices/],
];

for (const [on, to, mend] of NAMES)
	test(`published to ${to}, clients on ${on}`, async () => {
		const app = d.app();
		const c = await Client.connect(d, app);
		if (/^presence-/.test(on)) await c.join(on, 'ann');
		else await c.subscribe(on);
		await server(d, app).trigger(to, 'e', {});
		const f = await found('channel_name', app.id);
		assert.equal(f.finding, `Events are published to ${to}, where nobody` +
			` is subscribed, but 1 client is on ${on}.`);
		assert.match(f.seen, /^Published once, \d+ s ago\.$/);
		assert.match(f.mend, mend);
		const of = await found('channel_name', app.id, '--channel', to);
		assert.equal(of.finding, f.finding);
		await c.close();
	});

test('other names that are no mistake', async () => {
	const app = d.app();
	const c = await Client.connect(d, app);
	await c.subscribe('orders.7');
	await c.subscribe('abc');
	for (const to of ['orders.8', 'orders.12', 'abd', 'news'])
		await server(d, app).trigger(to, 'e', {});
	assert.deepEqual((await ask(app.id)).findings, []);
	// Asked for, a channel without a subscriber is a finding.
	let f = await found('empty', app.id, '--channel', 'news');
	assert.equal(f.finding, 'Nobody is subscribed to news.');
	assert.match(f.seen, /^Published once, \d+ s ago\.$/);
	assert.match(f.mend, new RegExp(`pusherctl channels ${app.id};`));
	f = await found('empty', app.id, '--channel', 'quite-another');
	assert.equal(f.seen, 'No event is known that came while it was empty.');
	assert.equal((await ask(app.id, '--channel', 'abc')).findings
		.find((x) => x.kind === 'empty'), undefined);
	await c.close();
});

test('the client subscribed too late', async () => {
	const app = d.app();
	await server(d, app).trigger('jobs', 'e', {});
	await sleep(1100);
	const c = await Client.connect(d, app);
	await c.subscribe('jobs');
	const f = await found('late', app.id);
	assert.match(f.finding, /^The first client subscribed to jobs 1\.\d s after/);
	assert.match(f.mend, /resume=on/);
	await c.close();
});

test('the clock is off, the secret is another app\'s', async () => {
	const app = d.app();
	const other = d.app();
	const list = `/apps/${app.id}/channels`;
	const at = Math.floor(Date.now() / 1000) - 731;
	for (let i = 0; i < 3; i++)
		assert.equal(await get(signedTarget(app, 'GET', list,
			{ auth: { auth_timestamp: String(at) } })), 401);
	const clock = await found('api', app.id);
	assert.match(clock.finding, /^3 API requests were answered 401: the sender's clock is 73\d s behind/);
	assert.match(clock.seen, new RegExp(`GET ${list}`));
	assert.match(clock.mend, /timedatectl/);
	const mixed = { ...app, secret: other.secret };
	await assert.rejects(server(d, mixed).trigger('c', 'e', {}));
	const f = await until('the secret', async () => (await ask(app.id))
		.findings.find((x) => x.finding.includes(other.id)));
	assert.match(f.finding, /the secret of another app matches: /);
	const key = { ...app, key: other.key };
	await assert.rejects(server(d, key).trigger('c', 'e', {}));
	const wrong = await until('the key', async () => (await ask(app.id)).findings
		.find((x) => /auth_key is not the key of the app/.test(x.finding)));
	assert.match(wrong.mend, /have to be those of one app: pusherctl app list/);
	assert.match(f.mend, /^Compare key and secret: pusherctl app show --reveal /);
});

test('a proxy changes the path', async () => {
	const app = d.app();
	const back = `http://127.0.0.1:${d.port}`;
	const n = await doctor.nginx(`location /ws/ { proxy_pass ${back}/; }
		location /apps { proxy_pass ${back}/hidden/apps; }
		location /app { proxy_pass ${back}; }`);
	const list = `/ws/apps/${app.id}/channels`;
	const r = await fetch(`http://127.0.0.1:${n.port}` +
		signedTarget(app, 'GET', list));
	assert.equal(r.status, 401);
	const f = await found('api', app.id);
	assert.ok(f.finding.includes(`it was signed for the path ${list}, but ` +
		'arrived without /ws'), f.finding);
	assert.match(f.finding, /path_prefix \/ws/);
	await fetch(`http://127.0.0.1:${n.port}` +
		signedTarget(app, 'GET', `/apps/${app.id}/channels`));
	const p = await found('api');
	const added = (await ask()).findings.find((x) =>
		/prefix \/hidden/.test(x.finding));
	assert.ok(p && added);
	assert.match(added.mend, /path_prefix \/hidden, or let the proxy/);

	// And the upgrade, from outside.
	const url = await found('url', app.id, '--url',
		`http://127.0.0.1:${n.port}`);
	assert.match(url.finding, /\/app answers 426 through the public address/);
	assert.match(url.mend, /proxy_set_header Upgrade/);
	const lost = await found('url', app.id, '--url',
		`http://127.0.0.1:${n.port}/nothing`);
	assert.match(lost.finding, /answers 404/);
	await n.stop();
	const dead = await found('url', app.id, '--url',
		`http://127.0.0.1:${n.port}`);
	assert.match(dead.finding, /cannot be reached/);
	d.allow(/TLS on a listener without TLS/);
	const tls = await found('url', app.id, '--url', `https://127.0.0.1:${d.port}`);
	assert.match(tls.seen, /TLS/);
	assert.match(tls.mend, /^Compare host, port and http or https /);
});

test('an unknown key, near to that of an app', async () => {
	const app = d.app({}, { key: 'abcdef0123456789' });
	for (const [key, re] of [
		['abcdef0123456788', /differs in the last character/],
		['ABCDEF0123456789', /differs in upper and lower case/],
		[app.id, /it is the id of app/],
		['quite-another', /quite-another, which no app has\.$/],
	]) {
		const p = client(8, d, { key });
		const f = await until(key, async () => (await ask()).findings
			.find((x) => x.kind === 'key' && x.finding.includes(` ${key},`)));
		assert.match(f.finding, re);
		p.disconnect();
	}
	assert.match((await found('key')).mend, /Give clients the key abcdef/);
});

test('refused subscriptions: the origin of the signature', async () => {
	const app = d.app();
	const other = d.app();
	const old = await Client.connect(d, app);
	const c = await Client.connect(d, app);
	const member = JSON.stringify({ user_id: 'u', user_info: {} });
	const cases = [
		['private-a', channelAuth(app, old.sid, 'private-a'),
			/another socket id: the answer of the auth endpoint was cached/],
		['private-b', channelAuth({ ...app, secret: other.secret }, c.sid,
			'private-b'), new RegExp(`the secret of app ${other.id}`)],
		['private-c', channelAuth(other, c.sid, 'private-c'),
			new RegExp(`signs with the key of app ${other.id}`)],
		['presence-d', channelAuth(app, c.sid, 'presence-d'),
			/without the channel_data/, member],
		['private-e', channelAuth(app, c.sid, 'e'), /without its prefix/],
		['private-f', `${app.key}:${hmac(`${app.secret}\n`,
			`${c.sid}:private-f`)}`, /a line feed after it/],
		['presence-g', channelAuth(app, c.sid, 'presence-g',
			member.replace('{}', '{ }')), /does not match/, member],
		['private-h', '', /auth is missing/],
	];
	for (const [channel, auth, re, data] of cases) {
		c.sendSubscribe(channel, { auth, data });
		await c.expectRefused(channel);
		const f = await until(channel, async () => (await ask(app.id))
			.findings.find((x) => re.test(x.finding) &&
				x.seen.includes(channel)));
		assert.match(f.finding, /^\d+ subscriptions? w(as|ere) refused: /);
		assert.ok(f.mend.length > 20);
	}
	const altered = (await ask(app.id)).findings.find((f) =>
		/presence-g/.test(f.seen));
	assert.match(altered.mend, /channel_data was changed/);
	await Promise.all([c.close(), old.close()]);
});

test('origins, limits, large events, an app that is disabled', async () => {
	const app = d.app({ allowed_origins: 'https://shop.example',
		max_connections: '1', max_event_bytes: '100' });
	const headers = { Origin: 'https://other.example' };
	const bad = new Client(d, `/app/${app.key}?protocol=7`, { headers });
	await bad.upgraded();
	const origin = await found('origin', app.id);
	assert.match(origin.finding, /allowed_origins is https:\/\/shop\.example/);
	assert.match(origin.seen, /https:\/\/other\.example/);
	assert.match(origin.mend, /pusherctl app set \d+ allowed_origins=/);
	const good = { headers: { Origin: 'https://shop.example' } };
	const c = await Client.connect(d, app, good);
	const more = new Client(d, `/app/${app.key}?protocol=7`, good);
	await more.upgraded();
	const full = await found('client', app.id);
	assert.match(full.finding, /max_connections is 1/);
	assert.match(full.mend, /^pusherctl app set \d+ max_connections=/);
	await assert.rejects(server(d, app).trigger('c', 'e', 'x'.repeat(200)));
	const large = await found('api', app.id);
	assert.match(large.finding, /answered 413: .*\d+.*100/);
	assert.match(large.mend, /max_event_bytes=/);
	await c.close();
	d.ctl(['app', 'disable', app.id]);
	const off = (await ask(app.id)).findings[0];
	assert.equal(off.kind, 'disabled');
	assert.match(off.mend, /app enable/);
});

test('limits of rates: the API\'s and a client\'s', async () => {
	const app = d.app({ max_backend_events_per_second: 1,
		max_client_events_per_second: 1, client_events: 'on' });
	for (let i = 0; i < 4; i++)
		await server(d, app).trigger('c', 'e', {}).catch(() => {});
	const full = await until('the limit', async () => (await ask(app.id))
		.findings.find((x) => x.finding.includes('answered 429: ')));
	assert.match(full.finding, /max_backend_events_per_second/);
	assert.match(full.mend, /app set \d+ max_backend_events_per_second=/);
	const c = await Client.connect(d, app);
	await c.subscribe('private-c');
	for (let i = 0; i < 4; i++) c.trigger('private-c', 'client-e', {});
	const f = await found('client', app.id);
	assert.match(f.finding, /max_client_events_per_second/);
	c.destroy();
});

test('the event arrives: confirmed; then look at its name', async () => {
	const app = d.app({ resume: 'on' });
	const auth = await authServer(server(d, app));
	const all = [1, 2, 3].map((i) => client(8, d, app, auth,
		{ wsPath: i < 3 ? `/app/resume/session-of-client-${i}` : '' }));
	const got = all.map((p) => new Promise((ok) => p.subscribe('private-o')
		.bind('.named', ok).bind('pusher:subscription_succeeded', () => {
			p.there = true;
		}).bind('named', ok)));
	await until('three', () => all.every((p) => p.there));
	await server(d, app).trigger('private-o', 'named', {});
	await Promise.all(got);
	// A receipt: two with a session confirm, the third is counted apart.
	const r = JSON.parse((await d.ctlAsync(['-j', 'publish', '--wait', '5s',
		app.id, 'private-o', 'e', '{}'])).out);
	assert.deepEqual({ ...r, ms: undefined }, { subscriptions: 3,
		resumable: 2, confirmed: 2, ms: undefined });
	assert.ok(r.ms < 5000);
	const f = await until('two confirm', async () =>
		(await ask(app.id, '--channel', 'private-o')).findings.find((x) =>
			/2 of 3 subscribers can confirm .* 2 confirmed/.test(x.seen)));
	assert.match(f.finding, /^private-o has 3 subscribers, and events/);
	assert.match(f.mend, /listen\('\.x'\)/);
	for (const p of all) p.disconnect();
	await auth.stop();
});

test('publish --wait: a client that does not answer, and no session',
	async () => {
		const app = d.app({ resume: 'on' });
		const at = (id) => `/app/resume/${id}/app/${app.key}?protocol=7`;
		const good = await Client.connect(d, app,
			{ path: at('session-that-answers') });
		const mute = await Client.connect(d, app,
			{ path: at('session-that-is-mute') });
		await good.subscribe('c');
		await mute.subscribe('c');
		mute.answerPings = false;
		const publish = async (...args) => {
			const r = await d.ctlAsync(['-j', 'publish', ...args, '{}']);
			return r.code === 0 ? JSON.parse(r.out) : r;
		};
		const r = await publish('--wait', '800ms', app.id, 'c', 'e');
		assert.deepEqual([r.subscriptions, r.resumable, r.confirmed],
			[2, 2, 1]);
		assert.ok(r.ms >= 800, `${r.ms}`);
		const empty = await publish('--wait', '8s', app.id, 'none', 'e');
		assert.deepEqual([empty.subscriptions, empty.resumable,
			empty.confirmed], [0, 0, 0]);
		assert.ok(empty.ms < 1000);
		const except = await publish('--socket-id', mute.sid, '--wait', '8s',
			app.id, 'c', 'e');
		assert.deepEqual([except.resumable, except.confirmed], [1, 1]);
		for (const bad of ['9s', '0s', '2', 's', '-1s', '2m'])
			assert.match((await publish('--wait', bad, app.id, 'c', 'e')).err,
				/up to 8s/);
		// The asker goes away in the middle of it.
		const gone = d.ctlAsync(['publish', '--wait', '3s', app.id, 'c', 'e',
			'{}']);
		mute.destroy();
		await gone;
		await good.close();
	});

describe('nothing is wrong', () => {
	test('says what was looked at, and fits 80 columns', async () => {
		const app = d.app();
		const r = d.ctlRaw(['doctor', app.id, '--channel', 'c']);
		assert.match(r.out.replace(/\s+/g, ' '), /Nobody is subscribed to c\./);
		const all = d.ctlRaw(['doctor']);
		for (const line of `${r.out}${all.out}`.split('\n'))
			assert.ok([...line].length <= 80 && !/ $/.test(line), line);
		assert.equal((await ask(app.id)).findings
			.filter((f) => f.app === app.id).length, 0);
		assert.match(all.out, /\n {2}mend {3}/);
	});

	test('through the public address, by TLS with a good certificate',
		async () => {
			const ca = new Authority();
			const { key, cert } = ca.issue('DNS:localhost,IP:127.0.0.1');
			fs.writeFileSync(`${ca.dir}/k.pem`, key, { mode: 0o600 });
			fs.writeFileSync(`${ca.dir}/c.pem`, cert);
			const t = new Daemon({ listen: ['127.0.0.1:0', '127.0.0.1:0 tls'],
				tls_certificate: `${ca.dir}/c.pem`,
				tls_key: `${ca.dir}/k.pem` });
			const app = t.app();
			t.allow(/expires in/);
			await t.start();
			const url = `https://localhost:${t.ports[1]}`;
			process.env.SSL_CERT_FILE = ca.file;
			let r = await t.ctlAsync(['doctor', app.id, '--url', url]);
			assert.equal(r.code, 0, r.err);
			assert.match(r.out, /nothing wrong found/);
			assert.match(r.out.replace(/\s+/g, ' '),
				/published and received through https:\/\/localhost:\d+ \(/);
			assert.match(r.out.replace(/\s+/g, ' '), / tail \d+/);
			delete process.env.SSL_CERT_FILE;
			r = await t.ctlAsync(['-j', 'doctor', app.id, '--url', url]);
			assert.match(JSON.parse(r.out).findings[0].finding,
				/Browsers refuse the certificate/);
			await t.stop();
			t.remove();
			ca.remove();
		});

	test('an HTTP server that is another one', async () => {
		const s = http.createServer((req, res) => res.end('hello'));
		await new Promise((ok) => s.listen(0, '127.0.0.1', ok));
		const f = await found('url', d.app().id, '--url',
			`http://127.0.0.1:${s.address().port}`);
		assert.match(f.finding, /\/app answers 200 .* instead of 101/);
		assert.match(f.mend, /route \/app and/);
		s.closeAllConnections();
		s.close();
	});
});

// A flood of one stranger: what others have failed at stays.
test('strangers push out nothing, and memory does not grow', async () => {
	const app = d.app();
	const c = await Client.connect(d, app);
	await c.subscribe('private-orders.7');
	await server(d, app).trigger('orders.7', 'e', {});
	await found('channel_name', app.id);
	const evil = await Client.connect(d, app);
	for (let i = 0; i < 2000; i++)
		evil.send({ event: 'pusher:subscribe', data:
			{ channel: `private-${'x'.repeat(i % 100)}${i}`, auth: `k:${i}` } });
	await evil.wait('an answer', () => evil.gone || evil.frames.length > 500);
	evil.destroy();
	assert.match((await found('channel_name', app.id)).finding, /orders\.7/);
	await c.close();
});

test('nothing is left behind', () => d.stop());
