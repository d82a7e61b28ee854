// SPDX-License-Identifier: MIT
//
// Publishes that are pipelined on one connection: each is answered when the
// broker has taken it, neither sooner nor later.
'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { Client } = require('./lib/client');
const { Daemon, sleep, until } = require('./lib/daemon');
const { onEachWorker } = require('./lib/http');
const { signedTarget } = require('./lib/sign');

// Sends them without waiting for any answer.
function send(h, app, from, to) {
	const all = [];
	for (let i = from; i <= to; i++) {
		const body = JSON.stringify({ name: 'e', channel: 'room',
			data: String(i) });
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
	const [, c] = await Client.onEachWorker(d, app);
	await c.subscribe('room');
	const [broker] = d.pidsOf('broker');
	const worker = h.worker;
	await stop(broker);
	await send(h, app, 1, 20); // the worker hands them on, and answers
	await until('the answers to the first 20', () => answers(h) === 20);
	await stop(worker);
	await send(h, app, 21, 30); // both wait for the worker now
	assert.equal(answers(h), 20, 'no answer to those behind');
	process.kill(worker, 'SIGCONT');
	await until('the others', () => answers(h) === 30);
	process.kill(broker, 'SIGCONT');
	for (let i = 1; i <= 30; i++)
		assert.equal(await c.expect('e', 'room'), String(i));
	for (const x of [h, other]) x.end();
	await c.close();
	await d.stop();
});
