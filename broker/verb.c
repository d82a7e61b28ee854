/* SPDX-License-Identifier: MIT */
/*
 * verb.c: the verbs of the control socket, one function each.  A list of
 * channels is a sorted copy of the names (struct snapshot, owned here), so
 * that it can be written over many turns while channels come and go; what a
 * row says is looked up when it is written.
 *
 * Arguments come from whoever may open the socket: they are checked like
 * those of the HTTP API.  Must never log event data.
 */

#include "broker/verb.h"

#include <stdlib.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/peer.h"
#include "broker/presence.h"
#include "broker/route.h"
#include "broker/verb_webhook.h"
#include "shared/base.h"
#include "shared/channel_name.h"
#include "shared/frames.h"
#include "shared/json_slice.h"
#include "shared/log.h"
#include "shared/xmalloc.h"

#define PORTION 1000    /* rows in one turn */
#define NAMES_MAX 65536 /* bytes of one argument that is a name */

/* ---- arguments ---- */

/* A string member, unescaped; *tmp (free(3) it) may hold it. */
static int
get_text(struct json args, struct str key, struct str *out, char **tmp)
{
	struct json v = json_get(args, key);

	*out = (struct str){ NULL, 0 };
	if (v.kind == JSON_NONE)
		return 0;
	if (v.kind != JSON_STRING || v.raw.n > NAMES_MAX)
		return -1;
	return json_string(v, out, tmp) == -1 ? -1 : 0;
}

/* The app that the arguments name, or NULL after a sentence. */
static struct broker_app *
get_app(struct control_client *k, struct json args)
{
	struct broker_app *a = NULL;
	struct str id;
	char *tmp = NULL;

	if (get_text(args, S("app"), &id, &tmp) == -1 || id.p == NULL)
		control_fail(k, "app: the id of an app is missing");
	else if ((a = apps_find_id(k->br, id)) == NULL)
		control_fail(k, "the running pusherd knows no app \"%.*s\"",
		    (int)MIN(id.n, 128), id.p);
	free(tmp);
	return a;
}

static bool
is_channel(const struct app *a, struct str name)
{
	return channel_name_is_valid(name, a->max_channel_name_length) ||
	    channel_user_is_valid(name, a->max_channel_name_length);
}

/* ---- status ---- */

static void
row_begin(struct json_writer *w, const char *type)
{
	json_writer_init(w);
	json_object_open(w);
	if (type != NULL) {
		json_key(w, "type");
		json_put_str(w, str_of(type));
	}
}

static void
put_number(struct json_writer *w, const char *key, uint64_t v)
{
	json_key(w, key);
	json_put_u64(w, v);
}

static void
row_end(struct control_client *k, struct json_writer *w)
{
	json_object_close(w);
	control_row(k, w);
}

static void
worker_row(struct control_client *k, unsigned slot)
{
	struct broker *br = k->br;
	const struct peer *p = br->peers[slot];
	struct json_writer w;

	row_begin(&w, "worker");
	put_number(&w, "slot", slot);
	put_number(&w, "pid", p == NULL ? 0 : p->pid);
	json_key(&w, "state");
	json_put_str(&w, p == NULL ? S("down") : S("up"));
	put_number(&w, "connections", p == NULL ? 0 : p->nconns);
	put_number(&w, "subscriptions", br->registry.nsubs[slot]);
	put_number(&w, "queued", p == NULL ? 0 : outq_bytes(&p->ipc.out));
	put_number(
	    &w, "uptime", p == NULL ? 0 : (uint64_t)(broker_now() - p->since));
	row_end(k, &w);
}

static void
status(struct control_client *k, struct json args)
{
	struct broker *br = k->br;
	uint64_t nconns = 0;
	struct json_writer w;

	UNUSED(args);
	for (unsigned i = 0; i < br->nslots; i++)
		if (br->peers[i] != NULL)
			nconns += br->peers[i]->nconns;
	row_begin(&w, "server");
	json_key(&w, "version");
	json_put_str(&w, S(PUSHERD_VERSION));
	put_number(&w, "pid", (uint64_t)getpid());
	put_number(&w, "uptime", (uint64_t)(broker_now() - br->started));
	put_number(&w, "workers", br->nslots);
	put_number(&w, "connections", nconns);
	put_number(&w, "channels", br->registry.noccupied);
	put_number(&w, "apps", br->apps.n);
	put_number(&w, "events", br->nevents);
	row_end(k, &w);
	verb_webhooks_row(k);
	for (unsigned i = 0; i < br->nslots; i++)
		worker_row(k, i);
	control_end(k);
}

/* ---- channels ---- */

struct snapshot_name {
	const char *app_id; /* while sorting */
	struct str name;
	uint32_t app;
};

struct snapshot {
	struct snapshot_name *v;
	size_t n, cap, next;
	struct buf *bytes; /* the names */
};

