// SPDX-License-Identifier: MIT
//
// A daemon with options in a file, which a test changes while it runs.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { Daemon } = require('./daemon');

// `conf` stands in the file, `fixed` on the command line, which overrides.
// Start it with d.start(d.extra).
function daemon(conf, fixed = {}) {
	const d = new Daemon(fixed);
	d.file = path.join(d.dir, 'pusherd.conf');
	d.write = (more = {}) => {
		const lines = Object.entries({ ...conf, ...more }).flatMap(
			([k, v]) => (Array.isArray(v) ? v : [v]).map((x) => `${k} ${x}`));
		fs.writeFileSync(d.file, `# test\n${lines.join('\n')}\n`);
	};
	d.write();
	for (const key of Object.keys(conf)) delete d.conf[key];
	d.extra = ['-c', d.file];
	// The options of the file are these; the answer of the reload.
	d.reload = async (more) => {
		d.write(more);
		const r = await d.ctlAsync([...d.extra, '-j', 'reload']);
		assert.equal(r.code, 0, r.err);
		return JSON.parse(r.out);
	};
	return d;
}

module.exports = { daemon };
