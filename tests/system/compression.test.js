// SPDX-License-Identifier: MIT
//
// permessage-deflate (RFC 7692) over raw sockets: each form of the offer and
// each bad one, and messages from clients, good, broken and too large.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, OP, frame } = require('./lib/client');
const { suite } = require('./lib/suite');
const { deflate } = require('./lib/window');

const PMD = 'permessage-deflate';
const YES = `${PMD}; client_no_context_takeover`;
const NO = undefined;

// [offer, answer]: a list is a header each.
const OFFERS = [
	[PMD, YES],
	[`${PMD}; client_max_window_bits`, YES],
	[`${PMD}; client_max_window_bits=8`, YES],
	[`${PMD}; client_max_window_bits=15`, YES],
	[`${PMD}; client_max_window_bits="10"`, YES],
	[`${PMD}; client_no_context_takeover`, YES],
	[`${PMD}; client_no_context_takeover; client_max_window_bits`, YES],
	[`${PMD}; server_no_context_takeover`,
		`${YES}; server_no_context_takeover`],
	[`${PMD}; server_no_context_takeover; client_no_context_takeover`,
		`${YES}; server_no_context_takeover`],
	...[9, 10, 11, 12, 13, 14, 15].map((n) => [
		`${PMD}; server_max_window_bits=${n}`,
		`${YES}; server_max_window_bits=${n}`]),
	[`${PMD}; server_max_window_bits="12"; server_no_context_takeover`,
		`${YES}; server_no_context_takeover; server_max_window_bits=12`],
	['PerMessage-Deflate;SERVER_NO_CONTEXT_TAKEOVER',
		`${YES}; server_no_context_takeover`],
	[`\t${PMD}\t;\tclient_max_window_bits\t=\t10\t`, YES],
	// Several: the first acceptable one, in one header or in several.
	[`${PMD}; server_max_window_bits=8, ${PMD}`, YES],
	[`${PMD}; x, ${PMD}; server_max_window_bits=10, ${PMD}`,
		`${YES}; server_max_window_bits=10`],
	[`${PMD}; server_max_window_bits=10, ${PMD}`,
		`${YES}; server_max_window_bits=10`],
	[`x-webkit-deflate-frame, ${PMD}`, YES],
	[`permessage-bzip2; a="b, ${PMD}; c", ${PMD}; client_max_window_bits`, YES],
	[`foo; a="\\", ${PMD}", ${PMD}`, YES],
	[`, ,${PMD},`, YES],
	[[`${PMD}; bad`, 'foo', PMD], YES],
	[['foo', `${PMD}; server_max_window_bits=11`, PMD],
		`${YES}; server_max_window_bits=11`],
	// Declined; the connection works without.
	...[7, 8, 16, 0, -1, '08', '009', '015', '1a', '', '1 5', '""', '"', '0xf',
		'99999999999999999999'].map((n) => [
		`${PMD}; server_max_window_bits=${n}`, NO]),
	...[7, 16, 0, '08', '1a', '', '""'].map((n) => [
		`${PMD}; client_max_window_bits=${n}`, NO]),
	[`${PMD}; server_max_window_bits`, NO],
	[`${PMD}; server_no_context_takeover=1`, NO],
	[`${PMD}; server_no_context_takeover=`, NO],
	[`${PMD}; client_no_context_takeover=yes`, NO],
	[`${PMD}; client_no_context_takeover; client_no_context_takeover`, NO],
	[`${PMD}; server_no_context_takeover; server_no_context_takeover`, NO],
	[`${PMD}; server_max_window_bits=10; server_max_window_bits=10`, NO],
	[`${PMD}; client_max_window_bits; client_max_window_bits=15`, NO],
	[`${PMD}; unknown`, NO],
	[`${PMD}; mux; client_max_window_bits`, NO],
	[`${PMD};`, NO],
	[`${PMD};;client_max_window_bits`, NO],
	[`${PMD}=1`, NO],
	[`"${PMD}"`, NO],
	[`${PMD}s`, NO],
	[`foo; x=", ${PMD}"`, NO],
	[`foo; x=", ${PMD}`, NO],
	['', NO],
	[',', NO],
	['deflate-frame', NO],
	[`${`${PMD}; x, `.repeat(500)}${PMD}; server_max_window_bits=8`, NO],
	[`${'a'.repeat(9000)}, ${PMD}`, YES],
];

