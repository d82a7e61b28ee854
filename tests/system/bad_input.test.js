// SPDX-License-Identifier: MIT
//
// B41, B23: every field of every message and of every request body with every
// kind of wrong value, by table: an error with a sentence, the connection
// stays, and nobody else notices.
'use strict';

const assert = require('node:assert/strict');
const { test, before } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Http } = require('./lib/http');
const { channelAuth, userAuth } = require('./lib/sign');
const { suite } = require('./lib/suite');

// Raw JSON for one field; undefined: the field is left out.
const WRONG = {
	missing: undefined,
	null: 'null',
	true: 'true',
	'a number': '7',
	'a huge number': '1e400',
	'an empty string': '""',
	'a long string': JSON.stringify('x'.repeat(11000)),
	'NUL alone': '"\\u0000"',
	'a high surrogate': '"\\ud800"',
	'a low surrogate': '"\\udc00x"',
	'surrogates in the wrong order': '"\\udc00\\ud800"',
	'an object': '{}',
	'an object with the name': '{"event":"x","channel":"x","data":"x"}',
	'an array': '[]',
	'an array of a string': '["x"]',
	'a deep array': `${'['.repeat(200)}${']'.repeat(200)}`,
	'JSON in a string': '"{\\"channel\\":7}"',
};

// Values that no table has: the good value with something in it.
const BROKEN = {
	'NUL behind it': (s) => JSON.stringify(`${s}\0`),
	'NUL before it': (s) => JSON.stringify(`\0${s}`),
	'a newline behind it': (s) => JSON.stringify(`${s}\n`),
	'a surrogate behind it': (s) => `${JSON.stringify(s).slice(0, -1)}\\ud800"`,
};

// An object as JSON text; fields: name -> raw JSON.
const object = (fields) => `{${Object.entries(fields)
	.filter(([, v]) => v !== undefined)
	.map(([k, v]) => `${JSON.stringify(k)}:${v}`).join(',')}}`;
const q = JSON.stringify;

// The same with one field twice: first a, then b.
function twice(fields, name, a, b) {
	return object(fields).replace(/\}$/, `,${q(name)}:${b}}`)
		.replace(`${q(name)}:${fields[name]}`, `${q(name)}:${a}`);
}


