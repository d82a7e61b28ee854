// SPDX-License-Identifier: MIT
//
// An authority of the test's own and certificates signed by it, made with
// openssl(1) in a directory that the test removes.
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const NEW = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
	'-subj', '/CN=test', '-sha256'];

class Authority {
	constructor() {
		this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-ca-'));
		this.file = path.join(this.dir, 'ca.pem');
		this.n = 0;
		this.openssl('req', '-x509', ...NEW, '-days', '2', '-keyout', 'ca.key',
			'-out', 'ca.pem', '-addext', 'keyUsage=critical,keyCertSign');
	}

	openssl(...args) {
		execFileSync('openssl', args, { cwd: this.dir,
			stdio: ['ignore', 'ignore', 'pipe'] });
	}

	// { key, cert } for these names ('DNS:localhost', 'IP:127.0.0.1').  from,
	// to: YYYYMMDDHHMMSSZ.
	issue(names, { from, to } = {}) {
		const name = `c${this.n++}`;
		const file = (end) => path.join(this.dir, `${name}.${end}`);
		fs.writeFileSync(file('ext'), `subjectAltName=${names}\n`);
		fs.writeFileSync(file('conf'), '[ca]\ndefault_ca=d\n[d]\n' +
			`database=${name}.db\nserial=${name}.srl\nnew_certs_dir=.\n` +
			'default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n');
		fs.writeFileSync(file('db'), '');
		fs.writeFileSync(file('srl'), `${1000 + this.n}\n`);
		this.openssl('req', '-new', ...NEW, '-keyout', `${name}.key`,
			'-out', `${name}.csr`);
		this.openssl('ca', '-batch', '-notext', '-config', `${name}.conf`,
			'-cert', 'ca.pem', '-keyfile', 'ca.key', '-in', `${name}.csr`,
			'-out', `${name}.pem`, '-extfile', `${name}.ext`,
			...(to ? ['-startdate', from, '-enddate', to] : ['-days', '1']));
		return { key: fs.readFileSync(file('key')),
			cert: fs.readFileSync(file('pem')) };
	}

	remove() {
		fs.rmSync(this.dir, { recursive: true, force: true });
	}
}

module.exports = { Authority };
