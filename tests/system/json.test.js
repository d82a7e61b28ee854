// SPDX-License-Identifier: MIT
//
// shared/json/json_slice.c beside the JSON.parse of Node: a table of what is
// nearly JSON, and texts that are mended and broken by lot.  Both accept the
// same texts, but for nesting deeper than 32, and read the same values.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { test } = require('node:test');
const { PUSHERD } = require('./lib/daemon');
const { random } = require('./lib/random');

const SAY = path.join(path.dirname(PUSHERD), 'json_say');
const DEPTH = 32;
const LOTS = 20000;

const b = (...parts) => Buffer.concat(parts.map((p) =>
	typeof p === 'string' ? Buffer.from(p) : Buffer.from(p)));
const nested = (n) => '['.repeat(n) + ']'.repeat(n);

// One row of texts for each rule of RFC 8259.
const TABLE = [
	// blanks, and what is none
	...['', ' ', '\t\r\n ', ' 1 ', '\t[\r\n]\n', '\f1', '\v1', '\u00a01',
		'\u20281', '1\x00', '\x001', '1 2', '1,', ',1', '[] []', '// 1',
		'/**/1', '#1\n', '1 //'],
	b([0xef, 0xbb, 0xbf], '1'), b([0xfe, 0xff], '1'), b([0xff, 0xfe, 0x31, 0]),
	// words
	...['true', 'false', 'null', 'True', 'NULL', 'tru', 'truee', 'nul',
		'nullx', 'undefined', 'NaN', 'Infinity', '-Infinity', '[nul]',
		'[true false]', 'truefalse'],
	// numbers
	...['0', '-0', '1', '-1', '01', '-01', '00', '0.0', '.1', '1.', '-.1', '-',
		'+1', '--1', '1e1', '1E1', '1e+1', '1e-1', '1e', '1e+', 'e1', '1.e1',
		'1.0e', '0e0', '0E+00', '0x1', '1_000', '1e1.5', '12345678901234567890',
		'-9223372036854775808', '1e400', '-1e400', '1e-400',
		'0.1000000000000000055511151231257827', '1 .5', '1. 5', '- 1', '1a',
		'١', '[1,2', '[-]', '[1.]', '[0.e1]', '[2.e+3]', '[1eE2]'],
	// strings
	...['""', '"a"', "'a'", '"', '"a', 'a"', '"\\"', '"\\""', '"\\\\"',
		'"\\/\\b\\f\\n\\r\\t"', '"\\a"', '"\\v"', '"\\0"', '"\\x41"', '"\\\''
		+ '"', '"\\u"', '"\\u0"', '"\\u004"', '"\\u0041"', '"\\u00G1"',
		'"\\U0041"', '"\\u0000"', '"a\\u0000b"', '"\\ud83d\\ude00"',
		'"\\ud83d"', '"\\ude00"', '"\\ude00\\ud83d"', '"\\ud83d\\ud83d\\ude00"',
		'"\\ud83dx"', '"\\ud83d\\n"', '"\\uDBFF\\uDFFF"', '"\\u2028\\u2029"',
		'"\u2028"', '"\u007f"', '"😀"', '"é"', '"\u0080"', '"\uffff"',
		'"tab\there"', '"line\nhere"', '"\r"', '"a" "b"', '"a""b"'],
	...Array.from({ length: 32 }, (_, i) => b('"', [i], '"')),
	// bytes that are no UTF-8: alone, cut, too long, surrogates, too high
	...[[0x80], [0xbf], [0xc0, 0x80], [0xc1, 0xbf], [0xc2], [0xc3, 0x28],
		[0xe0, 0x80, 0x80], [0xe0, 0x9f, 0xbf], [0xe2, 0x82], [0xe2, 0x28, 0xa1],
		[0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf], [0xf0, 0x80, 0x80, 0x80],
		[0xf0, 0x8f, 0xbf, 0xbf], [0xf0, 0x9f, 0x98], [0xf4, 0x90, 0x80, 0x80],
		[0xf5, 0x80, 0x80, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80], [0xfe],
		[0xff], [0xef, 0xbf, 0xbe], [0xf4, 0x8f, 0xbf, 0xbf], [0xed, 0x9f, 0xbf],
		[0xee, 0x80, 0x80]].flatMap((bytes) => [b('"', bytes, '"'), b(bytes),
		b('{"', bytes, '":1}')]),
	// arrays
	...['[]', '[ ]', '[1]', '[1,]', '[,1]', '[,]', '[1,,2]', '[1 2]', '[1;2]',
		'[', ']', '[[]', '[]]', '[1}', '[1:2]', '["a":1]', '[[[[]]]]', '[*]',
		'[1,\n2\t,3 ]', '(1)', '[""]', '[null,true,false,1,"",{},[]]'],
	nested(DEPTH - 1), nested(DEPTH), nested(DEPTH + 1), nested(5000),
	'['.repeat(100000), '{"a":'.repeat(DEPTH - 1) + '1' + '}'.repeat(DEPTH - 1),
	'{"a":'.repeat(100000),
	// objects
	...['{}', '{ }', '{"a":1}', '{"a":1,}', '{,}', '{,"a":1}', '{"a"}',
		'{"a":}', '{"a" 1}', '{"a"::1}', '{:1}', '{a:1}', "{'a':1}", '{1:1}',
		'{null:1}', '{"a":1 "b":2}', '{"a":1;"b":2}', '{"a":1,,"b":2}', '{',
		'}', '{"a":1', '{"a"', '{"', '{"a":1}}', '{{}}', '{[]:1}', '{"a":1]',
		'{"a":1,"a":2}', '{"a":1,"a":{"b":2},"a":[]}', '{"":0}',
		'{"\\u0061":1,"a":2}', '{"\\u0000":1}', '{"__proto__":1}',
		'{"constructor":{"prototype":1}}', '{"a" : 1 , "b" : [ ] }',
		'{"1":1,"0":0}', '{"\\ud800":1}', '{"a":"b"}/**/', '{"a":/*c*/1}'],
];

