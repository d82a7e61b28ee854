// SPDX-License-Identifier: MIT
//
// Three hosts, a Redis with a replica, and a Sentinel, cluster_wait 1, each in a
// network namespace of its own if this is root: hosts, brokers, workers and the
// primary are killed or stopped, lines between them and to clients are cut, the
// Sentinel fails over.  All clients see one sequence of events, without a hole
// and nothing twice; who was told nothing has all that was answered 200; at
// rest, after every ROUND faults, all hosts and all clients know the same
// members.  MINUTES=60 runs for so long, FAULTS=200 for so many.
'use strict';

const { api, get, Http } = require('../system/lib/http');
const { sleep, until } = require('../system/lib/daemon');
const { freePort } = require('../system/lib/port');
const { Redis, Sentinel } = require('../system/lib/redis');
const { Guest, ROOM, check } = require('./lib/guests');
const { Network } = require('./lib/network');

const PATIENCE_MS = 90000;
const ROUND = 20;
const CONF = [['appendonly', 'yes'], ['repl-diskless-sync-delay', 0]];
const HOSTS = ['a', 'b', 'c'];
const SERVERS = ['p', 'r', 's']; // two of Redis, a Sentinel

const isReady = async ({ d }) => {
	const h = await Http.connect(d);
	try {
		return (await h.ask('GET', '/ready')).status === 200;
	} catch { // it is killed meanwhile
		return false;
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
			await sleep(10);
		}
	})();
	return self;
}

class Primary {
	constructor(servers, sentinel) {
		Object.assign(this, { servers, sentinel });
	}

	async now() {
		const text = await this.sentinel.ask('SENTINEL',
			'get-master-addr-by-name', 'main');
		return this.servers.find((r) => text.includes(`\n${r.port}\r`));
	}

	another(than) {
		return until('another primary', async () => {
			const now = await this.now();
			return now !== than && now;
		}, PATIENCE_MS);
	}

	// Its replica has what it has: only then it may fail.
	async paired() {
		await until('a replica in step', async () => {
			const r = await this.now();
			return /role:master[^]*state=online/.test(
				await r.ask('INFO', 'replication').catch(() => ''));
		}, PATIENCE_MS);
		return this.now();
	}
}

async function stop(signal, pid, ms) {
	process.kill(pid, 'SIGSTOP');
	await sleep(ms);
	process.kill(pid, signal);
}

async function kill({ d }) {
	d.signalAll('SIGKILL');
	await d.exited;
	await until('all of it to be gone', () =>
		Object.keys(d.processes()).length === 0);
	d.exit = null;
	d.spawn();
}

function faults({ hosts, guests, primary, sentinel, random }) {
	const one = random.pick;
	const ms = (least, most) => least + (most - least) * random.next();
	// A host that was killed has none yet.
	const victim = (role) => until(`a ${role}`, () =>
		one(one(hosts).d.pidsOf(role)));
	return {
		'broker killed': async () => process.kill(await victim('broker'),
			'SIGKILL'),
		'worker killed': async () => process.kill(await victim('worker'),
			'SIGKILL'),
		'host killed': () => kill(one(hosts)),
		'broker stopped': async () => stop('SIGCONT', await victim('broker'),
			ms(500, 4500)),
		'host stopped': () => stop('SIGCONT', -one(hosts).d.child.pid,
			ms(1000, 9000)),
		'clients cut': () => guests.filter(() => random.next() < 0.5)
			.forEach((g) => g.cut()),
		'connections cut': async () => (await primary.now()).ask('CLIENT',
			'KILL', 'TYPE', 'normal'),
		'primary stopped': async () => stop('SIGCONT',
			(await primary.now()).child.pid, ms(300, 700)),
		'failover ordered': () => sentinel.ask('SENTINEL', 'FAILOVER', 'main'),
		'upgrade in a failover': async () => {
			const { d } = one(hosts);
			await sentinel.ask('SENTINEL', 'FAILOVER', 'main');
			await sleep(ms(0, 1500));
			d.signal('SIGUSR2');
		},
		'primary killed': async () => {
			const r = await primary.now();
			await r.stop();
			const now = await primary.another(r);
			await r.start([...CONF, ['replicaof', now.host, now.port]]);
		},
	};
}

// The same in a network that can be cut.
function cuts({ primary, net, servers, random }) {
	const name = (r) => SERVERS[servers.indexOf(r)];
	const cut = async (one, others, ms) => {
		const heal = net.cut(one, others);
		await sleep(ms);
		heal();
	};
	return {
		'host cut off': () => cut(random.pick(HOSTS), SERVERS,
			500 + 11500 * random.next()),
		'replica cut off': async () => {
			const r = name(await primary.now());
			await cut(r, [SERVERS.find((s) => s !== r && s !== 's')],
				500 + 7500 * random.next());
		},
		// Hosts, or some of them, stay with the old primary.
		'primary cut off': async () => {
			const r = await primary.now();
			const heal = net.cut(name(r), [
				...SERVERS.filter((s) => s !== name(r)),
				...HOSTS.filter(() => random.next() < 0.5)]);
			await primary.another(r);
			await sleep(4000 * random.next());
			heal();
		},
	};
}

