/* SPDX-License-Identifier: MIT */
/*
 * state.c: "this channel is occupied", "this user is a member", and whether the
 * application has been notified.  Owns struct webhook_state.  An end is held
 * back for WEBHOOK_GRACE seconds: a member who returns within that time never
 * left.
 *
 * The courier's outbox has the notified states, too, written together with the
 * events.  A new broker asks for them, waits until the workers have replayed
 * the present states, and reports the difference.  A time without room in the
 * queue ends in the same way: pending states are reported, and states that
 * began and ended meanwhile are not.
 */

#include "broker/webhook/state.h"

#include <math.h>
#include <stdlib.h>

#include "broker/channel/cache.h"
#include "broker/channel/registry.h"
#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "broker/link/resync.h"
#include "broker/webhook/endpoints.h"
#include "broker/webhook/queue.h"
#include "broker/webhook/state_inside.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define NO_ROOM_WAIT 0.2  /* seconds until the queue is looked at again */
#define AT_ONCE 1000      /* states that are reported in one turn */
#define SYNC_AT_ONCE 2000 /* states that are synced in one turn */

#define BIT(kind) (1u << (kind))
#define CHANNEL_KINDS \
	(BIT(WEBHOOK_OCCUPIED) | BIT(WEBHOOK_VACATED) | BIT(WEBHOOK_CACHE_MISS))
#define MEMBER_KINDS (BIT(WEBHOOK_MEMBER_ADDED) | BIT(WEBHOOK_MEMBER_REMOVED))

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
	struct hash_node *n = hash_find(&br->webhook_states->all,
	    webhook_state_hash(k), webhook_state_eq, k);

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
	webhook_queue_line(br, k->app);
	hash_insert(&br->webhook_states->all, &f->node, webhook_state_hash(k));
	budget_add(br->budget, f->app, cost(f));
	br->webhook_states->active = true;
	return f;
}

void
webhook_state_free(struct broker *br, struct webhook_state *f)
{
	struct webhook_states *h = br->webhook_states;

	list_remove(&f->link);
	hash_remove(&h->all, &f->node);
	budget_sub(br->budget, f->app, cost(f));
	h->nmissed -= f->missed || f->owes_miss;
	h->active = br->endpoints->apps.n > 0 || h->all.n > 0;
	free(f);
}

/* ---- notifying ---- */

static bool
may_notify(struct broker *br, struct webhook_line *line)
{
	const struct webhook_states *h = br->webhook_states;

	return h->synced && h->passes == 0 && broker_now() < h->lease &&
	    webhook_queue_make_room(br, line);
}

static void
notify(struct broker *br, struct webhook_state *f, enum webhook_kind kind)
{
	struct buf *numbers = NULL, *event = NULL;
	struct msg_hook m = { .app = f->app,
		.kind = kind,
		.channel = webhook_state_channel(f),
		.user_id = webhook_state_user(f) };

	if (kind != WEBHOOK_FILLED)
		webhook_endpoints_match(webhook_endpoints_find(br, f->app),
		    kind, m.channel, &numbers);
	if (numbers != NULL) {
		webhook_put_event(&event, kind, m.channel, m.user_id);
		webhook_queue_put_id(br, &event, &m,
		    kind == WEBHOOK_CACHE_MISS ? f->miss_mark : f->mark);
	}
	m.endpoints = buf_str(numbers);
	m.event = buf_str(event);
	webhook_queue_put(br, &m);
	buf_unref(numbers);
	buf_unref(event);
}

static void
run_timer(struct broker *br, double seconds)
{
	ev_timer *w = &br->webhook_states->timer;

	if (ev_is_active(w) && ev_timer_remaining(br->loop, w) <= seconds)
		return;
	ev_timer_stop(br->loop, w);
	ev_timer_set(w, MAX(seconds, 0.), 0.);
	ev_timer_start(br->loop, w);
}