// The output of json_say, as a tree.
function read(line) {
	if (line === '-') return undefined;
	const words = line.trim().split(' ');
	let at = 0;
	const value = () => {
		const w = words[at++];
		if (w[0] === 's') return { s: w.slice(1) };
		if (w === 'l') return { lone: true };
		if (w === 'n') return { n: Number(words[at++]) };
		if (w === '[') {
			const a = [];
			while (words[at] !== ']') a.push(value());
			at++;
			return a;
		}
		if (w === '{') {
			const o = new Map();
			while (words[at] !== '}') {
				const k = value();
				// In JavaScript different halves are different
				// keys.
				o.set(k.lone ? `lone ${at}` : k.s, value());
			}
			at++;
			return o;
		}
		return { w };
	};
	const v = value();
	assert.equal(at, words.length, line.slice(0, 200));
	return v;
}

function ours(v) {
	if (v === null || typeof v === 'boolean') return { w: String(v) };
	if (typeof v === 'number') return { n: v };
	if (typeof v === 'string')
		return v.isWellFormed() ? { s: Buffer.from(v).toString('hex') }
			: { lone: true };
	if (Array.isArray(v)) return v.map(ours);
	const o = new Map();
	let i = 0;
	for (const [k, x] of Object.entries(v))
		o.set(k.isWellFormed() ? Buffer.from(k).toString('hex')
			: `lone ${i++}`, ours(x));
	return o;
}

// Keys by name; those without UTF-8 by their values alone.
function sorted(v) {
	if (Array.isArray(v)) return v.map(sorted);
	if (!(v instanceof Map)) return v;
	return [...v].map(([k, x]) => [k.startsWith('lone') ? 'lone' : k,
		sorted(x)]).sort((x, y) => (x[0] < y[0] ? -1 : x[0] > y[0] ? 1 : 0));
}

