// SPDX-License-Identifier: MIT
//
// Resume in Chromium, with the clients as they are published: pusher-js 4 to
// 8 and Laravel Echo, whose only difference is the option wsPath.
'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const { launch, serve } = require('./lib/browser');
const { Daemon, sleep, until, SLOW } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { Line } = require('./lib/line');
const { VERSIONS, server, authServer } = require('./lib/official');
const { newId } = require('./lib/resume');

const MODULES = path.join(__dirname, 'node_modules');
const WEB = (version) => path.join(MODULES, VERSIONS[version], 'dist/web',
	version >= 6 ? 'pusher-with-encryption.min.js' : 'pusher.min.js');
const CLIENTS = [...Object.keys(VERSIONS).sort(), 'echo'];
const CHANNELS = ['news', 'private-a', 'presence-a', 'cache-a'];
const AWAY = ['4200', 'RST', 'FIN', 'hole'];

// The page of a user: the client, and lists of what it got.
const PAGE = `<!doctype html><title>client</title><script src="lib.js"></script>
<script src="echo.js"></script><script>
got = {}; words = {}; ids = [];
start = (key, options, channels, echo) => {
	p = new Pusher(key, options);
	const bind = (name, channel) => {
		got[name] = []; words[name] = [];
		channel.bind('e', (n) => got[name].push(n));
		channel.bind('pusher:resume', (w) => words[name].push(w));
	};
	if (!echo) {
		for (const name of channels) bind(name, p.subscribe(name));
		return;
	}
	e = new Echo.default({ broadcaster: 'pusher', client: p });
	for (const name of channels) {
		got[name] = []; words[name] = [];
		const [, kind, rest] = /^(private-|presence-|)(.*)$/.exec(name);
		({ 'private-': (n) => e.private(n), 'presence-': (n) => e.join(n),
			'': (n) => e.channel(n) })[kind](rest)
			.listen('.e', (n) => got[name].push(n))
			.listen('.pusher:resume', (w) => words[name].push(w));
	}
};
</script>`;

