// SPDX-License-Identifier: MIT
//
// Raw requests that two readers might take for different ones: framing by
// length and by chunks, request lines, header lines, pipelines.  Each is
// followed by one more request, which shows where the reader thinks that the
// first has ended.
'use strict';

const LAST = 'GET /up?last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const CHUNKS = '5\r\nhello\r\n0\r\n\r\n';
const INNER = 'GET /up?inner HTTP/1.1\r\nHost: x\r\n\r\n';

const all = new Map();

function add(name, bytes) {
	if (all.has(name)) throw new Error(`twice: ${name}`);
	all.set(name, Buffer.from(bytes + LAST, 'latin1'));
}

const post = (headers, body) =>
	`POST /up HTTP/1.1\r\nHost: x\r\n${headers}\r\n${body}`;
const get = (headers, line = 'GET /up HTTP/1.1') =>
	`${line}\r\nHost: x\r\n${headers}\r\n`;

const ENCODINGS = ['Transfer-Encoding: chunked', 'Transfer-Encoding:chunked',
	'transfer-encoding: Chunked', 'Transfer-Encoding:\tchunked',
	'Transfer-Encoding: chunked ', 'Transfer-Encoding : chunked',
	'Transfer-Encoding\t: chunked', ' Transfer-Encoding: chunked',
	'X: y\r\n Transfer-Encoding: chunked', 'Transfer-Encoding:\r\n chunked',
	'Transfer-Encoding: chunked, identity',
	'Transfer-Encoding: identity, chunked', 'Transfer-Encoding: identity',
	'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: , chunked',
	'Transfer-Encoding: chunked,', 'Transfer-Encoding: chunked;q=1',
	'Transfer-Encoding: "chunked"', 'Transfer-Encoding: xchunked',
	'Transfer-Encoding: chunkedx', 'Transfer-Encoding: chunked chunked',
	'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
	'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked',
	'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
	'Transfer-Encoding:\x0bchunked', 'Transfer-Encoding: \x00chunked',
	'Transfer\x00-Encoding: chunked', 'Transfer_Encoding: chunked',
	'Transfer-Encoding: chunk\xe9d', 'Transfer-Encoding:',
	'TE: chunked\r\nTransfer-Encoding: chunked'];
for (const te of ENCODINGS) {
	const name = JSON.stringify(te);
	add(`TE ${name}`, post(`${te}\r\n`, CHUNKS));
	add(`TE ${name}, then CL`,
		post(`${te}\r\nContent-Length: 5\r\n`, CHUNKS));
	add(`CL, then TE ${name}`, post(
		`Content-Length: ${INNER.length + 5}\r\n${te}\r\n`,
		`0\r\n\r\n${INNER}`));
}

const LENGTHS = ['5', '05', '+5', '-5', '0x5', '5 5', '5, 5', '5,6', '5;', '5.0',
	'', ' 5', '5 ', '\t5', '1e1', 'five', '18446744073709551621',
	'9223372036854775808', '00000000000000000000005', '5\x00', '\xb2',
	'5\r\nContent-Length: 5', '5\r\nContent-Length: 6',
	'0\r\nContent-Length: 5', '\r\n 5', '4294967301'];
for (const n of LENGTHS) {
	add(`CL ${JSON.stringify(n)}`, post(`Content-Length: ${n}\r\n`, 'hello'));
	add(`GET CL ${JSON.stringify(n)}`,
		`${get(`Content-Length: ${n}\r\n`)}hello`);
}
for (const name of ['Content-Length ', 'Content_Length', 'Content-Length\t',
	' Content-Length', 'Content-\x00Length', 'content-length',
	'Content Length', 'X\r\nContent-Length'])
	add(`name ${JSON.stringify(name)}`, post(`${name}: 5\r\n`, 'hello'));
add('CL larger than the body', post('Content-Length: 50\r\n', 'hello'));
add('CL 0 with a body', post('Content-Length: 0\r\n', INNER));
add('no length with a body', post('', INNER));
add('HTTP/1.0 with TE', 'POST /up HTTP/1.0\r\nHost: x\r\n' +
	`Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n${CHUNKS}`);

const BODIES = ['0\r\n\r\n', '5\r\nhello\r\n00\r\n\r\n', '05\r\nhello\r\n0\r\n\r\n',
	'00000000000000005\r\nhello\r\n0\r\n\r\n', '5;a=b\r\nhello\r\n0;c\r\n\r\n',
	'5 ;a=b\r\nhello\r\n0\r\n\r\n', '5 \r\nhello\r\n0\r\n\r\n',
	' 5\r\nhello\r\n0\r\n\r\n', '5\nhello\r\n0\r\n\r\n',
	'5\r\nhello\n0\r\n\r\n', '5\r\nhello\r\n0\n\r\n', '5\r\nhello\r\n0\r\n\n',
	'5\rhello\r\n0\r\n\r\n', '0x5\r\nhello\r\n0\r\n\r\n',
	'+5\r\nhello\r\n0\r\n\r\n', '-5\r\nhello\r\n0\r\n\r\n',
	'g\r\nhello\r\n0\r\n\r\n', '\r\nhello\r\n0\r\n\r\n',
	'5\r\nhello0\r\n\r\n', '5\r\nhelloXX0\r\n\r\n', '5\r\nhell\r\n0\r\n\r\n',
	'4\r\nhello\r\n0\r\n\r\n', 'A\r\n0123456789\r\n0\r\n\r\n',
	'a\r\n0123456789\r\n0\r\n\r\n', '100000005\r\nhello\r\n0\r\n\r\n',
	'10000000000000005\r\nhello\r\n0\r\n\r\n',
	'ffffffffffffffff\r\nhello\r\n0\r\n\r\n',
	`5;${'a'.repeat(300)}\r\nhello\r\n0\r\n\r\n`,
	'5;a="\r\n"\r\nhello\r\n0\r\n\r\n', '5;a="b"\r\nhello\r\n0\r\n\r\n',
	'5;\x00\r\nhello\r\n0\r\n\r\n', '5;\nhello\r\n0\r\n\r\n',
	'5\r\nhello\r\n0\r\nX: y\r\n\r\n',
	'5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n',
	'5\r\nhello\r\n0\r\nX : y\r\n\r\n', '5\r\nhello\r\n0\r\nX\r\n\r\n',
	'5\r\nhello\r\n0\r\n X: y\r\n\r\n', '5\r\nhello\r\n0\r\n: y\r\n\r\n',
	'5\r\nhello\r\n0\r\nX: y\n\r\n', `0\r\n\r\n${INNER}`,
	'5\r\nhello\r\n0\r\n', '5,5\r\nhello\r\n0\r\n\r\n',
	'5\t\r\nhello\r\n0\r\n\r\n', '5_\r\nhello\r\n0\r\n\r\n'];
