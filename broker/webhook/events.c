/* SPDX-License-Identifier: MIT */
/*
 * events.c: turns changes in channels into webhook events: states (state.c) and
 * single events, for the endpoints that want them (endpoints.c), into the queue
 * (queue.c).  Must never parse an event unless an endpoint wants it.
 */

#include "broker/webhook/events.h"

#include "broker/app/apps.h"
#include "broker/channel/channel_events.h"
#include "broker/channel/presence.h"
#include "broker/channel/registry.h"
#include "broker/core/core.h"
#include "broker/webhook/endpoints.h"
#include "broker/webhook/queue.h"
#include "broker/webhook/state.h"
#include "shared/base/base.h"
#include "shared/json/json_slice.h"
#include "shared/net/ws_frame.h"

#define SEED_AT_ONCE 250 /* channels in one turn, each with its members */

#define BIT(kind) (1u << (kind))

static const struct str none = { "", 0 };

static struct webhook_state_key
key_of(const struct broker *br, const struct channel *c, struct str user)
{
	return (struct webhook_state_key){ c->app->num,
		registry_name(br->registry, c), user };
}

/* ---- what is older than an endpoint ---- */

/* A state that is older than the endpoint is not reported, but its end is. */
static bool
may_seed(struct broker *br, const struct channel *c)
{
	return !c->hidden && webhook_endpoints_find(br, c->app->num) != NULL &&
	    /* of the other app; it ends when its clients leave */
	    !webhook_queue_line(br, c->app->num)->changed;
}

struct seeding {
	struct broker *br;
	struct webhook_state_key k;
};

static void
seed_member(void *arg, const struct member *m)
{
	struct seeding *s = arg;

	s->k.user = member_id(m);
	webhook_state_seed(s->br, &s->k);
}

static void
seed(void *arg, struct hash_node *n)
{
	const struct channel *c = container_of(n, const struct channel, node);
	struct seeding s = { arg, key_of(arg, c, none) };

	if ((c->total == 0 && c->presence == NULL) || !may_seed(arg, c))
		return;
	webhook_state_seed(s.br, &s.k);
	if (c->presence != NULL)
		presence_each(c->presence, seed_member, &s);
}

bool
webhook_events_go_on(struct broker *br)
{
	struct webhook_states *h = br->webhook_states;

	if (h->seeding)
		h->seeding = hash_walk(&br->registry->channels, &h->seed_at,
		    SEED_AT_ONCE, seed, br);
	return h->seeding;
}

/* The present state that something happens to, or NULL. */
static struct webhook_state *
find_present(struct broker *br, const struct channel *c,
    const struct webhook_state_key *k)
{
	struct webhook_state *f = webhook_state_find(br, k);

	if (f != NULL || !br->webhook_states->seeding || !may_seed(br, c))
		return f;
	webhook_state_seed(br, k);
	return webhook_state_find(br, k);
}

/* ---- the observer ---- */

static void
on_entered(struct broker *br, const struct channel *c, struct str user_id)
{
	struct webhook_state_key k;
	struct webhook_state *f;

	if (!br->webhook_states->active || c->hidden)
		return;
	k = key_of(br, c, none);
	if (c->total == 1 && (f = webhook_state_get(br, &k)) != NULL)
		webhook_state_begin(br, f);
	k.user = user_id;
	if (user_id.n > 0 && user_id.n <= WEBHOOK_STATE_USER_MAX &&
	    (f = webhook_state_get(br, &k)) != NULL)
		webhook_state_begin(br, f);
}

static void
on_left(struct broker *br, const struct channel *c, struct str user_id)
{
	struct webhook_state_key k;
	struct webhook_state *f;

	if (!br->webhook_states->active || c->hidden)
		return;
	k = key_of(br, c, user_id);
	if (user_id.n > 0 && (f = find_present(br, c, &k)) != NULL)
		webhook_state_end(br, f);
	k.user = none;
	/* Members of a dead worker may return: they still occupy it. */
	if (c->total == 0 && presence_count(c->presence) == 0 &&
	    (f = find_present(br, c, &k)) != NULL)
		webhook_state_end(br, f);
}

static void
on_missed(struct broker *br, const struct channel *c)
{
	struct webhook_state_key k;
	struct webhook_state *f;

	if (!br->webhook_states->active || c->hidden)
		return;
	k = key_of(br, c, none);
	f = find_present(br, c, &k);
	if (f != NULL)
		webhook_state_miss(br, f);
}

static void
on_filled(struct broker *br, uint32_t app, struct str channel)
{
	struct webhook_state_key k = { app, channel, none };
	struct webhook_state *f;

	if (br->webhook_states->nmissed > 0 &&
	    (f = webhook_state_find(br, &k)) != NULL)
		webhook_state_fill(br, f);
}

/* An event that is no state: each endpoint that wants it gets it once. */
static void
pass(struct broker *br, struct msg_hook *m)
{
	struct buf *numbers = NULL;

	webhook_endpoints_match(
	    webhook_endpoints_find(br, m->app), m->kind, m->channel, &numbers);
	m->endpoints = buf_str(numbers);
	if (numbers != NULL)
		webhook_queue_put(br, m);
	buf_unref(numbers);
}

