// SPDX-License-Identifier: MIT
//
// Ports for programs that do not take port 0.
'use strict';

const crypto = require('node:crypto');
const net = require('node:net');

// A port that nobody listens on, below those that the kernel gives away by
// itself: no connection takes it before its server starts or starts again.
async function freePort() {
	for (;;) {
		const port = crypto.randomInt(10000, 32000);
		const s = net.createServer();
		const free = await new Promise((ok) => {
			s.once('error', () => ok(false));
			s.listen(port, '127.0.0.1', () => ok(true));
		});
		if (!free) continue;
		await new Promise((ok) => s.close(ok));
		return port;
	}
}

module.exports = { freePort };
