/* SPDX-License-Identifier: MIT */
/*
 * conn_share.c: max_connections of an app over all hosts.  Each host has a
 * share of the places, which it fills without asking.  When it is full, the
 * host asks in the stream for more; all hosts apply all requests in one order,
 * so each knows all shares, and together they are never above the limit.  When
 * nothing is left, a host with free places gives half of them back.  Without a
 * lease it fills no place: the others may have them.
 *
 * Only what was there before can be above it: connections from before the
 * limit, and those of a host that counted as dead and is back.
 */

#include "broker/cluster/conn_share.h"

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/app/quota.h"
#include "broker/cluster/inside.h"
#include "broker/cluster/outgoing.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/webhook/state.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/xmalloc.h"

#define WAIT_SECONDS 1.5 /* for places of other hosts */
#define LOOK_SECONDS 0.1
#define SILENT_US 1000000
#define STEP 16 /* this part of the limit is asked for in advance */

/* A connection that waits for a place. */
struct waiter {
	struct list link;
	int slot;
	uint64_t origin, sid;
	double since; /* broker_now() */
};

struct conn_share {
	struct hash_node node;
	uint32_t app;
	uint32_t held;       /* the share of this host, */
	uint32_t limit;      /* and so many of it may be filled */
	bool asked;          /* a message is on its way */
	struct list waiting; /* struct waiter */
	uint32_t nwaiting;
};

static struct conn_share *
get(struct cluster *cl, uint32_t app)
{
	struct hash_node *n = hash_find_u64(&cl->conn_shares, app);
	struct conn_share *p;

	if (n != NULL)
		return container_of(n, struct conn_share, node);
	p = xcalloc(1, sizeof(*p));
	p->app = app;
	list_init(&p->waiting);
	hash_insert(&cl->conn_shares, &p->node, hash_u64(app));
	return p;
}

static void
drop(struct conn_share *p, struct waiter *w)
{
	list_remove(&w->link);
	p->nwaiting--;
	free(w);
}

static uint64_t
all_shares(const struct cluster *cl, const struct conn_share *p)
{
	return p->held + hosts_shares(&cl->hosts, p->app);
}

/* ---- to the stream ---- */

static void
put(struct entry *e, const struct broker_app *a, uint32_t held, uint32_t want)
{
	struct msg_host_share m = { .app = a->app.num,
		.held = held,
		.want = want,
		.max = a->app.max_connections };

	entry_app(e, a->app.num, str_of(a->app.id));
	entry_put_host_share(e, &m);
}

static void
ask(struct cluster *cl, struct conn_share *p, const struct broker_app *a,
    uint32_t want)
{
	size_t before = outgoing_entry_size(cl);

	if (p->asked || cl->state != CLUSTER_LIVE || want == p->held)
		return;
	p->asked = true;
	p->limit = MIN(p->limit, want);
	put(&cl->entry, a, a->nconns, want);
	cl->queued += outgoing_entry_size(cl) - before;
}

/* Asks for what is needed, and for some more while there is enough. */
static void
ask_more(struct cluster *cl, struct conn_share *p, const struct broker_app *a)
{
	uint32_t max = a->app.max_connections, need, more;
	uint64_t all = all_shares(cl, p), left = max > all ? max - all : 0;

	if (all > max && p->held > a->nconns) { /* it has become lower */
		ask(cl, p, a, a->nconns);
		return;
	}
	need = MIN(a->nconns + p->nwaiting, max);
	more = (uint32_t)MIN(MAX(max / STEP, 1), left / 2);
	if (need > p->held || (a->nconns >= p->held && more > 0))
		ask(cl, p, a, MAX(need, MIN(p->held + more, max)));
}

/* Another host needs places: half of those that are free here. */
static void
give(struct cluster *cl, struct conn_share *p, const struct broker_app *a)
{
	if (p->nwaiting == 0 && p->held > a->nconns)
		ask(cl, p, a, p->held - (p->held - a->nconns + 1) / 2);
}

/* ---- connections ---- */

static bool
has_room(const struct cluster *cl, const struct conn_share *p,
    const struct broker_app *a)
{
	return a->nconns < p->limit &&
	    broker_now() < cl->br->webhook_states->lease &&
	    all_shares(cl, p) <= a->app.max_connections;
}

static void
grant(struct cluster *cl, struct conn_share *p, struct broker_app *a)
{
	while (!list_is_empty(&p->waiting) && has_room(cl, p, a)) {
		struct waiter *w =
		    LIST_ITEM(p->waiting.next, struct waiter, link);
		struct peer *peer = cl->br->peers[w->slot];

		if (peer != NULL && peer->origin == w->origin)
			quota_answer(peer, a, w->sid, PLACE_GRANTED);
		drop(p, w);
	}
}

bool
conn_share_take(struct peer *peer, struct broker_app *a, uint64_t sid)
{
	struct cluster *cl = peer->br->cluster;
	struct conn_share *p = get(cl, a->app.num);
	struct waiter *w;

	if (p->nwaiting == 0 && has_room(cl, p, a)) {
		if (a->nconns + 1 == p->held)
			ask_more(cl, p, a);
		return true;
	}
	w = xcalloc(1, sizeof(*w));
	*w = (struct waiter){ .slot = peer->slot,
		.origin = peer->origin,
		.sid = sid,
		.since = broker_now() };
	list_init(&w->link);
	list_append(&p->waiting, &w->link);
	p->nwaiting++;
	ask_more(cl, p, a);
	if (!ev_is_active(&cl->conn_shares_timer))
		ev_timer_start(cl->br->loop, &cl->conn_shares_timer);
	return false;
}

