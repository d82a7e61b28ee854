// SPDX-License-Identifier: MIT
//
// api.js: the requests of the page.  Everything is asked of the address that
// the page came from, with the cookie of the session.

export class Refused extends Error {
	constructor(status, text) {
		super(text);
		this.status = status;
	}
}

async function request(path, body) {
	let res;
	try {
		res = await fetch(path, body === undefined ? { cache: 'no-store' } : { method: 'POST', body: JSON.stringify(body),
			headers: { 'X-Requested-With': 'console', 'Content-Type': 'application/json' } });
	} catch {
		throw new Refused(0, 'The server does not answer.');
	}
	const text = await res.text();
	let json = null;
	try {
		json = JSON.parse(text);
	} catch { /* what a proxy in between says */ }
	if (!res.ok) throw new Refused(res.status, json?.error ?? `HTTP ${res.status}`);
	return json;
}

export const login = (token) => request('session', { token });
export const session = () => request('session');
export const logout = () => request('logout', {});
export const verbs = () => request('verbs');

// The output of `pusherctl -j VERB`; `notes` is its stderr.
export async function run(verb, args = {}, stdin) {
	const r = await request('verb', stdin === undefined ? { verb, args } : { verb, args, stdin });
	if (r.code !== 0) throw new Refused(422, clean(r.notes) || `${verb}: exit code ${r.code}`);
	return { rows: r.rows, notes: clean(r.notes) };
}

export const ask = async (verb, args) => (await run(verb, args)).rows;
const clean = (notes) => notes.replace(/^pusherctl: /gm, '').replace(/^(usage|more): .*$/gm, '').trim();

// A command whose rows come as they happen; returns how to stop it.
export function stream(verb, args, on) {
	const query = new URLSearchParams({ verb });
	for (const [k, v] of Object.entries(args))
		if (v !== undefined && v !== '' && v !== false) query.set(k, v === true ? 'true' : v);
	const source = new EventSource(`stream?${String(query).replace(/=true(?=&|$)/g, '')}`);
	source.onopen = () => on.open?.();
	source.onmessage = (e) => on.row(JSON.parse(e.data));
	source.addEventListener('dropped', (e) => on.dropped?.(JSON.parse(e.data).dropped));
	source.addEventListener('end', (e) => {
		source.close();
		on.end?.(JSON.parse(e.data));
	});
	source.onerror = () => on.error?.(source.readyState === EventSource.CLOSED);
	return () => source.close();
}