/* Reports what the application does not know of a present state. */
static void
notify_present(struct broker *br, struct webhook_state *f)
{
	list_remove(&f->link);
	if (!f->notified)
		notify(br, f,
		    f->user_len > 0 ? WEBHOOK_MEMBER_ADDED : WEBHOOK_OCCUPIED);
	f->notified = true;
	if (f->owes_miss) {
		f->owes_miss = false;
		f->missed = true;
		notify(br, f, WEBHOOK_CACHE_MISS);
	}
}

/* A waiting miss is no longer reported. */
static void
drop_miss(struct broker *br, struct webhook_state *f)
{
	if (!f->owes_miss)
		return;
	f->owes_miss = false;
	br->webhook_states->nmissed--;
	if (f->notified)
		list_remove(&f->link); /* only the miss was pending */
}

static void
notify_end(struct broker *br, struct webhook_state *f)
{
	notify(
	    br, f, f->user_len > 0 ? WEBHOOK_MEMBER_REMOVED : WEBHOOK_VACATED);
	webhook_state_free(br, f);
}

/* Notifies at once, unless there is no room or older states are pending. */
static void
notify_in_turn(struct broker *br, struct webhook_state *f)
{
	struct webhook_line *line = webhook_queue_line(br, f->app);

	if (!list_is_empty(&f->link) || br->webhook_states->silent)
		return;
	if (may_notify(br, line) && list_is_empty(&line->pending)) {
		if (f->present)
			notify_present(br, f);
		else
			notify_end(br, f);
		return;
	}
	list_append(&line->pending, &f->link);
	if (list_is_empty(&line->blocked))
		list_append(&br->webhook_states->pending, &line->blocked);
	if (br->webhook_states->synced)
		run_timer(br, NO_ROOM_WAIT);
}

void
webhook_state_begin(struct broker *br, struct webhook_state *f)
{
	bool was_present = f->present;

	f->present = true;
	if (!was_present)
		f->mark = br->webhook_queue->mark;
	if (!f->notified)
		notify_in_turn(br, f);
	else if (!was_present)
		list_remove(&f->link); /* back in time */
}

static void
hold(struct broker *br, struct webhook_state *f)
{
	f->due = broker_now() + WEBHOOK_GRACE;
	list_append(&br->webhook_states->ended, &f->link);
	run_timer(br, WEBHOOK_GRACE);
}

void
webhook_state_end(struct broker *br, struct webhook_state *f)
{
	if (!f->present)
		return;
	drop_miss(br, f);
	f->present = false;
	f->mark = br->webhook_queue->mark;
	list_remove(&f->link);
	if (!f->notified)
		webhook_state_free(br, f); /* it was never reported */
	else if (br->webhook_states->synced && !br->webhook_states->silent)
		hold(br, f);
	/* else webhook_states_go_on() holds it */
}

/* Reports as many as there is room for, at most *left. */
static void
notify_line(struct broker *br, struct webhook_line *line, int *left)
{
	while (!list_is_empty(&line->pending) && may_notify(br, line) &&
	    *left > 0) {
		struct webhook_state *f =
		    LIST_ITEM(line->pending.next, struct webhook_state, link);

		--*left;
		if (f->present)
			notify_present(br, f);
		else
			notify_end(br, f);
	}
}

