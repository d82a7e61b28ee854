// SPDX-License-Identifier: MIT
//
// Resume with clients of five languages and Laravel Echo in Node.js: the line
// is cut, events are published, and the next connection of the session gets
// them.  Clients without an option for the path name the session in the key.
'use strict';

const assert = require('node:assert/strict');
const { describe, test, before, after } = require('node:test');
const { Daemon, until } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { Line } = require('./lib/line');
const { client } = require('./lib/official');
const { newId, confirmed, QUERY } = require('./lib/resume');
const { WIRES, Wire, JAVA } = require('./lib/wires');

describe('resume: clients', () => {
	const d = new Daemon({ workers: 2, resume_ack_interval: 10 });
	const app = d.app({ resume: 'on' });
	let line;

	before(async () => {
		await d.start();
		line = await Line.open(d);
	});
	after(async () => {
		await line.close();
		await d.stop();
	});

	for (const [name, command] of Object.entries(WIRES))
		test(`${name}: cut, and back with KEY;resume=ID`, async () => {
			const id = newId();
			const url = `ws://127.0.0.1:${line.port}/app/${app.key};resume=` +
				id + QUERY;
			const enter = async () => {
				const c = new Wire(command, url);
				await c.find('pusher:connection_established');
				c.send({ event: 'pusher:subscribe', data: { channel: name
					.replace(/\W/g, '-') } });
				const { data } = await c.find('pusher:resume');
				return { c, word: JSON.parse(data), seen: () => c.lines
					.filter((m) => m.event === 'e').map((m) => m.data) };
			};
			const send = (data) => publish(d, app, name.replace(/\W/g, '-'),
				'e', data);
			const one = await enter();
			assert.equal(one.word.status, 'new');
			for (const n of ['1', '2']) await send(n);
			await until('both', () => one.seen().length === 2);
			await confirmed(d, id);
			line.cut('RST');
			for (const n of ['3', '4']) await send(n);
			const two = await enter();
			assert.deepEqual(two.word, { status: 'continued', replayed: 2 });
			await send('5');
			await until('the live one', () => two.seen().length === 3);
			assert.deepEqual(two.seen(), ['3', '4', '5']);
			await one.c.end();
			await two.c.end();
		});

	test('pusher-java-client comes back by itself, as KEY;resume=ID',
		async () => {
			const id = newId();
			const c = new Wire([...JAVA, 'PusherClient', String(line.port),
				`${app.key};resume=${id}`], 'java');
			const all = (event) => c.lines.filter((m) => m.event === event)
				.map((m) => m.data);
			await c.find('pusher:resume');
			await publish(d, app, 'java', 'e', '1');
			await until('it', () => all('e').length === 1);
			for (const [how, n] of [['RST', 2], ['FIN', 3]]) {
				await confirmed(d, id);
				line.cut(how);
				await publish(d, app, 'java', 'e', String(n));
				await until('its return', () =>
					all('pusher:resume').length === n, 20000);
				assert.equal(all('e').length, n, `replayed after ${how}`);
			}
			await publish(d, app, 'java', 'e', '4');
			await until('the live one', () => all('e').length === 4);
			assert.deepEqual(all('e'), ['1', '2', '3', '4']);
			assert.deepEqual(all('pusher:resume').map(JSON.parse), [
				{ status: 'new', replayed: 0 },
				{ status: 'continued', replayed: 1 },
				{ status: 'continued', replayed: 1 }]);
			await c.end();
		});

	test('Laravel Echo in Node.js, by its option wsPath', async () => {
		const { default: Echo } = await import('laravel-echo');
		const id = newId();
		const p = client(8, line, app, undefined,
			{ wsPath: `/app/resume/${id}` });
		const echo = new Echo({ broadcaster: 'pusher', client: p });
		const got = [];
		const words = [];
		echo.channel('echo').listen('.e', (n) => got.push(n))
			.listen('.pusher:resume', (w) => words.push(w.status));
		await until('its word', () => words.length === 1);
		await publish(d, app, 'echo', 'e', '1');
		await until('it', () => got.length === 1);
		await confirmed(d, id);
		line.cut('FIN');
		await publish(d, app, 'echo', 'e', '2');
		await until('its return', () => words.length === 2, 20000);
		await publish(d, app, 'echo', 'e', '3');
		await until('all', () => got.length === 3);
		assert.deepEqual(words, ['new', 'continued']);
		assert.deepEqual(got, [1, 2, 3]);
		p.disconnect();
	});
});
