// SPDX-License-Identifier: MIT
//
// Clients with a session, as they are published: pusher-js in Node.js and in
// Chromium, Laravel Echo, and WebSocket clients of five languages that come
// back by their own means.  Each tells a Resumer what happens to it, in order.
'use strict';

const path = require('node:path');
const { launch, serve } = require('../../system/lib/browser');
const { VERSIONS, client } = require('../../system/lib/official');
const { channelAuth, userAuth } = require('../../system/lib/sign');
const { WIRES, Wire } = require('../../system/lib/wires');

const USER = 'everybody'; // all are signed in as one user
const USER_CHANNEL = `#server-to-user-${USER}`;
const MODULES = path.join(__dirname, '../../system/node_modules');
const POLL_MS = 100;
const PING_MS = 1000; // of silence, as the option activityTimeout
const PONG_MS = 2000;
const TIMES = { activityTimeout: PING_MS, pongTimeout: PONG_MS,
	activity_timeout: PING_MS, pong_timeout: PONG_MS }; // of old ones, too

// pusher-js in this process.
class Node {
	constructor(version, told, how) {
		Object.assign(this, { version, told, how });
		this.begin();
	}

	static takes(version, channel) {
		return (version >= 7 || channel !== USER_CHANNEL) &&
			(version >= 5 || !channel.startsWith('private-encrypted-'));
	}

	begin() {
		const { told, how, version } = this;
		const p = client(version, { port: how.port }, how.app, how.auth,
			{ user: USER, wsPath: `/app/resume/${how.id}`, ...TIMES,
				enabledTransports: ['ws'] });
		this.p = p;
		for (const name of how.channels) this.follow(name);
		if (version >= 7) p.signin();
		p.connection.bind('error', (e) => {
			const code = e?.data?.code ?? e?.error?.data?.code;
			if ([4100, 4200].includes(code)) this.code = code;
		});
		p.connection.bind('state_change', ({ previous, current }) => {
			if (previous === 'connected') told.ended(this.code);
			if (current === 'connected') {
				this.code = undefined; // of an attempt before it
				told.connected(p.connection.socket_id);
			}
			if (current === 'failed' && !this.isOver) {
				p.disconnect(); // before version 8: the page is loaded anew
				this.begin();
			}
		});
	}

	follow(name) {
		const { p, told } = this;
		const on = (text) => told.event(name, text);
		const word = (w) => told.word(name, w);
		const end = () => told.last(name);
		if (name !== USER_CHANNEL) {
			p.subscribe(name).bind('n', on).bind('client-n', on)
				.bind('end', end).bind('pusher:resume', word);
			return;
		}
		// The word about it reaches no callback of a user.
		p.user.bind('n', on).bind('end', end);
		p.connection.bind('message', (m) =>
			m.channel === name && m.event === 'pusher:resume' && word(m.data));
	}

	trigger(channel, event, text) {
		this.p.channel(channel).trigger(event, text);
	}

	stop() {
		this.isOver = true;
		this.p.disconnect();
	}
}

// A WebSocket client of a language as a process; it is started anew when its
// connection has ended, or when it hears nothing.
class Bare {
	constructor(language, told, how) {
		Object.assign(this, { told, how, command: WIRES[language] });
		this.begin();
	}

	static takes() {
		return true;
	}

	begin() {
		const { how } = this;
		const wire = new Wire(this.command, `ws://127.0.0.1:${how.port}/app/` +
			`${how.app.key};resume=${how.id}?protocol=7`,
		(line) => this.take(JSON.parse(line)));
		this.wire = wire;
		this.isGreeted = false;
		this.wait(20000, () => wire.p.kill('SIGKILL'));
		wire.ended.then(() => {
			clearTimeout(this.timer);
			if (this.isOver) return;
			if (this.isGreeted) this.told.ended();
			this.isGreeted = false;
			setTimeout(() => this.isOver || this.begin(), 500);
		});
	}

	wait(ms, then) {
		clearTimeout(this.timer);
		this.timer = setTimeout(then, ms);
	}

	heard() {
		this.wait(PING_MS, () => {
			this.wire.send({ event: 'pusher:ping', data: {} });
			this.wait(PONG_MS, () => this.wire.p.kill('SIGKILL'));
		});
	}

	take(m) {
		const { told } = this;
		this.heard();
		if (m.event === 'pusher:connection_established')
			this.enter(JSON.parse(m.data).socket_id);
		else if (m.event === 'pusher:ping')
			this.wire.send({ event: 'pusher:pong', data: {} });
		else if (m.event === 'pusher:resume')
			told.word(m.channel, JSON.parse(m.data));
		else if (m.event === 'end')
			told.last(m.channel);
		else if (m.event === 'n' || m.event === 'client-n')
			told.event(m.channel, this.how.read(m.channel, m.data));
	}

	enter(sid) {
		const { app, channels } = this.how;
		this.isGreeted = true;
		this.told.connected(sid);
		for (const channel of channels) {
			if (channel === USER_CHANNEL) continue;
			const data = { channel };
			if (channel.startsWith('presence-'))
				data.channel_data = JSON.stringify({ user_id: USER });
			if (/^(private|presence)-/.test(channel))
				data.auth = channelAuth(app, sid, channel, data.channel_data);
			this.wire.send({ event: 'pusher:subscribe', data });
		}
		const user = JSON.stringify({ id: USER });
		this.wire.send({ event: 'pusher:signin', data: { user_data: user,
			auth: userAuth(app, sid, user) } });
	}

	trigger(channel, event, data) {
		this.wire.send({ event, channel, data });
	}

	async stop() {
		this.isOver = true;
		clearTimeout(this.timer);
		await this.wire.end();
	}
}

