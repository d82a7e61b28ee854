// SPDX-License-Identifier: MIT
//
// A worker runs out of descriptors: accepting pauses without spinning, who is
// there stays served, and it goes on when there is room again.
'use strict';

const assert = require('node:assert/strict');
const { Client } = require('../system/lib/client');
const { publish } = require('../system/lib/http');
const { until, sleep } = require('../system/lib/daemon');
const { TICKS, cpuTicks, descriptors: openBy, limitDescriptors } =
	require('../system/lib/process');

module.exports = async function descriptors({ start }) {
	const { d, app } = await start({ workers: 1 });
	d.allow(/accept paused/);
	const [pid] = d.pidsOf('worker');
	const c = await Client.connect(d, app);
	await c.subscribe('room');
	const before = openBy(pid);
	limitDescriptors(pid, before + 20);
	const herd = Array.from({ length: 100 }, () =>
		new Client(d, `/app/${app.key}?protocol=7`));
	await until('the log to say so', () => /accept paused/.test(d.readLog()));
	const cpu = cpuTicks(pid);
	await sleep(2000);
	const share = (cpuTicks(pid) - cpu) / TICKS / 2;
	assert.ok(share < 0.1, `it spins: ${share} of a core`);
	c.trigger('room', 'x', '');
	await c.sync();
	assert.ok(herd.filter((h) => h.head).length <= 20);
	limitDescriptors(pid, before + 500);
	await until('all to be greeted', () =>
		herd.every((h) => h.frames.length > 0), 3000);
	await publish(d, app, 'room', 'e', 'x');
	await c.expect('e', 'room');
	for (const h of herd) h.destroy();
	return { 'share of a core while out': share };
};
