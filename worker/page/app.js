// SPDX-License-Identifier: MIT
//
// app.js: the session, the list of pages, and the way between them.
import { Refused, login, logout, session, verbs } from './api.js';
import { empty, fill, h, toast } from './dom.js';
import { can, loadApps, state } from './state.js';
import { overview } from './overview.js';
import { app, apps } from './apps.js';
import { channel, channels } from './channels.js';
import { closes, connection, connections } from './connections.js';
import { events, publish } from './events.js';
import { simulator } from './simulator.js';
import { webhook, webhooks } from './webhooks.js';
import { statistics } from './statistics.js';
import { doctor } from './doctor.js';
import { users } from './users.js';
import { commands } from './commands.js';

const $ = (id) => document.getElementById(id);

// name, label, what shows it, the command that it stands on.
const PAGES = [
	['Watch'],
	['overview', 'Overview', overview],
	['events', 'Live events', events, 'tail'],
	['channels', 'Channels', channels, 'channels'],
	['connections', 'Connections', connections, 'connections list'],
	['users', 'Users, sessions', users, 'users list'],
	['closes', 'Closes', closes, 'closes'],
	['statistics', 'Statistics', statistics, 'stats'],
	['doctor', 'Doctor', doctor, 'doctor'],
	['Do'],
	['publish', 'Event creator', publish, 'publish'],
	['simulator', 'Client simulator', simulator, 'app show'],
	['Manage'],
	['apps', 'Apps', apps, 'app list'],
	['webhooks', 'Webhooks', webhooks, 'webhook list'],
	['commands', 'All commands', commands],
];
const INNER = { app, channel, connection, webhook };

const trouble = h('p', { class: 'card trouble', role: 'status', hidden: true });
let leave = new AbortController();

// ---- one page ----

// Runs fn now and every so many seconds while the page is looked at.
function poller(signal) {
	return (seconds, fn) => {
		let busy = false;
		const tick = async () => {
			if (busy || document.hidden || signal.aborted) return;
			busy = true;
			try {
				await fn();
				linked();
			} catch (err) {
				if (!signal.aborted) failed(err);
			}
			busy = false;
		};
		const timer = setInterval(tick, seconds * 1000);
		signal.addEventListener('abort', () => clearInterval(timer));
		document.addEventListener('visibilitychange', tick, { signal });
		return tick();
	};
}

function failed(err) {
	if (err instanceof Refused && err.status === 401) return signedOut(err.message);
	return linked(err.message);
}

// The dot in the header, and above the page why it shows nothing new.
function linked(fault) {
	$('link').className = fault ? 'dot off' : 'dot';
	$('link').title = fault ?? 'connected';
	trouble.hidden = !fault;
	if (trouble.textContent !== (fault ?? '')) trouble.textContent = fault ?? '';
}

async function show() {
	leave.abort();
	leave = new AbortController();
	const { signal } = leave;
	const [path, query] = location.hash.slice(2).split('?');
	const parts = path.split('/').map(decodeURIComponent);
	const page = PAGES.find((p) => p[0] === parts[0] && p[2])?.[2] ?? INNER[parts[0]];
	document.body.classList.remove('menu');
	$('menu').setAttribute('aria-expanded', 'false');
	for (const a of $('nav').querySelectorAll('a'))
		if (a.hash.slice(2) === parts[0] || a.dataset.inner === parts[0]) a.setAttribute('aria-current', 'page');
		else a.removeAttribute('aria-current');
	if (!page) {
		location.hash = '#/overview';
		return;
	}
	const el = h('div');
	trouble.hidden = true;
	fill($('main'), trouble, el);
	document.title = `${parts[0]} – pusherd`;
	try {
		await page({ el, parts, query: new URLSearchParams(query), signal, every: poller(signal), app: state.app });
	} catch (err) {
		if (signal.aborted) return;
		if (err.status === 401) signedOut(err.message);
		else fill(el, empty('This page cannot be shown.', err.message));
	}
}

// ---- the frame ----

function drawNav() {
	const list = h('ul');
	for (const [name, label, page, verb] of PAGES) {
		if (!page) list.append(h('li', { class: 'group' }, name));
		else if (!verb || can(verb))
			list.append(h('li', null, h('a', { href: `#/${name}`, 'data-inner': name.replace(/s$/, '') }, label)));
	}
	for (const g of list.querySelectorAll('.group'))
		if (!g.nextSibling || g.nextSibling.className === 'group') g.remove();
	fill($('nav'), list);
}

function signedOut(text) {
	leave.abort();
	document.body.classList.add('out');
	const token = h('input', { class: 'mono', placeholder: 'http://… or the token', 'aria-label': 'URL or token', autocomplete: 'off' });
	fill($('main'), h('div', { class: 'login card' }, h('h1', null, 'Open the console'),
		text && h('p', { class: 'warn', role: 'alert' }, text),
		h('p', null, 'On the server, run ', h('code', null, 'pusherctl console'), ' and open the URL that it prints. It counts once, for a minute.'),
		h('form', { class: 'row', onsubmit: (e) => {
			e.preventDefault();
			enter(token.value.trim().split('#').pop());
		} }, token, h('button', { class: 'main' }, 'Open'))));
	token.focus();
}

async function enter(secret) {
	try {
		begin(await login(secret));
	} catch (err) {
		signedOut(err.message);
	}
}

async function begin(found) {
	state.session = found;
	document.body.classList.remove('out');
	$('scope').textContent = [found.app ? `app ${found.app}` : 'whole server', found.read_only ? 'read only' : ''].filter(Boolean).join(', ');
	state.verbs = new Map((await verbs()).map((v) => [v.verb, v]));
	await loadApps();
	drawNav();
	if (!location.hash.startsWith('#/')) history.replaceState(null, '', '#/overview');
	await show();
}

function theme(set) {
	const dark = set ?? !document.documentElement.classList.contains('dark');
	document.documentElement.classList.toggle('dark', dark);
	if (set === undefined) localStorage.setItem('theme', dark ? 'dark' : 'light');
	window.dispatchEvent(new Event('theme'));
}

$('theme').onclick = () => theme();
$('menu').onclick = () => $('menu').setAttribute('aria-expanded', String(document.body.classList.toggle('menu')));
$('logout').onclick = async () => {
	await logout().catch(() => {});
	signedOut('You are signed out.');
};
$('app').onchange = () => {
	state.app = $('app').value;
	show();
};
window.addEventListener('hashchange', () => {
	if (/^#[0-9a-f]{64}$/.test(location.hash)) start();
	else if (state.session) show();
});
window.addEventListener('unhandledrejection', (e) => toast(e.reason?.message ?? String(e.reason), true));

async function start() {
	const token = /^#([0-9a-f]{64})$/.exec(location.hash)?.[1];
	if (token) {
		history.replaceState(null, '', location.pathname);
		await enter(token);
		return;
	}
	try {
		await begin(await session());
	} catch (err) {
		signedOut(err.status === 401 ? '' : err.message);
	}
}

const wanted = localStorage.getItem('theme');
theme(wanted ? wanted === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches);
start();
