/* SPDX-License-Identifier: MIT */
/*
 * query.c: bodies for GET /channels, /channels/x, /users, /connections, and
 * for publishes with info=.  Owns the lists that are not finished yet.
 *
 * The worker has decided which attribute a channel may be asked for; here one
 * that does not apply is left out.  A long list is written in
 * portions, so that nobody's events wait for it.  Must never change a
 * channel.
 */

#include "broker/channel/query.h"

#include <math.h>
#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/channel/cache.h"
#include "broker/channel/presence.h"
#include "broker/channel/registry.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/log/past.h"
#include "broker/log/replay.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_slice.h"
#include "shared/json/json_write.h"
#include "shared/net/http_reply.h"
#include "shared/pusher/channel_name.h"

#define PORTION 4000 /* channels or events looked at in one turn */

/* GET /channels or /channels/x/events, as far as it has come. */
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

static void
reply(struct peer *p, uint64_t id, uint32_t status, struct str body)
{
	struct msg_reply m = { .id = id, .status = status, .body = body };

	ipc_send_reply(&p->ipc, &m);
}

static void
reply_json(struct peer *p, uint64_t id, struct json_writer *w)
{
	struct buf *b = json_writer_take(w);

	if (b->len <= QUERY_MAX_BYTES) {
		reply(p, id, 200, buf_str(b));
	} else {
		struct buf *error = NULL;

		http_error_body(&error, 400,
		    S("the answer is larger than 16777216 bytes; narrow it "
		      "with filter_by_prefix"));
		reply(p, id, 400, buf_str(error));
		buf_unref(error);
	}
	buf_unref(b);
}

/* The payload of an unmasked text frame. */
static struct str
payload(struct str frame)
{
	unsigned char len;

	if (frame.n < 2)
		return str_from(frame, frame.n);
	len = (unsigned char)frame.p[1] & 0x7f;
	return str_from(frame, len == 127 ? 10 : len == 126 ? 4 : 2);
}

/* {"data":"…","ttl":n} of the last event, or null. */
static void
put_cache(struct broker *br, struct json_writer *w, struct channel *c)
{
	struct str frame = { NULL, 0 };
	struct json event, data = { .kind = JSON_NONE };
	const char *err;
	double left = 0;

	if (c != NULL)
		frame = cache_get(br, c, &left);
	if (frame.p != NULL && json_parse(payload(frame), &event, &err) == 0)
		data = json_get(event, S("data"));
	if (data.kind != JSON_STRING) {
		json_put_null(w);
		return;
	}
	json_object_open(w);
	json_key(w, "data");
	json_put_raw(w, data.raw);
	json_key(w, "ttl");
	json_put_u64(w, (uint64_t)ceil(left));
	json_object_close(w);
}

/* c may be NULL: nobody is there. */
static void
put_info(struct broker *br, struct json_writer *w, struct str name,
    struct channel *c, uint32_t info)
{
	unsigned flags = channel_flags(name);

	if ((info & INFO_USER_COUNT) && (flags & CHANNEL_PRESENCE)) {
		json_key(w, "user_count");
		json_put_u64(w, c == NULL ? 0 : presence_count(c->presence));
	}
	if (info & INFO_SUBSCRIPTION_COUNT) {
		json_key(w, "subscription_count");
		json_put_u64(w, c == NULL ? 0 : c->total);
	}
	if ((info & INFO_CACHE) && (flags & CHANNEL_CACHE)) {
		json_key(w, "cache");
		put_cache(br, w, c);
	}
}

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
	past_write(&l->past, log, &l->w);
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

		if (l->w.b != NULL && l->w.b->len > QUERY_MAX_BYTES)
			return true; /* refused as too long */
		if ((c = registry_cursor_next(&l->cursor)) == NULL)
			return true;
		name = registry_name(br->registry, c);
		if (!str_starts(name, prefix))
			continue;
		json_key_str(&l->w, name);
		json_object_open(&l->w);
		put_info(br, &l->w, name, c, l->info);
		json_object_close(&l->w);
	}
	return false;
}

/* Writes up to one portion; true when the list is finished. */
static bool
listing_go_on(struct listing *l)
{
	if (l->is_past)
		return past_portion(l);
	return channels_portion(l);
}

