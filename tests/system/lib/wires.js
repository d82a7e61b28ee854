// SPDX-License-Identifier: MIT
//
// WebSocket clients of several languages, each a process: a line in is a
// message to the server, a line out one from it (tests/libraries.sh).
'use strict';

const { spawn } = require('node:child_process');
const path = require('node:path');
const readline = require('node:readline');
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

class Wire {
	constructor(command, url) {
		this.p = spawn(command[0], [...command.slice(1), url],
			{ stdio: ['pipe', 'pipe', command[0] === 'java' ? 'ignore' :
				'inherit'] }); // it says that it has no log
		this.p.stdin.on('error', () => {}); // it may have ended
		this.ended = new Promise((ok) => { this.p.on('close', ok); });
		this.lines = [];
		readline.createInterface({ input: this.p.stdout })
			.on('line', (line) => this.lines.push(JSON.parse(line)));
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
