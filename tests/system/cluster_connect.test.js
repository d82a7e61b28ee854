// SPDX-License-Identifier: MIT
//
// The connection to Redis: TLS, users, host names; a server that is a replica,
// full, slow, too old or none; files of credentials that cannot be read.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { TROUBLES, becomesReady, host, isReady, logSays, metric, status,
	tryPublish } = require('./lib/cluster');
const { sleep, until } = require('./lib/daemon');
const { freePort } = require('./lib/port');
const { Redis } = require('./lib/redis');
const { Authority } = require('./lib/tls');

// A host that is outside of its cluster, until fn has ended.
async function outside(redis, more, fn) {
	const d = host(redis, 'a', more);
	d.allow(...TROUBLES);
	d.outside = true;
	await d.start();
	try {
		return await fn(d);
	} finally {
		await d.stop();
	}
}

const refused = (redis, more, why) => outside(redis, more, async (d) => {
	await logSays(d, why);
	assert.equal(await isReady(d), false);
	assert.match(status(d).error, why);
	assert.equal((await tryPublish(d)).status, 503);
	assert.equal(await metric(d, 'pusherd_cluster_up'), 0);
	// Said once, however often it is tried.
	await until('two tries', async () => await metric(d,
		'pusherd_cluster_connection_failures_total') > 2);
	assert.equal(d.logLines().filter((l) => why.test(l)).length, 1);
});

const accepted = (redis, more, fn = () => {}) => outside(redis, more,
	async (d) => {
		await becomesReady(d);
		assert.equal((await tryPublish(d)).status, 200);
		await fn(d);
	});

function secret(redis, text) {
	const file = path.join(redis.dir, `auth${Math.random()}`);
	fs.chmodSync(redis.dir, 0o755);
	fs.writeFileSync(file, text, { mode: 0o644 });
	return file;
}

describe('TLS', () => {
	const redis = new Redis();
	const ca = new Authority();
	const other = new Authority();
	const mine = path.join(ca.dir, 'mine.pem');
	let tls;

	before(async () => {
		fs.chmodSync(ca.dir, 0o755);
		const { cert, key } = ca.sign('host', ['DNS:host']);
		fs.writeFileSync(mine, fs.readFileSync(cert) + fs.readFileSync(key),
			{ mode: 0o644 });
		const port = await freePort();
		await redis.start([['tls-port', port],
			['tls-cert-file', ca.file('cert.pem')],
			['tls-key-file', ca.file('key.pem')],
			['tls-ca-cert-file', ca.file('ca.pem')],
			['tls-auth-clients', 'optional']]);
		tls = (name) => ({ cluster: `rediss://${name}:${port}/0`,
			cluster_ca_file: ca.file('ca.pem') });
	});
	after(async () => {
		await redis.remove();
		for (const a of [ca, other]) a.remove();
	});

	test('an address and a name that are in the certificate', async () => {
		await accepted(redis, tls('127.0.0.1'));
		await accepted(redis, tls('localhost'), (d) =>
			tryPublish(d, 'c', 'x'.repeat(9000)));
	});

	test('another authority, another name: not connected', async () => {
		fs.chmodSync(other.dir, 0o755);
		await refused(redis, { ...tls('127.0.0.1'),
			cluster_ca_file: other.file('ca.pem') }, /self-signed certificate/);
		await refused(redis, tls('127.1'), /mismatch/);
	});

	test('a server that wants a certificate of its clients', async () => {
		await redis.ask('CONFIG', 'SET', 'tls-auth-clients', 'yes');
		await accepted(redis, { ...tls('127.0.0.1'), cluster_cert: mine });
		await refused(redis, tls('127.0.0.1'), /certificate required|alert/);
	});

	test('TLS to a server without it, and the other way round', async () => {
		await outside(redis, { ...tls('127.0.0.1'),
			cluster: `rediss://127.0.0.1:${redis.port}` },
		(d) => logSays(d, /no answer for 5 seconds/)); // it waits for a word
		await refused(redis, { cluster: tls('127.0.0.1').cluster.replace(
			'rediss', 'redis') }, /closed|reset/);
	});
});

