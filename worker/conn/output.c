/* SPDX-License-Identifier: MIT */
/*
 * output.c: writes queued bytes at the end of the turn, and closes clients that
 * read too slowly.  A client whose socket is full waits for its write watcher.
 * Over the limit (conf->client_buffer) one write is tried at once.  A client
 * stays as long as its socket takes bytes, because it may have been sent a
 * burst.  It is closed after client_buffer_age, above BURST_MAX, or when
 * nothing has left for STILL_SECONDS and more is queued.  Must never skip a
 * byte inside an open stream.
 */

#include "worker/conn/output.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "shared/base/log.h"
#include "shared/conf/conf.h"
#include "worker/app/stats.h"
#include "worker/conn/conn.h"
#include "worker/conn/input.h"
#include "worker/conn/transport.h"
#include "worker/core/core.h"

#define FLUSH_SOCKETS 4096       /* written in one turn, at most */
#define FLUSH_BYTES (256u << 10) /* to one socket in one turn */
#define FLUSH_TURN (4u << 20)    /* to all sockets in one turn; above it: */
#define FLUSH_LITTLE (16u << 10) /* to each of the others */
#define FLUSH_END (16u << 20)    /* the others have the next turn */
#define STILL_SECONDS 0.3
#define BURST_MAX (16u << 20) /* bytes above the limit */

static bool
is_over(const struct conn *c, size_t more)
{
	return outq_bytes(&c->out) > c->w->conf->client_buffer + c->owed + more;
}

static void
written(struct conn *c)
{
	c->owed = (uint32_t)MIN(c->owed, outq_bytes(&c->out));
	if (c->over_since != 0 && !is_over(c, 0))
		c->over_since = 0;
	if (conn_input_is(c, INPUT_STOPPED))
		input_check(c);
}

/* Everything has left: sends FIN, and waits for the peer's own. */
static void
say_end(struct conn *c)
{
	shutdown(c->io.fd, SHUT_WR);
	if (!conn_input_is(c, INPUT_DEAF) ||
	    c->after_goodbye > c->ops->after_goodbye_max)
		return;
	c->input &= ~INPUT_DEAF;
	conn_set_events(c);
	conn_set_timeout(c, CONN_FINISH_SECONDS);
}

static void
flush(struct conn *c)
{
	struct worker *w = c->w;
	uint64_t before = c->out.out;
	size_t max = MIN(conn_may_write(c),
	    (size_t)(w->flushed < FLUSH_TURN ? FLUSH_BYTES : FLUSH_LITTLE));
	int r;

	if (max == 0) {
		conn_defer(c);
		return;
	}
	r = c->transport == NULL
	    ? outq_send(&c->out, c->io.fd, max)
	    : transport_send(w, c->transport, &c->out, max);
	if (r == 1 && c->state >= CONN_FINISHING && c->transport != NULL)
		r = transport_finish(c->transport);
	w->flushed += c->out.out - before;
	if (c->app != NULL)
		stats_of(c->app)->bytes_out += c->out.out - before;
	if (r == -1) {
		conn_close(c);
		return;
	}
	written(c);
	if (r == 0 && conn_may_write(c) > 0) {
		if (!c->blocked || c->out.out != before)
			c->blocked_at = worker_now();
		c->blocked = true;
		conn_move(c, &w->blocked);
		conn_set_events(c);
		return;
	}
	if (c->blocked) {
		c->blocked = false;
		conn_set_events(c);
	}
	if (r == 0) {
		conn_defer(c);
		return;
	}
	list_remove(&c->link);
	if (c->state == CONN_PEER_ENDED)
		conn_close(c);
	else if (c->state == CONN_FINISHING)
		say_end(c);
}

/* ---- clients that read too slowly ---- */

static void
count(struct conn *c)
{
	if (c->app != NULL)
		stats_of(c->app)->slow++;
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
	c->backlog = BACKLOG_SLOW;
	conn_move(c, c->blocked ? &c->w->blocked : &c->w->dirty);
	if (!c->session.named) /* else it says how far it has come */
		conn_deafen(c);
	c->ops->on_slow(c);
}

static void
judge(struct worker *w)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &w->slow) {
		struct conn *c = CONN_OF(e, link);

		c->backlog = BACKLOG_OK;
		if (c->over_since == 0)
			c->over_since = worker_now();
		flush(c); /* takes it out of this list */
		if (c->state >= CONN_FINISHING || c->ops->on_slow == NULL)
			continue;
		if (is_over(c, 0) && is_slow(c))
			end(c);
	}
}

void
output_tick(struct worker *w)
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
		    c, 4100, S("read nothing for client_buffer_age"));
		log_debug("client closed: read nothing for %llu s queued=%zu",
		    (unsigned long long)w->conf->client_buffer_age,
		    outq_bytes(&c->out));
		conn_close(c);
	}
}
/* ---- the end of the turn ---- */

bool
output_flush(struct worker *w)
{
	unsigned budget = FLUSH_SOCKETS;

	w->flushed = 0;
	judge(w);
	while (!list_is_empty(&w->dirty)) {
		if (budget-- == 0 || w->flushed >= FLUSH_END)
			return true;
		flush(CONN_OF(w->dirty.next, link));
	}
	return false;
}
