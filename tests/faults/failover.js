// SPDX-License-Identifier: MIT
//
// Three hosts, a Redis with a replica, and a Sentinel, cluster_wait 1: brokers
// and the primary are killed or stopped, connections are cut, the Sentinel is
// told to fail over.  FAULTS=200 with MINUTES=30 for a long run.  All clients
// see one order and nothing twice; who was told nothing has all that was
// answered 200; in the end all hosts know the same members.
'use strict';

const { Client, OP } = require('../system/lib/client');
const { api, get } = require('../system/lib/http');
const { sleep, until } = require('../system/lib/daemon');
const { Redis, Sentinel } = require('../system/lib/redis');
const { Http } = require('../system/lib/http');

const ROOM = 'presence-room';
const PATIENCE_MS = 90000;
const KEEP = ['appendonly', 'yes'];
// With cluster_wait 1: one of each host, and another if its broker dies.
const LOST_MAX = 6;

// A member of the room who comes back whenever it is sent away.  seen: what it
// has got since it came last; told: it was sent away.
class Guest {
	constructor(host, id) {
		Object.assign(this, { host, id, all: [], seen: [], stops: false });
		this.times = 0;
		this.ended = this.run();
	}

	async stay() {
		const c = await Client.connect(this.host.d, this.host.app);
		this.client = c;
		await c.join(ROOM, this.id);
		this.seen = [];
		this.all.push(this.seen);
		this.since = performance.now();
		this.there = true;
		for (;;) {
			const f = await c.nextFrame(10 * PATIENCE_MS);
			if (f === null || f.opcode === OP.CLOSE) {
				this.seen.told = f?.payload.readUInt16BE(0) === 4200;
				return;
			}
			if (f.opcode !== OP.TEXT) continue;
			const m = JSON.parse(f.payload);
			if (m.event === 'e') this.seen.push(m.data);
		}
	}

	async run() {
		while (!this.stops) {
			try {
				await this.stay();
			} catch (e) { // no broker, no cluster: it tries again
				this.why = e;
			}
			this.there = false;
			this.client?.sock.destroy();
			this.times++;
			await sleep(200);
		}
	}

	leave() {
		this.stops = true;
		this.client.sock.destroy();
		return this.ended;
	}
}

const isReady = async ({ d }) => {
	const h = await Http.connect(d);
	try {
		return (await h.ask('GET', '/ready')).status === 200;
	} finally {
		h.end();
	}
};

// Publishes to one host until it is stopped; what was answered 200.
function publisher(host, name, taken) {
	const self = { go: true };
	self.ended = (async () => {
		for (let i = 0; self.go; i++) {
			const e = { data: `${name}${i}`, began: performance.now() };
			try {
				const r = await api(host.d, host.app, 'POST', '/events',
					{ body: { name: 'e', channel: ROOM, data: e.data } });
				if (r.status === 200) taken.push(e);
				else await sleep(50);
			} catch (error) { // a worker that had to go
				self.why = error;
				await sleep(50);
			}
			await sleep(5);
		}
	})();
	return self;
}

function faults({ hosts, servers, sentinel, random }) {
	const one = random.pick;
	const primary = async () => {
		const text = await sentinel.ask('SENTINEL', 'get-master-addr-by-name',
			'main');
		return servers.find((r) => text.includes(`\n${r.port}\r`));
	};
	const stop = async (signal, pid, ms) => {
		process.kill(pid, 'SIGSTOP');
		await sleep(ms);
		process.kill(pid, signal);
	};
	return {
		'broker killed': () =>
			process.kill(one(hosts).d.pidsOf('broker')[0], 'SIGKILL'),
		'broker stopped': () => stop('SIGCONT',
			one(hosts).d.pidsOf('broker')[0], 500 + 4000 * random.next()),
		'host stopped': () => stop('SIGCONT', -one(hosts).d.child.pid,
			1000 + 8000 * random.next()),
		'connections cut': async () => (await primary())?.ask('CLIENT', 'KILL',
			'TYPE', 'normal'),
		'primary stopped': async () => {
			const r = await primary();
			if (r) await stop('SIGCONT', r.child.pid, 300 + 400 * random.next());
		},
		'failover ordered': () => sentinel.ask('SENTINEL', 'FAILOVER', 'main'),
		'primary killed': async () => {
			const r = await primary();
			if (!r) return;
			await r.stop();
			await until('another primary', async () => {
				const now = await primary();
				return now && now !== r;
			}, PATIENCE_MS);
			const now = await primary();
			await r.start([KEEP, ['replicaof', '127.0.0.1', now.port]]);
		},
	};
}

