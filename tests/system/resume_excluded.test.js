// SPDX-License-Identifier: MIT
//
// An event that excludes an earlier connection of a session was on its way
// when the client came back: it is not for this session, live either.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { becomes } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { newId, open, enter, cut } = require('./lib/resume');
const { suite } = require('./lib/suite');

suite('resume: excluded connections', (d) => {
	const app = d.app({ resume: 'on' });
	d.allow(/link to the/, /broker was killed/);

	test('an event never comes back live to the session that it excludes',
		async () => {
			const id = newId();
			const sids = [];
			let c;
			for (let i = 0; i < 3; i++) {
				c = await open(d, app, id);
				sids.push(c.sid);
				await enter(c, 'a');
				await cut(c);
			}
			c = await open(d, app, id);
			await enter(c, 'a');
			const other = await open(d, app, newId());
			await enter(other, 'a');
			const told = async () => {
				for (const socket_id of [...sids, c.sid])
					await publish(d, app, 'a', 'e', socket_id,
						{ socket_id });
				await publish(d, app, 'a', 'e', 'end');
				for (const sid of [...sids, c.sid, 'end'])
					assert.equal(await other.expect('e', 'a'), sid);
				assert.equal(await c.expect('e', 'a'), 'end');
			};
			await told();
			const [old] = d.pidsOf('broker');
			process.kill(old, 'SIGKILL');
			await becomes(() => d.pidsOf('broker').length === 1 &&
				d.pidsOf('broker')[0] !== old, true);
			await told();
			for (let n = 0; n < d.conf.workers; n++)
				assert.equal(
					d.ctl(['worker', 'replace', `${n}`])[0].closed, 0);
			await told();
			// Another connection takes the session: its earlier one gets
			// what is for it again, and not what excludes itself.
			const next = await open(d, app, id);
			await enter(next, 'a');
			const socket_id = c.sid;
			await publish(d, app, 'a', 'e', 'first', { socket_id: sids[2] });
			await publish(d, app, 'a', 'e', 'own', { socket_id });
			await publish(d, app, 'a', 'e', 'end');
			assert.equal(await c.expect('e', 'a'), 'first');
			assert.equal(await c.expect('e', 'a'), 'end');
			assert.equal(await next.expect('e', 'a'), 'end');
			await next.close();
			await c.close();
			await other.close();
		});
}, { resume_ack_interval: 10 });
