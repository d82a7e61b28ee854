// SPDX-License-Identifier: MIT
//
// `make prometheus`: a real Prometheus, configured as metrics.md says, scrapes a
// real pusherd under a little load; then promtool has no complaint about the
// text and the rules, every expression of the rules and of every panel of the
// board is evaluated, and those that must have something to show have it.
'use strict';

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { blocksOf } = require('../system/lib/blocks');
const { Client, closeAll } = require('../system/lib/client');
const { Daemon, sleep, until } = require('../system/lib/daemon');
const { api } = require('../system/lib/http');
const { freePort } = require('../system/lib/port');

const TOP = path.resolve(__dirname, '../..');
const RULES = path.join(TOP, 'etc/prometheus/pusherd.rules.yml');
const BOARD = path.join(TOP, 'etc/grafana/pusherd.json');

// Panels that show something only when something is wrong or set up.
const MAY_BE_EMPTY = /refused|webhook|certificate|_limit.*> 0/i;

function promtool(args, input) {
	const r = spawnSync('promtool', args, { input, encoding: 'utf8',
		timeout: 60000 });
	assert.equal(r.error, undefined);
	assert.equal(r.status, 0, r.stdout + r.stderr);
	return r.stdout + r.stderr;
}

async function query(port, expression) {
	const url = new URL(`http://127.0.0.1:${port}/api/v1/query`);
	url.searchParams.set('query', expression);
	const r = await (await fetch(url)).json();
	assert.equal(r.status, 'success', `${expression}: ${r.error}`);
	return r.data.result;
}

const filled = (e) => e.replace(/\$instance|\$app/g, '.*')
	.replace(/\$__rate_interval/g, '10s');

async function startPrometheus(d) {
	const port = await freePort();
	const file = path.join(d.dir, 'prometheus.yml');
	const [scrape] = blocksOf('metrics.md', 'yaml');
	fs.writeFileSync(file, `global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: ['${RULES}']
${scrape.replace('9601', d.metrics)}`);
	const child = spawn('prometheus', [`--config.file=${file}`,
		`--storage.tsdb.path=${path.join(d.dir, 'tsdb')}`,
		`--web.listen-address=127.0.0.1:${port}`, '--log.level=error'],
	{ stdio: ['ignore', 'inherit', 'inherit'] });
	return { port, child };
}

async function load(d, app, seconds) {
	const all = await Client.several(d, app, 10);
	for (const c of all) await c.subscribe('private-room');
	for (const end = Date.now() + seconds * 1000; Date.now() < end;) {
		await api(d, app, 'POST', '/events',
			{ body: { name: 'e', channel: 'private-room', data: 'x' } });
		all[0].trigger('private-room', 'client-hi', {});
		await Promise.all(all.map((c) => c.expect('e')));
		for (const c of all.slice(1)) await c.expect('client-hi');
		const short = await Client.connect(d, app);
		await short.close();
		await sleep(100);
	}
	return all;
}

async function check(d, app, port) {
	const all = await load(d, app, 15);
	const text = await (await fetch(`http://127.0.0.1:${d.metrics}/metrics`))
		.text();
	promtool(['check', 'metrics'], text);
	promtool(['check', 'rules', RULES]);
	assert.equal((await query(port, 'up{job="pusherd"}'))[0].value[1], '1');
	const board = JSON.parse(fs.readFileSync(BOARD, 'utf8'));
	let n = 0;
	let empty = 0;
	for (const panel of board.panels)
		for (const { expr } of panel.targets || []) {
			const got = await query(port, filled(expr));
			n++;
			empty += got.length === 0;
			if (!MAY_BE_EMPTY.test(expr))
				assert.ok(got.length > 0,
					`${panel.title}: nothing for ${filled(expr)}`);
			for (const r of got)
				assert.ok(Number.isFinite(Number(r.value[1])) ||
					r.value[1] === 'NaN', `${panel.title}: ${r.value[1]}`);
		}
	const rules = await (await fetch(
		`http://127.0.0.1:${port}/api/v1/rules`)).json();
	for (const rule of rules.data.groups.flatMap((g) => g.rules)) {
		assert.equal(rule.health, 'ok', `${rule.name}: ${rule.lastError}`);
		assert.notEqual(rule.state, 'firing', `${rule.name} fires`);
	}
	console.log(`${text.split('\n').length - 1} lines of metrics, ` +
		`${n} expressions of the board (${empty} with nothing to show), ` +
		`${rules.data.groups.flatMap((g) => g.rules).length} rules: ok`);
	await closeAll(all);
}

async function main() {
	const d = new Daemon({ workers: 2, metrics_listen: '127.0.0.1:0' });
	const app = d.app({ client_events: 'on', max_connections: 1000 });
	await d.start();
	const { port, child } = await startPrometheus(d);
	try {
		await until('Prometheus', () => fetch(
			`http://127.0.0.1:${port}/-/ready`).then((r) => r.ok, () => false),
		30000);
		await check(d, app, port);
	} finally {
		child.kill();
		await new Promise((ok) => child.on('exit', ok));
	}
	await d.stop();
}

// Outside of `node --test` the hooks of lib/daemon.js do nothing.
main().then(() => process.exit(0), (e) => {
	console.error(e);
	process.exit(1);
});
