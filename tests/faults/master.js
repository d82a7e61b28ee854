// SPDX-License-Identifier: MIT
//
// The master is killed: its children leave within two seconds, and no other
// master begins beside them: one that is stopped is ended first.
'use strict';

const assert = require('node:assert/strict');
const { Client } = require('../system/lib/client');
const { until, Daemon } = require('../system/lib/daemon');

module.exports = async function master({ start }) {
	const { d, app } = await start({ workers: 4, drain_time: 5 });
	const clients = await Client.several(d, app, 40);
	const group = Object.keys(d.processes()).length;
	const [broker] = d.pidsOf('broker');
	process.kill(broker, 'SIGSTOP'); // one of the old group holds on
	const at = performance.now();
	d.signal('SIGKILL');
	await until('the workers to leave', () =>
		d.pidsOf('worker').length === 0, 4000);
	const ms = performance.now() - at;
	assert.ok(ms < 2000, `${ms} ms`);
	// The next one ends what is left of the old group before it begins.
	const second = new Daemon({ ...d.conf, listen: '127.0.0.1:0' });
	second.allow(/./);
	await second.start();
	assert.ok(!d.pidsOf('broker').includes(broker),
		'no second group beside the first');
	await second.stop();
	let told = 0;
	for (const c of clients) {
		await c.ended();
		const close = c.frames.find((f) => f.opcode === 8);
		if (close && close.payload.readUInt16BE(0) === 4200) told++;
	}
	assert.equal(told, clients.length, 'every client was told 4200');
	const third = new Daemon(d.conf);
	third.allow(/./);
	await third.start();
	await third.stop();
	d.stopped = true;
	d.remove();
	return { processes: group, 'ms to leave': Math.round(ms) };
};
