// SPDX-License-Identifier: MIT
//
// `make console-shots`: pictures of the console for etc/doc, with a server
// that has something to show.
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { launch } = require('../system/lib/browser');
const { Client } = require('../system/lib/client');
const { Console, open } = require('../system/lib/console');
const { sleep } = require('../system/lib/daemon');
const { publish } = require('../system/lib/http');
const { Receiver } = require('../system/lib/receiver');

const OUT = path.resolve(process.argv[2] ?? 'etc/doc');
const ALL = process.argv[3] === 'all';

// A shop with customers.
async function fill(c) {
	const { d } = c;
	const app = d.app({ resume: 'on', client_events: 'on' }, { name: 'shop' });
	d.app({}, { name: 'staging' });
	const hook = await Receiver.start();
	d.ctl(['webhook', 'add', app.id, `${hook.url}`]);
	const clients = [];
	for (let i = 0; i < 40; i++) {
		const one = await Client.connect(d, app);
		clients.push(one);
		one.sendSubscribe(`orders.${i % 7}`);
		if (i % 3 === 0) one.sendSubscribe('news');
		if (i % 2 === 0)
			one.sendSubscribe('presence-lobby', { data: { user_id: `user-${i}`,
				user_info: { name: ['Ann', 'Bob', 'Eve', 'Joe'][i % 4] } } });
	}
	let n = 0;
	const timer = setInterval(() => {
		n++;
		publish(d, app, `orders.${n % 7}`, 'order-paid',
			JSON.stringify({ order: 4711 + n, total: `${n % 90}.90` }));
		if (n % 4 === 0)
			publish(d, app, 'news', 'headline', '{"text":"Hello"}');
	}, 25);
	return { app, clients, stop: () => {
		clearInterval(timer);
		for (const one of clients) one.destroy();
		return hook.stop?.();
	} };
}

async function main() {
	const c = await Console.start({ webhook_allow_private: 'on' });
	await c.d.start();
	const shop = await fill(c);
	const browser = await launch();
	const shots = [['console', '#/overview', {}],
		['console-dark', '#/overview', { colorScheme: 'dark' }],
		['console-narrow', '#/channels', { viewport: { width: 380, height: 760 } }]];
	if (ALL)
		for (const p of ['events', 'channels', `channel/${shop.app.id}/presence-lobby`,
			`channel/${shop.app.id}/orders.1`, 'connections', 'users', 'closes', 'statistics',
			'doctor', 'publish', 'simulator', 'apps', `app/${shop.app.id}`, 'webhooks',
			'webhook/1', 'commands', 'commands?verb=webhook%20add'])
			for (const [k, o] of [['', {}], ['-narrow', { colorScheme: 'dark', viewport: { width: 380, height: 800 } }]])
				shots.push([`x-${p.replace(/\W+/g, '-')}${k}`, `#/${p}`, o]);
	for (const [name, hash, options] of shots) {
		const page = await open(browser, c, { viewport: { width: 1180, height: 700 },
			...options });
		await page.go(hash);
		await sleep(hash === '#/overview' ? 20000 : 1500);
		const file = path.join(OUT, `${name}.png`);
		await page.screenshot({ path: file });
		for (const f of page.faults) console.error(`${name}: ${f}`);
		try { // smaller, where there is something that can do it
			execFileSync('pngquant', ['--force', '--output', file, '128', file]);
		} catch { /* as it is */ }
		console.log(`${file} ${fs.statSync(file).size}`);
		await page.context().close();
	}
	await browser.close();
	await shop.stop();
	c.d.kill();
}

main().catch((e) => {
	console.error(e);
	process.exit(1);
});
