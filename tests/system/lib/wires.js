// SPDX-License-Identifier: MIT
//
// WebSocket clients of several languages, each a process: a line in is a
// message to the server, a line out one from it (tests/libraries.sh).
'use strict';

const { spawn } = require('node:child_process');
const path = require('node:path');
const { until } = require('./daemon');

const at = (...p) => path.join(__dirname, '..', ...p);
const JAVA = ['java', '-cp', `${at('java/classes')}:${at('java/jars')}/*`];
const WIRES = {
	'ws (Node.js)': [process.execPath, at('lib/wire.js')],
	'python-websockets': [at('python/venv/bin/python'), at('python/wire.py')],
	'gorilla (Go)': [at('go/wire/wire'), 'gorilla'],
	'coder (Go)': [at('go/wire/wire'), 'coder'],
	'Java-WebSocket': [...JAVA, 'Wire'],
};

// Gives take() each whole line: the end of a process may cut off the last one.
function eachLine(stream, take) {
	let rest = '';
	stream.setEncoding('utf8').on('data', (text) => {
		const lines = (rest + text).split('\n');
		rest = lines.pop();
		lines.forEach((line) => take(line));
	});
}

class Wire {
	// take: what gets each message as text, in place of the list; then nobody
	// is told on standard error that the connection broke.
	constructor(command, url, take) {
		const isQuiet = take || command[0] === 'java'; // it says: no log
		this.p = spawn(command[0], [...command.slice(1), url],
			{ stdio: ['pipe', 'pipe', isQuiet ? 'ignore' : 'inherit'] });
		this.p.stdin.on('error', () => {}); // it may have ended
		this.ended = new Promise((ok) => { this.p.on('close', ok); });
		this.lines = [];
		eachLine(this.p.stdout,
			take ?? ((line) => this.lines.push(JSON.parse(line))));
	}

	send(m) {
		this.p.stdin.write(`${JSON.stringify(m)}\n`);
	}

	find(event) {
		return until(event, () => this.lines.find((m) => m.event === event),
			30000);
	}

	async end() {
		this.p.stdin.end();
		await this.ended;
	}
}

module.exports = { WIRES, Wire, JAVA };
