// SPDX-License-Identifier: MIT
//
// uws.js PORT [N]: the least that a Pusher-like server on uWebSockets can be: no
// signatures, no limits, no presence, one process, or N that share nothing but
// the port.  It says what the library alone costs; it is no server to use.
'use strict';

const { fork } = require('node:child_process');
const uws = require('uWebSockets.js');

for (let i = 1; i < Number(process.argv[3]); i++)
	fork(__filename, [process.argv[2]]);
process.on('disconnect', () => process.exit(0)); // the first one has ended

const app = uws.App();
const frame = (event, channel, data) =>
	JSON.stringify({ event, channel, data });

app.ws('/app/:key', {
	idleTimeout: 0,
	sendPingsAutomatically: false,
	maxBackpressure: 1 << 20,
	open(ws) {
		ws.send(JSON.stringify({ event: 'pusher:connection_established',
			data: '{"socket_id":"1.1","activity_timeout":120}' }));
	},
	message(ws, bytes) {
		const m = JSON.parse(Buffer.from(bytes).toString());
		if (m.event === 'pusher:subscribe') {
			ws.subscribe(m.data.channel);
			ws.send(frame('pusher_internal:subscription_succeeded',
				m.data.channel, '{}'));
		} else if (m.event === 'pusher:unsubscribe') {
			ws.unsubscribe(m.data.channel);
		} else if (m.event.startsWith('client-')) {
			ws.publish(m.channel, frame(m.event, m.channel, m.data));
		}
	},
});

function post(path, handle) {
	app.post(path, (res) => {
		let body = '';
		res.onAborted(() => { });
		res.onData((chunk, last) => {
			body += Buffer.from(chunk).toString();
			if (!last) return;
			handle(JSON.parse(body));
			res.end('{}');
		});
	});
}

const event = (e) => {
	for (const channel of e.channels || [e.channel])
		app.publish(channel, frame(e.name, channel, e.data));
};
post('/apps/:id/events', event);
post('/apps/:id/batch_events', (b) => b.batch.forEach(event));
app.listen('127.0.0.1', Number(process.argv[2]), (socket) => {
	console.log(socket ? 'ready' : 'cannot listen');
});