suite('bad input', (d) => {
	const app = d.app({ client_events: 'on', max_client_events_per_second: 0 });
	let witness;
	let c;
	let http;

	before(async () => {
		witness = await Client.connect(d, app);
		await witness.subscribe('private-w');
		await witness.subscribe('w');
		await witness.join('presence-w', 'witness');
		await fresh();
		http = await Http.connect(d);
	});
	// max_bad_messages is for each connection.
	async function fresh() {
		if (c) await c.close();
		c = await Client.connect(d, app);
		await c.subscribe('private-w');
	}

	// One message: refused with a sentence, and the connection lives.
	async function refused(text, what) {
		c.sendText(text);
		const got = await c.sync();
		assert.ok(got.length > 0, `${what}: taken in silence: ${
			text.slice(0, 200)}`);
		for (const m of got)
			assert.match(m.event, /^pusher:(error|subscription_error)$/, what);
		const { data } = got.at(-1);
		assert.equal(typeof data.message, 'string', what);
		assert.ok(data.message.length > 10, `${what}: ${data.message}`);
		assert.ok(data.code === null || data.code === 4009, what);
	}

	const message = (event, data, more = {}) => object({ event: q(event),
		...more, data: data === undefined ? undefined : object(data) });

	// name of the row: [message of these fields, the fields when good]
	const signed = () => {
		const userData = '{"id":"u"}';
		return {
			'pusher:subscribe': { make: (f) =>
				message('pusher:subscribe', f), fields: { channel:
				q('presence-n'), auth: q(channelAuth(app, c.sid,
				'presence-n', '{"user_id":"u"}')),
			channel_data: q('{"user_id":"u"}') } },
			'pusher:signin': { make: (f) => message('pusher:signin', f),
				fields: { auth: q(userAuth(app, c.sid, userData)),
					user_data: q(userData) } },
			'client-e': { make: (f) => object({ event: q('client-e'), ...f }),
				fields: { channel: q('private-w'), data: q('x') },
				// Any value is data, and so is none; this size
				// is too much.
				fine: (name, what) => name === 'data' &&
					!/surrogate|long/.test(what) },
			event: { make: (f) => object(f), fields: {
				event: q('pusher:subscribe'), data: '{"channel":"w"}' },
			fine: (name, what) => name === 'data' &&
					what === 'an object with the name' },
		};
	};

	for (const row of ['pusher:subscribe', 'pusher:signin', 'client-e',
		'event'])
		test(`B41 ${row}: each field wrong in each way`, async () => {
			await fresh();
			const { make, fields, fine = () => false } = signed()[row];
			for (const name of Object.keys(fields)) {
				for (const [what, raw] of Object.entries(WRONG)) {
					if (fine(name, what)) continue;
					await refused(make({ ...fields, [name]: raw }),
						`${row}: ${name} is ${what}`);
				}
				if (row === 'event' || fine(name, '')) continue;
				for (const [what, put] of Object.entries(BROKEN))
					await refused(make({ ...fields,
						[name]: put(JSON.parse(fields[name])) }),
					`${row}: ${name} with ${what}`);
			}
		});

	test('B41 fields twice: the last one counts', async () => {
		await fresh();
		for (const row of ['pusher:subscribe', 'pusher:signin']) {
			const { make, fields } = signed()[row];
			const wrap = (text) => make({}).replace('"data":{}',
				`"data":${text}`);
			for (const name of Object.keys(fields))
				await refused(wrap(twice(fields, name, fields[name], '7')),
					`${row}: ${name} twice, the last one wrong`);
		}
		const { fields } = signed()['client-e'];
		for (const name of ['event', 'channel'])
			await refused(twice({ event: q('client-e'), ...fields }, name,
				name === 'event' ? q('client-e') : fields[name], '7'),
			`client event: ${name} twice`);
		// And good is what ends good.
		c.sendText(twice({ event: q('pusher:subscribe'),
			data: '{"channel":"twice"}' }, 'data', '7',
		'{"channel":7,"channel":"twice"}'));
		await c.expect('pusher_internal:subscription_succeeded', 'twice');
	});

	test('B41 unsubscribe: silent, or an error, never more', async () => {
		await fresh();
		for (const [what, raw] of Object.entries(WRONG)) {
			c.sendText(message('pusher:unsubscribe', { channel: raw }));
			c.sendText(object({ event: q('pusher:unsubscribe'), data: raw }));
			for (const m of await c.sync())
				assert.equal(m.event, 'pusher:error', what);
		}
		for (const raw of Object.values(WRONG)) {
			c.sendText(object({ event: q('pusher:ping'), data: raw }));
			c.sendText(object({ event: q('pusher:pong'), data: raw }));
			// A number that is none and a depth are no JSON for us.
			const m = await c.next();
			assert.match(m.event, /^pusher:(pong|error)$/);
			await c.sync();
		}
		assert.ok(!c.gone);
	});

	// ---- HTTP ----

	async function refusedRequest(path, body, what) {
		const r = await http.api(app, 'POST', path, { body });
		assert.ok([400, 413].includes(r.status),
			`${what}: ${r.status} ${r.text.slice(0, 200)}`);
		assert.deepEqual(Object.keys(r.json), ['error', 'code'], what);
		assert.equal(r.json.code, r.status);
		assert.ok(r.json.error.length > 10, `${what}: ${r.json.error}`);
		assert.ok(!http.ended, `${what}: the connection stays`);
	}

	const EVENT = { name: q('e'), data: q('x'), channels: '["w"]',
		channel: q('w'), socket_id: q('1.1'), info: q('user_count') };
	// null is absent where nothing is needed; "" is a string of data.
	const FINE = {
		data: ['an empty string', 'NUL alone', 'JSON in a string'],
		channels: ['missing', 'null', 'an array of a string', 'an array'],
		channel: ['missing', 'null'],
		socket_id: ['missing', 'null'],
		info: ['missing', 'null', 'an empty string'],
		name: ['NUL alone', 'JSON in a string'],
	};

	for (const [path, wrap] of [['/events', (x) => x],
		['/batch_events', (x) => `{"batch":[${object({ ...EVENT, channels:
			undefined, name: q('first') })},${x}]}`]])
		test(`B41 POST ${path}: each field wrong in each way`, async () => {
			const batch = path !== '/events';
			for (const name of Object.keys(EVENT)) {
				if (batch && name === 'channels') continue;
				for (const [what, raw] of Object.entries(WRONG)) {
					const fine = FINE[name]?.includes(what) &&
						!(batch && name === 'channel');
					if (fine) continue;
					const fields = { ...EVENT, [name]: raw };
					await refusedRequest(path, wrap(object(fields)),
						`${path}: ${name} is ${what}`);
				}
				if (['name', 'data', 'channels'].includes(name)) continue;
				for (const [what, put] of Object.entries(BROKEN))
					await refusedRequest(path, wrap(object({ ...EVENT,
						[name]: put(JSON.parse(EVENT[name])) })),
					`${path}: ${name} with ${what}`);
			}
			for (const name of ['name', 'data', 'channel'])
				await refusedRequest(path, wrap(twice(EVENT, name,
					EVENT[name], '7')), `${path}: ${name} twice`);
		});

	test('B41 bodies and lists as a whole', async () => {
		for (const [what, raw] of Object.entries(WRONG)) {
			if (raw === undefined || what.startsWith('an object')) continue;
			for (const path of ['/events', '/batch_events',
				'/users/u/terminate_connections'])
				await refusedRequest(path, raw, `${path}: ${what}`);
		}
		for (const [what, raw] of Object.entries(WRONG)) {
			await refusedRequest('/batch_events', object({ batch: raw }),
				`batch is ${what}`);
			if (raw === undefined) continue;
			await refusedRequest('/batch_events', `{"batch":[${raw}]}`,
				`an event of the batch is ${what}`);
			await refusedRequest('/events', object({ ...EVENT,
				channels: `["w",${what === 'an array of a string' ? '["w"]' :
					raw}]` }), `a channel is ${what}`);
		}
	});

	test('B41 nobody else has noticed', async () => {
		assert.deepEqual(await witness.sync(), []);
		await closeAll([witness, c]);
		http.end();
	});
});