static void
listing_finish(struct listing *l)
{
	if (!l->is_past) {
		json_object_close(&l->w);
		json_object_close(&l->w);
	}
	reply_json(l->peer, l->id, &l->w);
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

/* The first portion, unless others wait already. */
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
	if (log != NULL) /* else there was no memory for it */
		past_begin(&l->past, log);
	listing_begin(l);
	return 0;
}

/*
 * One after the other, so that one long body at a time is in memory; but
 * nobody waits for a worker that does not read.
 */
void
query_init(struct broker *br)
{
	list_init(&br->queries->all);
}

bool
query_continue(struct broker *br)
{
	struct list *e;

	LIST_FOREACH(e, &br->queries->all) {
		struct listing *l = LIST_ITEM(e, struct listing, link);

		if (!peer_has_room(l->peer))
			continue;
		if (listing_go_on(l))
			listing_finish(l);
		return !list_is_empty(&br->queries->all);
	}
	return false;
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
}

/* ---- the others ---- */

static void
one_channel(struct peer *p, const struct msg_query *m, struct json_writer *w)
{
	struct channel *c = registry_find(p->br->registry, m->app, m->channel);

	json_object_open(w);
	json_key(w, "occupied");
	json_put_bool(w, c != NULL && c->total > 0);
	put_info(p->br, w, m->channel, c, m->info);
	json_object_close(w);
}

static void
put_user(void *arg, const struct member *m)
{
	struct json_writer *w = arg;

	json_object_open(w);
	json_key(w, "id");
	json_put_str(w, member_id(m));
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

struct query_line {
	uint64_t info, seq;
	struct str name;
};

/* Cuts one line off.  1: got one; 0: that was the last; -1: no such line. */
static int
next_line(struct str *rest, struct query_line *l)
{
	struct str line;

	if (rest->p == NULL || rest->n == 0)
		return 0;
	line = str_cut(rest, '\n');
	if (str_to_u64(str_cut(&line, ' '), UINT32_MAX, &l->info) == -1 ||
	    line.p == NULL ||
	    str_to_u64(str_cut(&line, ' '), UINT64_MAX, &l->seq) == -1 ||
	    line.p == NULL || line.n == 0)
		return -1;
	l->name = line;
	return 1;
}

/* {"channels":{"a":{…}}} or {"batch":[{…}]} */
static int
put_lines(struct peer *p, const struct msg_query *m, struct json_writer *w)
{
	bool batch = m->kind == QUERY_BATCH_INFO;
	const struct app_log *log = app_logs_find(&p->br->replay->logs, m->app);
	struct str rest = m->channel;
	struct query_line l;
	int r;

	json_object_open(w);
	json_key(w, batch ? "batch" : "channels");
	if (batch)
		json_array_open(w);
	else
		json_object_open(w);
	while ((r = next_line(&rest, &l)) == 1) {
		if (!batch)
			json_key_str(w, l.name);
		json_object_open(w);
		put_info(p->br, w, l.name,
		    registry_find(p->br->registry, m->app, l.name),
		    (uint32_t)l.info);
		if ((l.info & INFO_EVENT_ID) && log != NULL)
			past_put_id(log, l.name, p->origin, l.seq, w);
		json_object_close(w);
	}
	if (batch)
		json_array_close(w);
	else
		json_object_close(w);
	json_object_close(w);
	return r;
}

static void
connections(struct peer *p, const struct msg_query *m, struct json_writer *w)
{
	const struct broker_app *a = apps_find(p->br, m->app);

	json_object_open(w);
	json_key(w, "connections");
	json_put_u64(w, a == NULL ? 0 : a->nconns);
	json_object_close(w);
}

int
query_on_query(struct peer *p, const struct msg_query *m)
{
	struct json_writer w;
	int r = 0;

	if (m->kind == QUERY_CHANNELS) {
		list_channels(p, m);
		return 0;
	}
	if (m->kind == QUERY_PAST)
		return past_events(p, m);
	json_writer_init(&w);
	switch (m->kind) {
	case QUERY_CHANNEL:
		one_channel(p, m, &w);
		break;
	case QUERY_USERS:
		list_users(p, m, &w);
		break;
	case QUERY_EVENT_INFO:
	case QUERY_BATCH_INFO:
		r = put_lines(p, m, &w);
		break;
	case QUERY_CONNECTIONS:
		connections(p, m, &w);
		break;
	default:
		return -1;
	}
	if (r == -1)
		json_writer_drop(&w);
	else
		reply_json(p, m->id, &w);
	return r;
}
