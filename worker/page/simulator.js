// SPDX-License-Identifier: MIT
//
// simulator.js: a client in the page, which speaks the Pusher protocol over
// the app's own key.  Its socket goes to the address of the console, which
// serves clients of this page only.
import { ask } from './api.js';
import { can, state } from './state.js';
import { badge, card, check, empty, field, fill, h, head, link, toast } from './dom.js';
import { pretty } from './events.js';

export async function simulator({ el, query, signal, app }) {
	const log = h('div', { class: 'log' });
	const mark = badge('not connected');
	const fields = h('form', { class: 'form' },
		field('App', 'app', { options: state.apps.map((a) => [a.id, a.name || a.id]), value: app }),
		field('Channel', 'channel', { value: query.get('channel') ?? 'my-channel', required: true }),
		field('User id', 'user', { placeholder: 'for presence channels', value: 'me' }),
		field('User info', 'info', { value: '{"name":"Console"}' }), check('Resume the session after a cut', 'resume', true),
		h('div', { class: 'wide row' }, h('button', { class: 'main' }, 'Connect and subscribe'),
			h('button', { type: 'button', onclick: () => cut() }, 'Cut the line'), h('button', { type: 'button', onclick: () => leave() }, 'Disconnect')));
	const sender = h('form', { class: 'form' }, field('Client event', 'event', { value: 'client-typing', required: true }),
		field('Data', 'data', { value: '{"typing":true}' }), h('div', { class: 'row' }, h('button', null, 'Send')));
	let ws = null;
	let session = null;
	let sid = '';
	let again = null;

	function say(way, name, data, channel) {
		const text = typeof data === 'string' ? data : data === undefined ? '' : JSON.stringify(data);
		const body = h('span', { class: 'mono data' }, text);
		const line = h('div', { class: 'line', tabindex: 0, onclick: () => {
			body.textContent = line.classList.toggle('open') ? pretty(text) : text;
		} }, h('time', null, new Date().toLocaleTimeString('en-GB')), h('span', { title: channel ?? '' }, `${way} ${channel ?? ''}`), h('b', { title: name }, name), body);
		if (log.firstChild?.className === 'empty') fill(log);
		log.prepend(line);
		while (log.children.length > 300) log.lastChild.remove();
	}
	function become(text, kind) {
		mark.textContent = text;
		mark.className = `badge ${kind ?? ''}`;
	}
	function send(m) {
		ws.send(JSON.stringify(m));
		say('→', m.event, m.data, m.channel);
	}

	async function subscribe(f) {
		const channel = f.get('channel');
		const data = { channel };
		if (/^(private|presence)-/.test(channel)) {
			const words = { app: f.get('app'), socket_id: sid, channel };
			if (channel.startsWith('presence-'))
				words.channel_data = JSON.stringify({ user_id: f.get('user'), user_info: JSON.parse(f.get('info') || 'null') });
			Object.assign(data, await ask('sign', words));
		}
		send({ event: 'pusher:subscribe', data });
	}

	async function connect() {
		clearTimeout(again);
		ws?.close();
		const f = new FormData(fields);
		const a = await ask('app show', { app: f.get('app') });
		if (signal.aborted) return;
		session ??= crypto.getRandomValues(new Uint8Array(12)).reduce((s, b) => s + b.toString(16).padStart(2, '0'), '');
		const path = `${f.has('resume') && a.resume ? `app/resume/${session}/` : ''}app/${a.key}?protocol=7&client=console&version=8.0.0`;
		const url = new URL(path, location.href.split('#')[0]);
		url.protocol = url.protocol.replace('http', 'ws');
		const mine = new WebSocket(url);
		ws = mine;
		become('connecting', 'warn');
		mine.onmessage = async (e) => {
			const m = JSON.parse(e.data);
			say('←', m.event, m.data, m.channel);
			if (m.event === 'pusher:connection_established') {
				sid = JSON.parse(m.data).socket_id;
				become(`connected as ${sid}`, 'good');
				await subscribe(f).catch((err) => toast(err.message, true));
			} else if (m.event === 'pusher:ping') {
				send({ event: 'pusher:pong', data: {} });
			} else if (m.event === 'pusher:error') {
				toast(JSON.stringify(m.data), true);
			}
		};
		mine.onclose = (e) => {
			if (ws !== mine) return;
			ws = null;
			become(`closed: ${e.code} ${e.reason}`, 'bad');
			say('×', `closed ${e.code}`, e.reason);
			if (e.code === 4200 && !signal.aborted) again = setTimeout(connect, 1000);
		};
	}
	function leave() {
		clearTimeout(again);
		session = null;
		ws?.close(1000);
	}
	function cut() {
		if (!ws) return;
		ws.close(3000);
		again = setTimeout(connect, 2000);
		toast('Cut: it reconnects in two seconds. Publish now to see resume work.');
	}

	fields.onsubmit = (e) => {
		e.preventDefault();
		connect().catch((err) => toast(err.message, true));
	};
	sender.onsubmit = (e) => {
		e.preventDefault();
		if (!ws || ws.readyState !== 1) return toast('Connect first.', true);
		const f = new FormData(sender);
		let data = f.get('data');
		try {
			data = JSON.parse(data);
		} catch { /* a plain text, then */ }
		send({ event: f.get('event'), channel: new FormData(fields).get('channel'), data });
		return undefined;
	};
	signal.addEventListener('abort', () => {
		clearTimeout(again);
		ws?.close(1000);
	});
	fill(log, empty('Not connected.', 'Subscribe, then publish from another tab: each frame that the client gets is shown here.'));
	fill(el, head('Client simulator', mark), state.apps.length === 0 ? card(null, empty('There is no app yet.', link('#/apps', 'Make one first')))
		: [h('p', { class: 'lead' }, 'A client in this page, with the app’s own key.', !can('sign') && ' Private and presence channels need a session that may write.'), card(null, fields), card('Send a client event', sender), card('Frames', log)]);
}
