// SPDX-License-Identifier: MIT
//
// The official libraries, unmodified: clients of every major version, the
// server library, and an auth endpoint as an application would have it.
'use strict';

const http = require('node:http');
const { after } = require('node:test');
const ServerLibrary = require('pusher');
const { SLOW } = require('./daemon');

// A client that is not told to stop would come back forever.
const open = new Set();
after(() => {
	for (const p of open) p.disconnect();
});

const VERSIONS = { 8: 'pusher-js', 7: 'pusher-js-7', 6: 'pusher-js-6',
	5: 'pusher-js-5', 4: 'pusher-js-4' };

function server(d, app, more = {}) {
	return new ServerLibrary({ appId: app.id, key: app.key,
		secret: app.secret, host: '127.0.0.1', port: String(d.port),
		useTLS: Boolean(d.tls), ...more });
}

// POST /pusher/auth and /pusher/user-auth.  user: what signed-in users and
// presence members are, by the query ?user=NAME.
async function authServer(library) {
	const s = http.createServer((req, res) => {
		let body = '';
		req.on('data', (b) => { body += b; });
		req.on('end', () => {
			const form = new URLSearchParams(body);
			const url = new URL(req.url, 'http://x');
			const id = url.searchParams.get('user') || 'nobody';
			const sid = form.get('socket_id');
			const channel = form.get('channel_name');
			let answer;
			if (url.pathname === '/pusher/user-auth') {
				const watchlist = url.searchParams.getAll('watch');
				answer = library.authenticateUser(sid,
					{ id, user_info: { name: id }, watchlist });
			} else if (channel.startsWith('presence-')) {
				answer = library.authorizeChannel(sid, channel,
					{ user_id: id, user_info: { name: id } });
			} else {
				answer = library.authorizeChannel(sid, channel);
			}
			res.writeHead(200, { 'Content-Type': 'application/json',
				'Access-Control-Allow-Origin': '*' });
			res.end(JSON.stringify(answer));
		});
	});
	await new Promise((ok) => s.listen(0, '127.0.0.1', ok));
	s.unref(); // a test that failed may have left it open
	s.url = `http://127.0.0.1:${s.address().port}`;
	s.stop = () => new Promise((ok) => {
		s.closeAllConnections?.();
		s.close(ok);
	});
	return s;
}

function client(version, d, app, auth, { user = 'nobody', watch = [],
	...more } = {}) {
	const Pusher = require(VERSIONS[version]);
	const endpoint = `${auth?.url}/pusher/auth?user=${user}`;
	const q = watch.map((w) => `&watch=${w}`).join('');
	const p = new Pusher(app.key, {
		wsHost: '127.0.0.1', wsPort: d.port, wssPort: d.port,
		forceTLS: Boolean(d.tls), encrypted: Boolean(d.tls),
		enabledTransports: ['ws', 'wss'], disableStats: true,
		cluster: 'local', authEndpoint: endpoint,
		userAuthentication: { transport: 'ajax',
			endpoint: `${auth?.url}/pusher/user-auth?user=${user}${q}` },
		...more,
	});
	open.add(p);
	return p;
}

// The next event of an emitter of pusher-js.
function once(emitter, event, ms = 10000) {
	return new Promise((resolve, reject) => {
		const late = setTimeout(() =>
			reject(new Error(`no ${event} from pusher-js`)), ms * SLOW);
		const on = (data) => {
			clearTimeout(late);
			emitter.unbind(event, on);
			resolve(data);
		};
		emitter.bind(event, on);
	});
}

async function connected(p) {
	if (p.connection.state !== 'connected')
		await once(p.connection, 'connected');
	return p;
}

module.exports = { VERSIONS, server, authServer, client, once, connected };