describe('one Redis', () => {
	const redis = new Redis();
	before(() => redis.start());
	after(() => redis.remove());

	test('a user with the rights that the page names', async () => {
		const page = fs.readFileSync(path.join(__dirname,
			'../../etc/doc/cluster.md'), 'utf8');
		const [, rights] = /ACL SETUSER pusherd on >SECRET (.*)/.exec(page);
		await redis.ask('ACL', 'SETUSER', 'pusherd', 'on', '>word', rights);
		await redis.ask('ACL', 'SETUSER', 'default', 'on', '>master', '+@all');
		redis.password = 'master';
		await accepted(redis, { cluster_auth: secret(redis, 'pusherd word\n') });
		await refused(redis, { cluster_auth: secret(redis, 'pusherd bad\n') },
			/WRONGPASS/);
		await refused(redis, {}, /NOAUTH/);
		await redis.ask('ACL', 'SETUSER', 'default', 'nopass');
		redis.password = undefined;
	});

	test('a file that cannot be read: no start, no reload', async () => {
		const auth = secret(redis, 'word\n');
		const d = host(redis, 'a', { cluster_auth: '/nonexistent' });
		d.allow(/./);
		d.spawn();
		assert.notEqual((await d.exited).code, 0);
		assert.match(d.readLog(), /cannot read cluster_auth \/nonexistent: No/);
		d.remove();
		await outside(redis, { cluster_auth: auth }, (e) => {
			e.allow(/cluster_auth/);
			assert.equal(e.ctlRaw(['reload']).code, 0);
			fs.writeFileSync(auth, '\n');
			assert.match(e.ctlRaw(['reload']).err, /is empty: must have/);
			fs.unlinkSync(auth);
			const r = e.ctlRaw(['reload']);
			assert.notEqual(r.code, 0);
			assert.match(r.err, /cannot read cluster_auth .*No such file/);
		});
	});

	test('host names: one that is there, one that is not', async () => {
		await accepted(redis, { cluster: `redis://localhost:${redis.port}` });
		await refused(redis, { cluster: 'redis://redis.invalid' },
			/cannot look up redis.invalid/);
	});

	test('a replica is refused until it is the primary', async () => {
		const replica = new Redis();
		await replica.start([['replicaof', '127.0.0.1', redis.port]]);
		await replica.follows();
		try {
			await outside(replica, {}, async (d) => {
				await logSays(d, /READONLY/);
				assert.equal(await isReady(d), false);
				assert.ok(await metric(d,
					'pusherd_cluster_refusals_total') > 0);
				await replica.ask('REPLICAOF', 'NO', 'ONE');
				await becomesReady(d);
				assert.equal((await tryPublish(d)).status, 200);
			});
		} finally {
			await replica.remove();
		}
	});

	test('full: said, counted, and over by itself', async () => {
		await accepted(redis, {}, async (d) => {
			await redis.ask('CONFIG', 'SET', 'maxmemory', '1');
			await until('not ready', async () => !await isReady(d));
			assert.equal(status(d).state, 'refused');
			await logSays(d, /OOM/);
			assert.ok(await metric(d, 'pusherd_cluster_refusals_total') > 0);
			await redis.ask('CONFIG', 'SET', 'maxmemory', '0');
			await becomesReady(d); // nobody has published
			assert.equal((await tryPublish(d)).status, 200);
		});
	});

	test('slow: the answer waits, and the histogram has it', async () => {
		await accepted(redis, {}, async (d) => {
			redis.child.kill('SIGSTOP');
			const waits = tryPublish(d);
			await until('it to be on its way', () => status(d).waiting > 0);
			await sleep(300); // so slow Redis is
			redis.child.kill('SIGCONT');
			assert.equal((await waits).status, 200);
			const sum = 'pusherd_cluster_append_seconds_sum';
			assert.ok(await metric(d, sum) > 0.3);
		});
	});

	test('cluster_wait: no 200 before a replica has the event', async () => {
		await accepted(redis, { cluster_wait: 0 });
		await outside(redis, { cluster_wait: 1 }, async (d) => {
			await becomesReady(d); // as long as nothing is sent
			const r = await tryPublish(d);
			assert.equal(r.status, 503);
			assert.match(r.json.error, /has not confirmed/);
			await logSays(d, /0 of its replicas have the last entry/);
			const replica = new Redis();
			await replica.start([['replicaof', '127.0.0.1', redis.port]]);
			try {
				await becomesReady(d);
				assert.equal((await tryPublish(d)).status, 200);
			} finally {
				await replica.remove();
			}
		});
	});
});

test('a server that is too old, and one that is none', async () => {
	let answer;
	const server = net.createServer((s) => {
		s.on('error', () => {});
		s.on('data', (b) => {
			const n = b.toString().split('*').length - 1;
			for (let i = 0; i < n; i++) s.write(answer);
		});
	});
	await new Promise((ok) => server.listen(0, '127.0.0.1', ok));
	const fake = { url: `redis://127.0.0.1:${server.address().port}` };
	try {
		answer = '$22\r\nredis_version:4.0.14\r\n\r\n';
		await refused(fake, {}, /its version is 4\.0\.14: Redis 5 or newer/);
		answer = 'HTTP/1.1 400 Bad Request\r\n\r\n';
		await refused(fake, {}, /the answer is not one of Redis/);
	} finally {
		await new Promise((ok) => server.close(ok));
	}
});
