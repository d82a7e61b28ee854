// SPDX-License-Identifier: MIT
//
// How late this process is: a client that answers late may get events twice
// after an orderly close, too.
'use strict';

const { performance } = require('node:perf_hooks');

// The server waits 2 s for a last pong.  Behind a close with a code nothing
// comes twice to a client that was late by less than so many ms.
const ORDERLY_MS = 1000;

const turns = [];
setInterval(() => {
	turns.push(performance.now());
	if (turns.length > 250) turns.shift();
}, 20).unref();

// The longest time for which this process has read nothing, of the last 5 s.
const lag = () => Math.max(0, performance.now() - (turns.at(-1) ?? 0),
	...turns.slice(1).map((t, i) => t - turns[i]));

module.exports = { ORDERLY_MS, lag };
