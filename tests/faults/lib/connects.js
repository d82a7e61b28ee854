// SPDX-License-Identifier: MIT
//
// connects.js PORT KEY RATE: so many clients a second connect, are greeted and
// leave, until the standard input ends.  Prints how many there were, and what
// befell those that were not greeted.
'use strict';

const net = require('node:net');

const [port, key, rate] = process.argv.slice(2);
const TICK_MS = 10;
const LATE_MS = 10000; // a client that is not greeted by then is lost
const shake = `GET /app/${key}?protocol=7 HTTP/1.1\r\nHost: x\r\n` +
	'Upgrade: websocket\r\nConnection: Upgrade\r\n' +
	'Sec-WebSocket-Version: 13\r\n' +
	'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n';
const said = { greeted: 0, errors: [] };
let begun = 0;
let open = 0;

function connect() {
	// Each of these addresses has ports of its own.
	const s = net.connect({ port, host: '127.0.0.1',
		localAddress: `127.0.0.${2 + begun % 6}` });
	let text = '';
	let why = 'closed before the greeting';
	begun++;
	open++;
	s.setTimeout(LATE_MS, () => { why = 'not greeted in time'; s.destroy(); });
	s.on('connect', () => s.write(shake));
	s.on('error', (e) => { why = e.code; });
	s.on('data', (b) => {
		text += b.toString('latin1');
		if (!text.includes('connection_established')) return;
		why = null;
		s.resetAndDestroy();
	});
	s.on('close', () => {
		open--;
		if (why === null) said.greeted++;
		else said.errors.push(why);
	});
}

const started = performance.now();
const timer = setInterval(() => {
	const due = (performance.now() - started) * rate / 1000;
	while (begun < due) connect();
}, TICK_MS);

process.stdin.resume().on('end', () => {
	clearInterval(timer);
	setInterval(() => {
		if (open > 0) return;
		said.seconds = (performance.now() - started) / 1000;
		process.stdout.write(JSON.stringify(said), () => process.exit(0));
	}, TICK_MS);
});
