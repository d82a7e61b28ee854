/* SPDX-License-Identifier: MIT */
/*
 * state.c: what webhooks tell of: "this channel is occupied", "this user is a
 * member", and whether the application has been told so.  Owns struct
 * webhook_state. What ends is held back for three seconds; who is back by then
 * has never been away.
 *
 * What has been told is also in the courier's outbox, written together with
 * the event.  A new broker asks for it, waits until the workers have said who
 * is there, and then tells exactly the difference.  In the same way a time
 * without room in the queue ends: facts that nobody was told of have waited,
 * or are gone.
 */

#include "broker/webhook/state.h"

#include <stdlib.h>

#include "broker/channel/cache.h"
#include "broker/channel/registry.h"
#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "broker/webhook/endpoints.h"
#include "broker/webhook/events.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define NO_ROOM_WAIT 0.2    /* seconds until the queue is looked at again */
#define AT_ONCE 1000        /* facts that are told in one turn */
#define SETTLE_AT_ONCE 2000 /* looked at in one turn */

#define BIT(kind) (1u << (kind))
#define CHANNEL_KINDS \
	(BIT(WEBHOOK_OCCUPIED) | BIT(WEBHOOK_VACATED) | BIT(WEBHOOK_CACHE_MISS))
#define MEMBER_KINDS (BIT(WEBHOOK_MEMBER_ADDED) | BIT(WEBHOOK_MEMBER_REMOVED))

struct webhook_state {
	struct hash_node node;
	struct list link; /* in hooks->held or line->untold, or nowhere */
	double due;       /* held: when it is told */
	uint32_t app;
	uint16_t channel_len, user_len; /* user_len 0: a channel */
	bool present, told;
	bool missed;    /* a cache miss has been told */
	bool owes_miss; /* one waits to be told */
	char key[];     /* channel, user id */
};

static struct str
webhook_state_channel(const struct webhook_state *f)
{
	return str_make(f->key, f->channel_len);
}

static struct str
webhook_state_user(const struct webhook_state *f)
{
	return str_make(f->key + f->channel_len, f->user_len);
}

static bool
webhook_state_eq(const struct hash_node *n, const void *key)
{
	const struct webhook_state *f =
	    container_of(n, const struct webhook_state, node);
	const struct webhook_state_key *k = key;

	return f->app == k->app &&
	    str_eq(webhook_state_channel(f), k->channel) &&
	    str_eq(webhook_state_user(f), k->user);
}

static uint64_t
webhook_state_hash(const struct webhook_state_key *k)
{
	return hash_str(k->user, hash_str(k->channel, k->app));
}

struct webhook_state *
webhook_state_find(struct broker *br, const struct webhook_state_key *k)
{
	struct hash_node *n = hash_find(
	    &br->webhooks->facts, webhook_state_hash(k), webhook_state_eq, k);

	return n == NULL ? NULL : container_of(n, struct webhook_state, node);
}

static size_t
cost(const struct webhook_state *f)
{
	return sizeof(*f) + f->channel_len + f->user_len + BUDGET_BLOCK;
}

static struct webhook_state *
webhook_state_new(struct broker *br, const struct webhook_state_key *k)
{
	struct webhook_state *f =
	    xcalloc(1, sizeof(*f) + k->channel.n + k->user.n);

	f->app = k->app;
	f->channel_len = (uint16_t)k->channel.n;
	f->user_len = (uint16_t)k->user.n;
	memcpy(f->key, k->channel.p, k->channel.n);
	if (k->user.n > 0)
		memcpy(f->key + k->channel.n, k->user.p, k->user.n);
	list_init(&f->link);
	webhook_events_line(br, k->app);
	hash_insert(&br->webhooks->facts, &f->node, webhook_state_hash(k));
	budget_add(br->budget, f->app, cost(f));
	br->webhooks->active = true;
	return f;
}

static void
webhook_state_free(struct broker *br, struct webhook_state *f)
{
	struct webhook_events *h = br->webhooks;

	list_remove(&f->link);
	hash_remove(&h->facts, &f->node);
	budget_sub(br->budget, f->app, cost(f));
	h->nmissed -= f->missed || f->owes_miss;
	h->active = h->apps.n > 0 || h->facts.n > 0;
	free(f);
}

/* ---- telling ---- */

static bool
may_tell(struct broker *br, struct hook_line *line)
{
	return br->webhooks->settled && br->webhooks->unsettled == 0 &&
	    webhook_queue_make_room(br, line);
}