static void
on_counted(struct broker *br, const struct channel *c)
{
	struct msg_hook m = { .kind = WEBHOOK_COUNT };
	struct buf *event = NULL;

	if (!br->webhook_states->active)
		return;
	m.app = c->app->num;
	m.channel = registry_name(br->registry, c);
	if (!webhook_endpoints_wants(webhook_endpoints_find(br, m.app),
		BIT(WEBHOOK_COUNT), m.channel))
		return;
	webhook_put_count(&event, m.channel, c->total);
	m.event = buf_str(event);
	pass(br, &m);
	buf_unref(event);
}

/* The JSON inside a finished text frame. */
static struct str
frame_json(struct str frame)
{
	struct ws_head head;
	ssize_t n = ws_head_read(&head, frame);

	return n <= 0 ? none : str_from(frame, (size_t)n);
}

static void
on_client_event(struct broker *br, const struct msg_event *e)
{
	static const struct str keys[] = { { "event", 5 }, { "data", 4 },
		{ "user_id", 7 } };
	struct json json, v[nitems(keys)];
	struct msg_hook m = { .kind = WEBHOOK_CLIENT_EVENT };
	struct buf *event = NULL;
	const char *err;

	if (!br->webhook_states->active ||
	    !webhook_endpoints_wants(webhook_endpoints_find(br, e->app),
		BIT(WEBHOOK_CLIENT_EVENT), e->channel) ||
	    json_parse(frame_json(e->frame), &json, &err) == -1)
		return;
	json_get_many(json, keys, v, nitems(keys));
	if (v[0].kind != JSON_STRING ||
	    (v[1].kind != JSON_STRING && v[1].kind != JSON_NONE))
		return;
	webhook_put_client_event(&event,
	    &(struct webhook_client_event){ .channel = e->channel,
		.event = v[0].raw,
		.data = v[1].kind == JSON_STRING ? v[1].raw : none,
		.user_id = v[2].kind == JSON_STRING ? v[2].raw : none,
		.sid = e->except });
	m.app = e->app;
	m.channel = e->channel;
	m.source = e->origin;
	m.source_seq = e->seq;
	if (br->webhook_queue->mark != 0) /* the number is the event's own */
		webhook_queue_put_id(
		    br, &event, &m, hash_sip13(e->origin, e->seq, 0, none));
	m.event = buf_str(event);
	pass(br, &m);
	buf_unref(event);
}

const struct channel_events webhook_observer = {
	.entered = on_entered,
	.left = on_left,
	.missed = on_missed,
	.filled = on_filled,
	.counted = on_counted,
	.client_event = on_client_event,
};

const char *
webhook_events_test(struct broker *br, uint32_t endpoint)
{
	const struct webhook *h = webhook_endpoints_endpoint(br, endpoint);
	struct msg_hook m = { .kind = WEBHOOK_TEST,
		.channel = S("pusherd-test"),
		.endpoints = str_make(&endpoint, sizeof(endpoint)) };
	struct buf *event = NULL;

	if (h == NULL)
		return "the running pusherd knows no such webhook: pusherctl "
		       "webhook "
		       "list shows all";
	if (!h->enabled)
		return "the webhook is off (enabled=off)";
	if (!webhook_queue_make_room(br, webhook_queue_line(br, h->app)))
		return "the app has no room in the queue to the courier";
	m.app = h->app;
	webhook_put_event(&event, WEBHOOK_TEST, m.channel, none);
	m.event = buf_str(event);
	webhook_queue_put(br, &m);
	buf_unref(event);
	return NULL;
}

/* ---- endpoints come and go ---- */

/*
 * Another database may give the number of an app to another app, which has not
 * been notified of anything.  Waiting events name their former owner.
 */
static void
forget_others(struct broker *br)
{
	struct hash *lines = &br->webhook_queue->lines;
	struct hash_node *n;

	HASH_FOREACH(n, lines) {
		const struct webhook_line *line =
		    container_of(n, const struct webhook_line, node);

		if (line->changed)
			webhook_states_forget(br, line->app);
	}
}

void
webhook_events_changed(struct broker *br)
{
	webhook_queue_update_owners(br);
	forget_others(br);
	br->webhook_states->active =
	    br->endpoints->apps.n > 0 || br->webhook_states->all.n > 0;
	br->webhook_states->seeding = br->endpoints->apps.n > 0;
	br->webhook_states->seed_at = (struct hash_cursor){ 0 };
	webhook_events_go_on(br);
}

void
webhook_events_init(struct broker *br)
{
	webhook_states_init(br);
	webhook_queue_init(br->webhook_queue, br->budget);
}

void
webhook_events_clear(struct broker *br)
{
	webhook_states_clear(br);
	webhook_queue_clear(br->webhook_queue);
	webhook_endpoints_clear(br);
}