void
snapshot_free(struct snapshot *s)
{
	if (s == NULL)
		return;
	buf_unref(s->bytes);
	free(s->v);
	free(s);
}

/* name.p counts from the beginning of s->bytes until all are there. */
static void
snapshot_add(struct snapshot *s, const struct broker_app *a, struct str name)
{
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 64 : s->cap * 2;
		s->v = xreallocarray(s->v, s->cap, sizeof(*s->v));
	}
	s->v[s->n++] =
	    (struct snapshot_name){ a->app.id, { NULL, name.n }, a->app.num };
	buf_append(&s->bytes, name);
}

static int
by_app_and_name(const void *a, const void *b)
{
	const struct snapshot_name *x = a, *y = b;
	int r = str_cmp(str_of(x->app_id), str_of(y->app_id));

	return r != 0 ? r : str_cmp(x->name, y->name);
}

static void
snapshot_sort(struct snapshot *s)
{
	const char *p = buf_str(s->bytes).p;

	for (size_t i = 0; i < s->n; i++) {
		s->v[i].name.p = p;
		p += s->v[i].name.n;
	}
	if (s->n > 0)
		qsort(s->v, s->n, sizeof(*s->v), by_app_and_name);
}

static struct snapshot *
snapshot_new(
    struct broker *br, const struct broker_app *only, struct str prefix)
{
	struct snapshot *s = xcalloc(1, sizeof(*s));
	struct hash *channels = &br->registry.channels;
	const struct broker_app *a = only;
	struct hash_node *n;

	for (n = hash_first(channels); n != NULL; n = hash_next(channels, n)) {
		const struct channel *c =
		    container_of(n, const struct channel, node);
		struct str name = registry_name(&br->registry, c);

		if (c->hidden || (c->total == 0 && !cache_has(c)) ||
		    !str_starts(name, prefix))
			continue;
		if (only != NULL && only->app.num != c->app->num)
			continue;
		if (only == NULL && (a == NULL || a->app.num != c->app->num))
			a = apps_find(br, c->app->num);
		if (a != NULL)
			snapshot_add(s, a, name);
	}
	snapshot_sort(s);
	return s;
}

static void
channel_row(struct control_client *k, const struct broker_app *a,
    const struct channel *c, struct str name)
{
	struct json_writer w;

	row_begin(&w, NULL);
	json_key(&w, "app");
	json_put_str(&w, str_of(a->app.id));
	json_key(&w, "channel");
	json_put_str(&w, name);
	put_number(&w, "subscriptions", c->total);
	json_key(&w, "users");
	if (channel_flags(name) & CHANNEL_PRESENCE)
		json_put_u64(&w, presence_count(c->presence));
	else
		json_put_null(&w);
	json_key(&w, "cached");
	json_put_bool(&w, cache_has(c));
	row_end(k, &w);
}

void
snapshot_write(struct control_client *k, struct snapshot **sp)
{
	struct snapshot *s = *sp;
	struct broker *br = k->br;

	for (int i = 0; i < PORTION && s->next < s->n; i++) {
		const struct snapshot_name *e = &s->v[s->next++];
		const struct broker_app *a = apps_find(br, e->app);
		const struct channel *c =
		    registry_find(&br->registry, e->app, e->name);

		if (a != NULL && c != NULL && (c->total > 0 || cache_has(c)))
			channel_row(k, a, c, e->name);
	}
	if (s->next < s->n)
		return;
	snapshot_free(s);
	*sp = NULL;
	control_end(k);
}

static void
channels(struct control_client *k, struct json args)
{
	struct broker_app *a = NULL;
	struct str prefix;
	char *tmp = NULL;

	if (json_get(args, S("app")).kind != JSON_NONE &&
	    (a = get_app(k, args)) == NULL)
		return;
	if (get_text(args, S("prefix"), &prefix, &tmp) == -1)
		control_fail(k, "prefix: not a text");
	else
		k->names = snapshot_new(k->br, a, prefix);
	free(tmp);
}

/* ---- changes ---- */

static void
apps_changed(struct control_client *k, struct json args)
{
	char *why = NULL;

	UNUSED(args);
	if (apps_read(k->br, &why) == -1) {
		log_warnx("apps not read: %s", why);
		control_fail(k,
		    "the running pusherd could not read the apps and keeps "
		    "those it has: %s",
		    why);
		free(why);
		return;
	}
	k->ping = peer_ping(k->br, &k->slots);
	if (k->slots == 0)
		control_end(k);
}