// A primary that dies can take its last events with it: who had them is sent
// away, and they can be sent again, in another order.
const kept = (seen) => (seen.told ? seen.slice(0, -LOST_MAX) : seen);

// The events of both come in one order.
function sameOrder(x, y) {
	const inX = new Set(x);
	const inY = new Set(y);
	const a = x.filter((e) => inY.has(e));
	const b = y.filter((e) => inX.has(e));
	const at = a.findIndex((e, i) => e !== b[i]);
	return at === -1 ? null : `${a[at]} and ${b[at]}`;
}

function check(history, guests, taken) {
	for (const g of guests) {
		for (const seen of g.all)
			if (new Set(seen).size !== seen.length)
				history.wrong(`${g.id} got ${seen.find((e, i) =>
					seen.indexOf(e) !== i)} twice`);
		const has = new Set(g.seen);
		const lost = taken.filter((e) => e.began > g.since && !has.has(e.data));
		if (lost.length > 0)
			history.wrong(`${g.id} lacks ${lost.length} events that were ` +
				`answered 200, as ${lost[0].data}`);
	}
	for (const g of guests)
		for (const other of guests)
			for (const x of g.all.map(kept))
				for (const y of other.all.map(kept)) {
					const wrong = sameOrder(x, y);
					if (wrong)
						history.wrong(`${g.id} and ${other.id}: order of ${wrong}`);
				}
}

module.exports = async function failover({ start, history, short, random }) {
	const servers = [new Redis(), new Redis()];
	const sentinel = new Sentinel();
	const [first, second] = servers;
	const n = Number(process.env.FAULTS ?? (short ? 6 : 60));
	const counts = {};
	try {
		await first.start([KEEP]);
		await second.start([KEEP, ['replicaof', '127.0.0.1', first.port]]);
		await second.follows();
		await sentinel.start(first);
		await sentinel.knows(1);
		const hosts = [];
		for (const name of ['a', 'b', 'c']) {
			const h = await start({ cluster: sentinel.url, cluster_host: name,
				cluster_wait: 1, crash_grace: 1, workers: 2 });
			h.d.allow(/./);
			hosts.push(h);
		}
		const guests = hosts.flatMap((h, i) => [0, 1].map((k) =>
			new Guest(h, `${'abc'[i]}${k}`)));
		await until('all guests', () => guests.every((g) => g.there));
		const taken = [];
		const publishers = hosts.map((h, i) => publisher(h, 'xyz'[i], taken));
		const all = faults({ hosts, servers, sentinel, random });
		const names = Object.keys(all);
		for (let i = 0; i < n; i++) {
			const name = short ? names[i % names.length] : random.pick(names);
			counts[name] = (counts[name] ?? 0) + 1;
			await all[name]();
			await sleep(500 + 2500 * random.next());
		}
		await until('all hosts in the cluster', async () =>
			(await Promise.all(hosts.map(isReady))).every(Boolean), PATIENCE_MS);
		const before = taken.length;
		await until('events after the last fault', () =>
			taken.length > before + 30, PATIENCE_MS);
		for (const p of publishers) p.go = false;
		await Promise.all(publishers.map((p) => p.ended));
		await until('all guests, with the last event', () => guests.every((g) =>
			g.there && (taken.at(-1).began <= g.since ||
				g.seen.includes(taken.at(-1).data))), PATIENCE_MS);
		check(history, guests, taken);
		const want = guests.map((g) => g.id).sort().join();
		for (const { d, app } of hosts)
			await until(`the members on ${d.conf.cluster_host}`, async () =>
				(await get(d, app, `/channels/${ROOM}/users`)).users
					.map((u) => u.id).sort().join() === want, PATIENCE_MS);
		const away = guests.reduce((k, g) => k + g.times, 0);
		await Promise.all(guests.map((g) => g.leave()));
		return { ...counts, 'answered 200': taken.length, 'sent away': away };
	} finally {
		for (const r of [sentinel, first, second]) await r.remove();
	}
};
