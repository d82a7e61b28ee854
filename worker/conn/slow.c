/* SPDX-License-Identifier: MIT */
/*
 * slow.c: which clients read too slowly.  Over the limit one write is tried at
 * once.  A client stays as long as its socket takes something: it may have
 * been sent a burst.  But not for longer than client_buffer_age, and not above
 * BURST_MAX; and not when nothing has left for STILL_SECONDS and still more is
 * queued.
 *
 * Must never skip anything inside an open stream.
 */

#include "worker/conn/slow.h"

#include "shared/base/log.h"
#include "shared/conf/conf.h"
#include "worker/app/stats.h"
#include "worker/conn/conn.h"
#include "worker/conn/flow.h"
#include "worker/core/core.h"

#define STILL_SECONDS 0.3
#define BURST_MAX (16u << 20) /* bytes above the limit */

static void
count(struct conn *c)
{
	if (c->app != NULL)
		stats_of(c->app)->slow++;
}

static bool
is_over(const struct conn *c, size_t more)
{
	return outq_bytes(&c->out) > c->w->conf->client_buffer + c->owed + more;
}

void
slow_written(struct conn *c)
{
	c->owed = (uint32_t)MIN(c->owed, outq_bytes(&c->out));
	if (c->over_since != 0 && !is_over(c, 0))
		c->over_since = 0;
	if (c->stopped)
		flow_check(c);
}

static bool
is_slow(const struct conn *c)
{
	double now = worker_now();

	return is_over(c, BURST_MAX) ||
	    (c->blocked && now - c->blocked_at >= STILL_SECONDS) ||
	    now - c->over_since > (double)c->w->conf->client_buffer_age;
}

/* Tells it, outside of any loop over topics. */
static void
end(struct conn *c)
{
	count(c);
	log_debug(
	    "client closed: over buffer limit queued=%zu", outq_bytes(&c->out));
	c->slow = true;
	conn_move(c, c->blocked ? &c->w->blocked : &c->w->dirty);
	if (c->session == NULL) /* else it says how far it has come */
		conn_deafen(c);
	c->ops->on_slow(c);
}

void
slow_judge(struct worker *w)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &w->slow) {
		struct conn *c = CONN_OF(e, link);

		c->over = false;
		if (c->over_since == 0)
			c->over_since = worker_now();
		conn_flush(c); /* takes it out of this list */
		if (c->closed || c->finishing || c->ops->on_slow == NULL)
			continue;
		if (is_over(c, 0) && is_slow(c))
			end(c);
	}
}

void
slow_tick(struct worker *w)
{
	double limit = worker_now() - (double)w->conf->client_buffer_age;
	struct list *e, *tmp;
	struct conn *c;

	LIST_FOREACH_SAFE(e, tmp, &w->blocked) {
		c = CONN_OF(e, link);
		if (c->blocked_at > limit)
			continue;
		count(c);
		conn_record_close(
		    c, 4100, S("took nothing for client_buffer_age"));
		log_debug("client closed: took nothing for %llu s queued=%zu",
		    (unsigned long long)w->conf->client_buffer_age,
		    outq_bytes(&c->out));
		conn_close(c);
	}
}