suite('compression: the offer', (d) => {
	const app = d.app();
	const off = d.app({ compression: 'off' });
	const ask = async (offer, to = app) => {
		const c = await Client.connect(d, to, { raw: offer === null ?
			undefined : [`GET /app/${to.key}?protocol=7 HTTP/1.1`, 'Host: h',
				'Upgrade: websocket', 'Connection: Upgrade',
				'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
				'Sec-WebSocket-Version: 13', ...[offer].flat().map((o) =>
					`Sec-WebSocket-Extensions: ${o}`), '', ''].join('\r\n') });
		const answer = c.head.headers['sec-websocket-extensions'];
		await c.subscribe('a'); // it works
		await c.close();
		return answer;
	};

	test('each form of it, and each bad one', async () => {
		for (const [offer, answer] of OFFERS)
			assert.equal(await ask(offer), answer, String(offer));
	});

	test('no offer: no header more than before', async () => {
		const c = await Client.connect(d, app);
		assert.deepEqual(Object.keys(c.head.headers),
			['upgrade', 'connection', 'sec-websocket-accept']);
		await c.close();
	});

	test('an app with compression off declines it', async () => {
		assert.equal(await ask(PMD, off), undefined);
	});

	test('a client that is refused hears it uncompressed', async () => {
		const c = new Client(d, '/app/unknown-key?protocol=7',
			{ headers: { 'Sec-WebSocket-Extensions': PMD } });
		const { status, headers } = await c.upgraded();
		assert.equal(status, 101);
		assert.equal(headers['sec-websocket-extensions'], undefined);
		await c.expectFatal(4001);
	});
});

// Bytes that no compressor makes smaller.
const noise = (n) => {
	let x = 1;
	return Buffer.from(Array.from({ length: n }, () => {
		x = Math.imul(x, 1103515245) + 12345 | 0;
		return 32 + (x >>> 16) % 95;
	}));
};
const PING = '{"event":"pusher:ping","data":{}}';
const pad = (n) => `{"event":"pusher:ping","data":{},"x":"${
	'y'.repeat(n - 40)}"}`;
const packed = (text, how = {}) =>
	frame(OP.TEXT, deflate(text, how.zlib), { rsv: 4, ...how });
// In pieces of n bytes.
const pieces = (body, n) => {
	const all = [];
	for (let i = 0; i < body.length; i += n)
		all.push(frame(i === 0 ? OP.TEXT : OP.CONT, body.subarray(i, i + n),
			{ rsv: i === 0 ? 4 : 0, fin: i + n >= body.length }));
	return Buffer.concat(all);
};
const hex = (s) => Buffer.from(s, 'hex');
const raw = (bytes) => frame(OP.TEXT, bytes, { rsv: 4 });

