/* SPDX-License-Identifier: MIT */
/*
 * conn_query.c: asks the workers about their connections, for pusherctl.  Owns
 * struct conn_query, of which a client of the control socket has one at most.
 *
 * Lists go from worker to worker, one portion at a time, and the next one is
 * asked for when the client has taken what it has: whatever there is to list,
 * a portion is what it costs.  Closing goes on in all workers side by side.
 */

#include "broker/control/conn_query.h"

#include <stdlib.h>

#include "broker/control/control.h"
#include "broker/control/verb_args.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

struct conn_query {
	struct control_client *cc;
	struct msg_conn_query what; /* its texts lie in `text` */
	uint64_t waits;    /* bit per worker that owes CONN_QUERY_ROWS */
	uint64_t open;     /* … whose walk is not over */
	unsigned next;     /* lists: the worker to ask next */
	uint64_t n, limit; /* connections */
	char text[];
};

static bool
is_kill(const struct conn_query *s)
{
	return s->what.kind == CONN_QUERY_KILL ||
	    s->what.kind == CONN_QUERY_RECONNECT;
}

void
conn_query_free(struct conn_query *s)
{
	struct msg_conn_query_cancel m;
	uint64_t mask;

	if (s == NULL)
		return;
	m.id = s->what.id;
	for (mask = s->open; mask != 0; mask &= mask - 1) {
		struct peer *p = s->cc->br->peers[__builtin_ctzll(mask)];

		if (p != NULL)
			ipc_send_conn_query_cancel(&p->ipc, &m);
	}
	s->cc->conn_query = NULL;
	free(s);
}

static void
killed_row(struct conn_query *s)
{
	struct json_writer w;

	verb_row_begin(&w, "closed");
	verb_put_number(&w, "closed", s->n);
	verb_row_end(s->cc, &w);
}

/* Nothing is owed any more. */
static void
finish(struct conn_query *s)
{
	struct control_client *cc = s->cc;

	if (is_kill(s))
		killed_row(s);
	if (s->n == 0 && s->what.sid != 0)
		control_fail(cc, "there is no such connection (any more)");
	else
		control_end(cc);
	conn_query_free(s);
}

static void
ask(struct conn_query *s, unsigned slot)
{
	s->open |= UINT64_C(1) << slot;
	s->waits |= UINT64_C(1) << slot;
	ipc_send_conn_query(&s->cc->br->peers[slot]->ipc, &s->what);
}

/* Lists: the next worker that there is. */
static void
ask_next(struct conn_query *s)
{
	struct broker *br = s->cc->br;

	while (s->next < br->nslots && br->peers[s->next] == NULL)
		s->next++;
	if (s->next < br->nslots)
		ask(s, s->next++);
	else
		finish(s);
}

void
conn_query_begin(struct control_client *cc, const struct msg_conn_query *what,
    uint64_t limit)
{
	struct conn_query *s =
	    xcalloc(1, sizeof(*s) + what->channel.n + what->user_id.n);

	s->cc = cc;
	s->limit = limit;
	s->what = *what;
	s->what.id = ++cc->br->control->conn_query_id;
	if (what->channel.n > 0)
		memcpy(s->text, what->channel.p, what->channel.n);
	if (what->user_id.n > 0)
		memcpy(s->text + what->channel.n, what->user_id.p,
		    what->user_id.n);
	s->what.channel.p = s->text;
	s->what.user_id.p = s->text + what->channel.n;
	cc->conn_query = s;
	if (!is_kill(s)) {
		ask_next(s);
		return;
	}
	for (unsigned i = 0; i < cc->br->nslots; i++)
		if (cc->br->peers[i] != NULL)
			ask(s, i);
	if (s->open == 0)
		finish(s);
}

bool
conn_query_may_go_on(const struct conn_query *s)
{
	return s != NULL && !is_kill(s) && s->waits == 0;
}

void
conn_query_go_on(struct conn_query *s)
{
	struct msg_conn_query_more m = { .id = s->what.id };
	struct peer *p;

	if (!conn_query_may_go_on(s))
		return;
	if (s->open == 0) {
		ask_next(s);
		return;
	}
	s->waits = s->open;
	p = s->cc->br->peers[__builtin_ctzll(s->open)];
	ipc_send_conn_query_more(&p->ipc, &m);
}

static struct conn_query *
find(const struct broker *br, uint64_t id)
{
	struct list *e;

	LIST_FOREACH(e, &br->control->clients) {
		struct control_client *cc =
		    LIST_ITEM(e, struct control_client, link);

		if (cc->conn_query != NULL && cc->conn_query->what.id == id)
			return cc->conn_query;
	}
	return NULL;
}

/* One line each; true when that is enough. */
static bool
pass_rows(struct conn_query *s, struct str rows)
{
	while (rows.p != NULL && rows.n > 0) {
		struct msg_ctl_row row = { .json = str_cut(&rows, '\n') };

		ipc_send_ctl_row(&s->cc->ipc, &row);
		s->n++;
		if (s->limit != 0 && s->n == s->limit)
			return true;
	}
	return false;
}

int
conn_query_on_rows(struct peer *p, const struct msg_conn_query_rows *m)
{
	struct conn_query *s = find(p->br, m->id);
	uint64_t bit = UINT64_C(1) << p->slot;

	if (s == NULL)
		return 0; /* nobody wants to know any more */
	if ((s->open & bit) == 0)
		return -1;
	s->waits &= ~bit;
	if (m->last)
		s->open &= ~bit;
	if (is_kill(s)) {
		s->n += m->n;
		if (s->open == 0)
			finish(s);
		else
			killed_row(s); /* it goes on */
	} else if (pass_rows(s, m->rows) || (s->n > 0 && s->what.sid != 0)) {
		finish(s);
	}
	return 0;
}

void
conn_query_drop(struct broker *br, unsigned slot)
{
	uint64_t bit = UINT64_C(1) << slot;
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->control->clients) {
		struct conn_query *s =
		    LIST_ITEM(e, struct control_client, link)->conn_query;

		if (s == NULL || (s->open & bit) == 0)
			continue;
		s->open &= ~bit;
		s->waits &= ~bit;
		if (is_kill(s) && s->open == 0)
			finish(s);
	}
}
