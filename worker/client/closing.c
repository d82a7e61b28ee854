/* SPDX-License-Identifier: MIT */
/*
 * closing.c: closes many clients at once: those of an app that is disabled or
 * deleted, or of a user that is terminated.  Each end is a message to the
 * broker for each subscription, and one to the client: thousands in one turn
 * would keep all other clients of the worker waiting.
 *
 * Owns the orders (struct closing): the socket ids of the clients that were
 * there.  A turn has a budget, and takes a share of each order, so that a small
 * one does not wait for a large one.  A client that speaks before its turn is
 * closed then, and not heard.  Must never close a client that came after the
 * order.
 */

#include "worker/client/closing.h"

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "worker/app/apps.h"
#include "worker/channel/topic.h"
#include "worker/client/error.h"
#include "worker/conn/conn.h"
#include "worker/core/core.h"

#define TURN_COST 128 /* clients and subscriptions that end in a turn */
#define SHARE_COST 32 /* of one order, while others wait */

struct closing {
	struct list link;       /* in w->closings->all */
	struct client_app *app; /* referenced */
	unsigned code;
	struct str text;
	uint64_t *sids;
	size_t n, cap;
	size_t channel_len; /* 0: all clients of the app */
	char channel[];
};

void
closings_init(struct worker *w)
{
	list_init(&w->closings->all);
	w->closings->budget = TURN_COST;
}

bool
closing_is_over(const struct worker *w)
{
	return list_is_empty(&w->closings->all);
}

static void
drop(struct closing *k)
{
	list_remove(&k->link);
	client_app_unref(&k->app->app);
	free(k->sids);
	free(k);
}

/* Nobody is left. */
static void
end(struct worker *w, struct closing *k)
{
	if (k->channel_len == 0)
		w->apps->ops->on_closed(w, k->app);
	drop(k);
}

static bool
is_for(const struct closing *k, const struct client_app *a, struct str channel)
{
	return k->app == a &&
	    str_eq(str_make(k->channel, k->channel_len), channel);
}

/*
 * An order, without clients yet.  An earlier one of the same kind is replaced:
 * its clients are among those of the new one.
 */
static struct closing *
begin(struct worker *w, struct client_app *a, struct str channel)
{
	struct closing *k;
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &w->closings->all) {
		k = LIST_ITEM(e, struct closing, link);
		if (is_for(k, a, channel))
			drop(k);
	}
	k = xcalloc(1, sizeof(*k) + channel.n);
	client_app_ref(a);
	k->app = a;
	k->channel_len = channel.n;
	if (channel.n > 0)
		memcpy(k->channel, channel.p, channel.n);
	list_append(&w->closings->all, &k->link);
	return k;
}

static void
add(struct closing *k, const struct conn *c)
{
	if (conn_is_ending(c))
		return;
	if (k->n == k->cap) {
		k->cap = MAX(2 * k->cap, 4);
		k->sids = xreallocarray(k->sids, k->cap, sizeof(*k->sids));
	}
	k->sids[k->n++] = conn_sid(c);
}

/* Spends so much of the turn's budget at most, and ends with the last one. */
static void
run(struct worker *w, struct closing *k, unsigned max)
{
	unsigned cost;
	struct conn *c;

	while (k->n > 0 && max > 0) {
		c = conn_find(w, k->sids[--k->n]);
		cost = c == NULL ? 1 : 1 + c->nsubs;
		if (c != NULL)
			client_close(c, k->code, k->text);
		w->closings->budget -= MIN(w->closings->budget, cost);
		max -= MIN(max, cost);
	}
	if (k->n == 0)
		end(w, k);
}

/* All clients have been added: closes the first ones. */
static void
start(struct worker *w, struct closing *k, unsigned code, struct str text)
{
	k->code = code;
	k->text = text;
	run(w, k, w->closings->budget);
}

void
closing_app(
    struct worker *w, struct client_app *a, unsigned code, struct str text)
{
	struct closing *k = begin(w, a, S(""));
	struct list *e;

	LIST_FOREACH(e, &w->clients) {
		const struct conn *c = CONN_OF(e, client);

		if (c->app == &a->app)
			add(k, c);
	}
	start(w, k, code, text);
}

void
closing_user(
    struct worker *w, const struct topic *t, unsigned code, struct str text)
{
	struct closing *k;

	if (t == NULL || t->n == 0)
		return;
	k = begin(w, client_app_of(t->v[0].c->app), topic_name(t));
	for (uint32_t i = 0; i < t->n; i++)
		add(k, t->v[i].c);
	start(w, k, code, text);
}

bool
closing_hasten(struct conn *c)
{
	struct list *e;
	size_t i;

	LIST_FOREACH(e, &c->w->closings->all) {
		const struct closing *k = LIST_ITEM(e, struct closing, link);

		for (i = 0; c->app == &k->app->app && i < k->n; i++) {
			if (k->sids[i] != conn_sid(c))
				continue;
			client_close(c, k->code, k->text);
			return true;
		}
	}
	return false;
}

bool
closing_turn(struct worker *w)
{
	struct closings *o = w->closings;
	struct closing *k;

	while (o->budget > 0 && !closing_is_over(w)) {
		k = LIST_ITEM(o->all.next, struct closing, link);
		list_remove(&k->link);
		list_append(&o->all, &k->link);
		run(w, k, MIN(o->budget, SHARE_COST));
	}
	o->budget = TURN_COST;
	return !closing_is_over(w);
}

void
closing_finish(struct worker *w, uint32_t app)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &w->closings->all) {
		struct closing *k = LIST_ITEM(e, struct closing, link);

		if (app == 0 || k->app->app.num == app)
			run(w, k, UINT32_MAX);
	}
}