// The page keeps what happens in a list, which the test fetches.
const PAGE = `<!doctype html><title>client</title><script src="lib.js"></script>
<script src="echo.js"></script><script>
let list = [], code, over = false;
const add = (what) => list.push({ ...what,
	at: performance.timeOrigin + performance.now() });
const take = () => list.splice(0);
// The longest time for which the page did nothing, of the last 5 s.
let turns = [0];
setInterval(() => {
	turns = [...turns.slice(-250), performance.now()];
}, 20);
const lag = () => Math.max(performance.now() - turns.at(-1),
	...turns.slice(1).map((t, i) => t - turns[i]));
const echoed = (echo, name) => {
	const [, kind, rest] =
		/^(private-encrypted-|private-|presence-|)(.*)$/.exec(name);
	return ({ 'private-encrypted-': (n) => echo.encryptedPrivate(n),
		'private-': (n) => echo.private(n), 'presence-': (n) => echo.join(n),
		'': (n) => echo.channel(n) })[kind](rest);
};
const start = (key, options, how) => {
	p = new Pusher(key, options);
	const echo = how.isEcho &&
		new Echo.default({ broadcaster: 'pusher', client: p });
	for (const channel of how.channels) {
		const on = { n: (text) => add({ channel, text }),
			'client-n': (text) => add({ channel, text }),
			end: () => add({ channel, isLast: true }),
			'pusher:resume': (word) => add({ channel, word }) };
		const c = channel === how.userChannel ? p.user :
			echo ? echoed(echo, channel) : p.subscribe(channel);
		for (const [event, f] of Object.entries(on))
			echo ? c.listen('.' + event, f) : c.bind(event, f);
	}
	p.connection.bind('message', (m) => m.channel === how.userChannel &&
		m.event === 'pusher:resume' &&
		add({ channel: m.channel, word: m.data }));
	if (how.channels.includes(how.userChannel)) p.signin();
	p.connection.bind('error', (e) => {
		const c = e?.data?.code ?? e?.error?.data?.code;
		if ([4100, 4200].includes(c)) code = c;
	});
	p.connection.bind('state_change', ({ previous, current }) => {
		if (previous === 'connected')
			add({ end: code ?? null, lag: lag() });
		if (current === 'connected') {
			code = null; // of an attempt before it
			add({ sid: p.connection.socket_id });
		}
		if (current === 'failed' && !over) {
			p.disconnect();
			start(key, options, how);
		}
	});
};
</script>`;

// pusher-js or Laravel Echo (version 'echo') in a page of Chromium.
class Page {
	constructor(version, told, how) {
		Object.assign(this, { version, told, how });
		this.polls = this.open();
		this.polls.catch((e) => told.broken(e));
	}

	static takes(version, channel) {
		if (channel === USER_CHANNEL) return version >= 7;
		return version === 'echo' || version >= 6 ||
			!channel.startsWith('private-encrypted-');
	}

	async open() {
		const { how, version } = this;
		const n = version === 'echo' ? 8 : version;
		this.site = await serve({ '/': PAGE,
			'/lib.js': path.join(MODULES, VERSIONS[n], 'dist/web', n >= 6 ?
				'pusher-with-encryption.min.js' : 'pusher.min.js'),
			'/echo.js': path.join(MODULES, 'laravel-echo/dist/echo.iife.js') });
		this.page = await how.browser.newPage();
		await this.page.goto(this.site.url);
		const at = `${how.auth.url}/pusher/auth?user=${USER}`;
		await this.page.evaluate((all) => start(...all), [how.app.key, {
			wsHost: '127.0.0.1', wsPort: how.port, wssPort: how.port,
			forceTLS: false, encrypted: false, enabledTransports: ['ws'],
			cluster: 'x', disableStats: true, authEndpoint: at,
			wsPath: `/app/resume/${how.id}`, ...TIMES, userAuthentication:
				{ transport: 'ajax', endpoint:
					`${how.auth.url}/pusher/user-auth?user=${USER}` } },
		{ channels: how.channels, userChannel: USER_CHANNEL,
			isEcho: version === 'echo' }]);
		while (!this.isOver) {
			for (const e of await this.page.evaluate(() => take()))
				this.take({ ...e, at: e.at - performance.timeOrigin });
			await new Promise((ok) => setTimeout(ok, POLL_MS));
		}
	}

	take(e) {
		const { told } = this;
		if (e.sid) told.connected(e.sid);
		else if (e.end !== undefined)
			told.ended(e.end ?? undefined, e.at, e.lag);
		else if (e.isLast) told.last(e.channel);
		else if (e.word) told.word(e.channel, e.word, e.at);
		else told.event(e.channel, e.text, e.at);
	}

	trigger(...what) {
		this.page.evaluate(([channel, event, text]) =>
			p.channel(channel).trigger(event, text), what)
			.catch((e) => this.told.broken(e));
	}

	async stop() {
		this.isOver = true;
		await this.polls.catch(() => {}); // it is told already
		await this.page?.close();
		await this.site?.stop();
	}
}

const all = (Kind, names, title) => names.map((name) => ({ title: title(name),
	takes: (channel) => Kind.takes(name, channel),
	isPage: Kind === Page,
	open: (told, how) => new Kind(name, told, how) }));
const KINDS = [
	...all(Node, [8, 7, 6, 5, 4], (v) => `pusher-js ${v}`),
	...all(Page, [8, 7, 6, 5, 4], (v) => `pusher-js ${v}, Chromium`),
	...all(Page, ['echo'], () => 'Echo, Chromium'),
	...all(Bare, Object.keys(WIRES), (name) => name),
];

module.exports = { KINDS, USER, USER_CHANNEL, launch };
