// SPDX-License-Identifier: MIT
//
// The findings of pusherctl doctor that are left by doctor.test.js: each fault
// is made for real, and the sentence and the remedy are read.
'use strict';

const assert = require('node:assert/strict');
const net = require('node:net');
const { after, before, test } = require('node:test');
const tls = require('node:tls');
const { Client } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const doctor = require('./lib/doctor');
const { api, publish } = require('./lib/http');
const { freePort } = require('./lib/port');
const { hmac } = require('./lib/sign');
const { Authority } = require('./lib/tls');

const d = new Daemon({ workers: 2, max_auth_failures_per_minute: 1000 });

before(async () => {
	d.app();
	await d.start();
});
after(() => d.remove());

// The finding with this sentence, once it is there.
function says(re, ...args) {
	return until(String(re), async () => (await doctor.ask(d, ...args))
		.findings.find((f) => re.test(f.finding)));
}

async function refused(c, channel, auth) {
	c.sendSubscribe(channel, { auth });
	await c.expectRefused(channel);
}

test('subscriptions: signed with the key, with the old secret, with neither',
	async () => {
		const app = d.app();
		const c = await Client.connect(d, app);
		const auth = (channel, secret, key = app.key) =>
			`${key}:${hmac(secret, `${c.sid}:${channel}`)}`;
		await refused(c, 'private-k', auth('private-k', app.key));
		let f = await says(/: the signature was made with the key\.$/, app.id);
		assert.equal(f.mend, 'Sign with the secret.');
		await refused(c, 'private-n', auth('private-n', 'nobody has it'));
		f = await says(/^2 subscriptions were refused: .*does not match/, app.id);
		const [, command] = /: pusherctl (sign .*)$/.exec(f.mend);
		assert.match(f.seen, /private-n/);
		// It prints the right answer as it stands there.
		assert.equal(d.ctl(command.replace(/'/g, '').split(' '))[0].auth,
			auth('private-n', app.secret));
		await c.close();
	});

test('remedies are commands, or say what has to change', async () => {
	const app = d.app({ allowed_origins: 'https://shop.example' });
	const refuse = async (path, options, code) => {
		const c = new Client(d, path, options);
		await c.upgraded();
		await c.expect('pusher:error');
		await c.expectClose(code);
	};
	const of = `pusherctl app set ${app.id}`;
	for (const [origin, mend] of [["https://x.example'; rm -r '", 'ORIGIN'],
		['https://new.example', 'https://new.example']]) {
		await refuse(`/app/${app.key}?protocol=7`,
			{ headers: { Origin: origin } }, 4009);
		await until(mend, async () => (await says(/origin of the page/, app.id))
			.mend === `${of} allowed_origins='https://shop.example ${mend}'`);
	}
	d.ctl(['app', 'set', app.id, 'allowed_origins=']);
	let f = await says(/allowed_origins is empty by now/, app.id);
	assert.equal(f.mend, 'Every origin may connect by now.');
	await refuse(`/ws/app/${app.key}?protocol=7`, {}, 4005);
	f = await says(/nothing at this path/);
	assert.match(f.mend, /^Take wsPath out of the client, or set the option /);
	const c = await Client.connect(d, app);
	await refused(c, 'chat:5');
	f = await says(/ \(this one has ":"\)\.$/, app.id);
	assert.equal(f.mend, 'Rename the channel: no setting allows other characters.');
	c.trigger('private-x', 'client-x', 1);
	f = await says(/client_events is off/, app.id);
	assert.equal(f.mend, `${of} client_events=on`);
	await c.close();
	for (const [path, query, finding, mend] of [
		['/channels/c/users', {}, /only presence channels have users/,
			/^The sentence says what the client or the request has to change/],
		['/channels', { info: 'subscription_counts' }, /info: /,
			/^Change the parameter info of the request\.$/],
	]) {
		assert.equal((await api(d, app, 'GET', path, { query })).status, 400);
		assert.match((await says(finding, app.id)).mend, mend);
	}
	d.ctl(['app', 'set', app.id, 'tls_only=on']);
	const plain = new Client(d, `/app/${app.key}?protocol=7`);
	f = await says(/encrypted connections only/, app.id);
	assert.match(f.mend, new RegExp(`: ${of} tls_only=off$`));
	plain.destroy();
	d.ctl(['app', 'set', app.id, 'tls_only=off']);
	d.ctl(['app', 'disable', app.id]);
	await refuse(`/app/${app.key}?protocol=7`, {}, 4003);
	f = await says(/told: This app is disabled/, app.id);
	assert.equal(f.mend, `pusherctl app enable ${app.id}`);
	d.ctl(['app', 'enable', app.id]);
	f = await says(/told: This app is disabled/, app.id);
	assert.equal(f.mend, 'It is enabled by now.');
});

test('requests without a signature', async () => {
	const app = d.app();
	const r = await fetch(`http://127.0.0.1:${d.port}/apps/${app.id}/events`,
		{ method: 'POST', body: '{"name":"e","channel":"c","data":"{}"}' });
	assert.equal(r.status, 401);
	const f = await says(/401: the parameter auth_key is missing\.$/, app.id);
	assert.match(f.mend, /^The request is not signed, or a proxy removes/);
});

test('a request whose body is no JSON', async () => {
	const app = d.app();
	const { status } = await api(d, app, 'POST', '/events', { body: '{"name":' });
	assert.equal(status, 400);
	const f = await says(/answered 400: the parameters are not valid JSON/,
		app.id);
	assert.match(f.mend, /^The sentence says what .* the request has to change/);
});

test('subscriptions: the old secret after the key was rotated', async () => {
	const app = d.app();
	const [made] = d.ctl(['app', 'rotate-key', app.id]);
	const c = await Client.connect(d, { ...app, key: made.key });
	await refused(c, 'private-o', `${made.key}:${
		hmac(app.secret, `${c.sid}:private-o`)}`);
	const f = await says(/made with the secret of an old key/, app.id);
	assert.match(f.mend, /the new key and secret/);
	assert.match(f.seen, /private-o/);
	await c.close();
});

test('subscriptions: a limit names its setting', async () => {
	const app = d.app({ max_subscriptions: '1' });
	const c = await Client.connect(d, app);
	await c.subscribe('one');
	c.sendSubscribe('two');
	const f = await says(/max_subscriptions/, app.id);
	assert.equal(f.mend, `pusherctl app set ${app.id} max_subscriptions=...`);
	await c.close();
});

test('subscriptions: a channel that has as many members as it may', async () => {
	const app = d.app({ max_presence_members: '1' });
	const [first, second] = await Client.several(d, app, 2);
	await first.join('presence-room', 'ann');
	second.sendSubscribe('presence-room', { data: { user_id: 'bob' } });
	await second.expectRefused('presence-room', 'LimitReached', 413);
	const f = await says(/^1 subscription was refused: channel has 1 members, /,
		app.id);
	assert.match(f.seen, /presence-room/);
	assert.equal(f.mend, `pusherctl app set ${app.id} max_presence_members=...`);
	await Promise.all([first.close(), second.close()]);
});

test('requests: an id that no app has, and an app that is disabled',
	async () => {
		const app = d.app();
		const lost = await api(d, { ...app, id: 'nobody' }, 'GET', '/channels');
		assert.equal(lost.status, 404);
		let f = await says(/answered 404: there is no app with the id nobody/);
		assert.match(f.mend, /is not the id of an app: pusherctl app list$/);
		d.ctl(['app', 'disable', app.id]);
		await until('403', async () =>
			(await api(d, app, 'GET', '/channels')).status === 403);
		f = await says(/answered 403: the app \S+ is disabled/, app.id);
		assert.equal(f.mend, `pusherctl app enable ${app.id}`);
	});

test('TLS on an address without it', async () => {
	d.allow(/TLS on a listener without TLS/);
	const app = d.app();
	for (let i = 0; i < 2; i++) {
		const s = tls.connect({ port: d.port, host: '127.0.0.1',
			rejectUnauthorized: false });
		await new Promise((ok) => { s.on('error', ok); });
	}
	for (const args of [[], [app.id]]) {
		const f = await until('both', async () => (await doctor.ask(d, ...args))
			.findings.find((x) => x.kind === 'tls' && /2 times/.test(x.seen)));
		assert.equal(f.app, null);
		assert.equal(f.finding, 'Clients speak TLS (wss, https) to an address ' +
			'of this server that has no TLS.');
		assert.match(f.seen,
			/^Seen 2 times, the last \d+ s ago, from 127\.0\.0\.1.*\.$/);
		assert.match(f.mend, /^In pusher-js and Echo set forceTLS: false, and /);
	}
});

test('no TLS on an address with it', async () => {
	const a = new Authority();
	const secure = new Daemon({ listen: ['127.0.0.1:0', '127.0.0.1:0 tls'],
		tls_certificate: a.file('cert.pem'), tls_key: a.file('key.pem') });
	const app = secure.app();
	await secure.start();
	secure.allow(/plain HTTP on a listener with TLS/);
	const [, port] = secure.ports;
	const ask = (line) => new Promise((ok) => {
		const s = net.connect(port, '127.0.0.1', () =>
			s.write(`${line} HTTP/1.1\r\nHost: x\r\n\r\n`));
		let text = '';
		s.on('data', (b) => { text += b; });
		s.on('error', () => {});
		s.on('close', () => ok(text));
	});
	for (const line of ['GET /', 'POST /login', `GET /app/${app.key}`,
		`POST /ws/apps/${app.id}/events`])
		assert.match(await ask(line), /^HTTP\/1\.1 400 .*use https/s);
	// The first two are those of a program that looks for open ports.
	const f = await until('both', async () => (await doctor.ask(secure))
		.findings.find((x) => x.kind === 'tls' && /2 times/.test(x.seen)));
	assert.equal(f.finding, 'Clients speak plain HTTP (ws, http) to an address ' +
		'of this server that has TLS.');
	assert.match(f.seen,
		/^Seen 2 times, the last \d+ s ago, from 127\.0\.0\.1.*\.$/);
	assert.match(f.mend, /^In pusher-js and Echo set forceTLS: true, and /);
	assert.match(secure.readLog(), /plain HTTP .* has to use wss:\/\/ or https/);
	assert.equal(secure.ctl(['closes']).filter((r) =>
		r.reason === 'plain HTTP on a listener with TLS').length, 2);
	const url = await doctor.found(secure, 'url', app.id, '--url',
		`http://127.0.0.1:${port}`);
	assert.match(url.finding, /^\/app answers 400 through the public address/);
	assert.match(url.mend, /give --url https:/);
	await secure.stop();
	a.remove();
});

test('keys: the name, two characters, one that is near none', async () => {
	const app = d.app({}, { key: '0a1b2c3d4e5f6071', name: 'the-shop' });
	const give = `^Give clients the key ${app.key}\\.$`;
	for (const [key, what, mend] of [
		['the-shop', `; it is the name of app ${app.id}`, give],
		['0a1b2c3d4e5f7072', `; the key of app ${app.id} \\(the-shop\\) ` +
			'differs in one or two characters', give],
		['nobody-knows-it', '', 'Give clients the key of their app: pusherctl '],
	]) {
		const c = new Client(d, `/app/${key}?protocol=7`);
		await c.upgraded();
		await c.expect('pusher:error');
		await c.expectClose(4001);
		const f = await says(new RegExp(
			`^Clients come with the key ${key}, which no app has${what}\\.$`));
		assert.match(f.mend, new RegExp(mend));
		assert.match(f.seen, /^Seen once, \d+ s ago; they get 4001/);
	}
});

async function nextBroker() {
	const resyncs = () => d.readLog().split('resync: complete').length;
	const before = resyncs();
	d.allow(/killed by signal 9|link to the broker lost/);
	process.kill(d.pidsOf('broker')[0], 'SIGKILL');
	await until('the next broker', () => resyncs() > before);
}

// Its client, its backend and its auth endpoint go on with the old key.
async function useOldKey(app, now) {
	const c = new Client(d, `/app/${app.key}?protocol=7`);
	await c.upgraded();
	await c.expect('pusher:error');
	await c.expectClose(4001);
	assert.equal((await api(d, app, 'GET', '/channels')).status, 401);
	const other = await Client.connect(d, { ...app, key: now.key });
	await refused(other, 'private-r', `${app.key}:${
		hmac(app.secret, `${other.sid}:private-r`)}`);
	await other.close();
}

for (const [how, ...end] of [['its overlap is over', '--overlap', '1'],
	['it got no overlap', '--overlap', '0'], ['--finish', '--finish']])
	test(`an old key that has ended: ${how}`, async () => {
		const app = d.app();
		let now;
		if (how === '--finish') {
			[now] = d.ctl(['app', 'rotate-key', app.id]);
			d.ctl(['app', 'rotate-key', app.id, ...end]);
		} else {
			[now] = d.ctl(['app', 'rotate-key', app.id, ...end]);
		}
		await until('the end of the old key', async () =>
			(await api(d, app, 'GET', '/channels')).status === 401);
		// The next write and the next broker know it, too.
		d.ctl(['app', 'set', app.id, 'max_subscriptions=99']);
		await nextBroker();
		await useOldKey(app, now);
		const old = `the old key ${app.key}, which ended \\d+ s ago`;
		let f = await says(new RegExp(`^Clients come with the key ${app.key
		}, which no app has; it is ${old}, of app ${app.id} `), app.id);
		assert.equal(f.app, app.id);
		assert.equal(f.mend, `Give clients the key ${now.key}.`);
		assert.match(f.seen, /^Seen once, \d+ s ago; they get 4001/);
		f = await says(new RegExp(
			`^1 API request was answered 401: auth_key is ${old}\\.$`), app.id);
		assert.match(f.seen, /GET \/apps\/\S+\/channels/);
		const mend = `the new key and secret: pusherctl app show --reveal ${
			app.id}`;
		assert.equal(f.mend, `Give the application ${mend}`);
		f = await says(new RegExp('^1 subscription was refused: the auth ' +
			`endpoint signs with ${old}\\.$`), app.id);
		assert.match(f.seen, /private-r/);
		assert.equal(f.mend, `Give the auth endpoint ${mend}`);
	});

test('a channel: subscribers without a session, and one asked for by a wrong ' +
	'name', async () => {
	const app = d.app();
	const c = await Client.connect(d, app);
	await c.subscribe('private-orders.7');
	await publish(d, app, 'private-orders.7', 'e', '{}');
	let f = await doctor.found(d, 'arrives', app.id, '--channel',
		'private-orders.7');
	assert.match(f.finding, /^private-orders\.7 has 1 subscriber, and events /);
	assert.match(f.seen, new RegExp('^Subscribers now: 1\\.  Without resume=on ' +
		'nobody confirms\\.  Events of the app in the last hour, on all ' +
		'channels: [01]\\.$'));
	assert.match(f.mend, /toOthers\(\) leaves out the page that caused it\.$/);
	f = await doctor.found(d, 'channel_name', app.id, '--channel', 'orders.7');
	assert.match(f.finding, /^You ask for orders\.7, where nobody is subscribed, /);
	assert.equal(f.seen, 'No event is known that came while it was empty.');
	await c.close();
});

test('subscribers, and nobody publishes', async () => {
	const app = d.app({ resume: 'on' });
	const c = await Client.connect(d, app);
	await c.subscribe('quiet');
	const of = () => doctor.ask(d, app.id, '--channel', 'quiet');
	const [f] = (await of()).findings;
	assert.match(f.seen, /The app's log has no event of it\..* channels: 0\.$/);
	assert.match(f.mend, /^The application publishes nothing: .*queue:work/);
	const { looked } = await doctor.ask(d, app.id);
	assert.deepEqual([looked.events_5_minutes, looked.events_hour], [0, 0]);
	let { out } = await d.ctlAsync(['doctor', app.id]);
	assert.match(out.replace(/\s+/g, ' '), /in the last 5 minutes: 0; in the last hour: 0\. next If there should/);
	await publish(d, app, 'quiet', 'e', '{}');
	await publish(d, app, 'other', 'e', '{}');
	await until('both are counted', async () =>
		(await of()).looked.events_hour === 2);
	assert.match((await of()).findings[0].mend, /^pusherctl tail /);
	// The command of a remedy works as it is printed.
	({ out } = await d.ctlAsync(['doctor', app.id, '--channel', 'quiet']));
	assert.match(out.replace(/\s+/g, ' '), / mend \S*pusherctl -o listen=/);
	await c.close();
});

test('an event to a user who is not signed in', async () => {
	const app = d.app();
	const c = await Client.connect(d, app);
	await c.signin({ id: 'ann' });
	await publish(d, app, '#server-to-user-bob', 'e', '{}');
	const f = await doctor.found(d, 'empty', app.id, '--channel',
		'#server-to-user-bob');
	assert.equal(f.finding, 'No client is signed in as user bob.');
	assert.match(f.seen, /^Published once, \d+ s ago\.$/);
	assert.match(f.mend, new RegExp('^Clients have to call pusher\\.signin\\(\\)' +
		`, .*: pusherctl users list ${app.id}$`));
	await c.close();
});

test('a channel with a name of 100 characters', async () => {
	const app = d.app();
	const c = await Client.connect(d, app);
	const name = `orders.${'x'.repeat(91)}.7`;
	await c.subscribe(`private-${name}`);
	await publish(d, app, name, 'e', '{}');
	for (const args of [[], ['--channel', name]]) {
		const f = await doctor.found(d, 'channel_name', app.id, ...args);
		assert.equal(f.finding, `Events are published to ${name}, where nobody ` +
			`is subscribed, but 1 client is on private-${name}.`);
		assert.match(f.seen, /^Published once, \d+ s ago\.$/);
	}
	await c.close();
});

test('the public address: another server answers', async () => {
	const app = d.app();
	const back = `http://127.0.0.1:${d.port}`;
	const upgrade = `location /app/ { proxy_pass ${back}; proxy_http_version 1.1;
		proxy_set_header Upgrade $http_upgrade;
		proxy_set_header Connection "upgrade"; }`;
	for (const [where, prefix, finding, mend] of [
		[`location / { proxy_pass http://127.0.0.1:${await freePort()}; }`, '',
			/^\/app answers 502 through the public address/,
			/^The proxy does not reach pusherd/],
		[`${upgrade} location / { return 404; }`, '',
			/^GET \/apps\/\S+\/channels is answered 404 through the public/,
			/^Route \/apps to pusherd, too/],
		[`${upgrade} location / { return 444; }`, '',
			/^GET \/apps\/\S+\/channels gets no answer through the public/,
			/whether the proxy passes \/apps on/],
		[`location /ws/ { proxy_pass ${back}/; proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection "upgrade"; }`, '/ws',
			/^GET \/ws\/apps\/\S+ is answered 401 through the public/,
			/the proxy must not change the path/],
	]) {
		const n = await doctor.nginx(where);
		const f = await doctor.found(d, 'url', app.id, '--url', n.url + prefix);
		assert.match(f.finding, finding);
		assert.match(f.mend, mend);
		await n.stop();
	}
	const nowhere = await doctor.found(d, 'url', app.id, '--url',
		'http://no-such-host.invalid');
	assert.equal(nowhere.finding, 'The name no-such-host.invalid has no address.');
	assert.match(nowhere.mend, /DNS/);
});

test('the public address: events go to another server; the app is disabled',
	async () => {
		const app = d.app();
		const other = new Daemon();
		other.app({}, { id: app.id, key: app.key, secret: app.secret });
		await other.start();
		const n = await doctor.nginx(`location /app/ {
			proxy_pass http://127.0.0.1:${d.port}; proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection "upgrade"; }
			location /apps/ { proxy_pass http://127.0.0.1:${other.port}; }`);
		const lost = await doctor.found(d, 'url', app.id, '--url', n.url);
		assert.equal(lost.finding,
			`Connected through ${n.url}, but doctor does not come.`);
		assert.match(lost.mend, /pusherctl tail APP/);
		d.ctl(['app', 'disable', app.id]);
		const off = await until('the refusal', async () => {
			const f = await doctor.found(d, 'url', app.id, '--url', n.url);
			return f.finding.includes('pusher:error') && f;
		});
		assert.equal(off.finding, `Connected through ${n.url}, but got ` +
			'pusher:error instead of pusher:connection_established.');
		assert.match(off.seen, /disabled/);
		await n.stop();
		await other.stop();
	});

test('nothing is left behind', () => d.stop());
