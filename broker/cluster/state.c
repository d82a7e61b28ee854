/* SPDX-License-Identifier: MIT */
/*
 * state.c: writes what another host has to know of this one: the messages by
 * which a worker replays its state, made from the registry.  Channels without
 * members are counted, because the broker does not know their connections.
 */

#include "broker/cluster/state.h"

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/channel/cache.h"
#include "broker/channel/channel_events.h"
#include "broker/channel/presence.h"
#include "broker/channel/registry.h"
#include "broker/channel/subscription_count.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/user/user.h"
#include "shared/json/json_slice.h"

#define SUBS_MAX 10000000u /* as max_connections */

struct writer {
	struct broker *br;
	struct entry *e;
	const struct channel *c;
	const uint64_t *origins;
	unsigned room;
};

/* user_info as the client gave it: JSON, which stands in frames as a string. */
static void
put_conn(struct writer *w, const struct member *m, const struct member_conn *s)
{
	struct msg_sub sub = { .app = w->c->app->num,
		.sid = s->sid,
		.stamp = s->stamp,
		.channel = registry_name(w->br->registry, w->c),
		.user_id = member_id(m) };
	struct buf *text = NULL;
	struct json json;
	const char *err;
	char *tmp = NULL;

	if (s->slot >= w->room || w->origins[s->slot] == 0)
		return;
	buf_printf(&text, "\"%.*s\"", (int)s->info->len, s->info->data);
	if (json_parse(buf_str(text), &json, &err) == 0)
		json_string(json, &sub.user_info, &tmp);
	entry_from(w->e, s->slot, w->origins[s->slot]);
	entry_put_sub(w->e, &sub);
	free(tmp);
	buf_unref(text);
}

static void
put_member(void *arg, const struct member *m)
{
	const struct list *e;

	if (m->conns.n == 0)
		return;
	put_conn(arg, m, &m->conns.first);
	LIST_FOREACH(e, &m->conns.more)
		put_conn(arg, m, member_conn_of_list(e));
}

static void
put_counts(struct writer *w)
{
	struct msg_host_subs subs = { .app = w->c->app->num,
		.channel = registry_name(w->br->registry, w->c) };

	for (unsigned i = 0; i < w->room; i++) {
		if (w->c->count[i] == 0 || w->origins[i] == 0)
			continue;
		subs.n = w->c->count[i];
		entry_from(w->e, i, w->origins[i]);
		entry_put_host_subs(w->e, &subs);
	}
}

/* Every host has the same event: one of them would do. */
static void
put_cached(struct writer *w)
{
	struct channel *c = registry_find(w->br->registry, w->c->app->num,
	    registry_name(w->br->registry, w->c));
	struct msg_event m = { .app = w->c->app->num,
		.flags = EVENT_CACHE,
		.channel = registry_name(w->br->registry, w->c) };

	m.frame = cache_get(w->br, c, NULL);
	if (m.frame.p != NULL)
		entry_put_event(w->e, &m);
}

static bool
set_app(struct writer *w, uint32_t num)
{
	const struct broker_app *a = apps_find(w->br, num);

	if (a != NULL)
		entry_app(w->e, num, str_of(a->app.id));
	return a != NULL;
}

static void
put_channel(struct writer *w, const struct channel *c)
{
	w->c = c;
	if (c->hidden || !set_app(w, c->app->num))
		return; /* hidden: follows from the sign-ins */
	if (c->presence != NULL)
		presence_each(c->presence, put_member, w);
	else
		put_counts(w);
	if (cache_has(c))
		put_cached(w);
}

static void
put_sessions(struct writer *w, unsigned slot)
{
	const struct list *e;

	LIST_FOREACH(e, &w->br->users->sessions[slot]) {
		const struct session *s = LIST_ITEM(e, struct session, in_slot);
		struct msg_signin m = { .app = s->user->app,
			.sid = s->sid,
			.replay = 1,
			.user_id = user_id(s->user) };

		if (!set_app(w, m.app))
			continue;
		entry_from(w->e, slot, w->origins[slot]);
		entry_put_signin(w->e, &m);
	}
}

void
state_write(struct broker *br, struct entry *entry, unsigned room,
    const uint64_t *origins)
{
	struct writer w = {
		.br = br, .e = entry, .room = room, .origins = origins
	};
	const struct hash *all = &br->registry->channels;
	struct hash_node *n;

	HASH_FOREACH(n, all)
		put_channel(&w, container_of(n, struct channel, node));
	for (unsigned i = 0; i < room; i++)
		if (origins[i] != 0)
			put_sessions(&w, i);
}

void
state_on_subs(struct peer *p, const struct msg_host_subs *m)
{
	struct broker *br = p->br;
	struct channel *c;

	const struct registry_app *a = registry_app_find(br->registry, m->app);

	if (!registry_name_is_open(m->channel) || m->n == 0 ||
	    m->n + (a == NULL ? 0 : a->nsubs) > SUBS_MAX)
		return;
	c = registry_get(br->registry, m->app, m->channel);
	registry_enter_many(br->registry, c, (unsigned)p->slot, m->n);
	br->events->entered(br, c, S(""));
	subscription_count_changed(br, c);
}
