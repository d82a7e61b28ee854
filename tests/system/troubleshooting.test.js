// SPDX-License-Identifier: MIT
//
// etc/doc/troubleshooting.md: each fault is made for real, the commands of its
// section run as they stand there, and they print what the page says.
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, PUSHERCTL, environment, options, until } =
	require('./lib/daemon');
const { api, publish } = require('./lib/http');
const { client } = require('./lib/official');
const { Receiver } = require('./lib/receiver');
const { channelAuth } = require('./lib/sign');
const { Authority } = require('./lib/tls');

const page = fs.readFileSync(
	path.resolve(__dirname, '../../etc/doc/troubleshooting.md'), 'utf8');
const sections = new Map(page.split(/^## /m).slice(1).map((s) =>
	[s.slice(0, s.indexOf('\n')), s]));
const authority = new Authority();
const d = new Daemon({ workers: 2, listen: ['127.0.0.1:0', '127.0.0.1:0 tls'],
	tls_certificate: authority.file('cert.pem'),
	tls_key: authority.file('key.pem'), webhook_allow_private: 'on',
	max_auth_failures_per_minute: 1000 });
const tried = new Set();
let app;
let other;

before(async () => {
	app = d.app({}, { key: 'abcdefgh-key-1' });
	other = d.app();
	d.allow(/given up/);
	await d.start();
});
after(() => {
	d.remove();
	authority.remove();
});

// The output of the section's commands, in one line of text.
async function run(section, env = {}) {
	tried.add(section);
	const block = /^```sh\n(.*?)^```/ms.exec(sections.get(section))[1];
	const call = [PUSHERCTL, ...options(d.conf)].map((w) => `'${w}'`).join(' ');
	const p = spawn('bash', ['-c', `pusherctl() { ${call} "$@"; }\n${block}`],
		{ env: { ...environment(), APP: app.id, ...env } });
	let out = '';
	for (const s of [p.stdout, p.stderr]) s.on('data', (b) => { out += b; });
	await new Promise((ok) => p.on('close', ok));
	return out.replace(/\s+/g, ' ');
}

// Until they print this sentence, which stands in the section.
async function says(section, sentence, env) {
	assert.ok(sections.get(section).includes(`\`${sentence}\``), sentence);
	let out;
	await until(sentence, async () => {
		out = await run(section, env);
		return out.includes(sentence);
	}, 8000);
	return out;
}

const refusedBy = async (one, name, data) => {
	one.sendSubscribe(name, data);
	await one.expectRefused(name);
};

test('It stays "connecting"', async () => {
	const section = 'It stays "connecting"';
	const url = (port) => ({ URL: `http://127.0.0.1:${port}` });
	let status = 404;
	const proxy = http.createServer((req, res) => res.writeHead(status).end());
	proxy.on('upgrade', (req, socket) => socket.end(
		`HTTP/1.1 ${status} x\r\nContent-Length: 0\r\n\r\n`));
	await new Promise((ok) => proxy.listen(0, '127.0.0.1', ok));
	const { port } = proxy.address();
	const pusher = client('8', { port }, app);
	for (status of [404, 426])
		await says(section, `/app answers ${status} through the public ` +
			'address instead of 101', url(port));
	assert.notEqual(pusher.connection.state, 'connected');
	pusher.disconnect();
	proxy.closeAllConnections();
	await new Promise((ok) => proxy.close(ok));
	await says(section, 'cannot be reached', url(port));
	d.allow(/TLS on a listener without TLS/);
	const secure = client('8', { port: d.port }, app, undefined,
		{ forceTLS: true, wssPort: d.port });
	await says(section, 'Clients speak TLS', url(port));
	assert.notEqual(secure.connection.state, 'connected');
	secure.disconnect();
	d.allow(/plain HTTP on a listener with TLS/);
	const plain = client('8', { port: d.ports[1] }, app);
	await says(section, 'Clients speak plain HTTP', url(port));
	assert.notEqual(plain.connection.state, 'connected');
	plain.disconnect();
});

test('It closes with 4001', async () => {
	const one = new Client(d, '/app/abcdefgh-key-2?protocol=7');
	await one.upgraded();
	const out = await says('It closes with 4001', 'which no app has');
	assert.ok(out.includes(app.key), out);
	one.destroy();
});

test('A private channel is refused', async () => {
	const section = 'A private channel is refused';
	const [one, two] = [await Client.connect(d, app),
		await Client.connect(d, app)];
	await refusedBy(one, 'private-a', { auth: channelAuth(app, two.sid,
		'private-a') });
	await says(section, 'the signature was made for another socket id');
	await refusedBy(one, 'private-b', { auth: channelAuth(
		{ ...app, secret: other.secret }, one.sid, 'private-b') });
	await says(section, 'with the secret of');
	await refusedBy(one, 'presence-c', { auth: channelAuth(app, one.sid,
		'presence-c'), data: '{"user_id":"ann"}' });
	await says(section, 'without the channel_data');
	for (const c of [one, two]) c.destroy();
});

test('An event does not arrive', async () => {
	const section = 'An event does not arrive';
	const one = await Client.connect(d, app);
	await says(section, 'Nobody is subscribed to');
	await one.subscribe('orders-7');
	await publish(d, app, 'orders.7', 'e', '1');
	await says(section, 'where nobody is subscribed, but');
	await api(d, { ...app, secret: 'wrong' }, 'POST', '/events',
		{ body: { name: 'e', channel: 'orders.7', data: '1' } });
	await api(d, { ...app, secret: 'wrong' }, 'POST', '/events',
		{ body: { name: 'e', channel: 'orders.7', data: '1' } });
	await says(section, 'API requests were answered 401');
	await one.subscribe('orders.7');
	await says(section, 'The first client subscribed to');
	const two = await Client.connect(d, app);
	await two.subscribe('orders.7');
	await publish(d, app, 'orders.7', 'e', '1');
	await says(section, 'subscribers, and events');
	for (const c of [one, two]) c.destroy();
});

test('A webhook does not come', async () => {
	const hook = await Receiver.start({ answer: (req, res) =>
		res.writeHead(302, { Location: 'http://127.0.0.1:1/' }).end() });
	d.ctl(['webhook', 'add', app.id, hook.url]);
	const out = await run('A webhook does not come');
	assert.match(out, /302/);
	hook.answer = undefined;
	assert.match(await run('A webhook does not come'), /200|ok|arrived/);
	await hook.stop();
});

test('every section, and every sentence of its table, was tried', () => {
	assert.deepEqual([...sections.keys()], [...tried]);
});

test('nothing is left behind', () => d.stop());
