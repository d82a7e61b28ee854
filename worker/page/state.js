// SPDX-License-Identifier: MIT
//
// state.js: the session, its apps, and the commands that it may run.
import { ask } from './api.js';
import { fill, h } from './dom.js';

export const state = { session: null, verbs: new Map(), apps: [], app: '' };

// May this session run the command?  The server has the last word.
export function can(verb) {
	const v = state.verbs.get(verb);
	if (!v) return false;
	if (state.session.read_only && v.access.endsWith('write')) return false;
	return !(state.session.app && v.access.startsWith('server'));
}

export const nameOf = (id) => {
	const a = state.apps.find((x) => x.id === id);
	return a?.name ? a.name : id;
};

export async function loadApps() {
	const select = document.getElementById('app');
	state.apps = await ask('app list') ?? [];
	if (state.session.app) state.app = state.session.app;
	else if (!state.apps.some((a) => a.id === state.app)) state.app = '';
	fill(select, !state.session.app && h('option', { value: '' }, 'All apps'),
		state.apps.map((a) => h('option', { value: a.id }, a.name ? `${a.name} (${a.id})` : a.id)));
	select.value = state.app;
}
