// SPDX-License-Identifier: MIT
//
// Publishes that are pipelined on one connection: each is answered when it has
// left for the broker, neither sooner nor later.
'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { Client } = require('./lib/client');
const { Daemon, sleep, until } = require('./lib/daemon');
const { onEachWorker } = require('./lib/http');
const { signedTarget } = require('./lib/sign');

const PAD = ' '.repeat(9000);

// Sends them without waiting for any answer.
function send(h, app, from, to, pad = '') {
	const all = [];
	for (let i = from; i <= to; i++) {
		const body = JSON.stringify({ name: 'e', channel: 'room',
			data: `${i}${pad}` });
		const target = signedTarget(app, 'POST', `/apps/${app.id}/events`,
			{ body });
		all.push(`POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Type: ` +
			'application/json\r\n' +
			`Content-Length: ${body.length}\r\n\r\n${body}`);
	}
	return h.write(all.join(''));
}

const answers = (h) =>
	h.in.toString('latin1').split('HTTP/1.1 200 OK').length - 1;

async function stop(pid) {
	process.kill(pid, 'SIGSTOP');
	await sleep(50);
}

test('L6: each of several pipelined publishes has its own 200', async () => {
	const d = new Daemon({ workers: 2 });
	const app = d.app({ max_backend_events_per_second: 0 });
	await d.start();
	const [h, other] = await onEachWorker(d);
	const [beside] = await onEachWorker(d); // at the worker of h
	const [, c] = await Client.onEachWorker(d, app);
	await c.subscribe('room');
	const [broker] = d.pidsOf('broker');
	await stop(broker);
	await send(h, app, 1, 20); // the worker hands them on, and answers
	await until('the answers to the first 20', () => answers(h) === 20);
	// More than the link takes while nobody reads it.
	await send(h, app, 21, 120, PAD);
	for (let i = 0; i < 3; i++) await beside.ask('GET', '/up');
	await sleep(100);
	assert.ok(answers(h) < 120, 'no answer to those that have not left');
	process.kill(broker, 'SIGCONT');
	await until('the others', () => answers(h) === 120);
	for (let i = 1; i <= 120; i++)
		assert.equal(await c.expect('e', 'room'), `${i}${i > 20 ? PAD : ''}`);
	for (const x of [h, other, beside]) x.end();
	await c.close();
	await d.stop();
});