function deep(v) {
	if (typeof v !== 'object' || v === null) return 0;
	let most = 0;
	for (const x of Object.values(v)) most = Math.max(most, deep(x));
	return 1 + most;
}

function node(bytes) {
	try {
		const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
			.decode(bytes);
		const v = JSON.parse(text);
		return deep(v) > DEPTH ? undefined : ours(v);
	} catch (e) {
		if (!/SyntaxError|TypeError|RangeError/.test(e.name)) throw e;
		return undefined;
	}
}

function compare(texts) {
	const input = Buffer.concat(texts.flatMap((t) => {
		const head = Buffer.alloc(4);
		head.writeUInt32LE(t.length);
		return [head, t];
	}));
	const r = spawnSync(SAY, { input, maxBuffer: 1 << 30 });
	assert.equal(r.status, 0, r.stderr.toString());
	const lines = r.stdout.toString().split('\n');
	assert.equal(lines.length, texts.length + 1);
	let accepted = 0;
	texts.forEach((t, i) => {
		const said = read(lines[i]);
		const want = node(t);
		if (want !== undefined) accepted++;
		assert.deepEqual(sorted(said), sorted(want),
			`the text ${JSON.stringify(t.toString('latin1').slice(0, 300))}`);
	});
	return accepted;
}

test('json: a table of what is nearly JSON', () => {
	const n = compare(TABLE.map((t) => Buffer.from(t)));
	assert.ok(n > 60 && n < TABLE.length - 60, `${n} of ${TABLE.length}`);
});

test('json: texts mended and broken by lot', (t) => {
	const seed = Number(process.env.SEED ?? Date.now() % 1e9);
	t.diagnostic(`SEED=${seed}`);
	const rnd = random(seed);
	const pick = (a) => a[rnd.below(a.length)];
	const ATOMS = ['{', '}', '[', ']', ',', ':', '"', '\\', '\\u', 'd83d',
		'\\ude00', 'true', 'null', '0', '1', '-', '.', 'e', '+', ' ', '\n',
		'"a"', '"b":', '{"a":1}', '[1,2]', '\x01', 'é', '😀'];
	const make = (depth) => {
		const kind = rnd.below(depth > 4 ? 4 : 6);
		if (kind === 0) return pick(['true', 'false', 'null']);
		if (kind === 1) return pick(['0', '-0', '12', '1.5e3', '-1E-2', '1e99']);
		if (kind < 4)
			return `"${pick(['', 'a', '\\n', '\\u0041', '😀', '\\ud83d\\ude00',
				'\\ud800', 'x y', '\\"'])}"`;
		const n = rnd.below(4);
		const some = Array.from({ length: n }, () => (kind === 4 ? '' :
			`"${pick(['a', 'b', '\\u0061', ''])}"${pick(['', ' '])}:`) +
			pick(['', ' ', '\n']) + make(depth + 1));
		return kind === 4 ? `[${some.join(',')}]` : `{${some.join(', ')}}`;
	};
	const texts = Array.from({ length: LOTS }, () => {
		let text = Buffer.from(make(0));
		for (let i = rnd.below(4); i > 0; i--) {
			const at = rnd.below(text.length + 1);
			const what = rnd.below(4);
			if (what === 0 && text.length > 0) {
				text = Buffer.from(text);
				text[Math.min(at, text.length - 1)] = rnd.below(256);
			} else if (what === 1) {
				text = b(text.subarray(0, at), text.subarray(at + 1));
			} else {
				text = b(text.subarray(0, at), pick(ATOMS), text.subarray(at));
			}
		}
		return text;
	});
	const n = compare(texts);
	assert.ok(n > LOTS / 10 && n < LOTS * 0.9, `${n} of ${LOTS}`);
});
