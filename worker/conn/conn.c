/* SPDX-License-Identifier: MIT */
/*
 * conn.c: a client's socket from its beginning to its end.  Owns the descriptor
 * and the output queue.  input.c reads it, output.c writes it.  During a turn
 * output is only queued; output.c writes each client once at its end.  Nothing
 * is freed before conn_reap().  Must never know what the bytes mean: c->ops
 * does.
 */

#include "worker/conn/conn.h"

#include <stdlib.h>
#include <unistd.h>

#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/listen_spec.h"
#include "worker/app/apps.h"
#include "worker/app/stats.h"
#include "worker/conn/transport.h"
#include "worker/core/core.h"

#define REAP_SOCKETS 1024 /* closed in one turn, at most */

void
conn_set_events(struct conn *c)
{
	int events = (conn_is_halted(c) || conn_input_is(c, INPUT_DEAF) ||
				 c->state == CONN_PEER_ENDED
			     ? 0
			     : EV_READ) |
	    (c->blocked || transport_wants_write(c->transport) ? EV_WRITE : 0);

	ev_io_stop(c->w->loop, &c->io);
	if (events == 0 || c->state == CONN_LOST)
		return;
	ev_io_set(&c->io, c->io.fd, events);
	ev_io_start(c->w->loop, &c->io);
}

void
conn_move(struct conn *c, struct list *l)
{
	list_remove(&c->link);
	list_append(l, &c->link);
}

void
conn_deafen(struct conn *c)
{
	c->input |= INPUT_DEAF;
	conn_set_events(c);
}

struct conn *
conn_new(struct worker *w, const struct conn_ops *ops, uint64_t sid)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	c->magic = MAGIC_CONN;
	c->ops = ops;
	c->w = w;
	c->serves = LISTEN_PUBLIC | LISTEN_API;
	c->opened_at = worker_now();
	outq_init(&c->out);
	list_init(&c->link);
	list_init(&c->client);
	list_init(&c->timeout.link);
	list_init(&c->subs);
	conn_name(c, sid);
	return c;
}

void
conn_queue(struct conn *c, struct buf *b, uint32_t off, uint32_t len)
{
	assert(c->magic == MAGIC_CONN);
	if (c->state >= CONN_FINISHING || c->backlog == BACKLOG_SLOW)
		return;
	outq_push(&c->out, b, off, len);
	/* A connection without on_slow has requested its output: no limit. */
	if (outq_bytes(&c->out) > c->w->conf->client_buffer + c->owed &&
	    c->ops->on_slow != NULL) {
		if (c->backlog != BACKLOG_OVER)
			conn_move(c, &c->w->slow);
		c->backlog = BACKLOG_OVER;
	} else if (list_is_empty(&c->link)) {
		list_append(&c->w->dirty, &c->link);
		c->w->coalesce.ndirty++;
	}
}

void
conn_queue_bytes(struct conn *c, struct str bytes)
{
	struct slice s;

	if (bytes.n == 0)
		return;
	s = worker_arena(&c->w->arena, bytes);
	stats_on_answer(c->app, bytes);
	conn_queue(c, s.b, s.off, s.len);
}

void
conn_queue_answer(struct conn *c, struct str bytes)
{
	c->owed += (uint32_t)bytes.n;
	conn_queue_bytes(c, bytes);
}

void
conn_queue_scratch(struct conn *c)
{
	conn_queue_bytes(c, buf_str(c->w->scratch));
}

void
conn_queue_goodbye(struct conn *c)
{
	if (c->backlog == BACKLOG_SLOW)
		outq_push_copy(&c->out, buf_str(c->w->scratch));
	else
		conn_queue_scratch(c);
}

void
conn_set_timeout(struct conn *c, uint32_t seconds)
{
	timeout_set(c->w, &c->timeout, c->state == CONN_CLOSED ? 0 : seconds);
}

void
conn_on_timeout(struct timeout *t)
{
	struct conn *c = CONN_OF(t, timeout);

	c->ops->on_timeout(c);
}

void
conn_close(struct conn *c)
{
	if (c->state == CONN_CLOSED)
		return;
	c->w->nconns += c->state == CONN_LOST; /* conn_unname() takes it off */
	c->state = CONN_CLOSED;
	c->w->unanswered_cost -= c->unanswered_cost;
	c->unanswered = c->unanswered_cost = 0;
	ev_io_stop(c->w->loop, &c->io);
	timeout_clear(&c->timeout);
	conn_delist(c);
	conn_move(c, &c->w->closed);
	c->ops->on_close(c);
}

static void
close_socket(struct conn *c)
{
	if (c->io.fd == -1)
		return;
	transport_free(c->w, c->transport);
	c->transport = NULL;
	close(c->io.fd);
	c->io.fd = -1;
	outq_clear(&c->out);
	buf_unref(c->in);
	c->in = NULL;
}

void
conn_lose(struct conn *c)
{
	conn_record_close(c, 1006, S("connection lost"));
	c->state = CONN_LOST;
	c->w->nconns--;
	c->blocked = false;
	ev_io_stop(c->w->loop, &c->io);
	timeout_clear(&c->timeout);
	list_remove(&c->link);
	close_socket(c);
}

void
conn_finish(struct conn *c)
{
	if (c->state >= CONN_FINISHING)
		return;
	c->state = CONN_FINISHING;
	if (conn_is_halted(c)) {
		c->input &= ~(INPUT_PAUSED | INPUT_STOPPED);
		conn_set_events(c);
	}
	conn_set_timeout(c, CONN_FINISH_SECONDS);
	if (list_is_empty(&c->link))
		list_append(&c->w->dirty, &c->link);
}

void
conn_reap(struct worker *w)
{
	unsigned budget = REAP_SOCKETS;
	struct conn *c;

	while (!list_is_empty(&w->closed) && budget-- > 0) {
		c = CONN_OF(w->closed.next, link);
		list_remove(&c->link);
		conn_unname(c);
		close_socket(c);
		free(c->marks);
		client_app_unref(c->app);
		magic_poison(&c->magic);
		free(c);
	}
}
