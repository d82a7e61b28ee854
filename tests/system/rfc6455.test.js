// SPDX-License-Identifier: MIT
//
// A table of RFC 6455 over raw sockets: against ws_echo, which is the
// worker's own connection and frame code with everything of Pusher's taken
// out, and against the daemon where the same bytes make sense there.
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const { Client, OP, frame, closeOf } = require('./lib/client');
const { Daemon, PUSHERD } = require('./lib/daemon');

const F = (op, body, how) => frame(op, body, how);
const code = (n, reason = '') => {
	const b = Buffer.alloc(2);
	b.writeUInt16BE(n);
	return Buffer.concat([b, Buffer.from(reason)]);
};
const hex = (s) => Buffer.from(s, 'hex');
const text = (s) => `T:${Buffer.from(s).toString('hex')}`;
const part = (bytes, op = OP.TEXT, fin = false) => F(op, bytes, { fin });

// [section, what, bytes, what comes back]: T:hex and B:hex are messages, P:hex
// a pong, C:n a close frame with this code.
const CASES = [
	['5.6', 'empty text', [F(OP.TEXT, '')], [text('')]],
	['5.6', 'empty binary', [F(OP.BINARY, '')], ['B:']],
	['5.6', 'binary of any bytes', [F(OP.BINARY, hex('ff00c0'))], ['B:ff00c0']],
	['5.4', 'three fragments', [part('a'), part('b', OP.CONT),
		part('c', OP.CONT, true)], [text('abc')]],
	['5.4', 'binary fragments', [part(hex('ff'), OP.BINARY),
		part(hex('fe'), OP.CONT, true)], ['B:fffe']],
	['5.4', 'empty fragments', [part(''), part('', OP.CONT),
		part('', OP.CONT, true)], [text('')]],
	['5.4', 'control frames between fragments', [part('a'), F(OP.PING, 'x'),
		F(OP.PONG, 'y'), part('b', OP.CONT, true)], ['P:78', text('ab')]],
	['5.4', 'a close between fragments', [part('a'),
		F(OP.CLOSE, code(1000))], ['C:1000']],
	['5.4', 'continuation of nothing', [F(OP.CONT, 'a')], ['C:1002']],
	['5.4', 'continuation that goes on, of nothing', [part('a', OP.CONT)],
		['C:1002']],
	['5.4', 'text within a text', [part('a'), F(OP.TEXT, 'b')], ['C:1002']],
	['5.4', 'binary within a text', [part('a'), F(OP.BINARY, 'b')],
		['C:1002']],
	['5.4', 'continuation behind the last one', [part('a'),
		part('b', OP.CONT, true), F(OP.CONT, 'c')], [text('ab'), 'C:1002']],
	['5.1', 'text without a mask', [F(OP.TEXT, 'a', { mask: false })],
		['C:1002']],
	['5.1', 'ping without a mask', [F(OP.PING, 'a', { mask: false })],
		['C:1002']],
	['5.1', 'close without a mask', [F(OP.CLOSE, code(1000),
		{ mask: false })], ['C:1002']],
	['5.5.2', 'unasked pong', [F(OP.PONG, 'a'), F(OP.TEXT, 'b')],
		[text('b')]],
	['5.5.2', 'ping without a body', [F(OP.PING, '')], ['P:']],
	['5.5.1', 'close without a body', [F(OP.CLOSE, '')], ['C:1005']],
	['5.5.1', 'close of one byte', [F(OP.CLOSE, 'a')], ['C:1002']],
	['5.5.1', 'close with a reason', [F(OP.CLOSE, code(1000, 'é'))],
		['C:1000']],
	['5.5.1', 'close with the longest reason',
		[F(OP.CLOSE, code(1000, 'x'.repeat(123)))], ['C:1000']],
	['5.5.1', 'close with a reason that is no UTF-8',
		[F(OP.CLOSE, Buffer.concat([code(1000), hex('c3')]))], ['C:1007']],
	['5.5.1', 'nothing counts behind a close', [F(OP.CLOSE, code(1000)),
		F(OP.TEXT, 'a'), F(OP.PING, 'b')], ['C:1000']],
	['5.2', 'a length with its highest bit', [hex('81ff8000000000000000' +
		'00000000')], ['C:1002']],
];
for (const rsv of [1, 2, 3, 4, 5, 6, 7])
	for (const [name, op] of [['text', OP.TEXT], ['ping', OP.PING],
		['close', OP.CLOSE]])
		CASES.push(['5.2', `reserved bits ${rsv} of a ${name}`,
			[F(op, '', { rsv })], ['C:1002']]);
