/* SPDX-License-Identifier: MIT */
/*
 * move_start.c: lets the connections that were taken over live.  Some of them
 * in each turn: an event must not wait until the sockets of all are watched,
 * which takes longer than to write it to them.
 *
 * Owns the list of those that are not watched yet.  They get events, but none
 * of their bytes is read.
 */

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "worker/admin/drain.h"
#include "worker/admin/move.h"
#include "worker/conn/conn.h"
#include "worker/conn/input.h"
#include "worker/conn/ws_part.h"
#include "worker/core/core.h"

#define TURN_STARTS 256

static void
start(struct conn *c)
{
	struct ws_part *p = c->part;

	conn_set_events(c);
	if (p != NULL && p->fin && p->left == 0)
		input_wait(c, LINE_UNPACK);
	else if (conn_input_is(c, INPUT_STOPPED))
		input_check(c);
	else
		input_continue(c);
}

void
move_start(struct worker *w, struct conn **made, uint32_t n)
{
	struct move *m = w->move;

	m->starting =
	    xreallocarray(m->starting, m->nstarting + n, sizeof(*m->starting));
	for (uint32_t i = 0; i < n; i++) {
		m->starting[m->nstarting++] = conn_sid(made[i]);
		if (!outq_is_empty(&made[i]->out))
			conn_move(made[i], &w->dirty);
	}
	drain_lingering(w);
}

bool
move_start_more(struct worker *w)
{
	struct move *m = w->move;
	uint32_t end = MIN(m->started + TURN_STARTS, m->nstarting);
	struct conn *c;

	if (m->starting == NULL || w->moving)
		return false;
	while (m->started < end)
		if ((c = conn_find(w, m->starting[m->started++])) != NULL)
			start(c);
	if (m->started < m->nstarting)
		return true;
	move_clear(w);
	xtrim(); /* memory that was there before, and not needed */
	return false;
}

void
move_clear(struct worker *w)
{
	struct move *m = w->move;

	free(m->starting);
	m->starting = NULL;
	m->nstarting = m->started = 0;
}