static size_t
count_characters(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

struct publication {
	struct str channel, event, data, socket_id;
	struct str data_raw;
	char *tmp[4];
};

/* Checks as POST /events does; false after a sentence. */
static bool
may_publish(
    struct control_client *k, const struct app *a, const struct publication *u)
{
	if (!a->enabled)
		control_fail(k, "app %s is disabled", a->id);
	else if (u->channel.p == NULL || !is_channel(a, u->channel))
		control_fail(k,
		    "channel: 1 to %u characters out of A-Z a-z 0-9 _ - = @ "
		    ", . ; (max_channel_name_length)",
		    a->max_channel_name_length);
	else if (u->event.n == 0 ||
	    count_characters(u->event) > a->max_event_name_length)
		control_fail(k,
		    "event: 1 to %u characters (max_event_name_length)",
		    a->max_event_name_length);
	else if (str_starts(u->event, S("pusher:")) ||
	    str_starts(u->event, S("pusher_internal:")))
		control_fail(k,
		    "event: names that start with pusher: or "
		    "pusher_internal: are reserved");
	else if (u->data.n > a->max_event_bytes)
		control_fail(k, "data: %zu bytes, but max_event_bytes is %u",
		    u->data.n, a->max_event_bytes);
	else if (u->socket_id.p != NULL && !socket_id_is_valid(u->socket_id))
		control_fail(k, "socket_id: digits, a dot, digits");
	else
		return true;
	return false;
}

static int
get_publication(struct json args, struct publication *u)
{
	struct json data = json_get(args, S("data"));

	if (get_text(args, S("channel"), &u->channel, &u->tmp[0]) == -1 ||
	    get_text(args, S("event"), &u->event, &u->tmp[1]) == -1 ||
	    get_text(args, S("socket_id"), &u->socket_id, &u->tmp[2]) == -1)
		return -1;
	u->data_raw = data.raw;
	return data.kind == JSON_STRING
	    ? json_string(data, &u->data, &u->tmp[3])
	    : -1;
}

static void
publish(struct control_client *k, struct json args)
{
	const struct broker_app *a = get_app(k, args);
	struct publication u = { .channel = { NULL, 0 } };
	struct msg_event m = { 0 };
	struct buf **b;
	struct json_writer w;

	if (a == NULL)
		return;
	if (get_publication(args, &u) == -1) {
		control_fail(k, "channel, event and data have to be texts");
	} else if (may_publish(k, &a->app, &u)) {
		b = broker_scratch(k->br);
		frame_event(
		    b, u.event, u.channel, u.data_raw, (struct str){ NULL, 0 });
		m.app = a->app.num;
		m.channel = u.channel;
		m.frame = buf_str(*b);
		if (u.socket_id.p != NULL)
			m.except = socket_id_parse(u.socket_id);
		if (channel_flags(u.channel) & CHANNEL_CACHE)
			m.flags = EVENT_CACHE;
		row_begin(&w, NULL);
		put_number(&w, "subscriptions", route_publish(k->br, &m));
		row_end(k, &w);
		control_end(k);
	}
	for (size_t i = 0; i < nitems(u.tmp); i++)
		free(u.tmp[i]);
}

static void
purge_cache(struct control_client *k, struct json args)
{
	const struct broker_app *a = get_app(k, args);
	struct channel *c = NULL;
	struct json_writer w;
	struct str name;
	char *tmp = NULL;

	if (a == NULL)
		return;
	if (get_text(args, S("channel"), &name, &tmp) == -1 || name.p == NULL ||
	    !is_channel(&a->app, name)) {
		control_fail(k, "channel: this is no name of a channel");
	} else {
		c = registry_find(&k->br->registry, a->app.num, name);
		row_begin(&w, NULL);
		json_key(&w, "purged");
		json_put_bool(&w, c != NULL && cache_has(c));
		row_end(k, &w);
		if (c != NULL)
			cache_purge(k->br, c);
		control_end(k);
	}
	free(tmp);
}

static const struct {
	const char *name;
	void (*run)(struct control_client *, struct json args);
	bool changes; /* goes to the log */
} verbs[] = {
	{ "status", status, false },
	{ "channels", channels, false },
	{ "apps-changed", apps_changed, true },
	{ "publish", publish, true },
	{ "purge-cache", purge_cache, true },
	{ "webhook-test", verb_webhook_test, true },
};

void
verb_run(struct control_client *k, struct str verb, struct str args)
{
	struct json object;
	const char *err;

	for (size_t i = 0; i < nitems(verbs); i++) {
		if (!str_eq(verb, str_of(verbs[i].name)))
			continue;
		if (json_parse(args, &object, &err) == -1 ||
		    object.kind != JSON_OBJECT) {
			control_fail(k, "arguments are no JSON object");
			return;
		}
		if (verbs[i].changes)
			log_info("control: %s uid=%u pid=%d", verbs[i].name,
			    (unsigned)k->uid, (int)k->pid);
		verbs[i].run(k, object);
		return;
	}
	control_fail(k, "unknown verb \"%.*s\"", (int)MIN(verb.n, 64), verb.p);
}