// Everything is well: all are there, and each host and client knows it.
async function rest({ hosts, guests, primary }) {
	await primary.paired();
	await until('all hosts in the cluster', async () =>
		(await Promise.all(hosts.map((h) => isReady(h).catch(() => false))))
			.every(Boolean), PATIENCE_MS);
	const want = guests.map((g) => g.id).sort().join();
	const users = async ({ d, app }) => (await get(d, app,
		`/channels/${ROOM}/users`)).users.map((u) => u.id).sort().join();
	await until('all guests', () => guests.every((g) => g.there), PATIENCE_MS);
	for (const h of hosts)
		await until(`the members on ${h.name}`, async () =>
			await users(h).catch(() => '') === want, PATIENCE_MS);
	for (const g of guests)
		await until(`the members as ${g.id} knows them`, () => g.there &&
			[...g.roster.ids].sort().join() === want, PATIENCE_MS);
}

// One after the other; how many of each kind.
async function disturb(s, { most, ms }) {
	const all = { ...faults(s), ...s.net && cuts(s) };
	const names = Object.keys(all);
	const counts = {};
	const end = performance.now() + ms;
	for (let i = 0; i < most && performance.now() < end; i++) {
		const name = s.short ? names[i % names.length] : s.random.pick(names);
		counts[name] = (counts[name] ?? 0) + 1;
		await s.primary.paired();
		await all[name]();
		await sleep(500 + 2500 * s.random.next());
		if (i % ROUND === ROUND - 1) await rest(s);
	}
	return counts;
}

async function startHost({ start, net, sentinel }, name) {
	const conf = { cluster: sentinel.url, cluster_host: name,
		cluster_wait: 1, crash_grace: 1, workers: 2 };
	const port = net && await freePort();
	if (net) conf.listen = `127.0.0.1:${port}`;
	return { name, ...await start(conf, {}, (d) => {
		d.allow(/./);
		if (net) d.wrap = net.wrapHost(name, port);
		return [];
	}) };
}

async function begin(s) {
	const [first, second] = s.servers;
	await first.start(CONF);
	await second.start([...CONF, ['replicaof', first.host, first.port]]);
	await second.follows();
	await s.sentinel.start(first);
	await s.sentinel.knows(1);
	s.primary = new Primary(s.servers, s.sentinel);
	s.hosts = [];
	for (const name of HOSTS) s.hosts.push(await startHost(s, name));
	s.guests = s.hosts.flatMap((h) => [0, 1].map((k) =>
		new Guest(h, `${h.name}${k}`, s.history)));
	await until('all guests', () => s.guests.every((g) => g.there));
}

async function run(s, limits) {
	await begin(s);
	const taken = [];
	const publishers = s.hosts.map((h, i) => publisher(h, 'xyz'[i], taken));
	const counts = await disturb(s, limits);
	await rest(s);
	const before = taken.length;
	await until('events after the last fault', () =>
		taken.length > before + 30, PATIENCE_MS);
	for (const p of publishers) p.go = false;
	await Promise.all(publishers.map((p) => p.ended));
	await until('the last event', () => s.guests.every((g) => g.there &&
		(taken.at(-1).began <= g.since || g.seen.includes(taken.at(-1).data))),
	PATIENCE_MS);
	await rest(s);
	check(s.history, s.guests, taken);
	const away = s.guests.reduce((k, g) => k + g.times, 0);
	await Promise.all(s.guests.map((g) => g.leave()));
	return { ...counts, 'answered 200': taken.length, 'sent away': away,
		network: s.net ? 'of namespaces' : 'of this machine' };
}

module.exports = async function failover({ start, history, short, random }) {
	const net = Network.open([...HOSTS, ...SERVERS]);
	const at = (name) => net ? { host: net.address(name), wrap: net.wrap(name) }
		: {};
	const servers = SERVERS.slice(0, 2).map((name) => new Redis(at(name)));
	const sentinel = new Sentinel(at('s'));
	const { FAULTS, MINUTES } = process.env;
	try {
		return await run({ start, history, short, random, net, servers,
			sentinel }, { most: Number(FAULTS ?? (MINUTES ? Infinity :
			short ? 14 : 60)), ms: 60000 * (MINUTES ?? Infinity) });
	} finally {
		for (const r of [sentinel, ...servers]) await r.remove();
		net?.remove();
	}
};
