/* SPDX-License-Identifier: MIT */
/*
 * query.c: bodies for GET /channels, /channels/x, /users, /connections.  Owns
 * the unfinished lists.  A long list is written in portions, so that no event
 * waits for it.  Must never change a channel.
 */

#include "broker/channel/query.h"

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/channel/presence.h"
#include "broker/channel/query_body.h"
#include "broker/channel/query_publish.h"
#include "broker/channel/registry.h"
#include "broker/core/core.h"
#include "broker/link/answers.h"
#include "broker/link/peer.h"
#include "broker/log/past.h"
#include "broker/log/replay.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_write.h"

#define PORTION 4000   /* channels or events looked at in one turn */
#define LISTS_MAX 256u /* of one app at the same time */
#define PAST_BYTES ((size_t)4 << 20) /* of events written in one turn */

/* A GET /channels or /channels/x/events in progress. */
struct listing {
	struct list link; /* in br->queries->all */
	struct peer *peer;
	struct registry_cursor cursor;
	struct json_writer w;
	uint64_t id;
	uint32_t info, app;
	bool is_past; /* of a channel's events */
	struct past past;
	size_t prefix_len;
	char prefix[];
};

/* ---- GET /channels ---- */

static void
listing_free(struct listing *l)
{
	struct broker *br = l->peer->br;

	if (l->is_past)
		past_end(&l->past);
	else
		registry_cursor_close(br->registry, &l->cursor);
	list_remove(&l->link);
	if (br->queries->body == l)
		br->queries->body = NULL;
	json_writer_drop(&l->w); /* it may end in the middle */
	free(l);
}

static bool
past_portion(struct listing *l)
{
	const struct app_log *log =
	    app_logs_find(&l->peer->br->replay->logs, l->app);

	if (!past_go_on(&l->past, log, PORTION))
		return false;
	past_write(&l->past, log, MIN(query_max_bytes(l->peer->br), PAST_BYTES),
	    &l->w);
	return true;
}

static bool
channels_portion(struct listing *l)
{
	struct broker *br = l->peer->br;
	struct str prefix = str_make(l->prefix, l->prefix_len);
	struct channel *c;

	for (int i = 0; i < PORTION; i++) {
		struct str name;

		if (l->w.b != NULL && l->w.b->len > query_max_bytes(br))
			return true; /* refused as too long */
		if ((c = registry_cursor_next(&l->cursor)) == NULL)
			return true;
		name = registry_name(br->registry, c);
		if (!str_starts(name, prefix))
			continue;
		json_key_str(&l->w, name);
		json_object_open(&l->w);
		query_put_info(br, &l->w, name, c, l->info);
		json_object_close(&l->w);
	}
	return false;
}

/* Writes one portion at most; true when the list is finished. */
static bool
listing_go_on(struct listing *l)
{
	struct queries *q = l->peer->br->queries;

	q->served = l->app;
	if (l->is_past)
		return past_portion(l); /* its body is written at the end */
	q->body = l;
	return channels_portion(l);
}

static void
listing_finish(struct listing *l)
{
	if (!l->is_past) {
		json_object_close(&l->w);
		json_object_close(&l->w);
	}
	query_reply_json(l->peer, l->id, &l->w);
	json_writer_init(&l->w);
	listing_free(l);
}

static struct listing *
listing_new(struct peer *p, const struct msg_query *m)
{
	struct listing *l = xcalloc(1, sizeof(*l) + m->channel.n);

	l->peer = p;
	l->id = m->id;
	l->app = m->app;
	l->info = m->info;
	l->prefix_len = m->channel.n;
	if (m->channel.n > 0)
		memcpy(l->prefix, m->channel.p, m->channel.n);
	list_init(&l->link);
	list_append(&p->br->queries->all, &l->link);
	json_writer_init(&l->w);
	return l;
}

/* Writes the first portion, unless others wait already. */
static void
listing_begin(struct listing *l)
{
	if (l->peer->br->queries->all.next == &l->link && listing_go_on(l))
		listing_finish(l);
}

static void
list_channels(struct peer *p, const struct msg_query *m)
{
	struct listing *l = listing_new(p, m);

	registry_cursor_open(
	    &l->cursor, registry_app_find(p->br->registry, m->app));
	json_object_open(&l->w);
	json_key(&l->w, "channels");
	json_object_open(&l->w);
	listing_begin(l);
}

static int
past_events(struct peer *p, const struct msg_query *m)
{
	const struct app_log *log = app_logs_find(&p->br->replay->logs, m->app);
	struct past past;
	struct listing *l;

	if (past_read(&past, m->channel) == -1 || past.limit == 0 ||
	    past.limit > QUERY_PAST_MAX)
		return -1;
	l = listing_new(p, m);
	l->is_past = true;
	past_read(&l->past, str_make(l->prefix, l->prefix_len));
	if (log != NULL) /* otherwise there was no memory for it */
		past_begin(&l->past, log);
	listing_begin(l);
	return 0;
}