for (const op of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
	for (const fin of [true, false])
		CASES.push(['5.2', `opcode ${op}${fin ? '' : ', not the last'}`,
			[F(op, 'a', { fin })], ['C:1002']]);
for (const n of [1, 124, 125, 126, 127, 65535, 65536, 70000])
	CASES.push(['5.2', `text of ${n} bytes`, [F(OP.TEXT, 'x'.repeat(n))],
		[text('x'.repeat(n))]]);
for (const [n, form] of [[0, 16], [1, 16], [125, 16], [0, 64], [125, 64],
	[126, 64], [65535, 64]])
	CASES.push(['5.2', `${n} bytes, length in ${form} bits`,
		[F(OP.TEXT, 'x'.repeat(n), { form })], ['C:1002']]);
for (const op of [OP.PING, OP.PONG, OP.CLOSE]) {
	CASES.push(['5.5', `control frame ${op} of 126 bytes`,
		[F(op, Buffer.concat([code(1000), Buffer.alloc(124, 97)]))],
		['C:1002']]);
	CASES.push(['5.5', `control frame ${op} in fragments`,
		[F(op, op === OP.CLOSE ? code(1000) : 'a', { fin: false })],
		['C:1002']]);
}
for (const n of [1, 124, 125])
	CASES.push(['5.5.2', `ping of ${n} bytes`, [F(OP.PING,
		Buffer.alloc(n, 0xff))], [`P:${'ff'.repeat(n)}`]]);
for (const n of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012,
	1013, 1014, 3000, 3999, 4000, 4999])
	CASES.push(['7.4', `close code ${n}`, [F(OP.CLOSE, code(n))], [`C:${n}`]]);
for (const n of [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999,
	5000, 65535])
	CASES.push(['7.4', `close code ${n} may not be sent`,
		[F(OP.CLOSE, code(n))], ['C:1002']]);
for (const good of ['c3a9', 'e282ac', 'efbfbd', 'f09f8e88', 'f48fbfbf',
	'ed9fbf', 'ee8080', '00', '7f', 'c280', 'dfbf', 'e0a080', 'f0908080']) {
	CASES.push(['8.1', `UTF-8 ${good}`, [F(OP.TEXT, hex(good))],
		[`T:${good}`]]);
	for (let i = 1; i < good.length / 2; i++)
		CASES.push(['8.1', `UTF-8 ${good}, cut at ${i}`,
			[part(hex(good).subarray(0, i)), F(OP.PING, ''),
				part(hex(good).subarray(i), OP.CONT, true)],
			['P:', `T:${good}`]]);
}
for (const bad of ['80', 'bf', 'c0af', 'c1bf', 'c3', 'c328', 'e08080',
	'e09fbf', 'e282', 'eda080', 'edbfbf', 'f0808080', 'f08fbfbf', 'f09f8e',
	'f4908080', 'f5808080', 'fe', 'ff', 'f8888080']) {
	CASES.push(['8.1', `no UTF-8: ${bad}`, [F(OP.TEXT, hex(bad))],
		['C:1007']]);
	for (let i = 1; i < bad.length / 2; i++)
		CASES.push(['8.1', `no UTF-8: ${bad}, cut at ${i}`,
			[part(hex(bad).subarray(0, i)),
				part(hex(bad).subarray(i), OP.CONT, true)], ['C:1007']]);
}

