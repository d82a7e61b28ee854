// SPDX-License-Identifier: MIT
//
// The console for those who look: the widest screen, light and dark, pages with
// nothing on them yet, times, rows that stay where they are, an app that goes
// away while it is looked at, and a session whose time is over.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { after, before, describe, test } = require('node:test');
const { launch } = require('./lib/browser');
const { Client } = require('./lib/client');
const { WrongClock } = require('./lib/clock');
const { Console, open } = require('./lib/console');
const { SLOW, sleep, until } = require('./lib/daemon');

const TIME = { timeout: 120000 * SLOW };

let browser;
before(async () => {
	browser = await launch();
}, TIME);
after(() => browser?.close());

const pages = (page) => page.$$eval('#nav a', (all) =>
	all.map((a) => a.hash.slice(2)));

// Hundredths of a second of processor time, with those of ended processes that
// ran a command.
function ticks(d) {
	let sum = 0;
	for (const role of ['master', 'broker', 'worker', 'courier'])
		for (const pid of d.pidsOf(role)) {
			const text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
			const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
			for (const n of fields.slice(11, 15)) sum += Number(n);
		}
	return sum;
}

async function done(page) {
	assert.deepEqual(page.faults, []);
	await page.context().close();
}

test('no app and no client yet: a page says what to do next', TIME, async () => {
	const c = await Console.start();
	const { id } = c.d.app();
	await c.d.start();
	c.d.ctl(['app', 'delete', '--yes', id]);
	const page = await open(browser, c);
	for (const p of await pages(page)) {
		await page.go(`#/${p}`);
		assert.doesNotMatch(await page.innerText('#main'),
			/cannot be shown|undefined|\[object/, p);
	}
	for (const p of ['overview', 'apps', 'channels', 'connections', 'users',
		'closes', 'webhooks', 'doctor']) {
		await page.go(`#/${p}`, '#main .empty');
		const text = await page.innerText('#main .empty');
		assert.ok(text.split('\n').filter((line) => line.trim()).length > 1,
			`${p}: nothing but "${text}"`);
	}
	await page.go('#/overview', '#main .empty a');
	await page.click('#main .empty a');
	await page.waitForSelector('text=Make an app');
	await done(page);
	await c.d.stop();
});

describe('with clients', () => {
	let c;
	let app;
	let client;

	before(async () => {
		c = await Console.start();
		app = c.d.app({}, { name: 'shop' });
		await c.d.start();
		client = await Client.connect(c.d, app);
		await client.subscribe('room');
	});
	after(async () => {
		client.destroy();
		await c.d.stop();
	});

	test('every page on the widest screen', TIME, async () => {
		const page = await open(browser, c,
			{ viewport: { width: 3840, height: 2160 } });
		for (const p of [...await pages(page), `app/${app.id}`,
			`channel/${app.id}/room`, `connection/${client.sid}`]) {
			await page.go(`#/${p}`);
			assert.ok(await page.evaluate(() =>
				document.documentElement.scrollWidth <= innerWidth), p);
		}
		await done(page);
	});

	test('light and dark, by the system and by the button', TIME, async () => {
		const dark = await open(browser, c, { colorScheme: 'dark' });
		const light = await open(browser, c, { colorScheme: 'light' });
		const paper = (page) => page.evaluate(() =>
			getComputedStyle(document.body).backgroundColor);
		const [black, white] = [await paper(dark), await paper(light)];
		assert.notEqual(black, white);
		await light.click('#theme');
		assert.equal(await paper(light), black);
		await light.reload();
		await light.waitForSelector('#nav a');
		assert.equal(await paper(light), black, 'it is kept');
		await done(dark);
		await done(light);
	});

	test('a time: "3 s ago", and the exact one on hover', TIME, async () => {
		const page = await open(browser, c);
		await page.go(`#/connection/${client.sid}`, '#main time');
		const time = await page.$('#main time');
		assert.match(await time.innerText(), /^(now|\d+ (s|min) ago)$/);
		const title = await time.getAttribute('title');
		const [, iso] = /\((\d{4}-\d\d-\d\dT[\d:.]+Z)\)$/.exec(title);
		assert.ok(Math.abs(Date.now() - Date.parse(iso)) < 600000 * SLOW, title);
		await done(page);
	});

	test('a row stays the same while its numbers change', TIME, async () => {
		const page = await open(browser, c);
		await page.go('#/channels', '#main tbody tr');
		const row = await page.$('#main tbody tr:has-text("room")');
		const more = await Client.several(c.d, app, 3);
		for (const one of more) await one.subscribe('room');
		await more[0].subscribe('another');
		await page.waitForFunction((tr) => tr.isConnected &&
			tr.innerText.includes('4'), row);
		await page.waitForSelector('#main tbody tr:has-text("another")');
		assert.ok(await row.evaluate((tr) => tr.isConnected));
		for (const one of more) one.destroy();
		await done(page);
	});

	test('a page left open costs less than 1 % of a core', TIME, async () => {
		const page = await open(browser, c);
		for (const p of ['overview', 'connections', 'statistics']) {
			await page.go(`#/${p}`);
			const [before, began] = [ticks(c.d), performance.now()];
			await sleep(6000);
			const percent = (ticks(c.d) - before) /
				(performance.now() - began) * 1000;
			assert.ok(percent < SLOW, `${p}: ${percent.toFixed(2)} %`);
		}
		await done(page);
		await until('no command runs', () =>
			c.d.pidsOf('console').length === 0);
	});

	test('an app is deleted: its streams and its sessions end', async () => {
		const gone = c.d.app();
		const cookie = await c.login('--app', gone.id);
		const s = c.stream(cookie, 'verb=tail');
		await until('it is open', () => s.status === 200);
		c.d.ctl(['app', 'delete', '--yes', gone.id]);
		await until('its end', () => s.ended);
		assert.ok([401, 403].includes((await c.verb(cookie, 'channels')).status));
		await until('no process', () => c.d.pidsOf('console').length === 0);
	});
});

test('after 12 hours a session is over: its streams end, and the page says so',
	TIME, async (t) => {
		const clock = new WrongClock();
		t.after(() => clock.remove());
		const c = await Console.start();
		const app = c.d.app();
		await clock.with({}, () => c.d.start());
		const [broker] = c.d.pidsOf('broker');
		const client = await Client.connect(c.d, app);
		await client.subscribe('clients');
		const page = await open(browser, c);
		await page.go('#/events', '#main .log');
		const cookie = await c.login();
		const s = c.stream(cookie, 'verb=tail');
		const publish = (channel, event) =>
			c.d.ctl(['publish', app.id, channel, event, '{}']);
		const shows = async (event) => {
			publish('streams', event);
			return JSON.stringify(s.rows).includes(event) &&
				(await page.innerText('#main .log')).includes(event);
		};
		await until('both streams', () => shows('early'));
		clock.set(12 * 3600 - 300, broker);
		await until('both go on', () => shows('nearly'));
		assert.equal((await c.verb(cookie, 'app list')).status, 200);
		clock.set(12 * 3600 + 1, broker);
		await until('the end', () => s.ended);
		assert.deepEqual(s.events, [['end',
			{ code: 1, notes: 'the session is over', rows: null }]]);
		await page.waitForSelector('text=there is no session, or it is over');
		await page.waitForSelector('text=Open the console');
		assert.equal((await c.verb(cookie, 'app list')).status, 401);
		await until('no process', () => c.d.pidsOf('console').length === 0);
		publish('clients', 'still'); // they know nothing of it
		await client.expect('still');
		client.destroy();
		await done(page);
		await c.d.stop();
	});