/* Has Redis not answered for so long that no host can have been asked? */
static bool
is_silent(const struct cluster *cl)
{
	return cl->sending &&
	    clock_us(CLOCK_MONOTONIC) - cl->sent_us > SILENT_US;
}

/* Those that have waited for too long. */
static void
refuse(struct cluster *cl, struct conn_share *p)
{
	struct broker_app *a = apps_lookup(cl->br, p->app);
	struct list *e, *next;

	LIST_FOREACH_SAFE(e, next, &p->waiting) {
		struct waiter *w = LIST_ITEM(e, struct waiter, link);
		struct peer *peer = cl->br->peers[w->slot];

		if (broker_now() - w->since < WAIT_SECONDS)
			break;
		if (a != NULL && peer != NULL && peer->origin == w->origin)
			quota_answer(peer, a, w->sid,
			    cl->up && !is_silent(cl) ? PLACE_FULL
						     : PLACE_LATER);
		drop(p, w);
	}
}

static void
on_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct cluster *cl = t->data;
	const struct broker_app *a;
	struct hash_node *n;
	uint32_t left = 0;

	HASH_FOREACH(n, &cl->conn_shares) {
		struct conn_share *p = container_of(n, struct conn_share, node);

		refuse(cl, p);
		left += p->nwaiting;
		a = apps_find(cl->br, p->app);
		if (p->nwaiting > 0 && a != NULL)
			ask_more(cl, p, a);
	}
	if (left == 0)
		ev_timer_stop(loop, t);
}

/* ---- from the stream ---- */

static uint32_t
new_share(uint32_t now, uint64_t others, const struct msg_host_share *m)
{
	uint64_t all = others + now, left = m->max > all ? m->max - all : 0;

	if (m->want <= now)
		return MAX(m->want, m->held);
	return MAX(m->held, now + (uint32_t)MIN(m->want - now, left));
}

static void
on_own(struct cluster *cl, const struct msg_host_share *m)
{
	struct broker_app *a = apps_find(cl->br, m->app);
	struct conn_share *p = get(cl, m->app);

	p->held = new_share(p->held, hosts_shares(&cl->hosts, m->app), m);
	p->limit = p->held;
	p->asked = false;
	if (a == NULL)
		return;
	grant(cl, p, a);
	if (p->nwaiting > 0 && all_shares(cl, p) < m->max)
		ask_more(cl, p, a);
}

void
conn_share_on_message(struct cluster *cl, struct host *host, bool state,
    const struct msg_host_share *m)
{
	struct broker_app *a = apps_find(cl->br, m->app);
	struct conn_share *p = get(cl, m->app);
	struct host_share *s;
	uint32_t before;

	if (host == NULL) {
		on_own(cl, m);
		return;
	}
	s = hosts_share(host, m->app);
	before = s->n;
	s->n =
	    state ? m->held : new_share(before, all_shares(cl, p) - before, m);
	if (a == NULL || state)
		return;
	if (s->n < m->want)
		give(cl, p, a);
	else if (s->n < before && p->nwaiting > 0)
		ask_more(cl, p, a);
}

/* ---- life ---- */

static void
begin(struct cluster *cl, struct conn_share *p, const struct broker_app *a)
{
	p->held = p->limit = a->nconns;
	p->asked = false;
}

/* A limit that is new, or has become lower. */
static void
adjust(struct cluster *cl, struct conn_share *p, const struct broker_app *a)
{
	if (a->nconns > p->held ||
	    (p->held > a->nconns && all_shares(cl, p) > a->app.max_connections))
		ask(cl, p, a, a->nconns);
}

/* Calls it for each app that has a limit. */
static void
for_each(struct cluster *cl,
    void (*call)(
	struct cluster *, struct conn_share *, const struct broker_app *))
{
	const struct hash *all = &cl->br->apps->by_num;
	struct hash_node *n;

	HASH_FOREACH(n, all) {
		const struct broker_app *a =
		    container_of(n, const struct broker_app, node);

		if (!a->deleted && a->app.max_connections != 0)
			call(cl, get(cl, a->app.num), a);
	}
}

void
conn_share_join(struct cluster *cl)
{
	for_each(cl, begin);
}

void
conn_share_write(struct cluster *cl, struct entry *e)
{
	struct hash_node *n;

	HASH_FOREACH(n, &cl->conn_shares) {
		const struct conn_share *p =
		    container_of(n, const struct conn_share, node);
		const struct broker_app *a = apps_find(cl->br, p->app);

		if (a != NULL && p->held > 0)
			put(e, a, p->held, p->held);
	}
}

void
conn_share_beat(struct cluster *cl)
{
	if (cl->state == CLUSTER_LIVE)
		for_each(cl, adjust);
}

void
conn_share_init(struct cluster *cl)
{
	ev_timer_init(
	    &cl->conn_shares_timer, on_timer, LOOK_SECONDS, LOOK_SECONDS);
	cl->conn_shares_timer.data = cl;
}

void
conn_share_clear(struct cluster *cl)
{
	struct hash_node *n, *next;

	ev_timer_stop(cl->br->loop, &cl->conn_shares_timer);
	HASH_FOREACH_SAFE(n, next, &cl->conn_shares) {
		struct conn_share *p = container_of(n, struct conn_share, node);

		while (!list_is_empty(&p->waiting))
			drop(
			    p, LIST_ITEM(p->waiting.next, struct waiter, link));
		hash_remove(&cl->conn_shares, n);
		free(p);
	}
	hash_clear(&cl->conn_shares);
}
