// SPDX-License-Identifier: MIT
//
// The signatures of the protocol, computed here and not by a library, so that
// a test can also make wrong ones.
'use strict';

const crypto = require('node:crypto');

const hmac = (secret, text) =>
	crypto.createHmac('sha256', secret).update(text).digest('hex');
const md5 = (bytes) => crypto.createHash('md5').update(bytes).digest('hex');

function channelAuth(app, sid, channel, channelData) {
	let text = `${sid}:${channel}`;
	if (channelData !== undefined) text += `:${channelData}`;
	return `${app.key}:${hmac(app.secret, text)}`;
}

function userAuth(app, sid, userData) {
	return `${app.key}:${hmac(app.secret, `${sid}::user::${userData}`)}`;
}

// The target of an API request, signed.  query: extra parameters; auth:
// replaces auth_* parameters (undefined leaves one out) before signing.
function signedTarget(app, method, path, { body, query = {}, auth = {} } = {}) {
	const params = {
		auth_key: app.key,
		auth_timestamp: String(Math.floor(Date.now() / 1000)),
		auth_version: '1.0',
		...(body !== undefined && body.length ?
			{ body_md5: md5(body) } : {}),
		...query,
		...auth,
	};
	const names = Object.keys(params).filter((k) => params[k] !== undefined);
	const text = names.map((k) => [k.toLowerCase(), params[k]])
		.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
		.map(([k, v]) => `${k}=${v}`).join('&');
	const wire = names.map((k) =>
		`${encodeURIComponent(k)}=${encodeURIComponent(params[k])}`);
	const sig = hmac(app.secret, `${method}\n${path}\n${text}`);
	return `${path}?${wire.join('&')}&auth_signature=${sig}`;
}

module.exports = { hmac, md5, channelAuth, userAuth, signedTarget };
