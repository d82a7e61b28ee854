/* SPDX-License-Identifier: MIT */
/*
 * events.c: turns what happens in channels into webhook events: facts (state.c)
 * and events that are none, for the endpoints that want them (hook_apps.c),
 * into the queue (hook_queue.c).  Owns the question whether the broker knows
 * enough to tell anything.  Must never look into an event unless an endpoint
 * wants it.
 */

#include "broker/webhook/events.h"

#include <time.h>

#include "broker/app/apps.h"
#include "broker/channel/channel_events.h"
#include "broker/channel/presence.h"
#include "broker/channel/registry.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/link/resync.h"
#include "broker/webhook/endpoints.h"
#include "broker/webhook/state.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_slice.h"
#include "shared/net/ws_frame.h"

#define USER_MAX 4096 /* bytes of a user id */
#define BIT(kind) (1u << (kind))

static const struct str none = { "", 0 };

/* NULL: there is no such app. */
static char *
owner_of(struct broker *br, uint32_t app)
{
	const struct broker_app *a = apps_find(br, app);

	return a == NULL
	    ? NULL
	    : xasprintf("%s/%s", br->webhooks->database, a->app.id);
}

struct hook_line *
webhook_events_line(struct broker *br, uint32_t app)
{
	struct hook_line *line = webhook_queue_line(&br->webhooks->queue, app);

	if (line->owner == NULL)
		line->owner = owner_of(br, app);
	if (line->owner == NULL)
		line->owner = xstrdup("");
	return line;
}

/*
 * Another database may give the number of an app to another one.  What waits
 * names its owner; what the other one has been told is nothing to this one.
 */
static void
update_owners(struct broker *br)
{
	struct hash *lines = &br->webhooks->queue.lines;
	struct hash_node *n;

	for (n = hash_first(lines); n != NULL; n = hash_next(lines, n)) {
		struct hook_line *line =
		    container_of(n, struct hook_line, node);
		char *owner = owner_of(br, line->app);

		line->changed = false;
		if (owner == NULL) /* it is deleted: its ends are told */
			continue;
		if (line->owner != NULL && strcmp(line->owner, owner) != 0) {
			facts_forget(br, line->app);
			line->changed = true;
		}
		free(line->owner);
		line->owner = owner;
	}
}

void
webhook_events_put(struct broker *br, struct msg_hook *m)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	m->time_ms =
	    (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	if (m->owner.n == 0)
		m->owner = str_of(webhook_events_line(br, m->app)->owner);
	webhook_queue_put(br, m);
}

void
webhook_events_on_room(struct broker *br)
{
	if (!list_is_empty(&br->webhooks->untold))
		facts_tell_untold(br);
}

/* ---- what happens ---- */

static struct webhook_state_key
key_of(const struct broker *br, const struct channel *c, struct str user)
{
	return (struct webhook_state_key){ c->app->num,
		registry_name(br->registry, c), user };
}

static void
on_entered(struct broker *br, const struct channel *c, struct str user_id)
{
	struct webhook_state_key k;
	struct webhook_state *f;

	if (!br->webhooks->active || c->hidden)
		return;
	k = key_of(br, c, none);
	if (c->total == 1 && (f = webhook_state_get(br, &k)) != NULL)
		webhook_state_begin(br, f);
	k.user = user_id;
	if (user_id.n > 0 && user_id.n <= USER_MAX &&
	    (f = webhook_state_get(br, &k)) != NULL)
		webhook_state_begin(br, f);
}

static void
on_left(struct broker *br, const struct channel *c, struct str user_id)
{
	struct webhook_state_key k;
	struct webhook_state *f;

	if (!br->webhooks->active || c->hidden)
		return;
	k = key_of(br, c, user_id);
	if (user_id.n > 0 && (f = webhook_state_find(br, &k)) != NULL)
		webhook_state_end(br, f);
	k.user = none;
	/* Members of a dead worker may come back: they still occupy it. */
	if (c->total == 0 && presence_count(c->presence) == 0 &&
	    (f = webhook_state_find(br, &k)) != NULL)
		webhook_state_end(br, f);
}

static void
on_missed(struct broker *br, const struct channel *c)
{
	struct webhook_state_key k;
	struct webhook_state *f;

	if (!br->webhooks->active || c->hidden)
		return;
	k = key_of(br, c, none);
	f = webhook_state_find(br, &k);
	if (f != NULL)
		webhook_state_miss(br, f);
}

static void
on_filled(struct broker *br, uint32_t app, struct str channel)
{
	struct webhook_state_key k = { app, channel, none };
	struct webhook_state *f;

	if (br->webhooks->nmissed > 0 &&
	    (f = webhook_state_find(br, &k)) != NULL)
		webhook_state_fill(br, f);
}

/* An event that is no fact: who wants it gets it, once. */
static void
pass(struct broker *br, struct msg_hook *m)
{
	struct buf *numbers = NULL;

	webhook_endpoints_match(
	    webhook_endpoints_find(br, m->app), m->kind, m->channel, &numbers);
	m->endpoints = buf_str(numbers);
	if (numbers != NULL)
		webhook_events_put(br, m);
	buf_unref(numbers);
}

