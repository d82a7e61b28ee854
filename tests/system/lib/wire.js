// SPDX-License-Identifier: MIT
//
// wire.js URL: the ws package with compression.  Each line of standard input is
// a message to the server, each message from it is a line of output.
'use strict';

const readline = require('node:readline');
const WebSocket = require('ws');

const ws = new WebSocket(process.argv[2],
	{ perMessageDeflate: { threshold: 0 } });
ws.on('message', (text) => console.log(String(text)));
ws.on('close', () => process.exit(1));
ws.on('open', () => readline.createInterface({ input: process.stdin })
	.on('line', (line) => ws.send(line))
	.on('close', () => process.exit(0)));
