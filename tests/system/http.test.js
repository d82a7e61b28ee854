// SPDX-License-Identifier: MIT
//
// HTTP/1.1 on the wire: any split of the bytes, pipelining, chunked bodies,
// Expect, sizes, and everything that could be read in two ways.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Http, api } = require('./lib/http');
const { md5, signedTarget } = require('./lib/sign');
const { suite } = require('./lib/suite');

suite('http', (d) => {
	const app = d.app();
	const path = `/apps/${app.id}/events`;

	// A whole publish as bytes; chunked: sizes of the chunks.
	function publishBytes(n, { headers = '', chunked, close } = {}) {
		const body = `{"name":"e","channel":"room","data":"${n}"}`;
		const target = signedTarget(app, 'POST', path, { body });
		let framing = `Content-Length: ${body.length}\r\n`;
		let payload = body;
		if (chunked) {
			framing = 'Transfer-Encoding: chunked\r\n';
			payload = chunks(body, chunked);
		}
		return `POST ${target} HTTP/1.1\r\nHost: x\r\n${framing}${headers}` +
			`${close ? 'Connection: close\r\n' : ''}\r\n${payload}`;
	}

	function chunks(body, size) {
		let out = '';
		for (let i = 0; i < body.length; i += size) {
			const part = body.slice(i, i + size);
			out += `${part.length.toString(16)}\r\n${part}\r\n`;
		}
		return `${out}0\r\n\r\n`;
	}

	async function subscriber() {
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		return c;
	}

	for (const [what, how] of [['Content-Length', {}],
		['chunks of 1', { chunked: 1 }], ['chunks of 17', { chunked: 17 }]])
		test(`B24 ${what}, split at every byte`, async () => {
			const c = await subscriber();
			const h = await Http.connect(d);
			const n = publishBytes(0, how).length;
			for (let i = 1; i < n; i++) {
				const bytes = publishBytes(i, how);
				await h.write(bytes.slice(0, i));
				await new Promise(setImmediate);
				await h.write(bytes.slice(i));
				const r = await h.answer();
				assert.equal(r.status, 200, r.text);
				assert.equal((await c.next()).data, `${i}`);
			}
			h.end();
			await c.close();
		});

	test('one byte at a time', async () => {
		const h = await Http.connect(d);
		for (const b of publishBytes(1, { chunked: 5 })) {
			await h.write(b);
			await new Promise((ok) => setTimeout(ok, 1));
		}
		assert.equal((await h.answer()).status, 200);
		h.end();
	});

	test('pipelined requests are answered in order', async () => {
		const c = await subscriber();
		const h = await Http.connect(d);
		const all = [];
		for (let i = 0; i < 60; i++) {
			all.push(publishBytes(i, { chunked: i % 3 ? 0 : 9 }));
			all.push(`GET ${i % 2 ? '/up' : '/nothing'} HTTP/1.1\r\n` +
				'Host: x\r\n\r\n');
			all.push(`GET ${signedTarget(app, 'GET',
				`/apps/${app.id}/channels/p-${i}`)} HTTP/1.1\r\n` +
				'Host: x\r\n\r\n');
		}
		await h.write(all.join(''));
		for (let i = 0; i < 60; i++) {
			assert.equal((await h.answer()).text, '{}');
			assert.equal((await h.answer()).status, i % 2 ? 200 : 404);
			assert.deepEqual((await h.answer()).json, { occupied: false });
		}
		for (let i = 0; i < 60; i++)
			assert.equal((await c.next()).data, `${i}`);
		h.end();
		await c.close();
	});

	test('D13 keep-alive by default, close when asked', async () => {
		const h = await Http.connect(d);
		for (let i = 0; i < 5; i++)
			assert.equal((await h.ask('GET', '/up')).status, 200);
		await h.write(publishBytes(1, { close: true }));
		const r = await h.answer();
		assert.equal(r.status, 200);
		assert.match(r.headers.connection, /close/i);
		await h.closed();
		h.end();
	});

	test('HTTP/1.0 closes unless asked to keep', async () => {
		const h = await Http.connect(d);
		await h.write('GET /up HTTP/1.0\r\n\r\n');
		assert.equal((await h.answer()).status, 200);
		await h.closed();
		h.end();
		const k = await Http.connect(d);
		for (let i = 0; i < 2; i++) {
			await k.write('GET /up HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
			assert.equal((await k.answer()).status, 200);
		}
		k.end();
	});

	test('an end of input behind the request is fine', async () => {
		const h = await Http.connect(d);
		h.sock.end(publishBytes(1));
		assert.equal((await h.answer()).status, 200);
		h.end();
	});

	test('Expect: 100-continue', async () => {
		const h = await Http.connect(d);
		const bytes = publishBytes(7, { headers: 'Expect: 100-continue\r\n' });
		const at = bytes.indexOf('\r\n\r\n') + 4;
		await h.write(bytes.slice(0, at));
		assert.equal((await h.answer()).status, 100);
		await h.write(bytes.slice(at));
		assert.equal((await h.answer()).status, 200);
		// With the body right behind, 100 may be left out.
		await h.write(bytes);
		let r = await h.answer();
		if (r.status === 100) r = await h.answer();
		assert.equal(r.status, 200);
		h.end();
	});

	test('chunk extensions and trailers', async () => {
		const h = await Http.connect(d);
		const body = '{"name":"e","channel":"room","data":"1"}';
		const target = signedTarget(app, 'POST', path, { body });
		await h.write(`POST ${target} HTTP/1.1\r\nHost: x\r\n` +
			'Transfer-Encoding: Chunked\r\n\r\n' +
			`A;a=b;c="d"\r\n${body.slice(0, 10)}\r\n` +
			`0${(body.length - 10).toString(16)}\r\n${body.slice(10)}\r\n` +
			'0\r\nX-Trailer: y\r\n\r\nGET /up HTTP/1.1\r\nHost: x\r\n\r\n');
		assert.equal((await h.answer()).status, 200);
		assert.deepEqual((await h.answer()).json, { health: 'OK' });
		h.end();
	});

	test('empty lines in front of a request', async () => {
		const h = await Http.connect(d);
		await h.write('\r\nGET /up HTTP/1.1\r\nHost: x\r\n\r\n');
		assert.equal((await h.answer()).status, 200);
		h.end();
	});

	// Must be refused and closed; nothing behind it may be served.
	const GOOD = 'GET /up HTTP/1.1\r\nHost: x\r\n';
	const POST = `POST ${path} HTTP/1.1\r\nHost: x\r\n`;
	for (const [what, bytes, status = 400] of [
		['two lengths', `${POST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nx`],
		['two equal lengths',
			`${POST}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx`],
		['a list of lengths', `${POST}Content-Length: 1, 1\r\n\r\nx`],
		['length and chunked', `${POST}Content-Length: 5\r\n` +
			'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
		['chunked and length', `${POST}Transfer-Encoding: chunked\r\n` +
			'Content-Length: 5\r\n\r\n0\r\n\r\n'],
		['chunked twice', `${POST}Transfer-Encoding: chunked\r\n` +
			'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
		['chunked, chunked', `${POST}Transfer-Encoding: chunked, chunked` +
			'\r\n\r\n0\r\n\r\n', [400, 501]],
		['gzip, chunked', `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n`,
			[400, 501]],
		['identity', `${POST}Transfer-Encoding: identity\r\n\r\n`, [400, 501]],
		['xchunked', `${POST}Transfer-Encoding: xchunked\r\n\r\n`, [400, 501]],
		['chunked with VT', `${POST}Transfer-Encoding: \x0bchunked\r\n\r\n`,
			[400, 501]],
		['chunked in HTTP/1.0', `POST ${path} HTTP/1.0\r\n` +
			'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
		['negative length', `${POST}Content-Length: -1\r\n\r\n`],
		['signed length', `${POST}Content-Length: +1\r\n\r\nx`],
		['hex length', `${POST}Content-Length: 0x1\r\n\r\nx`],
		['empty length', `${POST}Content-Length:\r\n\r\n`],
		['length with a blank', `${POST}Content-Length: 1 1\r\n\r\nx`],
		['length too large for 64 bits',
			`${POST}Content-Length: 99999999999999999999\r\n\r\n`, [400, 413]],
		['blank before the colon', `${GOOD}Content-Length : 0\r\n\r\n`],
		['folded header', `${GOOD}X-A: b\r\n c\r\n\r\n`],
		['folded first header', 'GET /up HTTP/1.1\r\n Host: x\r\n\r\n'],
		['header without colon', `${GOOD}nonsense\r\n\r\n`],
		['empty header name', `${GOOD}: x\r\n\r\n`],
		['bare LF', 'GET /up HTTP/1.1\nHost: x\n\n'],
		['bare LF after a header', `${GOOD}X-A: b\n\r\n`],
		['bare CR in a header', `${GOOD}X-A: b\rc\r\n\r\n`],
		['bare CR in the request line', 'GET /up\r HTTP/1.1\r\nHost: x\r\n\r\n'],
		['NUL in a header', `${GOOD}X-A: b\0c\r\n\r\n`],
		['NUL in a header name', `${GOOD}X\0A: b\r\n\r\n`],
		['NUL in the target', 'GET /u\0p HTTP/1.1\r\nHost: x\r\n\r\n'],
		['blank in the target', 'GET /u p HTTP/1.1\r\nHost: x\r\n\r\n'],
		['two blanks', 'GET  /up HTTP/1.1\r\nHost: x\r\n\r\n'],
		['tab instead of blank', 'GET\t/up HTTP/1.1\r\nHost: x\r\n\r\n'],
		['no version', 'GET /up\r\nHost: x\r\n\r\n'],
		['HTTP/2', 'GET /up HTTP/2.0\r\nHost: x\r\n\r\n', [400, 505]],
		['HTTP/1.2', 'GET /up HTTP/1.2\r\nHost: x\r\n\r\n', [400, 505]],
		['http/1.1', 'GET /up http/1.1\r\nHost: x\r\n\r\n', [400, 505]],
		['HTTP/1.10', 'GET /up HTTP/1.10\r\nHost: x\r\n\r\n', [400, 505]],
		['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400, 505]],
		['no Host', 'GET /up HTTP/1.1\r\n\r\n'],
		['two Hosts', `${GOOD}Host: y\r\n\r\n`],
		['a method with control bytes', 'G\x01T /up HTTP/1.1\r\nHost: x\r\n\r\n'],
		['a target without slash', 'GET up HTTP/1.1\r\nHost: x\r\n\r\n'],
		['chunk size missing', chunked('\r\nx\r\n0\r\n\r\n')],
		['chunk size -1', chunked('-1\r\nx\r\n0\r\n\r\n')],
		['chunk size 0x1', chunked('0x1\r\nx\r\n0\r\n\r\n')],
		['chunk size with blanks', chunked('1 1\r\nx\r\n0\r\n\r\n')],
		['chunk size of 17 digits', chunked('10000000000000000\r\nx')],
		['chunk without CRLF', chunked('1\r\nxy\r\n0\r\n\r\n')],
		['chunk with bare LF', chunked('1\nx\r\n0\r\n\r\n')],
		['bare LF in a chunk extension', chunked('1;a\nb\r\nx\r\n0\r\n\r\n')],
		['unknown expectation', `${POST}Expect: magic\r\nContent-Length: 1` +
			'\r\n\r\nx', [400, 417]],
	])
		test(`refused and closed: ${what}`, async () => {
			const h = await Http.connect(d);
			await h.write(Buffer.from(`${bytes}GET /up HTTP/1.1\r\n` +
				'Host: x\r\n\r\n', 'latin1'));
			const r = await h.answer();
			assert.ok([].concat(status).includes(r.status), `${r.first}`);
			assert.match(r.headers.connection, /close/i);
			await h.closed();
			assert.equal(h.in.length, 0, 'nothing follows');
			h.end();
		});

	function chunked(body) {
		const target = signedTarget(app, 'POST', path, { body: 'x' });
		return `POST ${target} HTTP/1.1\r\nHost: x\r\n` +
			`Transfer-Encoding: chunked\r\n\r\n${body}`;
	}

	test('a head over 16 KiB: 431', async () => {
		const h = await Http.connect(d);
		await h.write(`${GOOD}X-A: ${'x'.repeat(15000)}\r\n\r\n`);
		assert.equal((await h.answer()).status, 200);
		await h.write(`${GOOD}X-A: ${'x'.repeat(16384)}\r\n\r\n`);
		assert.equal((await h.answer()).status, 431);
		await h.closed();
		h.end();
	});

	test('too many headers: 431', async () => {
		const h = await Http.connect(d);
		await h.write(`${GOOD}${'A: b\r\n'.repeat(500)}\r\n`);
		assert.equal((await h.answer()).status, 431);
		await h.closed();
		h.end();
	});

	test('a long target', async () => {
		const h = await Http.connect(d);
		await h.write(`GET /${'x'.repeat(20000)} HTTP/1.1\r\nHost: x\r\n\r\n`);
		const r = await h.answer();
		assert.equal(r.status, 414, r.first);
		assert.match(r.json.error, /too long: at most 8192 bytes/);
		h.end();
	});

	for (const [bytes, status] of [[8192, 200], [8193, 414]])
		test(`a request line of ${bytes} bytes: ${status}`, async () => {
			const h = await Http.connect(d);
			const fill = 'x'.repeat(bytes - 'GET /up? HTTP/1.1\r\n'.length);
			await h.write(`GET /up?${fill} HTTP/1.1\r\nHost: x\r\n\r\n`);
			assert.equal((await h.answer()).status, status);
			h.end();
		});

	test('a body over 1 MiB: 413 from its head, with limit and option',
		async () => {
			const h = await Http.connect(d);
			await h.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n` +
				'Content-Length: 1048577\r\n\r\n');
			const r = await h.answer();
			assert.equal(r.status, 413);
			assert.match(r.json.error, /1048576/);
			assert.match(r.json.error, /max_request_bytes/);
			await h.closed();
			h.end();
		});

	test('a chunked body over 1 MiB: 413', async () => {
		const h = await Http.connect(d);
		const part = `10000\r\n${'x'.repeat(65536)}\r\n`;
		await h.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n` +
			'Transfer-Encoding: chunked\r\n\r\n');
		for (let i = 0; i < 17 && !h.ended; i++)
			await h.write(part).catch(() => {});
		assert.equal((await h.answer()).status, 413);
		h.end();
	});

	test('a body of just 1 MiB is read', async () => {
		const body = `{"name":"e","channel":"room","data":"1"}`
			.padEnd(1048576, ' ');
		const r = await api(d, app, 'POST', '/events', { body });
		assert.equal(r.status, 200, r.text);
	});

	test('an odd Content-Type does not matter', async () => {
		for (const type of ['text/plain', 'application/json; charset=x',
			'', 'multipart/form-data'])
			assert.equal((await api(d, app, 'POST', '/events', {
				body: '{"name":"e","channel":"room","data":"1"}',
				headers: { 'Content-Type': type } })).status, 200);
	});

	test('a GET with a body', async () => {
		const h = await Http.connect(d);
		const target = signedTarget(app, 'GET', `/apps/${app.id}/channels`,
			{ body: 'x', auth: { body_md5: md5('x') } });
		assert.equal((await h.ask('GET', target, 'x')).status, 200);
		assert.equal((await h.ask('GET', '/up')).status, 200);
		h.end();
	});

	test('a client that goes away in the middle', async () => {
		const bytes = publishBytes(1);
		for (let i = 0; i < bytes.length; i += 13) {
			const h = await Http.connect(d);
			await h.write(bytes.slice(0, i));
			h.sock.resetAndDestroy();
		}
		assert.equal((await api(d, app, 'GET', '/channels')).status, 200);
	});
});
