// SPDX-License-Identifier: MIT
//
// The line between clients and the server, which a test cuts: a proxy of TCP
// that forwards bytes until it is told to end its connections by RST or FIN,
// or to forward nothing more and to say nothing either (a black hole).
'use strict';

const net = require('node:net');

class Line {
	// to: { port }, read anew for each connection.  isPatient: a client waits
	// while nobody is there, as behind a balancer, and is not refused.
	static async open(to, isPatient = false) {
		const line = new Line();
		line.isPatient = isPatient;
		line.pairs = new Set();
		line.server = net.createServer({ pauseOnConnect: true },
			(near) => line.take(near, to));
		await new Promise((ok) => line.server.listen(0, '127.0.0.1', ok));
		line.server.unref();
		line.port = line.server.address().port;
		return line;
	}

	take(near, to) {
		const far = net.connect(to.port, '127.0.0.1');
		if (this.isPatient) {
			const again = () => !near.destroyed && this.take(near, to);
			far.once('error', () => setTimeout(again, 50).unref());
			far.once('connect', () => this.join(near, far));
		} else {
			this.join(near, far);
		}
	}

	join(near, far) {
		const pair = { near, far, dead: false };
		this.pairs.add(pair);
		for (const [a, b] of [[near, far], [far, near]]) {
			a.setNoDelay(true);
			a.on('error', () => {});
			a.on('close', () => {
				if (!pair.dead) b.destroy();
				if (b.destroyed) this.pairs.delete(pair);
			});
		}
		if (this.isHole) {
			pair.dead = true;
			return;
		}
		far.pipe(near);
		near.pipe(far);
		near.resume();
	}

	// how: 'RST', 'FIN' or 'hole'.  A hole swallows these connections for
	// good; for as long as isHole is set, also those that are made in it.
	cut(how, pairs = [...this.pairs]) {
		for (const pair of pairs) {
			pair.dead = true;
			if (how === 'RST') {
				pair.near.resetAndDestroy();
				pair.far.resetAndDestroy();
			} else if (how === 'FIN') {
				pair.near.destroySoon();
				pair.far.destroySoon();
			} else {
				pair.far.unpipe(pair.near);
				pair.near.unpipe(pair.far);
				pair.far.pause();
				pair.near.pause();
			}
		}
		return pairs.length;
	}

	// The client does not read, until the function is called that it returns.
	hold() {
		const held = [...this.pairs];
		for (const { near, far } of held) {
			far.unpipe(near);
			far.pause();
		}
		return () => held.filter((p) => !p.dead)
			.forEach(({ near, far }) => far.pipe(near));
	}

	// The network is back: what was swallowed ends.
	heal() {
		this.isHole = false;
		this.cut('RST', [...this.pairs].filter((p) => p.dead));
	}

	close() {
		this.cut('RST', [...this.pairs].filter((p) => p.dead));
		this.cut('FIN');
		return new Promise((ok) => this.server.close(ok));
	}
}

module.exports = { Line };