void
webhook_states_notify(struct broker *br)
{
	struct list *lines = &br->webhook_states->pending, *l, *next;
	int left = AT_ONCE;

	if (!br->webhook_states->synced)
		return;
	LIST_FOREACH_SAFE(l, next, lines) {
		struct webhook_line *line =
		    LIST_ITEM(l, struct webhook_line, blocked);

		notify_line(br, line, &left);
		if (list_is_empty(&line->pending)) {
			list_remove(&line->blocked);
			webhook_queue_release(br->webhook_queue, line);
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
notify_ended(struct broker *br)
{
	struct list *ended = &br->webhook_states->ended;
	double now = broker_now();
	int left = AT_ONCE;
	struct webhook_state *f;

	while (!list_is_empty(ended)) {
		f = LIST_ITEM(ended->next, struct webhook_state, link);
		if (f->due > now || left-- == 0) {
			run_timer(br, f->due - now);
			return;
		}
		list_remove(&f->link);
		notify_in_turn(br, f);
	}
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct broker *br = w->data;

	notify_ended(br);
	webhook_states_notify(br);
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
	f->miss_mark = br->webhook_queue->mark;
	br->webhook_states->nmissed++;
	notify_in_turn(br, f);
}

void
webhook_state_fill(struct broker *br, struct webhook_state *f)
{
	drop_miss(br, f);
	if (!f->missed)
		return;
	f->missed = false;
	br->webhook_states->nmissed--;
	notify(br, f, WEBHOOK_FILLED);
}

void
webhook_state_seed(struct broker *br, const struct webhook_state_key *k)
{
	struct webhook_state *f;

	if (webhook_state_find(br, k) == NULL &&
	    (f = webhook_state_get(br, k)) != NULL)
		f->present = f->notified = true;
}

void
webhook_state_notified(
    struct broker *br, const struct webhook_state_key *k, bool missed)
{
	struct webhook_state *f = webhook_state_find(br, k);

	if (f == NULL)
		f = webhook_state_new(br, k);
	f->notified = true;
	if (missed)
		drop_miss(br, f);
	if (!f->owes_miss)
		list_remove(&f->link);
	if (missed && !f->missed) {
		f->missed = true;
		br->webhook_states->nmissed++;
	}
}

/* The event may have come while no broker knew of the miss. */
static bool
is_filled(struct broker *br, const struct webhook_state *f)
{
	const struct channel *c =
	    registry_find(br->registry, f->app, webhook_state_channel(f));

	return c != NULL && cache_has(c);
}

struct syncing {
	struct broker *br;
	bool first; /* of the two passes */
};

static void
sync_one(void *arg, struct hash_node *n)
{
	const struct syncing *s = arg;
	struct webhook_state *f = container_of(n, struct webhook_state, node);

	/* A channel is occupied before its members, and vacated after them. */
	if (((f->user_len == 0) == f->present) != s->first)
		return;
	if (f->missed && is_filled(s->br, f))
		webhook_state_fill(s->br, f);
	if (!f->present && list_is_empty(&f->link))
		hold(s->br, f);
	else if (!f->notified || f->owes_miss)
		notify_in_turn(s->br, f);
}

static void
report(struct broker *br)
{
	struct webhook_states *h = br->webhook_states;

	if (!h->synced || h->silent)
		return;
	h->passes = 2;
	h->at = (struct hash_cursor){ 0 };
}

void
webhook_states_sync(struct broker *br)
{
	struct webhook_states *h = br->webhook_states;

	if (h->synced || !h->known || resync_is_on(br))
		return;
	h->synced = true;
	report(br);
	webhook_queue_open(br->webhook_queue);
}

void
webhook_states_set_silent(struct broker *br, bool silent)
{
	struct webhook_states *h = br->webhook_states;

	if (h->silent == silent)
		return;
	h->silent = silent;
	if (silent)
		webhook_queue_set_silent(br->webhook_queue, true);
	else
		report(br);
}

bool
webhook_states_go_on(struct broker *br)
{
	struct webhook_states *h = br->webhook_states;
	struct syncing s = { br, h->passes == 2 };

	if (h->passes == 0)
		return false;
	if (!hash_walk(&h->all, &h->at, SYNC_AT_ONCE, sync_one, &s)) {
		h->passes--;
		h->at = (struct hash_cursor){ 0 };
		webhook_states_notify(br);
	}
	if (h->passes == 0) /* client events come behind their channels */
		webhook_queue_set_silent(br->webhook_queue, false);
	return h->passes > 0;
}

void
webhook_states_init(struct broker *br)
{
	struct webhook_states *h = br->webhook_states;

	list_init(&h->ended);
	list_init(&h->pending);
	h->lease = INFINITY;
	ev_init(&h->timer, on_timer);
	h->timer.data = br;
}
