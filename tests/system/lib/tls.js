// SPDX-License-Identifier: MIT
//
// Certificates for tests, made by openssl(1): an authority, and what it signs.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

function openssl(...args) {
	const r = spawnSync('openssl', args, { encoding: 'utf8',
		timeout: 60000 });
	assert.equal(r.error, undefined, `openssl: ${r.error}`);
	assert.equal(r.status, 0, `openssl ${args[0]}: ${r.stderr}`);
	return r.stdout;
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
const RSA = ['-newkey', 'rsa:2048'];

// A directory with ca.pem, and cert.pem and key.pem for 127.0.0.1 and
// localhost; sign() makes more.
class Authority {
	constructor() {
		this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-tls-'));
		openssl('req', '-x509', ...EC, '-nodes', '-days', '90', '-subj',
			'/CN=test authority', '-addext',
			'basicConstraints=critical,CA:TRUE', '-keyout',
			this.file('ca.key'), '-out', this.file('ca.pem'));
		this.ca = fs.readFileSync(this.file('ca.pem'));
		this.sign('', ['IP:127.0.0.1', 'DNS:localhost']);
	}

	file(name) {
		return path.join(this.dir, name);
	}

	// <name>cert.pem and <name>key.pem for these names.
	sign(name, names, { rsa = false, days = 90 } = {}) {
		const cert = this.file(`${name}cert.pem`);
		const key = this.file(`${name}key.pem`);
		const ext = this.file(`${name}ext`);
		fs.writeFileSync(ext, `subjectAltName=${names.join(',')}\n`);
		openssl('req', ...(rsa ? RSA : EC), '-nodes', '-subj', '/CN=test',
			'-keyout', key, '-out', this.file(`${name}csr`));
		openssl('x509', '-req', '-in', this.file(`${name}csr`), '-CA',
			this.file('ca.pem'), '-CAkey', this.file('ca.key'),
			'-CAcreateserial', '-days', String(days), '-extfile', ext,
			'-out', cert);
		return { cert, key };
	}

	remove() {
		fs.rmSync(this.dir, { recursive: true, force: true });
	}
}

module.exports = { Authority, openssl };
