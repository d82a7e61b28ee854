// SPDX-License-Identifier: MIT
//
// The packages of a part of tests/deps.sh: installed when they are missing.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const path = require('node:path');

function needs(part) {
	const r = spawnSync(path.resolve(__dirname, '../../deps.sh'), [part],
		{ encoding: 'utf8', timeout: 600000 });
	assert.equal(r.status, 0, `deps.sh ${part}: ${r.stdout}${r.stderr}`);
}

module.exports = { needs };