describe('resume in Chromium', { concurrency: true }, () => {
	const d = new Daemon({ workers: 2, resume_ack_interval: 20 });
	const app = d.app({ resume: 'on', activity_timeout: 1,
		max_backend_events_per_second: 0 });
	let auth;
	let browser;

	before(async () => {
		await d.start();
		auth = await authServer(server(d, app));
		browser = await launch();
	});
	after(async () => {
		await browser?.close();
		await auth?.stop();
		await d.stop();
	});

	// A page with a client whose line can be cut.
	async function visit(kind) {
		const version = kind === 'echo' ? 8 : kind;
		const site = await serve({ '/': PAGE, '/lib.js': WEB(version),
			'/echo.js': path.join(MODULES, 'laravel-echo/dist/echo.iife.js') });
		const line = await Line.open(d);
		const page = await browser.newPage();
		const wrong = [];
		page.on('pageerror', (e) => wrong.push(String(e)));
		await page.goto(site.url);
		const at = `${auth.url}/pusher/auth?user=u-${kind}`;
		await page.evaluate(([key, options, names, echo]) =>
			start(key, options, names, echo),
		[app.key, { wsHost: '127.0.0.1', wsPort: line.port,
			wssPort: line.port, forceTLS: false, encrypted: false,
			enabledTransports: ['ws'], cluster: 'x', disableStats: true,
			wsPath: `/app/resume/${newId()}`, authEndpoint: at,
			channelAuthorization: { endpoint: at, transport: 'ajax' },
			activityTimeout: 1000, activity_timeout: 1000,
			pongTimeout: 1000, pong_timeout: 1000 },
		CHANNELS.map((n) => `${n}-${kind}`), kind === 'echo']);
		return { page, line, wrong, kind, sent: {},
			see: () => page.evaluate(() => ({ got, words,
				sid: p.connection.socket_id })),
			close: async () => {
				await page.close();
				await line.close();
				await site.stop();
			} };
	}

	// A number to each channel.
	async function send(v, times) {
		for (let i = 0; i < times; i++)
			for (const name of CHANNELS.map((n) => `${n}-${v.kind}`)) {
				const list = v.sent[name] ??= [];
				list.push(list.length + 1);
				await publish(d, app, name, 'e', String(list.length));
			}
	}

	const words = (v, n, ms) => until(`word ${n} of each channel`, async () => {
		const now = (await v.see()).words;
		const all = Object.values(now);
		return all.length && all.every((w) => w.length >= n) && now;
	}, ms);

	// pusher-js before 8 gives up for good when two connections end without
	// a close frame before they are as old as this.
	const AGE_MS = 2 * 1000;

	// Away by `how` while events are published, and back.
	async function round(v, how, n) {
		await send(v, 3);
		const { sid } = await v.see();
		if (how === '4200') {
			await d.ctlAsync(['connections', 'kill', sid, '--reconnect']);
		} else {
			await sleep(AGE_MS + 200 * SLOW); // everything is confirmed
			assert.ok(v.line.cut(how) > 0);
		}
		await send(v, 4);
		for (const [name, w] of Object.entries(await words(v, n, 20000)))
			assert.equal(w[n - 1].status, 'continued',
				`${name} ${how}: ${JSON.stringify(w)}`);
		await send(v, 2);
	}

	for (const kind of CLIENTS)
		test(`${kind === 'echo' ? 'Laravel Echo' : `pusher-js ${kind}`}: ` +
			`complete, in order, once: ${AWAY.join(', ')}`, async () => {
			const v = await visit(kind);
			for (const w of Object.values(await words(v, 1)))
				assert.equal(w[0].status, 'new');
			for (const [i, how] of AWAY.entries())
				await round(v, how, i + 2);
			await until('all events', async () =>
				Object.entries((await v.see()).got).every(([name, list]) =>
					list.length >= v.sent[name].length));
			assert.deepEqual((await v.see()).got, v.sent);
			assert.deepEqual(v.wrong, []);
			await v.close();
		});

	// TEST_SHOTS: a directory for pictures of the page.
	test('etc/doc/resume.html: cut, publish, read what was missed', async () => {
		const site = await serve({ '/pusher.min.js': WEB(8),
			'/': path.resolve(__dirname, '../../etc/doc/resume.html') });
		const page = await browser.newPage();
		const wrong = [];
		page.on('pageerror', (e) => wrong.push(String(e)));
		await page.goto(`${site.url}/#port=${d.port}&app=${app.id}`);
		await page.getByLabel('Key').fill(app.key);
		await page.getByLabel('Secret').fill(app.secret);
		await page.getByText('Connect', { exact: true }).click();
		const lines = (n) => until(`${n} lines`, async () => {
			const all = await page.locator('li').evaluateAll((list) =>
				list.map((li) => [...li.children].slice(0, 2)
					.map((x) => x.textContent).join(': ')));
			return all.length >= n && all;
		}, 20000);
		await lines(1);
		const press = (name) => page.getByRole('button', { name }).click();
		await press('Publish');
		await lines(3);
		await press('Cut');
		for (let n = 5; n <= 6; n++) {
			await press('Publish');
			await lines(n);
		}
		const all = await lines(9);
		assert.deepEqual([all[0], ...all.slice(1, 3).sort(), ...all.slice(3)], [
			'resume: a new session has begun',
			'live: hello {"n":1}', 'published: hello {"n":1}',
			'cut: the connection is cut: press Publish',
			'published: hello {"n":2}', 'published: hello {"n":3}',
			'missed: hello {"n":2}', 'missed: hello {"n":3}',
			'resume: back: 2 missed events came']);
		assert.equal(await page.getByRole('status').textContent(),
			'connected');
		for (const width of [1280, 380])
			for (const colorScheme of ['light', 'dark']) {
				await page.setViewportSize({ width, height: 800 });
				await page.emulateMedia({ colorScheme });
				assert.ok(await page.evaluate((w) =>
					document.documentElement.scrollWidth <= w, width),
				`nothing is wider than ${width} px`);
				if (process.env.TEST_SHOTS)
					await page.screenshot({ fullPage: true, path:
						`${process.env.TEST_SHOTS}/${width}-${colorScheme}.png` });
			}
		assert.deepEqual(wrong, []);
		await page.close();
		await site.stop();
	});
});
