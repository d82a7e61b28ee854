/* SPDX-License-Identifier: MIT */
/*
 * coalesce.c: decides whether a flush waits for more events.  It waits if
 * several events for the same clients came together, since they are likely to
 * do so again, and not if events come one at a time or go to different clients.
 *
 * A worker waits until as many have come as the last time.  One with many
 * clients and with neighbours may share their core: while it yields, each of
 * them may write to all its clients, and then it finds the events of all their
 * clients.  So it goes on until nothing more comes.  Must never read a clock or
 * a socket.
 */

#include "worker/core/coalesce.h"

#include "shared/base/base.h"

/* Waiting pays from this many sockets, or deliveries, of all workers. */
#define CLIENTS 64
#define FEW_CLIENTS 8 /* if an event goes to several of them */
#define DELIVERIES 256
/* So many of one worker take it longer than ALONE_MAX. */
#define MANY_CLIENTS 64

/* It waits for half a us for each delivery of all workers, and at most: */
#define ALONE_MAX 300       /* us */
#define NEIGHBOURS_MAX 5000 /* each of them may have the core meanwhile */
/* Without anything new: */
#define QUIET 300    /* us */
#define IDLE_TURNS 2 /* if as many came as the last time */

/* Have several events gone to the same clients, to leave in one call? */
static bool
is_shared(const struct coalesce *c)
{
	return c->nevents >= 2 && c->fanout >= c->ndirty + c->ndirty / 2;
}

/*
 * Events for one client each, as in a conversation of two, gain nothing from
 * waiting before there are many.  Each worker has its part of the clients, and
 * small pieces of an event cost all of them, and the broker, a turn.
 */
bool
coalesce_pays(const struct coalesce *c, unsigned nworkers)
{
	uint64_t n = nworkers;

	if (c->expected < 2 && !is_shared(c))
		return false;
	return c->fanout * n >= DELIVERIES || c->ndirty * n >= CLIENTS ||
	    (c->fanout > c->nevents && c->ndirty * n >= FEW_CLIENTS);
}

/* Do neighbours, too, write for so long that it must wait for them? */
static bool
is_beside_others(const struct coalesce *c, unsigned nworkers)
{
	return nworkers > 1 && c->ndirty >= MANY_CLIENTS;
}

/* In us.  Each delivery more makes the flush longer, and the wait, too. */
static uint64_t
longest(const struct coalesce *c, unsigned nworkers)
{
	uint64_t max =
	    is_beside_others(c, nworkers) ? NEIGHBOURS_MAX : ALONE_MAX;

	return MIN(max, (uint64_t)c->fanout * nworkers / 2);
}

bool
coalesce_waits(
    struct coalesce *c, unsigned nworkers, uint64_t news, uint64_t now)
{
	bool enough = c->expected >= 2 && c->nevents >= c->expected;

	if (c->since == 0) {
		c->since = now;
		c->news = 0;
	} else if (enough && !is_beside_others(c, nworkers))
		return false;
	if (news != c->news) {
		c->news = news;
		c->news_at = now;
		c->idle = 0;
	} else
		c->idle++;
	if (c->idle >= IDLE_TURNS && (enough || now - c->news_at >= QUIET))
		return false;
	return now - c->since < longest(c, nworkers);
}

bool
coalesce_is_short(const struct coalesce *c)
{
	return c->ndirty > 0 && c->ndirty < MANY_CLIENTS;
}

void
coalesce_end(struct coalesce *c)
{
	uint32_t expected = is_shared(c) ? c->nevents : c->expected / 2;

	if (c->nevents > 0)
		c->expected = expected;
	c->nevents = c->fanout = c->ndirty = 0;
	c->since = 0;
}
