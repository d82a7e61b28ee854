// SPDX-License-Identifier: MIT
//
// A worker that is over its share of memory_limit refuses new clients, and
// keeps those that it has.
'use strict';

const { Client } = require('../system/lib/client');
const { publish } = require('../system/lib/http');
const { until } = require('../system/lib/daemon');

module.exports = async function memory({ start }) {
	const { d, app } = await start({ workers: 1, memory_limit: 8 << 20 });
	d.allow(/over memory_limit/);
	const c = await Client.connect(d, app);
	await c.subscribe('room');
	await until('the log to say so', () =>
		/over memory_limit/.test(d.readLog()));
	const late = new Client(d, `/app/${app.key}?protocol=7`);
	await late.upgraded();
	await late.expectFatal(4100);
	await publish(d, app, 'room', 'e', 'x');
	await c.expect('e', 'room');
	await c.close();
	return {};
};
