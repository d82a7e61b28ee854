// SPDX-License-Identifier: MIT
//
// The text format of Prometheus (0.0.4), read strictly: everything that the
// format demands, and that its own linter would complain about, is a failure.
'use strict';

const assert = require('node:assert/strict');

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

function unescape(text, where) {
	return text.replace(/\\(.)/g, (all, c) => {
		assert.match(c, /[\\"n]/, `escape ${all} in ${where}`);
		return c === 'n' ? '\n' : c;
	});
}

function parseLabels(text, line) {
	const labels = {};
	let rest = text;
	while (rest !== '') {
		const m = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"(,|$)/
			.exec(rest);
		assert.ok(m, `labels of: ${line}`);
		assert.ok(!(m[1] in labels), `label twice: ${line}`);
		labels[m[1]] = unescape(m[2], line);
		rest = rest.slice(m[0].length);
		if (m[3] === ',') assert.notEqual(rest, '', line);
	}
	return labels;
}

function parseValue(text, line) {
	if (text === '+Inf') return Infinity;
	assert.match(text, /^-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?$/, line);
	return Number(text);
}

function parseSample(line) {
	const m = /^([^{ ]+)(?:\{(.*)\})? ([^ ]+)$/.exec(line);
	assert.ok(m, `not a sample: ${line}`);
	assert.match(m[1], NAME, line);
	return { name: m[1], labels: parseLabels(m[2] ?? '', line),
		value: parseValue(m[3], line) };
}

const key = (labels) => JSON.stringify(Object.entries(labels).sort());

function checkHistogram(name, f) {
	const series = new Map();
	for (const s of f.samples) {
		const { le, ...labels } = s.labels;
		const k = key(labels);
		if (!series.has(k)) series.set(k, { buckets: [] });
		const one = series.get(k);
		if (s.name === `${name}_bucket`)
			one.buckets.push([parseValue(le, name), s.value]);
		else if (s.name === `${name}_sum`)
			one.sum = s.value;
		else
			one.count = s.value;
	}
	for (const { buckets, sum, count } of series.values()) {
		assert.ok(buckets.length > 1, name);
		for (let i = 1; i < buckets.length; i++) {
			assert.ok(buckets[i][0] > buckets[i - 1][0], `${name}: bounds`);
			assert.ok(buckets[i][1] >= buckets[i - 1][1],
				`${name}: not cumulative`);
		}
		assert.equal(buckets.at(-1)[0], Infinity, `${name}: no +Inf`);
		assert.equal(buckets.at(-1)[1], count, `${name}: +Inf and count`);
		assert.ok(sum >= 0, `${name}: sum`);
	}
}

const SUFFIXES = { histogram: /^(_bucket|_sum|_count)$/, counter: /^$/,
	gauge: /^$/ };

function parse(text) {
	assert.ok(text.endsWith('\n'), 'the last line does not end');
	const families = new Map();
	const seen = new Set();
	let help = null;
	let current = null;
	for (const line of text.slice(0, -1).split('\n')) {
		assert.equal(line.trim(), line, `blanks around: ${line}`);
		let m;
		if ((m = /^# HELP ([^ ]+) (.+)$/.exec(line))) {
			assert.match(m[1], NAME);
			assert.ok(!families.has(m[1]), `two families ${m[1]}`);
			unescape(m[2], line);
			help = m[1];
			current = null;
		} else if ((m = /^# TYPE ([^ ]+) (counter|gauge|histogram)$/
			.exec(line))) {
			assert.equal(m[1], help, `TYPE without its HELP: ${line}`);
			current = { name: m[1], type: m[2], samples: [] };
			families.set(m[1], current);
		} else {
			const s = parseSample(line);
			assert.ok(current, `sample before TYPE: ${line}`);
			assert.ok(s.name.startsWith(current.name), line);
			assert.match(s.name.slice(current.name.length),
				SUFFIXES[current.type], line);
			assert.ok(s.value >= 0, `below zero: ${line}`);
			assert.ok(current.type === 'gauge' || Number.isFinite(s.value));
			const k = s.name + key(s.labels);
			assert.ok(!seen.has(k), `twice: ${line}`);
			seen.add(k);
			current.samples.push(s);
		}
	}
	for (const [name, f] of families)
		if (f.type === 'histogram') checkHistogram(name, f);
	return new Metrics(families);
}

class Metrics {
	constructor(families) {
		this.families = families;
		this.samples = [...families.values()].flatMap((f) => f.samples);
		this.byKey = new Map(this.samples.map((s) =>
			[s.name + key(s.labels), s.value]));
	}

	value(name, labels = {}) {
		const v = this.byKey.get(name + key(labels));
		assert.notEqual(v, undefined, `no ${name} ${JSON.stringify(labels)}`);
		return v;
	}

	// Over all samples of the name that have these labels, too.
	sum(name, labels = {}) {
		return this.samples.filter((s) => s.name === name &&
			Object.entries(labels).every(([k, v]) => s.labels[k] === v))
			.reduce((n, s) => n + s.value, 0);
	}
}

module.exports = { parse };