for (const body of BODIES)
	add(`chunks ${JSON.stringify(body.slice(0, 60))}`,
		post('Transfer-Encoding: chunked\r\n', body));

const LINES = ['get /up HTTP/1.1', 'GET  /up HTTP/1.1', 'GET /up  HTTP/1.1',
	'GET\t/up HTTP/1.1', 'GET /up\tHTTP/1.1', ' GET /up HTTP/1.1',
	'GET /up HTTP/1.1 ', 'GET /up HTTP/1.0', 'GET /up HTTP/1.2',
	'GET /up HTTP/0.9', 'GET /up HTTP/2.0', 'GET /up HTTP/3',
	'GET /up HTTP/01.1', 'GET /up HTTP/1.01', 'GET /up http/1.1',
	'GET /up HTTP/1', 'GET /up', 'GET', 'GET /up HTTP /1.1',
	'GET http://x/up HTTP/1.1', 'GET http://y/up HTTP/1.1',
	'GET //up HTTP/1.1', 'GET /up#x HTTP/1.1', 'GET /up?a=b HTTP/1.1',
	'GET /./up HTTP/1.1', 'GET /x/../up HTTP/1.1', 'GET /%2e%2e/up HTTP/1.1',
	'GET /up%00 HTTP/1.1', 'GET /u\x00p HTTP/1.1', 'GET /\xfcp HTTP/1.1',
	'GET up HTTP/1.1', 'GET * HTTP/1.1', 'OPTIONS * HTTP/1.1',
	'OPTIONS /up HTTP/1.1', 'DELETE /up HTTP/1.1', 'G@T /up HTTP/1.1',
	'GE(T /up HTTP/1.1', 'GET /up\rX HTTP/1.1', '\r\nGET /up HTTP/1.1',
	'\r\n\r\nGET /up HTTP/1.1', '\nGET /up HTTP/1.1',
	`GET /${'a'.repeat(3000)} HTTP/1.1`];
for (const line of LINES)
	add(`line ${JSON.stringify(line.slice(0, 60))}`, get('', line));

const HEADERS = ['X: y\n', 'X: y\rZ: a\r\n', 'X\r\n', ': y\r\n', 'X y: z\r\n',
	'X: a\x00b\r\n', 'X: a\x01b\r\n', 'X: a\x7fb\r\n', 'X: \xff\r\n',
	'X: y\r\n z\r\n', 'X: y\r\n\tz\r\n', 'X:\r\n', 'X\x00: y\r\n',
	'X\xe9: y\r\n', 'X/Y: z\r\n', 'Host: x\r\n', 'Host: y\r\n',
	'Connection: close\r\n', 'Connection: keep-alive\r\n',
	'Connection: Content-Length\r\n', 'Connection: x, close\r\n',
	'Connection: close, keep-alive\r\n', 'Keep-Alive: timeout=5\r\n',
	'X-Forwarded-For: 1.2.3.4\r\n', `X: ${'a'.repeat(3000)}\r\n`,
	'X: y\r\n'.repeat(40), 'Accept: */*\r\nAccept: text/html\r\n',
	'Upgrade: h2c\r\nConnection: Upgrade\r\n', 'Proxy-Connection: close\r\n'];
for (const h of HEADERS)
	add(`header ${JSON.stringify(h.slice(0, 60))}`, get(h));
add('without Host', 'GET /up HTTP/1.1\r\n\r\n');
add('an empty Host', 'GET /up HTTP/1.1\r\nHost:\r\n\r\n');
add('a folded Host', 'GET /up HTTP/1.1\r\nHost:\r\n x\r\n\r\n');
add('a blank in Host', 'GET /up HTTP/1.1\r\nHost: x y\r\n\r\n');
add('a path in Host', 'GET /up HTTP/1.1\r\nHost: x/up\r\n\r\n');
add('line feeds only', 'GET /up HTTP/1.1\nHost: x\n\n');
add('HTTP/1.0 keep-alive',
	'GET /up HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n');
add('Expect with a body', post('Expect: 100-continue\r\nContent-Length: 5\r\n',
	'hello'));
add('Expect without a body', get('Expect: 100-continue\r\n'));
add('an unknown Expect', get('Expect: more\r\n'));

for (const n of [1, 2, 3, 7, 16])
	add(`${n} pipelined`, get('').repeat(n));
add('GET and POST in turns',
	(get('') + post('Content-Length: 5\r\n', 'hello')).repeat(3));
add('POST in chunks, pipelined',
	post('Transfer-Encoding: chunked\r\n', CHUNKS).repeat(3));
add('empty lines between', `${get('')}\r\n${get('')}\r\n`);
add('close in the middle', get('') + get('Connection: close\r\n') + get(''));

module.exports = { requests: all };
