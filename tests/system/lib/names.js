// SPDX-License-Identifier: MIT
//
// A name server on a loopback address, and a way to start pusherd so that it
// asks this one: resolv.conf replaced in a mount namespace of its own.  Needs
// the rights to do both; start() says null without them.
'use strict';

const { spawnSync } = require('node:child_process');
const dgram = require('node:dgram');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const A = 1;
const AAAA = 28;

// The question of a query: { name, type, end }.
function question(q) {
	const labels = [];
	let at = 12;
	while (q[at] !== 0) {
		labels.push(q.subarray(at + 1, at + 1 + q[at]).toString('latin1'));
		at += q[at] + 1;
	}
	return { name: labels.join('.'), type: q.readUInt16BE(at + 1),
		end: at + 5 };
}

// Four bytes, or the sixteen of ::1.
const bytes = (address) => (address === '::1' ?
	Buffer.from([...Array(15).fill(0), 1]) :
	Buffer.from(address.split('.').map(Number)));

function answer(q, { type, end }, addresses) {
	const fit = addresses.map(bytes).filter((b) =>
		b.length === (type === A ? 4 : 16));
	const head = Buffer.from(q.subarray(0, end));
	head.writeUInt16BE(0x8180, 2);
	head.writeUInt16BE(fit.length, 6);
	head.writeUInt32BE(0, 8);
	return Buffer.concat([head, ...fit.map((b) => {
		const record = Buffer.alloc(12);
		record.writeUInt16BE(0xc00c, 0);
		record.writeUInt16BE(type, 2);
		record.writeUInt16BE(1, 4);
		record.writeUInt32BE(1, 6); // to be kept for a second
		record.writeUInt16BE(b.length, 10);
		return Buffer.concat([record, b]);
	})]);
}

class Names {
	// names: { 'x.test': ['127.0.0.1'] }, or null: it is never answered.
	static async start(names) {
		const can = spawnSync('unshare', ['-m', 'true']);
		if (can.status !== 0) return null;
		const n = new Names();
		n.names = names;
		n.asked = [];
		n.socket = dgram.createSocket('udp4');
		n.socket.on('message', (q, from) => n.onQuery(q, from));
		for (let i = 2; i < 250; i++) {
			n.address = `127.53.${process.pid & 255}.${i}`;
			const ok = await new Promise((done) => {
				n.socket.once('error', () => done(false));
				n.socket.bind(53, n.address, () => done(true));
			});
			if (ok) return n.prepare();
		}
		return null;
	}

	prepare() {
		this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-names-'));
		this.file = path.join(this.dir, 'resolv.conf');
		fs.writeFileSync(this.file, `nameserver ${this.address}\n` +
			'options timeout:8 attempts:2\n');
		// In front of the command of a daemon.
		this.wrap = ['unshare', '-m', 'sh', '-c',
			'mount --bind "$0" /etc/resolv.conf && exec "$@"', this.file];
		return this;
	}

	onQuery(q, from) {
		const asked = question(q);
		this.asked.push(asked.name);
		const addresses = this.names[asked.name];
		if (addresses === null || (asked.type !== A && asked.type !== AAAA))
			return;
		this.socket.send(answer(q, asked, addresses ?? []), from.port,
			from.address);
	}

	stop() {
		this.socket.close();
		fs.rmSync(this.dir, { recursive: true, force: true });
	}
}

module.exports = { Names };
