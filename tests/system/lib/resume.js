// SPDX-License-Identifier: MIT
//
// Shared by tests of resume: addresses with a session, and what a channel
// says at the subscribe.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { Client } = require('./client');
const { sleep, until } = require('./daemon');

const newId = () => crypto.randomUUID();
const QUERY = '?protocol=7&client=js&version=8.6.0&flash=false';
const FORMS = {
	'/app/resume/ID/app/KEY': (id, key) => `/app/resume/${id}/app/${key}`,
	'/resume/ID/app/KEY': (id, key) => `/resume/${id}/app/${key}`,
	'/app/KEY;resume=ID': (id, key) => `/app/${key};resume=${id}`,
};
const pathOf = (id, app) =>
	FORMS['/app/resume/ID/app/KEY'](id, app.key) + QUERY;

const open = (d, app, id, how = {}) =>
	Client.connect(d, app, { path: pathOf(id, app), ...how });

// Confirmation, what was replayed, and the word about it.
async function enter(c, channel, how) {
	await c.subscribe(channel, how);
	const events = [];
	for (;;) {
		const m = await c.next(undefined, 'pusher:resume');
		if (m.event === 'pusher:resume') {
			assert.equal(m.channel, channel);
			return { ...JSON.parse(m.data), events };
		}
		assert.equal(m.channel, channel);
		events.push(m);
	}
}

// The server has read its last pong.  It asks again at most 100 ms after an
// answer (a tick, and resume_ack_interval), if anything was sent meanwhile.
async function settled(c) {
	let before;
	do {
		before = c.pings;
		await c.sync();
		await sleep(120);
		await c.sync();
		await c.sync();
	} while (c.pings !== before);
}

// A new session in this channel.
async function begin(d, app, channel) {
	const id = newId();
	const c = await open(d, app, id);
	await enter(c, channel);
	return { id, c };
}

// Its line breaks when the server has read its last pong.
async function cut(c) {
	await settled(c);
	c.reset();
}

const datas = (r) => {
	assert.equal(r.status, 'continued', JSON.stringify(r));
	return r.events.map((m) => m.data);
};

// For clients of libraries: the server knows that it has the newest event.
const confirmed = (d, id) => until('its confirmation', () => {
	const [{ session: s }] = d.ctl(['sessions', 'show', id]);
	return s.confirmed > 0 && s.confirmed >= s.newest;
});

module.exports = { newId, QUERY, FORMS, pathOf, open, enter, settled,
	begin, cut, confirmed, datas };