static void
tell(struct broker *br, struct webhook_state *f, enum webhook_kind kind)
{
	struct buf *numbers = NULL, *event = NULL;
	struct msg_hook m = { .app = f->app,
		.kind = kind,
		.channel = webhook_state_channel(f),
		.user_id = webhook_state_user(f) };

	if (kind != WEBHOOK_FILLED)
		webhook_endpoints_match(webhook_endpoints_find(br, f->app),
		    kind, m.channel, &numbers);
	if (numbers != NULL)
		webhook_put_event(&event, kind, m.channel, m.user_id);
	m.endpoints = buf_str(numbers);
	m.event = buf_str(event);
	webhook_events_put(br, &m);
	buf_unref(numbers);
	buf_unref(event);
}

static void
run_timer(struct broker *br, double seconds)
{
	ev_timer *w = &br->webhooks->timer;

	if (ev_is_active(w) && ev_timer_remaining(br->loop, w) <= seconds)
		return;
	ev_timer_stop(br->loop, w);
	ev_timer_set(w, MAX(seconds, 0.), 0.);
	ev_timer_start(br->loop, w);
}

/* What nobody has been told of it. */
static void
tell_present(struct broker *br, struct webhook_state *f)
{
	list_remove(&f->link);
	if (!f->told)
		tell(br, f,
		    f->user_len > 0 ? WEBHOOK_MEMBER_ADDED : WEBHOOK_OCCUPIED);
	f->told = true;
	if (f->owes_miss) {
		f->owes_miss = false;
		f->missed = true;
		tell(br, f, WEBHOOK_CACHE_MISS);
	}
}

/* Nobody needs to hear of a miss that waits. */
static void
forgive_miss(struct broker *br, struct webhook_state *f)
{
	if (!f->owes_miss)
		return;
	f->owes_miss = false;
	br->webhooks->nmissed--;
	if (f->told)
		list_remove(&f->link); /* it waited for that only */
}

static void
tell_end(struct broker *br, struct webhook_state *f)
{
	tell(br, f, f->user_len > 0 ? WEBHOOK_MEMBER_REMOVED : WEBHOOK_VACATED);
	webhook_state_free(br, f);
}

/*
 * Now, unless there is no room or older ones of the same app wait: those are
 * told first.
 */
static void
tell_in_turn(struct broker *br, struct webhook_state *f)
{
	struct hook_line *line = webhook_events_line(br, f->app);

	if (!list_is_empty(&f->link))
		return;
	if (may_tell(br, line) && list_is_empty(&line->untold)) {
		if (f->present)
			tell_present(br, f);
		else
			tell_end(br, f);
		return;
	}
	list_append(&line->untold, &f->link);
	if (list_is_empty(&line->blocked))
		list_append(&br->webhooks->untold, &line->blocked);
	if (br->webhooks->settled)
		run_timer(br, NO_ROOM_WAIT);
}

void
webhook_state_begin(struct broker *br, struct webhook_state *f)
{
	bool was_present = f->present;

	f->present = true;
	if (!f->told)
		tell_in_turn(br, f);
	else if (!was_present)
		list_remove(&f->link); /* back in time */
}

static void
hold(struct broker *br, struct webhook_state *f)
{
	f->due = broker_now() + HOOKS_HOLD;
	list_append(&br->webhooks->held, &f->link);
	run_timer(br, HOOKS_HOLD);
}

void
webhook_state_end(struct broker *br, struct webhook_state *f)
{
	if (!f->present)
		return;
	forgive_miss(br, f);
	f->present = false;
	list_remove(&f->link);
	if (!f->told)
		webhook_state_free(br, f); /* nobody ever heard of it */
	else if (br->webhooks->settled)
		hold(br, f);
	/* else facts_go_on() will see it */
}

/* As many as there is room for; *left of all apps. */
static void
tell_line(struct broker *br, struct hook_line *line, int *left)
{
	while (
	    !list_is_empty(&line->untold) && may_tell(br, line) && *left > 0) {
		struct webhook_state *f =
		    LIST_ITEM(line->untold.next, struct webhook_state, link);

		--*left;
		if (f->present)
			tell_present(br, f);
		else
			tell_end(br, f);
	}
}

void
facts_tell_untold(struct broker *br)
{
	struct list *lines = &br->webhooks->untold, *l, *next;
	int left = AT_ONCE;

	if (!br->webhooks->settled)
		return;
	LIST_FOREACH_SAFE(l, next, lines) {
		struct hook_line *line =
		    LIST_ITEM(l, struct hook_line, blocked);

		tell_line(br, line, &left);
		if (list_is_empty(&line->untold)) {
			list_remove(&line->blocked);
			webhook_queue_release(&br->webhooks->queue, line);
		} else if (left == 0) { /* the others first, in the next turn */
			list_remove(&line->blocked);
			list_append(lines, &line->blocked);
			break;
		}
	}
	if (!list_is_empty(lines))
		run_timer(br, left == 0 ? 0. : NO_ROOM_WAIT);
}

