// SPDX-License-Identifier: MIT
//
// SipHash-1-3 as hash_sip13() of shared/base/hash.c, for tests that choose
// names as somebody with the source would.
'use strict';

const MASK = (1n << 64n) - 1n;
const turn = (x, n) => (x << n | x >> 64n - n) & MASK;

// k0, k1, first: BigInt.
function sip13(k0, k1, first, text) {
	const bytes = Buffer.from(text);
	const v = [k0 ^ 0x736f6d6570736575n, k1 ^ 0x646f72616e646f6dn,
		k0 ^ 0x6c7967656e657261n, k1 ^ 0x7465646279746573n];
	const add = (a, b, n) => {
		v[a] = v[a] + v[b] & MASK;
		v[b] = turn(v[b], n) ^ v[a];
	};
	const round = () => {
		add(0, 1, 13n);
		v[0] = turn(v[0], 32n);
		add(2, 3, 16n);
		add(0, 3, 21n);
		add(2, 1, 17n);
		v[2] = turn(v[2], 32n);
	};
	const word = (w) => {
		v[3] ^= w;
		round();
		v[0] ^= w;
	};
	const last = Buffer.alloc(8);
	word(first);
	let i = 0;
	for (; bytes.length - i >= 8; i += 8) word(bytes.readBigUInt64LE(i));
	bytes.copy(last, 0, i);
	word(last.readBigUInt64LE() | BigInt(bytes.length + 8) << 56n & MASK);
	v[2] ^= 0xffn;
	for (let n = 0; n < 3; n++) round();
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

module.exports = { sip13 };
