// SPDX-License-Identifier: MIT
//
// scenarios.js: what bench.js measures, on which servers, and with which
// arguments of `pusherctl bench`.
'use strict';

const OWN = ['pusherd', 'before'];
const all = [...OWN, 'uws', 'ws', 'soketi', 'sockudo'];
const pusher = [...OWN, 'soketi', 'sockudo']; // with presence
const ours = ['pusherd'];
const big = ['--clients', '10000', '--channels', '100'];

// name: [servers, field, arguments of the load generator]
const SCENARIOS = {
	'fan-out 1 x 1,000, one at a time': [all, 'delivered', ['fanout']],
	'fan-out 1 x 1,000, 8 in flight': [all, 'delivered',
		['fanout', '--in-flight', '8']],
	'fan-out 100 x 100, 4 in flight': [all, 'delivered',
		['fanout', ...big, '--in-flight', '4']],
	'the same, open loop at half of that': [all, 'p50_us',
		['fanout', ...big, '--publishers', '8']],
	'publish, 8 connections': [all, 'published', ['publish']],
	'publish, 64 connections': [all, 'published',
		['publish', '--in-flight', '64']],
	'publish, batches of 10': [all, 'published',
		['publish', '--batch', '10']],
	'client events, 50 pairs': [all, 'delivered', ['client-events']],
	'client events, 10 groups of 10': [all, 'delivered',
		['client-events', '--channels', '10']],
	'client events, 2,000/s': [all, 'p50_us',
		['client-events', '--rate', '2000']],
	'presence, all join 10 x 100': [pusher, 'joins',
		['presence', '--at-once', '1000']],
	'presence, 10 x 100, 10 come and go in each': [pusher,
		'joins_and_leaves', ['presence', '--in-flight', '10']],
	'presence, 1 x 500, 20 come and go': [pusher, 'joins_and_leaves',
		['presence', '--clients', '500', '--channels', '1',
			'--in-flight', '20']],
	'connects, to the greeting': [all, 'connects', ['connect']],
	'stampede of 5,000, 400 at once': [all, 'round_us', ['stampede']],
	'one in ten does not read': [all, 'delivered', ['slow']],
	'idle, 10,000 subscribed: bytes each': [all, 'server_bytes_per_client',
		['idle', ...big]],
};

// Only in the tables of several workers: what one costs that has as many
// connections as each of four, and what the kernel alone takes.
const RELAY = 'a bare relay by 1 and 3 processes, 2,000/s';
const GROUPS = 'bare groups of 10, by 1 and 4 processes';
// name: the program, and of how many processes, for so many workers.  One worker
// asks nobody; an event of several goes by the broker to another one.
const BARE = {
	[RELAY]: (workers) => ['relay', workers === 1 ? 1 : 3],
	[GROUPS]: (workers) => ['groups', workers],
};
const ACROSS = Object.entries({
	'publish, 2 connections': [ours, 'published',
		['publish', '--publishers', '2', '--in-flight', '2']],
	'publish, batches of 10, 2 connections': [ours, 'published',
		['publish', '--batch', '10', '--publishers', '2', '--in-flight', '2']],
	'one to one, 2,000/s': [ours, 'p50_us', ['fanout', '--clients', '16',
		'--channels', '16', '--rate', '2000', '--publishers', '4']],
	[RELAY]: [ours, 'p50_us', []],
	[GROUPS]: [ours, 'delivered', []],
});

// Only pusherd: name: [workers, field, arguments]
const grow = (channels, subscriptions) => ['fanout', '--clients', '10000',
	'--channels', String(channels), '--subscriptions',
	String(subscriptions)];
const OURS = {
	'one to one, another worker': [4, 'p50_us', ['fanout', '--clients',
		'16', '--channels', '16', '--rate', '200', '--publishers', '4']],
	'idle, 50,000 on 4 workers: bytes each': [4, 'server_bytes_per_client',
		['idle', '--clients', '50000', '--channels', '500', '--processes',
			'4', '--sources', '4']],
	'growth: 1 channel of 10,000': [1, 'server_cpu_us_each', grow(1, 1)],
	'growth: 100 channels of 100': [1, 'server_cpu_us_each', grow(100, 1)],
	'growth: 500 channels of 100 (50,000 subscriptions)': [1,
		'server_cpu_us_each', grow(500, 5)],
	'growth: 1,000 channels of 10': [1, 'server_cpu_us_each',
		grow(1000, 1)],
	'growth: 10,000 channels of 10 (100,000 subscriptions)': [1,
		'server_cpu_us_each', grow(10000, 10)],
	'growth: 10,000 channels of 1': [1, 'server_cpu_us_each',
		grow(10000, 1)],
	'growth: 100,000 channels of 1': [1, 'server_cpu_us_each',
		grow(100000, 10)],
};

module.exports = { OWN, SCENARIOS, ACROSS, OURS, BARE };
