/* SPDX-License-Identifier: MIT */
/*
 * verb_channels.c: the verbs about channels: the list, one channel with its
 * members, and purging a cached event.  Must never log or show event data.
 */

#include "broker/control/verb_channels.h"

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/channel/cache.h"
#include "broker/channel/presence.h"
#include "broker/channel/registry.h"
#include "broker/control/control_job.h"
#include "broker/control/name_list.h"
#include "broker/control/verb_args.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/pusher/channel_name.h"

/* Begins each row about a channel. */
static void
put_channel(struct json_writer *w, const struct broker_app *a,
    const struct channel *c, struct str name)
{
	json_member_str(w, "app", str_of(a->app.id));
	json_member_str(w, "channel", name);
	json_member_u64(w, "subscriptions", c->total);
	json_key(w, "users");
	if (channel_flags(name) & CHANNEL_PRESENCE)
		json_put_u64(w, presence_count(c->presence));
	else
		json_put_null(w);
}

/* ---- the list ---- */

static void
list_row(struct control_client *cc, const struct broker_app *a, struct str name,
    struct str about)
{
	const struct channel *c =
	    registry_find(cc->br->registry, a->app.num, name);
	struct json_writer w;

	if (c == NULL || (c->total == 0 && !cache_has(c)))
		return;

	verb_row_begin(&w, NULL);
	put_channel(&w, a, c, name);
	json_member_bool(&w, "cached", cache_has(c));
	verb_row_end(cc, &w);
}

struct listing {
	struct name_list *s;
	const struct broker *br;
	struct str prefix;
};

static void
see(void *arg, struct hash_node *n)
{
	const struct listing *to = arg;
	const struct channel *c = container_of(n, const struct channel, node);
	struct str name = registry_name(to->br->registry, c);

	if (!c->hidden && (c->total > 0 || cache_has(c)) &&
	    str_starts(name, to->prefix))
		name_list_offer(to->s, to->br, c->app->num, name);
}

static bool
list_portion(struct name_list *s, struct broker *br, struct name_cursor *at,
    struct str prefix)
{
	struct listing to = { s, br, prefix };

	return hash_walk(
	    &br->registry->channels, &at->hash, NAME_LIST_LOOK, see, &to);
}

void
verb_channels(struct control_client *cc, struct json args)
{
	struct broker_app *a;
	struct str prefix;
	char *tmp = NULL;

	if (verb_app_or_all(cc, args, &a) == -1)
		return;
	if (verb_text(args, S("prefix"), &prefix, &tmp) == -1)
		control_fail(cc, "prefix: not a text");
	else
		name_list_begin(
		    cc, name_list_new(list_row, prefix), list_portion, a);
	free(tmp);
}

/* ---- one channel ---- */

static void
member_row(struct control_client *cc, const struct broker_app *a,
    struct str name, struct str about)
{
	const struct channel *c =
	    registry_find(cc->br->registry, a->app.num, about);
	const struct member *m = c == NULL || c->presence == NULL
	    ? NULL
	    : presence_find(c->presence, name);
	struct json_writer w;

	if (m == NULL)
		return; /* has left meanwhile */
	verb_row_begin(&w, "member");
	json_member_str(&w, "user", name);
	json_member_u64(&w, "connections", m->conns.n);
	json_key(&w, "info");
	member_put_info(&w, m);
	verb_row_end(cc, &w);
}

struct collecting {
	struct name_list *s;
	const struct broker_app *a;
};

static void
collect(void *arg, const struct member *m)
{
	struct collecting *to = arg;

	name_list_add(to->s, to->a, member_id(m));
}

/* {"bytes":n,"age":s,"ttl":s}, or null. */
static void
put_cached(
    struct json_writer *w, const struct broker_app *a, const struct channel *c)
{
	double left;

	json_key(w, "cached");
	if (!cache_has(c)) {
		json_put_null(w);
		return;
	}
	left = MAX(c->cached->due - broker_now(), 0.);
	json_object_open(w);
	json_member_u64(w, "bytes", c->cached->frame_len);
	json_member_u64(
	    w, "age", (uint64_t)MAX((double)a->app.cache_ttl - left, 0.));
	json_member_u64(w, "ttl", (uint64_t)left);
	json_object_close(w);
}

static void
channel_row(struct control_client *cc, const struct broker_app *a,
    const struct channel *c, struct str name)
{
	struct json_writer w;

	verb_row_begin(&w, "channel");
	put_channel(&w, a, c, name);
	put_cached(&w, a, c);
	verb_row_end(cc, &w);
	for (unsigned i = 0; i < cc->br->nslots; i++) {
		if (cc->br->peers[i] == NULL && c->count[i] == 0)
			continue; /* kept for a reload */
		verb_row_begin(&w, "worker");
		json_member_u64(&w, "worker", i);
		json_member_u64(&w, "subscriptions", c->count[i]);
		verb_row_end(cc, &w);
	}
}

static void
show(struct control_client *cc, const struct broker_app *a, struct str name)
{
	const struct channel *c =
	    registry_find(cc->br->registry, a->app.num, name);
	struct collecting to = { .a = a };

	if (c == NULL) {
		control_fail(cc,
		    "nobody is in the channel %.*s of app %s, and it has no "
		    "cached event",
		    (int)name.n, name.p, a->app.id);
		return;
	}
	channel_row(cc, a, c, name);
	to.s = name_list_new(member_row, name);
	if (c->presence != NULL)
		presence_each(c->presence, collect, &to);
	name_list_start(cc, to.s);
}

void
verb_channel(struct control_client *cc, struct json args)
{
	const struct broker_app *a = verb_app(cc, args);
	struct str name;
	char *tmp = NULL;

	if (a == NULL)
		return;
	if (verb_channel_arg(cc, &a->app, args, &name, &tmp))
		show(cc, a, name);
	free(tmp);
}

void
verb_purge_cache(struct control_client *cc, struct json args)
{
	const struct broker_app *a = verb_app(cc, args);
	struct channel *c = NULL;
	struct json_writer w;
	struct str name;
	char *tmp = NULL;

	if (a == NULL)
		return;
	if (verb_channel_arg(cc, &a->app, args, &name, &tmp)) {
		c = registry_find(cc->br->registry, a->app.num, name);
		verb_row_begin(&w, NULL);
		json_member_bool(&w, "purged", c != NULL && cache_has(c));
		verb_row_end(cc, &w);
		if (c != NULL)
			cache_purge(cc->br, c);
		control_end(cc);
	}
	free(tmp);
}
