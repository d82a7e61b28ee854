// SPDX-License-Identifier: MIT
//
// pusherctl explain-auth: says of a request to the API what a worker would
// say, and what was done wrong.
'use strict';

const assert = require('node:assert/strict');
const { after, test } = require('node:test');
const { Daemon } = require('./lib/daemon');
const { hmac, md5, signedTarget } = require('./lib/sign');

const d = new Daemon();
const app = d.app();
const other = d.app({}, { name: 'the-other' });
const body = '{"name":"e","channel":"c","data":"\\u00e9"}';
const path = `/apps/${app.id}/events`;
const now = () => Math.floor(Date.now() / 1000);

after(() => d.remove());

function explain(method, target, input, ...more) {
	const r = d.ctlRaw(['-j', 'explain-auth', method, target,
		...(input === undefined ? [] : ['-']), ...more], input);
	assert.ok(r.code <= 1, r.err);
	assert.doesNotMatch(r.out + r.err, new RegExp(app.secret));
	const got = JSON.parse(r.out);
	const wrong = got.checks.filter((x) => x.result === 'wrong');
	assert.equal(got.request.valid, r.code === 0);
	assert.equal(r.code === 0, wrong.length === 0);
	return { ...got, wrong: Object.fromEntries(
		wrong.map((x) => [x.check, x.why])) };
}

// A target signed with `text` in the place of the right string.
function signedText(text, { secret = app.secret, query } = {}) {
	return `${path}?${query}&auth_signature=${hmac(secret, text(query))}`;
}

const plain = () => `auth_key=${app.key}&auth_timestamp=${now()}` +
	`&auth_version=1.0&body_md5=${md5(body)}`;

test('a right request: the string to sign, no fault', () => {
	const target = signedTarget(app, 'POST', path, { body });
	const got = explain('POST', target, body);
	assert.deepEqual(got.wrong, {});
	assert.equal(got.request.app, app.id);
	const query = target.split('?')[1].replace(/&auth_signature=.*/, '');
	assert.equal(got.string_to_sign, `POST\n${path}\n${query}`);
	assert.equal(explain('POST', `https://ws.example.com${target}`, body)
		.request.valid, true);
	const list = signedTarget(app, 'GET', `/apps/${app.id}/channels`,
		{ query: { filter_by_prefix: 'presence-', info: 'a,b' } });
	assert.deepEqual(explain('GET', list).wrong, {});
});

test('old, early, from another clock', () => {
	const at = now();
	const target = signedTarget(app, 'POST', path, { body,
		auth: { auth_timestamp: String(at - 700) } });
	const { wrong } = explain('POST', target, body);
	assert.deepEqual(Object.keys(wrong), ['auth_timestamp']);
	assert.match(wrong.auth_timestamp, /70\d s behind/);
	assert.deepEqual(explain('POST', target, body, '--at',
		String(at - 690)).wrong, {});
	const early = signedTarget(app, 'POST', path, { body,
		auth: { auth_timestamp: String(at + 3600) } });
	assert.match(explain('POST', early, body).wrong.auth_timestamp, /ahead/);
});

test('the body is another one', () => {
	const target = signedTarget(app, 'POST', path, { body });
	for (const [given, re] of [
		[`${body}\n`, /without the blanks or line feed/],
		[`${body} `, /without the blanks or line feed/],
		['{}', /the body that arrived has 2 bytes/],
	]) {
		const { wrong } = explain('POST', target, given);
		assert.deepEqual(Object.keys(wrong), ['body_md5']);
		assert.match(wrong.body_md5, re);
	}
	const feed = signedTarget(app, 'POST', path, { body: `${body}\n` });
	assert.match(explain('POST', feed, body).wrong.body_md5,
		/with a line feed at its end/);
	const empty = signedTarget(app, 'POST', path,
		{ auth: { body_md5: md5('') } });
	assert.match(explain('POST', empty, body).wrong.body_md5,
		/that of an empty body/);
});

test('the signature: the mistake is found', () => {
	const query = plain();
	const sorted = `POST\n${path}\n${query}`;
	const wire = query.split('&').reverse().join('&');
	const enc = `${query}&info=${encodeURIComponent('a,b')}`;
	const encSorted = enc.split('&').sort().join('&');
	for (const [target, re] of [
		[signedText(() => sorted, { query, secret: other.secret }),
			/secret of another app matches: .*the-other/],
		[signedText(() => sorted, { query, secret: `${app.secret}\n` }),
			/line feed or blank after it/],
		[signedText(() => sorted, { query, secret: app.key }),
			/signed with the key/],
		[signedText((q) => `POST\n${path}\n${q}`, { query: wire }),
			/order of the URL/],
		[signedText(() => `POST\n${path}\n${encSorted}`, { query: enc }),
			/percent-encoded/],
		[signedText((q) => `GET\n${path}\n${q}`, { query }),
			/signed for the method GET/],
		[signedText((q) => `post\n${path}\n${q}`, { query }),
			/signed for the method post/],
		[signedText((q) => `POST\n${path}/\n${q}`, { query }),
			/slash at the end/],
		[signedText((q) => `POST\n${path}\n${q.replace(/&body_md5=.*/, '')}`,
			{ query }), /body_md5 was left out/],
		[signedText((q) => `POST${path}${q}`, { query }),
			/without line feeds/],
		[`/prefix${signedText(() => sorted, { query })}`,
			/with the prefix \/prefix/],
		[signedText(() => sorted, { query }).replace(/[0-9a-f]{64}$/,
			(s) => s.toUpperCase()), /upper case/],
		[`${path}?${query}&auth_signature=${'A'.repeat(43)}=`, /base64/],
		[signedText(() => 'something else', { query }),
			/Invalid signature: .* of this text: POST/s],
	]) {
		const { wrong } = explain('POST', target, body);
		assert.deepEqual(Object.keys(wrong), ['auth_signature'], target);
		assert.match(wrong.auth_signature, re);
	}
});

test('every fault is named, not only the first', () => {
	const { wrong } = explain('POST', `${path}?auth_key=nobody` +
		'&auth_timestamp=7&auth_version=2.0&body_md5=0&auth_signature=0',
	body);
	assert.deepEqual(Object.keys(wrong).sort(), ['auth_key',
		'auth_signature', 'auth_timestamp', 'auth_version', 'body_md5']);
});

test('wrong usage, unknown apps', () => {
	for (const [args, code, re] of [
		[['POST', '/x'], 1, /has to be \/apps\/ID/],
		[['POST', '/apps/none/events'], 1, /none.*404.*app list/],
		[['POST', path, '/nonexistent'], 1, /No such file/],
		[['POST', path, '--at', 'x'], 2, /Unix seconds/],
		[['POST'], 2, /needs METHOD TARGET/],
	]) {
		const r = d.ctlRaw(['explain-auth', ...args]);
		assert.equal(r.code, code, r.err);
		assert.match(r.err, re);
	}
});

test('a rotated app: both keys are right', () => {
	const a = d.app();
	const old = signedTarget(a, 'GET', `/apps/${a.id}/channels`);
	d.ctl(['app', 'rotate-key', a.id]);
	assert.deepEqual(explain('GET', old).wrong, {});
	d.ctl(['app', 'rotate-key', a.id, '--finish']);
	assert.match(explain('GET', old).wrong.auth_key, /not the key/);
});
