/* SPDX-License-Identifier: MIT */
/*
 * flow.c: who may be read.  Owns w->flow, the connections whose input goes on
 * in the next turn: one after the other, each with its share.
 *
 * Must never feed a connection at once: the caller may stand in the middle of
 * a message of the broker.
 */

#include "worker/conn/flow.h"

#include <stdlib.h>

#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "worker/conn/conn.h"
#include "worker/core/core.h"

/* Its own messages shall not fill its queue. */
bool
flow_is_full(const struct conn *c)
{
	return outq_bytes(&c->out) > c->w->conf->client_buffer / 2;
}

static bool
may_read(const struct conn *c)
{
	return c->asked <= FLOW_GO_ON && !flow_is_full(c);
}

/* Its turn comes; a connection is in the list once. */
static void
line_up(struct conn *c)
{
	struct flow *f = c->w->flow;

	if (c->in_line)
		return;
	if (f->n == f->cap) {
		f->cap = f->cap == 0 ? 16 : f->cap * 2;
		f->sids = xreallocarray(f->sids, f->cap, sizeof(*f->sids));
	}
	f->sids[f->n++] = conn_sid(c);
	c->in_line = true;
}

void
flow_asked(struct conn *c, unsigned n)
{
	c->asked += n;
	if (c->asked >= FLOW_WINDOW)
		conn_stop(c);
}

void
flow_check(struct conn *c)
{
	if (c->stopped && may_read(c))
		line_up(c);
}

void
flow_answered(struct conn *c, unsigned n)
{
	c->asked -= MIN(c->asked, n);
	flow_check(c);
}

void
flow_forget(struct conn *c)
{
	c->asked = 0;
}

void
flow_yield(struct conn *c)
{
	conn_stop(c);
	flow_check(c);
}

bool
flow_run(struct worker *w)
{
	struct flow *f = w->flow;
	size_t n = f->n;
	struct conn *c;

	for (size_t i = 0; i < n; i++) {
		c = conn_find(w, f->sids[i]);
		if (c == NULL)
			continue;
		c->in_line = false;
		if (may_read(c))
			conn_go(c);
	}
	f->n -= n;
	if (f->n > 0)
		memmove(f->sids, f->sids + n, f->n * sizeof(*f->sids));
	return f->n > 0;
}

void
flow_clear(struct worker *w)
{
	free(w->flow->sids);
	*w->flow = (struct flow){ 0 };
}