static void
tell_held(struct broker *br)
{
	struct list *held = &br->webhooks->held;
	double now = broker_now();
	int left = AT_ONCE;
	struct webhook_state *f;

	while (!list_is_empty(held)) {
		f = LIST_ITEM(held->next, struct webhook_state, link);
		if (f->due > now || left-- == 0) {
			run_timer(br, f->due - now);
			return;
		}
		list_remove(&f->link);
		tell_in_turn(br, f);
	}
}

void
facts_on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct broker *br = w->data;

	tell_held(br);
	facts_tell_untold(br);
}

struct webhook_state *
webhook_state_get(struct broker *br, const struct webhook_state_key *k)
{
	struct webhook_state *f = webhook_state_find(br, k);
	uint32_t kinds = k->user.n > 0 ? MEMBER_KINDS : CHANNEL_KINDS;

	if (f == NULL &&
	    webhook_endpoints_wants(
		webhook_endpoints_find(br, k->app), kinds, k->channel))
		f = webhook_state_new(br, k);
	return f;
}

void
webhook_state_miss(struct broker *br, struct webhook_state *f)
{
	if (f->missed || f->owes_miss || !f->present)
		return;
	f->owes_miss = true;
	br->webhooks->nmissed++;
	tell_in_turn(br, f);
}

void
webhook_state_fill(struct broker *br, struct webhook_state *f)
{
	forgive_miss(br, f);
	if (!f->missed)
		return;
	f->missed = false;
	br->webhooks->nmissed--;
	tell(br, f, WEBHOOK_FILLED);
}

void
webhook_state_seed(struct broker *br, const struct webhook_state_key *k)
{
	struct webhook_state *f;

	if (webhook_state_find(br, k) == NULL &&
	    (f = webhook_state_get(br, k)) != NULL)
		f->present = f->told = true;
}

void
webhook_state_told(
    struct broker *br, const struct webhook_state_key *k, bool missed)
{
	struct webhook_state *f = webhook_state_find(br, k);

	if (f == NULL)
		f = webhook_state_new(br, k);
	f->told = true;
	if (missed)
		forgive_miss(br, f);
	if (!f->owes_miss)
		list_remove(&f->link);
	if (missed && !f->missed) {
		f->missed = true;
		br->webhooks->nmissed++;
	}
}

/* The event may have come while nobody knew of the miss. */
static bool
is_filled(struct broker *br, const struct webhook_state *f)
{
	const struct channel *c =
	    registry_find(br->registry, f->app, webhook_state_channel(f));

	return c != NULL && cache_has(c);
}

struct settling {
	struct broker *br;
	bool members;
};

static void
settle_one(void *arg, struct hash_node *n)
{
	const struct settling *s = arg;
	struct webhook_state *f = container_of(n, struct webhook_state, node);

	if ((f->user_len > 0) != s->members)
		return;
	if (f->missed && is_filled(s->br, f))
		webhook_state_fill(s->br, f);
	if (!f->present && list_is_empty(&f->link))
		hold(s->br, f);
}

void
facts_settle(struct broker *br)
{
	br->webhooks->unsettled = 2;
	br->webhooks->at = (struct hash_cursor){ 0 };
}

bool
facts_go_on(struct broker *br)
{
	struct webhook_events *h = br->webhooks;
	/* Members go before their channels, here as ever. */
	struct settling s = { br, h->unsettled == 2 };

	if (h->unsettled == 0)
		return false;
	if (!hash_walk(&h->facts, &h->at, SETTLE_AT_ONCE, settle_one, &s)) {
		h->unsettled--;
		h->at = (struct hash_cursor){ 0 };
		facts_tell_untold(br);
	}
	return h->unsettled > 0;
}

void
facts_clear(struct broker *br)
{
	struct hash *facts = &br->webhooks->facts;
	struct hash_node *n, *next;

	for (n = hash_first(facts); n != NULL; n = next) {
		next = hash_next(facts, n);
		webhook_state_free(
		    br, container_of(n, struct webhook_state, node));
	}
	hash_clear(facts);
}

void
facts_forget(struct broker *br, uint32_t app)
{
	struct hash_node *n, *next;

	for (n = hash_first(&br->webhooks->facts); n != NULL; n = next) {
		struct webhook_state *f =
		    container_of(n, struct webhook_state, node);

		next = hash_next(&br->webhooks->facts, n);
		if (f->app == app)
			webhook_state_free(br, f);
	}
}