/* Has another list a part of its body, and room for more? */
static bool
must_wait(const struct queries *q, const struct listing *l)
{
	return !l->is_past && q->body != NULL && q->body != l &&
	    peer_has_room(q->body->peer);
}

/*
 * The list whose turn it is, or NULL.  The apps take turns, by their numbers;
 * of one app the first list goes on.  Bodies are written one after the other,
 * so that one long body at a time is in memory; a worker that does not read
 * delays no other.
 */
static struct listing *
next(const struct queries *q)
{
	struct listing *found = NULL;
	uint32_t least = 0, distance;
	struct list *e;

	LIST_FOREACH(e, &q->all) {
		struct listing *l = LIST_ITEM(e, struct listing, link);

		distance = l->app - q->served - 1;
		if (!peer_has_room(l->peer) || must_wait(q, l) ||
		    (found != NULL && distance >= least))
			continue;
		found = l;
		least = distance;
	}
	return found;
}

void
query_init(struct broker *br)
{
	list_init(&br->queries->all);
}

bool
query_continue(struct broker *br)
{
	struct listing *l = next(br->queries);

	if (l == NULL)
		return false;
	if (listing_go_on(l))
		listing_finish(l);
	return !list_is_empty(&br->queries->all);
}

void
query_drop(struct broker *br, const struct peer *p)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->queries->all) {
		struct listing *l = LIST_ITEM(e, struct listing, link);

		if (p == NULL || l->peer == p)
			listing_free(l);
	}
	query_publish_drop(br, p);
}

/*
 * Lists whose asker has gone are written, too: an app that asks and does not
 * wait must not make them without end.
 */
static bool
may_list(struct peer *p, const struct msg_query *m)
{
	const struct list *e;
	struct buf *why = NULL;
	unsigned n = 0;

	LIST_FOREACH(e, &p->br->queries->all)
		n += LIST_ITEM(e, const struct listing, link)->app == m->app;
	if (n < LISTS_MAX)
		return true;
	buf_printf(&why,
	    "%u lists of channels or events of this app are being written: ask "
	    "for fewer at the same time",
	    LISTS_MAX);
	query_refuse(p, m->id, 503, buf_str(why));
	buf_unref(why);
	return false;
}

/* ---- the others ---- */

static void
one_channel(struct peer *p, const struct msg_query *m, struct json_writer *w)
{
	struct channel *c = registry_find(p->br->registry, m->app, m->channel);

	json_object_open(w);
	json_member_bool(w, "occupied", c != NULL && c->total > 0);
	query_put_info(p->br, w, m->channel, c, m->info);
	json_object_close(w);
}

static void
put_user(void *arg, const struct member *m)
{
	struct json_writer *w = arg;

	json_object_open(w);
	json_member_str(w, "id", member_id(m));
	json_object_close(w);
}

static void
list_users(struct peer *p, const struct msg_query *m, struct json_writer *w)
{
	struct channel *c = registry_find(p->br->registry, m->app, m->channel);

	json_object_open(w);
	json_key(w, "users");
	json_array_open(w);
	if (c != NULL && c->presence != NULL)
		presence_each(c->presence, put_user, w);
	json_array_close(w);
	json_object_close(w);
}

static void
connections(struct peer *p, const struct msg_query *m, struct json_writer *w)
{
	const struct broker_app *a = apps_find(p->br, m->app);

	json_object_open(w);
	json_member_u64(w, "connections", a == NULL ? 0 : a->nconns);
	json_object_close(w);
}

static int
answer(struct peer *p, const struct msg_query *m)
{
	struct json_writer w;

	if (m->kind == QUERY_EVENT_INFO || m->kind == QUERY_BATCH_INFO)
		return query_publish_answer(p, m);
	json_writer_init(&w);
	switch (m->kind) {
	case QUERY_CHANNEL:
		one_channel(p, m, &w);
		break;
	case QUERY_USERS:
		list_users(p, m, &w);
		break;
	case QUERY_CONNECTIONS:
		connections(p, m, &w);
		break;
	default:
		json_writer_drop(&w);
		return -1;
	}
	query_reply_json(p, m->id, &w);
	return 0;
}

static void
answer_later(struct peer *p, const struct msg_sub *m, uint64_t stamp)
{
	const struct msg_query q = { .id = m->sid,
		.app = m->app,
		.kind = (uint32_t)stamp,
		.info = m->ref,
		.wait_ms = (uint32_t)(stamp >> 32),
		.channel = m->channel };

	answer(p, &q);
}

int
query_on_query(struct peer *p, const struct msg_query *m)
{
	struct msg_sub later = { .app = m->app,
		.sid = m->id, /* each has a turn of its own */
		.ref = m->info,
		.channel = m->channel };

	if (m->kind == QUERY_CHANNELS || m->kind == QUERY_PAST) {
		if (!may_list(p, m))
			return 0;
		if (m->kind == QUERY_PAST)
			return past_events(p, m);
		list_channels(p, m);
		return 0;
	}
	if (!answers_must_wait(p))
		return answer(p, m);
	answers_put_off(
	    p, answer_later, &later, 0, (uint64_t)m->wait_ms << 32 | m->kind);
	return 0;
}