static void
on_counted(struct broker *br, const struct channel *c)
{
	struct msg_hook m = { .kind = WEBHOOK_COUNT };
	struct buf *event = NULL;

	if (!br->webhooks->active)
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

	if (!br->webhooks->active ||
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
	m.event = buf_str(event);
	pass(br, &m);
	buf_unref(event);
}

const struct channel_events hooks_events = {
	.entered = on_entered,
	.left = on_left,
	.missed = on_missed,
	.filled = on_filled,
	.counted = on_counted,
	.client_event = on_client_event,
};

const char *
hooks_test(struct broker *br, uint32_t endpoint)
{
	const struct webhook *h = webhook_endpoints_endpoint(br, endpoint);
	struct msg_hook m = { .kind = WEBHOOK_TEST,
		.channel = S("pusherd-test"),
		.endpoints = str_make(&endpoint, sizeof(endpoint)) };
	struct buf *event = NULL;

	if (h == NULL)
		return "the running pusherd knows no such webhook";
	if (!h->enabled)
		return "the webhook is off (enabled=off)";
	if (!webhook_queue_make_room(
		br, webhook_queue_line(&br->webhooks->queue, h->app)))
		return "the app has no room in the queue to the courier";
	m.app = h->app;
	webhook_put_event(&event, WEBHOOK_TEST, m.channel, none);
	m.event = buf_str(event);
	webhook_events_put(br, &m);
	buf_unref(event);
	return NULL;
}

/* ---- beginnings ---- */

/* Both are known, what was told and what is so: the difference is news. */
static void
settle(struct broker *br)
{
	struct webhook_events *h = br->webhooks;

	if (h->settled || !h->told || resync_is_on(br))
		return;
	h->settled = true;
	facts_settle(br);
	webhook_queue_open(&h->queue);
}

void
webhook_events_on_live(struct broker *br)
{
	settle(br);
}

bool
webhook_events_go_on(struct broker *br)
{
	return facts_go_on(br);
}

/* Another app was told: the outbox may forget it. */
static void
untell(struct broker *br, const struct msg_hook_state *m)
{
	struct msg_hook h = { .app = m->app,
		.kind =
		    m->user_id.n > 0 ? WEBHOOK_MEMBER_REMOVED : WEBHOOK_VACATED,
		.channel = m->channel,
		.user_id = m->user_id,
		.owner = m->owner };

	webhook_events_put(br, &h);
}

int
webhook_events_on_state(struct peer *p, const struct msg_hook_state *m)
{
	struct broker *br = p->br;
	struct webhook_state_key k = { m->app, m->channel, m->user_id };

	if (br->webhooks->told || m->channel.n == 0 ||
	    m->channel.n > REGISTRY_NAME_MAX || m->user_id.n > USER_MAX)
		return -1;
	if (m->owner.n > 0 && apps_find(br, m->app) != NULL &&
	    !str_eq(m->owner, str_of(webhook_events_line(br, m->app)->owner)))
		untell(br, m);
	else
		webhook_state_told(br, &k, m->missed != 0);
	return 0;
}

int
webhook_events_on_states_done(
    struct peer *p, const struct msg_hook_states_done *m)
{
	if (p->br->webhooks->told)
		return -1;
	p->br->webhooks->told = true;
	settle(p->br);
	return 0;
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

/*
 * What is so when somebody begins to be interested is not news, but its end
 * will be.
 */
static void
seed(struct broker *br, const struct channel *c)
{
	struct seeding s = { br, key_of(br, c, none) };

	if (c->hidden || (c->total == 0 && c->presence == NULL))
		return;
	if (webhook_events_line(br, c->app->num)->changed)
		return; /* the other app's; it ends when its clients leave */
	webhook_state_seed(br, &s.k);
	if (c->presence != NULL)
		presence_each(c->presence, seed_member, &s);
}

void
webhook_events_changed(struct broker *br)
{
	struct hash *channels = &br->registry->channels;
	struct hash_node *n;

	update_owners(br);
	br->webhooks->active =
	    br->webhooks->apps.n > 0 || br->webhooks->facts.n > 0;
	if (br->webhooks->apps.n == 0)
		return;
	for (n = hash_first(channels); n != NULL; n = hash_next(channels, n))
		seed(br, container_of(n, const struct channel, node));
}

void
webhook_events_init(struct broker *br)
{
	list_init(&br->webhooks->held);
	list_init(&br->webhooks->untold);
	webhook_queue_init(&br->webhooks->queue, br->budget);
	ev_init(&br->webhooks->timer, facts_on_timer);
	br->webhooks->timer.data = br;
}

void
webhook_events_clear(struct broker *br)
{
	ev_timer_stop(br->loop, &br->webhooks->timer);
	facts_clear(br);
	webhook_queue_clear(&br->webhooks->queue);
	webhook_endpoints_clear(br);
}
