// SPDX-License-Identifier: MIT
//
// An official server library of another language behind a pipe (python/,
// go/), or the one of this language, all with the same calls.  One that
// could not be installed says why (tests/libraries.sh).
'use strict';

const { spawn } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { server } = require('./official');

const at = (...p) => path.join(__dirname, '..', ...p);

// has: what the library offers beyond the common calls.
const LIBRARIES = {
	node: { has: ['terminate'] },
	// It calls /users/..., which is no route of the HTTP API.
	python: { command: [at('python/venv/bin/python'),
		at('python/driver.py')], terminate: 404 },
	go: { command: [at('go/driver')] },
};

// Why a library cannot be driven, or null.
function missing(name) {
	const { command } = LIBRARIES[name];
	if (!command || command.every((f) => fs.existsSync(f))) return null;
	const why = at(name, 'missing');
	return fs.existsSync(why) ? fs.readFileSync(why, 'utf8').trim() :
		'run tests/libraries.sh first';
}

// The error that a library threw.
class LibraryError extends Error {}

class Driver {
	constructor(name, d, app) {
		this.waiting = [];
		this.p = spawn(LIBRARIES[name].command[0],
			LIBRARIES[name].command.slice(1),
			{ stdio: ['pipe', 'pipe', 'inherit'] });
		this.p.on('close', () => {
			for (const w of this.waiting.splice(0))
				w.reject(new Error(`the ${name} driver has ended`));
		});
		readline.createInterface({ input: this.p.stdout })
			.on('line', (line) => this.onLine(line));
		this.write({ ...app, port: d.port, master: app.master });
	}

	write(m) {
		this.p.stdin.write(`${JSON.stringify(m)}\n`);
	}

	onLine(line) {
		const { resolve, reject } = this.waiting.shift();
		const answer = JSON.parse(line);
		if (answer.error === undefined) resolve(answer.ok);
		else reject(new LibraryError(answer.error));
	}

	call(m) {
		return new Promise((resolve, reject) => {
			this.waiting.push({ resolve, reject });
			this.write(m);
		});
	}

	stop() {
		return new Promise((ok) => {
			this.p.on('close', ok);
			this.p.stdin.end();
		});
	}
}

// The same calls on the library for Node.js.
class Here {
	constructor(d, app) {
		this.lib = server(d, app, { encryptionMasterKeyBase64: app.master });
	}

	async call(m) {
		try {
			return await this[m.do](m);
		} catch (e) {
			throw new LibraryError(`${e.message} ${e.status} ${e.body}`);
		}
	}

	async get(route, params) {
		return (await this.lib.get({ path: route, params })).json();
	}

	async trigger(m) {
		const r = await this.lib.trigger(m.channels, m.event, m.data,
			m.socket_id ? { socket_id: m.socket_id } : {});
		return r.json();
	}

	async batch(m) {
		return (await this.lib.triggerBatch(m.events)).json();
	}

	channels(m) {
		return this.get('/channels',
			{ filter_by_prefix: m.prefix, info: m.info.join(',') });
	}

	channel(m) {
		return this.get(`/channels/${m.channel}`, { info: m.info.join(',') });
	}

	users(m) {
		return this.get(`/channels/${m.channel}/users`, {});
	}

	auth(m) {
		return this.lib.authorizeChannel(m.socket_id, m.channel, m.member);
	}

	user_auth(m) {
		return this.lib.authenticateUser(m.socket_id, m.user);
	}

	webhook(m) {
		const hook = this.lib.webhook({ rawBody: m.body, headers: {
			'x-pusher-key': m.key, 'x-pusher-signature': m.signature,
			'content-type': 'application/json' } });
		if (!hook.isValid()) throw new Error('invalid webhook');
		return hook.getData();
	}

	terminate(m) {
		return this.lib.terminateUserConnections(m.user);
	}

	send_to_user(m) {
		return this.lib.sendToUser(m.user, m.event, m.data);
	}

	async stop() {}
}

function drive(name, d, app) {
	return LIBRARIES[name].command ? new Driver(name, d, app) :
		new Here(d, app);
}

const masterKey = () => crypto.randomBytes(32).toString('base64');

module.exports = { LIBRARIES, LibraryError, drive, masterKey, missing };
