// SPDX-License-Identifier: MIT
//
// The servers that npm can give us, to measure beside pusherd.
'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

// True: they are there.
function install() {
	if (fs.existsSync(path.join(__dirname,
		'node_modules/.package-lock.json')))
		return true;
	const r = spawnSync('npm', ['install', '--no-package-lock',
		'--ignore-scripts', '--no-audit', '--no-fund'],
	{ cwd: __dirname, encoding: 'utf8' });
	if (r.status !== 0)
		console.log('(npm cannot install the peers: only pusherd)');
	return r.status === 0;
}

// Its command, for an app bench, benchkey, benchsecret; run it in DIR.  more:
// of its configuration.
function soketi(port, dir, more = {}) {
	const file = path.join(dir, 'soketi.json');
	fs.writeFileSync(file, JSON.stringify({
		port, host: '127.0.0.1', 'metrics.enabled': false,
		presence: { maxMembersPerChannel: 1000, maxMemberSizeInKb: 2 },
		'appManager.driver': 'array',
		'appManager.array.apps': [{ id: 'bench', key: 'benchkey',
			secret: 'benchsecret', maxConnections: -1, enabled: true,
			enableClientMessages: true, maxBackendEventsPerSecond: -1,
			maxClientEventsPerSecond: -1, maxReadRequestsPerSecond: -1,
			webhooks: [] }],
		...more,
	}));
	return ['node', 'node_modules/@soketi/soketi/bin/server.js', 'start',
		`--config=${file}`];
}

// Its configuration, a file in dir, for the same app.
function sockudoConfig(port, dir) {
	const file = path.join(dir, 'sockudo.json');
	const many = '10000000';
	fs.writeFileSync(file, JSON.stringify({
		host: '127.0.0.1', port, mode: 'production',
		adapter: { driver: 'local' }, cache: { driver: 'memory' },
		queue: { driver: 'memory' }, metrics: { enabled: false },
		rate_limiter: { enabled: false },
		presence: { max_members_per_channel: 1000,
			max_member_size_in_kb: 2 },
		app_manager: { driver: 'memory', array: { apps: [{ id: 'bench',
			key: 'benchkey', secret: 'benchsecret', enabled: true,
			max_connections: many, enable_client_messages: true,
			max_client_events_per_second: many,
			max_backend_events_per_second: many,
			max_read_requests_per_second: many }] } },
	}));
	return file;
}

module.exports = { DIR: __dirname, install, soketi, sockudoConfig };
