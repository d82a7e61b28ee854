// SPDX-License-Identifier: MIT
//
// permessage-deflate as a client has it (RFC 7692): one window over all
// compressed messages of a connection, which a raw inflater gets as its
// dictionary.
'use strict';

const zlib = require('node:zlib');

const SYNC = { finishFlush: zlib.constants.Z_SYNC_FLUSH };
const TAIL = Buffer.from([0, 0, 0xff, 0xff]);

class Window {
	// answer: the server's Sec-WebSocket-Extensions.
	constructor(answer) {
		this.bits = Number(/server_max_window_bits=(\d+)/.exec(answer)?.[1] ??
			15);
		this.alone = answer.includes('server_no_context_takeover');
		this.last = Buffer.alloc(0);
		this.compressed = 0; // messages
	}

	inflate(payload) {
		const plain = zlib.inflateRawSync(Buffer.concat([payload, TAIL]), {
			...SYNC, windowBits: this.bits,
			...(this.last.length > 0 && { dictionary: this.last }) });
		this.compressed++;
		if (!this.alone)
			this.last = Buffer.concat([this.last, plain])
				.subarray(-(1 << this.bits));
		return plain;
	}
}

// A message as a client compresses it.
function deflate(bytes, options = {}) {
	const b = zlib.deflateRawSync(bytes, { ...SYNC, ...options });
	return b.subarray(0, b.length - 4);
}

module.exports = { Window, deflate };
