/* SPDX-License-Identifier: MIT */
/*
 * coalesce.c: decides whether a flush waits for more events.  It waits if
 * several events for the same clients came together, since they are likely to
 * do so again, and not if events come one at a time or go to different clients.
 *
 * A worker alone waits until as many have come as the last time.  One with
 * neighbours may share their core: while it yields, each of them may write to
 * all its clients, and then it finds the events of all their clients.  So it
 * goes on until nothing more comes.  Must never read a clock or a socket.
 */

#include "worker/core/coalesce.h"

#include "shared/base/base.h"

/* Waiting pays from this many sockets, or deliveries, of all workers. */
#define CLIENTS 64
#define FEW_CLIENTS 8 /* if an event goes to several of them */
#define DELIVERIES 256

/* How long, in us: */
#define EACH 1        /* for each delivery of all workers ... */
#define ALONE_MAX 300 /* ... and at most */
#define NEIGHBOURS_MAX \
	5000         /* ... since each of them has the core meanwhile \
		      */
#define QUIET 300    /* without anything new */
#define IDLE_TURNS 2 /* likewise, when as many came as the last time */

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

static void
begin(struct coalesce *c, unsigned nworkers, uint64_t now)
{
	uint64_t max = nworkers == 1 ? ALONE_MAX : NEIGHBOURS_MAX;

	c->until = now + MIN(max, (uint64_t)EACH * c->fanout * nworkers);
	c->news = 0;
}

bool
coalesce_waits(
    struct coalesce *c, unsigned nworkers, uint64_t news, uint64_t now)
{
	bool enough = c->expected >= 2 && c->nevents >= c->expected;

	if (c->until == 0)
		begin(c, nworkers, now);
	else if (enough && nworkers == 1)
		return false;
	if (news != c->news) {
		c->news = news;
		c->news_at = now;
		c->idle = 0;
	} else
		c->idle++;
	if (c->idle >= IDLE_TURNS && (enough || now - c->news_at >= QUIET))
		return false;
	return now < c->until;
}

void
coalesce_end(struct coalesce *c)
{
	uint32_t expected = is_shared(c) ? c->nevents : c->expected / 2;

	if (c->nevents > 0)
		c->expected = expected;
	c->nevents = c->fanout = c->ndirty = 0;
	c->until = 0;
}
