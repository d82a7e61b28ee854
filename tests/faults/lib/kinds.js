// SPDX-License-Identifier: MIT
//
// Clients of each kind that an upgrade has to hand over, in the middle of
// something: half() begins it before the upgrade, whole() ends it behind it.
'use strict';

const assert = require('node:assert/strict');
const tls = require('node:tls');
const { Client, OP, frame } = require('../../system/lib/client');
const { Http, api, publish } = require('../../system/lib/http');
const { signedTarget } = require('../../system/lib/sign');

const PING = JSON.stringify({ event: 'pusher:ping',
	data: { x: 'y'.repeat(300) } });
const BIG = 'b'.repeat(9000);
const BURST = 100; // of BIG: 900 KB, more than a socket takes

// A connection to the address with TLS.
const overTls = (d, authority) => ({ sock: () => tls.connect({
	port: d.ports[1], host: '127.0.0.1', ca: authority.ca,
	servername: 'localhost' }) });

// What has come in two pieces is understood.
async function inPieces(s, send) {
	const c = await Client.connect(s.d, s.app);
	let at;
	return {
		half: () => {
			at = 1 + s.random.below(300);
			send(c, at);
		},
		whole: async () => {
			send(c, at, true);
			await c.expect('pusher:pong');
		},
		end: () => c.close(),
	};
}

async function batch(s, events) {
	const r = await api(s.d, s.app, 'POST', '/batch_events',
		{ body: { batch: events } });
	assert.equal(r.status, 200, r.text);
}

// A publish, of which cut() gives the two pieces behind the first headers.
async function body(s, cut) {
	const h = await Http.connect(s.d);
	const text = JSON.stringify({ name: 'e', channel: 'nobody', data: 'x' });
	let parts;
	return {
		half: async () => {
			const target = signedTarget(s.app, 'POST',
				`/apps/${s.app.id}/events`, { body: text });
			parts = cut(text);
			await h.write(`POST ${target} HTTP/1.1\r\nHost: x\r\n${parts[0]}`);
		},
		whole: async () => {
			await h.write(parts[1]);
			assert.equal((await h.answer()).status, 200);
		},
		end: () => h.end(),
	};
}

const kinds = {
	'half a frame': (s) => {
		const text = frame(OP.TEXT, PING);
		return inPieces(s, (c, at, rest) => c.sock.write(rest ?
			text.subarray(at) : text.subarray(0, at)));
	},
	'half a message': (s) => inPieces(s, (c, at, rest) => (rest ?
		c.sendFrame(OP.CONT, PING.slice(at)) :
		c.sendFrame(OP.TEXT, PING.slice(0, at), { fin: false }))),

	'half a handshake': async (s) => {
		const raw = `GET /app/${s.app.key}?protocol=7 HTTP/1.1\r\n` +
			'Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
			'Sec-WebSocket-Version: 13\r\n' +
			'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n';
		let c;
		return {
			half: () => {
				c = new Client(s.d, '', { raw: raw.slice(0, 60) });
			},
			whole: async () => {
				c.sock.write(raw.slice(60));
				await c.greeted();
				await c.close();
			},
			end: () => {},
		};
	},

	'a pipelined request': async (s) => {
		const h = await Http.connect(s.d);
		let bytes;
		return {
			half: async () => {
				const target = signedTarget(s.app, 'GET',
					`/apps/${s.app.id}/channels`, {});
				bytes = `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`;
				await h.write(bytes + bytes.slice(0, 40));
			},
			whole: async () => {
				await h.write(bytes.slice(40));
				for (let i = 0; i < 2; i++)
					assert.equal((await h.answer()).status, 200);
			},
			end: () => h.end(),
		};
	},

	'half a body': (s) => body(s, (text) => [
		`Content-Length: ${text.length}\r\n\r\n${text.slice(0, 9)}`,
		text.slice(9)]),
	'half a chunk': (s) => body(s, (text) => [
		'Transfer-Encoding: chunked\r\n\r\n' +
		`${text.length.toString(16)}\r\n${text.slice(0, 11)}`,
		`${text.slice(11)}\r\n0\r\n\r\n`]),

	'900 KB that it does not read': async (s) => {
		const c = await Client.connect(s.d, s.app);
		await c.subscribe('unread');
		return {
			half: async () => {
				c.sock.pause();
				for (let i = 0; i < BURST; i += 10)
					await batch(s, Array.from({ length: 10 }, (_, k) => ({
						name: 'e', channel: 'unread',
						data: `${i + k} ${BIG}` })));
			},
			whole: async () => {
				c.sock.resume();
				for (let i = 0; i < BURST; i++)
					assert.equal(await c.expect('e'), `${i} ${BIG}`);
			},
			end: () => c.close(),
		};
	},

	'a user': async (s) => {
		const c = await Client.connect(s.d, s.app);
		await c.signin({ id: 'ann' });
		return {
			half: () => {},
			whole: async () => {
				await publish(s.d, s.app, '#server-to-user-ann', 'e', 'x');
				assert.equal(await c.expect('e'), 'x');
			},
			end: () => c.close(),
		};
	},

	// It has its TLS from one process, and its events from the next.
	TLS: async (s) => {
		let c;
		return {
			half: async () => {
				c = await Client.connect(s.d, s.app,
					overTls(s.d, s.authority));
				await c.subscribe('tls');
			},
			whole: async () => {
				await publish(s.d, s.app, 'tls', 'e', 'x');
				assert.equal(await c.expect('e'), 'x');
				await c.close();
			},
			end: () => {},
		};
	},
};

// One of each, of { d, app, authority, random }.
class Kinds {
	static async open(s) {
		const k = new Kinds();
		k.all = await Promise.all(Object.entries(kinds)
			.map(async ([name, open]) => ({ name, ...await open(s) })));
		return k;
	}

	async each(step) {
		await Promise.all(this.all.map(async (one) => {
			try {
				await one[step]();
			} catch (e) {
				e.message = `${one.name}: ${e.message}`;
				throw e;
			}
		}));
	}
}

module.exports = { Kinds, overTls };
