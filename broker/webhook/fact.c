/* SPDX-License-Identifier: MIT */
/*
 * fact.c: what webhooks tell of: "this channel is occupied", "this user is a
 * member", and whether the application has been told so.  Owns struct fact.
 * What ends is held back for three seconds; who is back by then has never been
 * away.
 *
 * What has been told is also in the courier's outbox, written together with
 * the event.  A new broker asks for it, waits until the workers have said who
 * is there, and then tells exactly the difference.  In the same way a time
 * without room in the queue ends: facts that nobody was told of have waited,
 * or are gone.
 */

#include "broker/webhook/fact.h"

#include <stdlib.h>

#include "broker/channel/cache.h"
#include "broker/channel/registry.h"
#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "broker/webhook/hook_apps.h"
#include "broker/webhook/hooks.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define NO_ROOM_WAIT 0.2    /* seconds until the queue is looked at again */
#define AT_ONCE 1000        /* facts that are told in one turn */
#define SETTLE_AT_ONCE 2000 /* looked at in one turn */

#define BIT(kind) (1u << (kind))
#define CHANNEL_KINDS \
	(BIT(WEBHOOK_OCCUPIED) | BIT(WEBHOOK_VACATED) | BIT(WEBHOOK_CACHE_MISS))
#define MEMBER_KINDS (BIT(WEBHOOK_MEMBER_ADDED) | BIT(WEBHOOK_MEMBER_REMOVED))

