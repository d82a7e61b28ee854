// SPDX-License-Identifier: MIT
//
// The account of the test vectors: each of the 290 is run, and the list
// below says where.  Those that no other file sends are run here.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { test, describe } = require('node:test');
const ServerLibrary = require('pusher');
const vectors = require('../vectors.json').vectors;
const { Client } = require('./lib/client');
const { suite } = require('./lib/suite');

const of = (kind) => vectors.filter((v) => v.kind === kind);

// unit: C programs read the file; system: the files of this directory, with
// ids and times moved to the present.
const ACCOUNT = {
	channel_auth: { n: 46, unit: true, system: 'channel.test.js' },
	user_auth: { n: 17, unit: true, system: 'user.test.js' },
	http_request: { n: 100, unit: true, system: 'api_auth.test.js' },
	webhook: { n: 15, unit: true }, // their signatures: none are sent yet
	ws_accept: { n: 6, unit: true, system: 'vectors.test.js' },
	e2e_shared_secret: { n: 3, system: 'vectors.test.js' },
	md5: { n: 5, unit: true },
	channel_class: { n: 41, unit: true, system: 'channel.test.js' },
	socket_id: { n: 14, unit: true, system: 'api_events.test.js' },
	wire_publish: { n: 6, unit: true, system: 'data.test.js' },
	server_frame: { n: 15, unit: true, system: 'session.test.js' },
	close_code: { n: 22, unit: true },
};

describe('vectors', () => {
	test('every kind is accounted for', () => {
		const count = {};
		for (const v of vectors) count[v.kind] = (count[v.kind] ?? 0) + 1;
		assert.deepEqual(count, Object.fromEntries(Object.entries(ACCOUNT)
			.map(([kind, a]) => [kind, a.n])));
		assert.equal(vectors.length, 290);
	});

	test('and used where it is said', () => {
		const unit = path.join(__dirname, '../unit');
		const c = fs.readdirSync(unit, { recursive: true })
			.filter((f) => /\.[ch]$/.test(f))
			.map((f) => fs.readFileSync(path.join(unit, f), 'utf8'))
			.join();
		for (const [kind, a] of Object.entries(ACCOUNT)) {
			assert.equal(c.includes(`"${kind}"`), !!a.unit, kind);
			assert.ok(a.unit || a.system, kind);
		}
	});

	for (const v of of('e2e_shared_secret'))
		test(`vector ${v.id}: the application's part`, () => {
			// Of an older library, which took the key as it was.
			const raw = v.input.master_key;
			const key = raw ? Buffer.from(raw) :
				Buffer.from(v.input.master_key_base64, 'base64');
			assert.equal(crypto.createHash('sha256')
				.update(v.input.channel).update(key).digest('base64'),
			v.expect.shared_secret);
			if (raw) return;
			const lib = new ServerLibrary({ appId: '1', key: 'k',
				secret: 's', encryptionMasterKeyBase64:
					v.input.master_key_base64 });
			assert.equal(lib.channelSharedSecret(v.input.channel)
				.toString('base64'), v.expect.shared_secret);
		});
});

suite('ws_accept', (d) => {
	const app = d.app();

	for (const v of of('ws_accept'))
		test(`vector ${v.id}`, async () => {
			const c = new Client(d, `/app/${app.key}`, { headers: {
				'Sec-WebSocket-Key': v.input.sec_websocket_key } });
			const { headers } = await c.upgraded();
			assert.equal(headers['sec-websocket-accept'],
				v.expect.sec_websocket_accept);
			await c.greeted();
			await c.close();
		});
});
