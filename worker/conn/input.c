/* SPDX-License-Identifier: MIT */
/*
 * input.c: reads connections and decides how much.  Owns the bytes that were
 * read and not used, and w->input: the connections whose input continues in
 * the next turn, one after the other, each with its share.
 *
 * An answer of the broker must never feed a connection at once: the caller may
 * be in the middle of a message.
 */

#include "worker/conn/input.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "worker/conn/conn.h"
#include "worker/conn/transport.h"
#include "worker/core/core.h"

/* ---- how much is read ---- */

static void
stop(struct conn *c)
{
	if (c->stopped || c->state >= CONN_FINISHING)
		return;
	c->stopped = true;
	conn_set_events(c);
}

/* Answers to its own messages must not fill its queue. */
bool
input_is_full(const struct conn *c)
{
	return outq_bytes(&c->out) > c->w->conf->client_buffer / 2;
}

static bool
may_read(const struct conn *c)
{
	return c->asked <= FLOW_GO_ON && !input_is_full(c);
}

/* Its turn comes; a connection is in the list once. */
static void
line_up(struct conn *c)
{
	struct input_queue *f = c->w->input;

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
input_asked(struct conn *c, unsigned n)
{
	c->asked += n;
	if (c->asked >= FLOW_WINDOW)
		stop(c);
}

void
input_check(struct conn *c)
{
	if (c->stopped && may_read(c))
		line_up(c);
}

void
input_answered(struct conn *c, unsigned n)
{
	c->asked -= MIN(c->asked, n);
	input_check(c);
}

void
input_forget(struct conn *c)
{
	c->asked = 0;
}

void
input_yield(struct conn *c)
{
	stop(c);
	input_check(c);
}

/* ---- reading ---- */

/* Feeds n bytes; returns how many need not be kept. */
static size_t
feed(struct conn *c, char *p, size_t n)
{
	unsigned times = 0;
	size_t used = 0, k;

	c->feeding = true;
	while (used < n && c->state < CONN_FINISHING && !conn_is_halted(c)) {
		k = c->ops->feed(c, p + used, n - used);
		if (k == 0)
			break;
		used += k;
		if (++times == FLOW_REQUESTS && used < n)
			input_yield(c);
	}
	c->feeding = false;
	return c->state >= CONN_FINISHING ? n : used;
}

/* Feeds c->in and keeps what is left of it. */
static void
feed_kept(struct conn *c)
{
	size_t used = feed(c, c->in->data, c->in->len);

	if (used >= c->in->len) {
		buf_unref(c->in);
		c->in = NULL;
	} else if (used > 0) {
		memmove(c->in->data, c->in->data + used, c->in->len - used);
		c->in->len -= (uint32_t)used;
	}
}

static void
take_input(struct conn *c, char *p, size_t n)
{
	size_t used;

	if (c->in != NULL) {
		buf_append(&c->in, str_make(p, n));
		feed_kept(c);
		return;
	}
	used = feed(c, p, n);
	if (used < n)
		c->in = buf_from(str_make(p + used, n - used));
}

static void
on_eof(struct conn *c)
{
	if (!c->ops->half_close || outq_is_empty(&c->out)) {
		conn_close(c);
		return;
	}
	conn_finish(c);
	c->state = CONN_PEER_ENDED; /* no more reads: each would return 0 */
	conn_set_events(c);
}

/* n bytes came after our goodbye; false: over the limit. */
static bool
hear_out(struct conn *c, size_t n)
{
	if (c->ops->unheard_max == 0)
		return true;
	c->unheard += (uint32_t)n; /* at most WORKER_RECV_BYTES at a time */
	if (c->unheard <= c->ops->unheard_max)
		return true;
	conn_deafen(c);
	return false;
}

static void
on_readable(struct conn *c)
{
	struct worker *w = c->w;
	ssize_t n;

	w->before_read(w);
	if (c->state == CONN_CLOSED)
		return;
	n = c->transport == NULL ? recv(c->io.fd, w->recv, WORKER_RECV_BYTES, 0)
				 : transport_recv(w, c->transport, &c->in,
				       w->recv, WORKER_RECV_BYTES);
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		if (transport_wants_write(c->transport))
			conn_set_events(c);
		return;
	}
	if (n == -1)
		conn_close(c);
	else if (n == 0)
		on_eof(c);
	else if (conn_is_ending(c) && !hear_out(c, (size_t)n))
		return;
	else if (c->state < CONN_FINISHING) {
		w->bytes_in += (size_t)n;
		take_input(c, w->recv, (size_t)n);
	}
}

static void
on_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct conn *c = CONN_OF(io, io);

	if (!c->deaf &&
	    ((revents & EV_READ) || transport_wants_write(c->transport))) {
		bool waited = transport_wants_write(c->transport);

		on_readable(c);
		if (waited && c->state != CONN_CLOSED)
			conn_set_events(c);
	}
	if ((revents & EV_WRITE) && c->state != CONN_CLOSED && c->blocked) {
		c->blocked = false;
		conn_set_events(c);
		conn_move(c, &c->w->dirty);
	}
}

struct conn *
input_open(struct worker *w, int fd, const struct conn_ops *ops)
{
	struct conn *c = conn_new(w, ops);

	ev_io_init(&c->io, on_io, fd, EV_READ);
	ev_io_start(w->loop, &c->io);
	return c;
}

/* ---- pausing ---- */

void
input_pause(struct conn *c)
{
	if (c->paused || c->state >= CONN_FINISHING)
		return;
	c->paused = true;
	conn_set_events(c);
}

static void
go_on(struct conn *c)
{
	conn_set_events(c);
	if (c->in != NULL && !c->feeding && !conn_is_halted(c))
		feed_kept(c);
}

void
input_resume(struct conn *c)
{
	if (!c->paused || c->state == CONN_CLOSED)
		return;
	c->paused = false;
	go_on(c);
}

void
input_go(struct conn *c)
{
	if (!c->stopped || c->state == CONN_CLOSED)
		return;
	c->stopped = false;
	go_on(c);
}

/* ---- the next turn ---- */

bool
input_run(struct worker *w)
{
	struct input_queue *f = w->input;
	size_t n = f->n;
	struct conn *c;

	for (size_t i = 0; i < n; i++) {
		c = conn_find(w, f->sids[i]);
		if (c == NULL)
			continue;
		c->in_line = false;
		if (may_read(c))
			input_go(c);
	}
	f->n -= n;
	if (f->n > 0)
		memmove(f->sids, f->sids + n, f->n * sizeof(*f->sids));
	return f->n > 0;
}

void
input_clear(struct worker *w)
{
	free(w->input->sids);
	*w->input = (struct input_queue){ 0 };
}
