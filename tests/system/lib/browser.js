// SPDX-License-Identifier: MIT
//
// Debian's Chromium, driven by playwright-core, and a server for its pages.
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { SLOW } = require('./daemon');
const { needs } = require('./deps');

async function launch() {
	needs('browser');
	return require('playwright-core').chromium.launch({
		executablePath: '/usr/bin/chromium', timeout: 60000 * SLOW,
		args: ['--no-sandbox', '--disable-gpu', '--disable-quic',
			'--no-first-run', '--disable-background-networking',
			'--disable-component-update', '--disable-sync'] });
}

// files: { '/name': path or text that begins with "<" }.
async function serve(files) {
	const s = http.createServer((req, res) => {
		const file = files[new URL(req.url, 'http://x').pathname];
		res.writeHead(file === undefined ? 404 : 200, { 'Content-Type':
			/\.js$/.test(file) ? 'text/javascript' : 'text/html' });
		res.end(file?.startsWith('<') ? file : file && fs.readFileSync(file));
	});
	await new Promise((ok) => s.listen(0, '127.0.0.1', ok));
	s.unref();
	s.url = `http://127.0.0.1:${s.address().port}`;
	s.stop = () => new Promise((ok) => {
		s.closeAllConnections?.();
		s.close(ok);
	});
	return s;
}

module.exports = { launch, serve };