// [what, bytes, answers]: 'pong' is a message that was understood, 'error' one
// that was read, a number a close code.
const MAX = 4096;
const MESSAGES = [
	['one frame', packed(PING), ['pong']],
	['each level', Buffer.concat([0, 1, 6, 9].map((level) =>
		packed(PING, { zlib: { level } }))), Array(4).fill('pong')],
	['each window', Buffer.concat([9, 10, 12, 15].map((windowBits) =>
		packed(pad(3000), { zlib: { windowBits } }))), Array(4).fill('pong')],
	['in fragments of one byte', pieces(deflate(PING), 1), ['pong']],
	['in two fragments, the first one empty', Buffer.concat([
		frame(OP.TEXT, '', { rsv: 4, fin: false }),
		frame(OP.CONT, deflate(PING))]), ['pong']],
	['compressed and not, in turns', Buffer.concat([packed(PING),
		frame(OP.TEXT, PING), packed(PING)]), ['pong', 'pong', 'pong']],
	['a ping between its fragments', Buffer.concat([
		frame(OP.TEXT, deflate(PING).subarray(0, 9), { rsv: 4, fin: false }),
		frame(OP.PING, 'p'), frame(OP.CONT, deflate(PING).subarray(9))]),
	['P', 'pong']],
	['a final block (7.2.3.4)', raw(Buffer.concat([
		require('node:zlib').deflateRawSync(PING), Buffer.from([0])])),
	['pong']],
	['stored blocks (7.2.3.3)', packed(PING, { zlib: { level: 0 } }), ['pong']],
	['the empty message', raw(hex('00')), ['error']],
	['the largest message', packed(pad(MAX)), ['pong']],
	['noise of the largest size, longer than itself',
		packed(noise(MAX), { zlib: { memLevel: 1 } }), ['error']],
	['one byte too many', packed(pad(MAX + 1)), [1009]],
	['a bomb of 1 MiB', packed(Buffer.alloc(1 << 20)), [1009]],
	['a bomb in fragments', pieces(deflate(Buffer.alloc(1 << 20)), 64),
		[1009]],
	['a compressed length that cannot be right',
		frame(OP.TEXT, Buffer.alloc(MAX * 2), { rsv: 4 }), [1009]],
	['… before it is here', frame(OP.TEXT, 'x',
		{ rsv: 4, length: MAX * 2 }), [1009]],
	['fragments that are too much together', pieces(noise(MAX * 2), 1000),
		[1009]],
	['garbage', raw(hex('ffffffffffffff')), [1007]],
	['garbage in fragments', pieces(hex('ffffffffffffff'), 3), [1007]],
	['half of a message', raw(deflate(pad(200)).subarray(0, 20)), [1007]],
	['nothing', raw(''), [1007]],
	['a distance into an earlier message', Buffer.concat([packed(PING),
		raw((() => {
			const zlib = require('node:zlib');
			const b = zlib.deflateRawSync(PING, {
				finishFlush: zlib.constants.Z_SYNC_FLUSH,
				dictionary: Buffer.from(PING) });
			return b.subarray(0, b.length - 4);
		})())]), ['pong', 1007]],
	['bytes behind the final block', raw(Buffer.concat([
		require('node:zlib').deflateRawSync(PING), hex('ffff')])), [1007]],
	['no UTF-8 inside', packed(hex('7b22c3282200')), [1007]],
	['UTF-8 cut at the end, inside', packed(hex('e282')), [1007]],
	['UTF-8 outside only', raw(Buffer.from('é')), [1007]],
	['RSV1 on a continuation', Buffer.concat([
		frame(OP.TEXT, deflate(PING).subarray(0, 9), { rsv: 4, fin: false }),
		frame(OP.CONT, deflate(PING).subarray(9), { rsv: 4 })]), [1002]],
	['RSV1 on a ping', frame(OP.PING, '', { rsv: 4 }), [1002]],
	['RSV1 on a pong', frame(OP.PONG, '', { rsv: 4 }), [1002]],
	['RSV1 on a close', frame(OP.CLOSE, hex('03e8'), { rsv: 4 }), [1002]],
	...[1, 2, 3, 5, 6, 7].map((rsv) => [`reserved bits ${rsv}`,
		frame(OP.TEXT, deflate(PING), { rsv }), [1002]]),
	['binary', frame(OP.BINARY, deflate(PING), { rsv: 4 }), [1003]],
	['1,025 fragments', pieces(deflate(noise(3000)), 1), [1008]],
];

suite('compression: messages from clients', (d) => {
	const app = d.app({ max_messages_per_second: '0' });

	// As a whole, and byte by byte (the first thousand).
	const say = async ([what, bytes, want], cut) => {
		const c = await Client.connect(d, app, { headers: {
			'Sec-WebSocket-Extensions': PMD } });
		for (let i = 0; cut && i < Math.min(bytes.length, 1000); i++)
			c.sock.write(bytes.subarray(i, i + 1));
		c.sock.write(bytes.subarray(cut ? 1000 : 0));
		for (const w of want) {
			if (w === 'P') assert.equal((await c.nextFrame()).opcode, OP.PONG);
			else if (w === 'pong') await c.expect('pusher:pong');
			else if (w === 'error') await c.expectError(null);
			else await c.expectClose(w);
		}
		if (typeof want.at(-1) === 'number') return;
		assert.deepEqual(await c.sync(), []);
		await c.close();
	};

	test('good, broken and too large ones', async () => {
		for (const row of MESSAGES)
			for (const cut of [false, true])
				await say(row, cut).catch((e) => {
					throw new Error(`${row[0]}${cut ? ', cut' : ''}: ` +
						e.message);
				});
	});

	test('RSV1 without an agreement: 1002', async () => {
		const c = await Client.connect(d, app);
		c.sock.write(packed(PING));
		await c.expectClose(1002);
	});

	test('a client event comes as it would uncompressed', async () => {
		const open = d.app({ client_events: 'on' });
		const [a, b] = await Client.several(d, open, 2, { headers: {
			'Sec-WebSocket-Extensions': `${PMD}; server_max_window_bits=9` } });
		await a.subscribe('private-x');
		await b.subscribe('private-x');
		const data = { text: 'é "q" \\ / <&> 🎈 '.repeat(20) };
		a.sock.write(packed(JSON.stringify({ event: 'client-e',
			channel: 'private-x', data })));
		assert.deepEqual(JSON.parse(await b.expect('client-e')), data);
		await a.close();
		await b.close();
	});
}, { max_message_bytes: MAX });