struct fact {
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
fact_channel(const struct fact *f)
{
	return str_make(f->key, f->channel_len);
}

static struct str
fact_user(const struct fact *f)
{
	return str_make(f->key + f->channel_len, f->user_len);
}

static bool
fact_eq(const struct hash_node *n, const void *key)
{
	const struct fact *f = container_of(n, const struct fact, node);
	const struct fact_key *k = key;

	return f->app == k->app && str_eq(fact_channel(f), k->channel) &&
	    str_eq(fact_user(f), k->user);
}

static uint64_t
fact_hash(const struct fact_key *k)
{
	return hash_str(k->user, hash_str(k->channel, k->app));
}

struct fact *
fact_find(struct broker *br, const struct fact_key *k)
{
	struct hash_node *n =
	    hash_find(&br->hooks->facts, fact_hash(k), fact_eq, k);

	return n == NULL ? NULL : container_of(n, struct fact, node);
}

static size_t
cost(const struct fact *f)
{
	return sizeof(*f) + f->channel_len + f->user_len + BUDGET_BLOCK;
}

static struct fact *
fact_new(struct broker *br, const struct fact_key *k)
{
	struct fact *f = xcalloc(1, sizeof(*f) + k->channel.n + k->user.n);

	f->app = k->app;
	f->channel_len = (uint16_t)k->channel.n;
	f->user_len = (uint16_t)k->user.n;
	memcpy(f->key, k->channel.p, k->channel.n);
	if (k->user.n > 0)
		memcpy(f->key + k->channel.n, k->user.p, k->user.n);
	list_init(&f->link);
	hooks_line(br, k->app);
	hash_insert(&br->hooks->facts, &f->node, fact_hash(k));
	budget_add(br->budget, f->app, cost(f));
	br->hooks->active = true;
	return f;
}

static void
fact_free(struct broker *br, struct fact *f)
{
	struct hooks *h = br->hooks;

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
	return br->hooks->settled && br->hooks->unsettled == 0 &&
	    hook_queue_make_room(br, line);
}

static void
tell(struct broker *br, struct fact *f, enum webhook_kind kind)
{
	struct buf *numbers = NULL, *event = NULL;
	struct msg_hook m = { .app = f->app,
		.kind = kind,
		.channel = fact_channel(f),
		.user_id = fact_user(f) };

	if (kind != WEBHOOK_FILLED)
		hook_apps_match(
		    hook_apps_find(br, f->app), kind, m.channel, &numbers);
	if (numbers != NULL)
		webhook_put_event(&event, kind, m.channel, m.user_id);
	m.endpoints = buf_str(numbers);
	m.event = buf_str(event);
	hooks_put(br, &m);
	buf_unref(numbers);
	buf_unref(event);
}

static void
run_timer(struct broker *br, double seconds)
{
	ev_timer *w = &br->hooks->timer;

	if (ev_is_active(w) && ev_timer_remaining(br->loop, w) <= seconds)
		return;
	ev_timer_stop(br->loop, w);
	ev_timer_set(w, MAX(seconds, 0.), 0.);
	ev_timer_start(br->loop, w);
}

/* What nobody has been told of it. */
static void
tell_present(struct broker *br, struct fact *f)
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
forgive_miss(struct broker *br, struct fact *f)
{
	if (!f->owes_miss)
		return;
	f->owes_miss = false;
	br->hooks->nmissed--;
	if (f->told)
		list_remove(&f->link); /* it waited for that only */
}

static void
tell_end(struct broker *br, struct fact *f)
{
	tell(br, f, f->user_len > 0 ? WEBHOOK_MEMBER_REMOVED : WEBHOOK_VACATED);
	fact_free(br, f);
}

/*
 * Now, unless there is no room or older ones of the same app wait: those are
 * told first.
 */
static void
tell_in_turn(struct broker *br, struct fact *f)
{
	struct hook_line *line = hooks_line(br, f->app);

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
		list_append(&br->hooks->untold, &line->blocked);
	if (br->hooks->settled)
		run_timer(br, NO_ROOM_WAIT);
}

void
fact_begin(struct broker *br, struct fact *f)
{
	bool was_present = f->present;

	f->present = true;
	if (!f->told)
		tell_in_turn(br, f);
	else if (!was_present)
		list_remove(&f->link); /* back in time */
}

static void
hold(struct broker *br, struct fact *f)
{
	f->due = broker_now() + HOOKS_HOLD;
	list_append(&br->hooks->held, &f->link);
	run_timer(br, HOOKS_HOLD);
}

void
fact_end(struct broker *br, struct fact *f)
{
	if (!f->present)
		return;
	forgive_miss(br, f);
	f->present = false;
	list_remove(&f->link);
	if (!f->told)
		fact_free(br, f); /* nobody ever heard of it */
	else if (br->hooks->settled)
		hold(br, f);
	/* else facts_go_on() will see it */
}

/* As many as there is room for; *left of all apps. */
static void
tell_line(struct broker *br, struct hook_line *line, int *left)
{
	while (
	    !list_is_empty(&line->untold) && may_tell(br, line) && *left > 0) {
		struct fact *f =
		    LIST_ITEM(line->untold.next, struct fact, link);

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
	struct list *lines = &br->hooks->untold, *l, *next;
	int left = AT_ONCE;

	if (!br->hooks->settled)
		return;
	LIST_FOREACH_SAFE(l, next, lines) {
		struct hook_line *line =
		    LIST_ITEM(l, struct hook_line, blocked);

		tell_line(br, line, &left);
		if (list_is_empty(&line->untold)) {
			list_remove(&line->blocked);
			hook_queue_release(&br->hooks->queue, line);
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
	struct list *held = &br->hooks->held;
	double now = broker_now();
	int left = AT_ONCE;
	struct fact *f;

	while (!list_is_empty(held)) {
		f = LIST_ITEM(held->next, struct fact, link);
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

	UNUSED(loop);
	UNUSED(revents);
	tell_held(br);
	facts_tell_untold(br);
}

struct fact *
fact_get(struct broker *br, const struct fact_key *k)
{
	struct fact *f = fact_find(br, k);
	uint32_t kinds = k->user.n > 0 ? MEMBER_KINDS : CHANNEL_KINDS;

	if (f == NULL &&
	    hook_apps_wants(hook_apps_find(br, k->app), kinds, k->channel))
		f = fact_new(br, k);
	return f;
}

void
fact_miss(struct broker *br, struct fact *f)
{
	if (f->missed || f->owes_miss || !f->present)
		return;
	f->owes_miss = true;
	br->hooks->nmissed++;
	tell_in_turn(br, f);
}

void
fact_fill(struct broker *br, struct fact *f)
{
	forgive_miss(br, f);
	if (!f->missed)
		return;
	f->missed = false;
	br->hooks->nmissed--;
	tell(br, f, WEBHOOK_FILLED);
}

void
fact_seed(struct broker *br, const struct fact_key *k)
{
	struct fact *f;

	if (fact_find(br, k) == NULL && (f = fact_get(br, k)) != NULL)
		f->present = f->told = true;
}

void
fact_told(struct broker *br, const struct fact_key *k, bool missed)
{
	struct fact *f = fact_find(br, k);

	if (f == NULL)
		f = fact_new(br, k);
	f->told = true;
	if (missed)
		forgive_miss(br, f);
	if (!f->owes_miss)
		list_remove(&f->link);
	if (missed && !f->missed) {
		f->missed = true;
		br->hooks->nmissed++;
	}
}

/* The event may have come while nobody knew of the miss. */
static bool
is_filled(struct broker *br, const struct fact *f)
{
	const struct channel *c =
	    registry_find(br->registry, f->app, fact_channel(f));

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
	struct fact *f = container_of(n, struct fact, node);

	if ((f->user_len > 0) != s->members)
		return;
	if (f->missed && is_filled(s->br, f))
		fact_fill(s->br, f);
	if (!f->present && list_is_empty(&f->link))
		hold(s->br, f);
}

void
facts_settle(struct broker *br)
{
	br->hooks->unsettled = 2;
	br->hooks->at = (struct hash_cursor){ 0 };
}

bool
facts_go_on(struct broker *br)
{
	struct hooks *h = br->hooks;
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
	struct hash *facts = &br->hooks->facts;
	struct hash_node *n, *next;

	for (n = hash_first(facts); n != NULL; n = next) {
		next = hash_next(facts, n);
		fact_free(br, container_of(n, struct fact, node));
	}
	hash_clear(facts);
}

void
facts_forget(struct broker *br, uint32_t app)
{
	struct hash_node *n, *next;

	for (n = hash_first(&br->hooks->facts); n != NULL; n = next) {
		struct fact *f = container_of(n, struct fact, node);

		next = hash_next(&br->hooks->facts, n);
		if (f->app == app)
			fact_free(br, f);
	}
}