// The opening handshake: [section, what, what is changed of a good one, the
// status of the answer].  undefined takes a header away, a list repeats it.
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const OPENINGS = [
	['4.1', 'as it should be', {}, 101],
	['4.2.1', 'names and words in other cases', { Upgrade: 'WebSocket',
		Connection: 'keep-alive, UPGRADE' }, 101],
	['4.2.1', 'headers nobody knows', { 'X-A': 'b', Origin: 'null' }, 101],
	['4.2.1', 'a protocol nobody knows',
		{ 'Sec-WebSocket-Protocol': 'chat' }, 101],
	['9.1', 'an extension nobody knows',
		{ 'Sec-WebSocket-Extensions': 'x-y; z=1' }, 101],
	['4.2.1', 'no key', { 'Sec-WebSocket-Key': undefined }, 400],
	['4.2.1', 'an empty key', { 'Sec-WebSocket-Key': '' }, 400],
	['4.2.1', 'two keys', { 'Sec-WebSocket-Key': [KEY, KEY] }, 400],
	['4.2.1', 'a key of 15 bytes',
		{ 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAA' }, 400],
	['4.2.1', 'a key of 17 bytes',
		{ 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAAA=' }, 400],
	['4.2.1', 'a key that is not base64',
		{ 'Sec-WebSocket-Key': 'dGhl*HNhbXBsZSBub25jZQ==' }, 400],
	['4.4', 'no version', { 'Sec-WebSocket-Version': undefined }, 426],
	['4.4', 'an empty version', { 'Sec-WebSocket-Version': '' }, 426],
	['4.4', 'two versions', { 'Sec-WebSocket-Version': ['13', '13'] }, 426],
	...['0', '8', '12', '14', '013', '13.0', '13, 8', '-13', 'x'].map((v) =>
		['4.4', `version ${v}`, { 'Sec-WebSocket-Version': v }, 426]),
	['4.2.1', 'no Upgrade', { Upgrade: undefined }, 426],
	['4.2.1', 'an empty Upgrade', { Upgrade: '' }, 426],
	['4.2.1', 'Upgrade: h2c', { Upgrade: 'h2c' }, 426],
	['4.2.1', 'Upgrade: websockets', { Upgrade: 'websockets' }, 426],
	['4.2.1', 'no Connection', { Connection: undefined }, 400],
	['4.2.1', 'Connection: keep-alive', { Connection: 'keep-alive' }, 400],
	['4.2.1', 'Connection: upgraded', { Connection: 'upgraded' }, 400],
	['4.2.1', 'no Host', { Host: undefined }, 400],
	['4.2.1', 'two Hosts', { Host: ['a', 'b'] }, 400],
	['4.1', 'a body', { 'Content-Length': '1', body: 'x' }, 400],
	['4.1', 'a chunked body', { 'Transfer-Encoding': 'chunked',
		body: '0\r\n\r\n' }, 400],
	...['POST', 'PUT', 'HEAD', 'OPTIONS', 'get'].map((method) =>
		['4.1', `method ${method}`, { method }, 400]),
	['4.1', 'HTTP/1.0', { version: 'HTTP/1.0' }, 400],
	['4.1', 'HTTP/0.9', { version: 'HTTP/0.9' }, [400, 505]],
	['4.1', 'HTTP/2.0', { version: 'HTTP/2.0' }, [400, 505]],
	['4.1', 'a header in two lines', { 'X-A': 'b\r\n c' }, 400],
	['4.1', 'a blank before the colon', { 'X-A ': 'b' }, 400],
	['4.1', 'a zero byte', { 'X-A': 'b\0c' }, 400],
	['4.1', 'a head too large', { 'X-A': 'b'.repeat(20000) }, 431],
	['4.1', 'too many headers', { 'X-A': Array(200).fill('b') }, 431],
];

function opening(path, change) {
	const { method = 'GET', version = 'HTTP/1.1', body = '', ...headers } = {
		Host: '127.0.0.1', Upgrade: 'websocket', Connection: 'Upgrade',
		'Sec-WebSocket-Key': KEY, 'Sec-WebSocket-Version': '13', ...change };
	const lines = Object.entries(headers).flatMap(([k, v]) =>
		(v === undefined ? [] : [v].flat().map((one) => `${k}: ${one}\r\n`)));
	return `${method} ${path} ${version}\r\n${lines.join('')}\r\n${body}`;
}

// Sends the pieces; the client when the answer is there.
async function open(d, pieces) {
	const c = new Client(d, '', { raw: pieces[0] });
	for (const piece of pieces.slice(1)) {
		await new Promise((ok) => { setImmediate(ok); });
		c.sock.write(piece);
	}
	return [c, await c.upgraded()];
}

const name = (f) => (f.opcode === OP.CLOSE ? `C:${closeOf(f).code}` :
	({ [OP.TEXT]: 'T:', [OP.BINARY]: 'B:', [OP.PONG]: 'P:' })[f.opcode] +
	f.payload.toString('hex'));

// Sends it in one piece or byte by byte; everything that comes until the end.
async function answers(c, bytes, want, slowly) {
	c.answerPings = false;
	if (slowly)
		for (const b of bytes) c.sock.write(Buffer.from([b]));
	else
		c.sock.write(bytes);
	const got = [];
	while (got.length < want.length) {
		const f = await c.nextFrame();
		if (f === null) break;
		got.push(name(f));
	}
	assert.deepEqual(got, want);
	if (!want.at(-1).startsWith('C:')) await c.close();
	else await c.ended();
	assert.deepEqual(c.frames.map(name).filter((n) => n !== 'C:1000'), []);
}

// A table must not end at its first fault.
async function all(cases, one) {
	const wrong = [];
	for (const [section, what, parts, want] of cases)
		for (const slowly of [false, true]) {
			const bytes = Buffer.concat(parts);
			if (slowly && bytes.length > 400) continue;
			try {
				await one(bytes, want, slowly);
			} catch (e) {
				wrong.push(`${section} ${what}: ${e.message}`);
			}
		}
	assert.deepEqual(wrong, []);
}

describe('RFC 6455', () => {
	const d = new Daemon();
	const app = d.app();
	let echo;
	let port;

	before(async () => {
		echo = spawn(path.join(path.dirname(PUSHERD), 'ws_echo'), ['0'],
			{ stdio: ['ignore', 'pipe', 'inherit'] });
		const line = await new Promise((ok, no) => {
			echo.on('error', no);
			echo.on('exit', (n) => no(new Error(`ws_echo ended: ${n}`)));
			echo.stdout.once('data', (b) => ok(String(b)));
		});
		port = Number(/:(\d+)/.exec(line)[1]);
		await d.start();
	});
	after(async () => {
		echo.kill('SIGKILL');
		await d.stop();
	});

	test(`M4: the echo server, ${CASES.length} cases`, async () => {
		await all(CASES, async (bytes, want, slowly) => {
			const c = new Client({ port }, '/');
			assert.equal((await c.upgraded()).status, 101);
			await answers(c, bytes, want, slowly);
		});
		assert.equal(echo.exitCode ?? echo.signalCode, null,
			'ws_echo has died');
	});

	test('M4: the echo server outlives clients that just go', async () => {
		for (let i = 0; i < 20; i++) {
			const c = new Client({ port }, '/');
			await c.upgraded();
			c.destroy();
		}
		const c = new Client({ port }, '/');
		await c.upgraded();
		await answers(c, F(OP.TEXT, 'here'), [text('here')], false);
	});

	test(`M4: the opening handshake, ${OPENINGS.length} cases`, async () => {
		const wrong = [];
		for (const [section, what, change, want] of OPENINGS)
			for (const slowly of [false, true]) {
				const text = opening(`/app/${app.key}?protocol=7`, change);
				if (slowly && text.length > 1000) continue;
				const [c, { status, headers }] = await open(d,
					slowly ? [...text] : [text]);
				if (![want].flat().includes(status) || (status === 101 &&
					headers['sec-websocket-accept'] !==
						's3pPLMBiTxaQ9kYGzzhZRbK+xOo=') ||
					(status === 426 &&
						headers['sec-websocket-version'] !== '13'))
					wrong.push(`${section} ${what}: ${status}`);
				c.destroy();
			}
		assert.deepEqual(wrong, []);
	});

	test('M4: a handshake and a frame, cut at every byte', async () => {
		const bytes = Buffer.concat([Buffer.from(opening('/', {})),
			F(OP.TEXT, 'a')]);
		for (let i = 1; i < bytes.length; i++) {
			const [c, { status }] = await open({ port },
				[bytes.subarray(0, i), bytes.subarray(i)]);
			assert.equal(status, 101, `cut at ${i}`);
			assert.equal(name(await c.nextFrame()), text('a'), `cut at ${i}`);
			c.destroy();
		}
	});

	// Messages mean something to it, so only what they may not be.
	test('M4: the daemon', async () => {
		await all(CASES.filter(([, what, , want]) =>
			want.every((w) => /^[CP]:/.test(w)) && !/^binary/.test(what)),
		async (bytes, want, slowly) => {
			const c = await Client.connect(d, app);
			await answers(c, bytes, want, slowly);
		});
	});
});
