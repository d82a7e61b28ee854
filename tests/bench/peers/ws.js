// SPDX-License-Identifier: MIT
//
// ws.js PORT: a plain fan-out server as one would write it with the ws
// package: one process, no signatures, no limits, no presence.  DEFLATE=1: a
// compressor for each socket.
'use strict';

const http = require('node:http');
const { WebSocketServer } = require('ws');

const channels = new Map();
const frame = (event, channel, data) =>
	JSON.stringify({ event, channel, data });

function publish(channel, text, except) {
	for (const ws of channels.get(channel) || [])
		if (ws !== except) ws.send(text);
}

function onMessage(ws, bytes) {
	const m = JSON.parse(bytes);
	if (m.event === 'pusher:subscribe') {
		const { channel } = m.data;
		if (!channels.has(channel)) channels.set(channel, new Set());
		channels.get(channel).add(ws);
		ws.on('close', () => channels.get(channel).delete(ws));
		ws.send(frame('pusher_internal:subscription_succeeded', channel,
			'{}'));
	} else if (m.event.startsWith('client-')) {
		publish(m.channel, frame(m.event, m.channel, m.data), ws);
	}
}

const event = (e) => {
	for (const channel of e.channels || [e.channel])
		publish(channel, frame(e.name, channel, e.data));
};

const server = http.createServer((req, res) => {
	let body = '';
	req.on('data', (chunk) => { body += chunk; });
	req.on('end', () => {
		const b = JSON.parse(body);
		if (b.batch) b.batch.forEach(event);
		else event(b);
		res.setHeader('Content-Type', 'application/json');
		res.end('{}');
	});
});
server.keepAliveTimeout = 0; // a publisher may pause
const wss = new WebSocketServer({ server,
	perMessageDeflate: process.env.DEFLATE ? { threshold: 0 } : false });
wss.on('connection', (ws) => {
	ws.on('error', () => { });
	ws.on('message', (bytes) => onMessage(ws, bytes));
	ws.send(JSON.stringify({ event: 'pusher:connection_established',
		data: '{"socket_id":"1.1","activity_timeout":120}' }));
});
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1',
	backlog: 4096 }, () => console.log('ready'));
