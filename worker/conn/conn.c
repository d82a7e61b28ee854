/* SPDX-License-Identifier: MIT */
/*
 * conn.c: a client's socket.  Owns the descriptor, the bytes that were read
 * and not used, and the output queue.
 *
 * During a turn output is only queued; conn_flush_dirty() writes each client
 * once at its end.  A client whose socket is full waits for its write watcher;
 * one whose queue passes the limit is judged by slow.c.  Nothing is freed
 * before conn_reap().
 *
 * Must never know what the bytes mean: that is c->ops.
 */

#include "worker/conn/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/listen_spec.h"
#include "worker/app/apps.h"
#include "worker/app/stats.h"
#include "worker/conn/flow.h"
#include "worker/conn/slow.h"
#include "worker/conn/transport.h"
#include "worker/core/core.h"

#define FLUSH_SOCKETS 4096       /* written in one turn, at most */
#define FLUSH_BYTES (256u << 10) /* to one socket in one turn */
#define REAP_SOCKETS 1024        /* closed in one turn, at most */
#define FINISH_SECONDS 3         /* for the peer's FIN after ours */

static void
set_events(struct conn *c)
{
	int events =
	    (c->paused || c->stopped || c->ended || c->deaf ? 0 : EV_READ) |
	    (c->blocked || transport_wants_write(c->transport) ? EV_WRITE : 0);

	ev_io_stop(c->w->loop, &c->io);
	if (events == 0)
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

static bool
is_halted(const struct conn *c)
{
	return c->paused || c->stopped;
}

/* Feeds n bytes; returns how many need not be kept. */
static size_t
feed(struct conn *c, char *p, size_t n)
{
	unsigned times = 0;
	size_t used = 0, k;

	c->feeding = true;
	while (used < n && !c->closed && !is_halted(c) && !c->finishing) {
		k = c->ops->feed(c, p + used, n - used);
		if (k == 0)
			break;
		used += k;
		if (++times == FLOW_REQUESTS && used < n)
			flow_yield(c);
	}
	c->feeding = false;
	return c->closed || c->finishing ? n : used;
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
	c->ended = true; /* it would be read again and again */
	set_events(c);
	conn_finish(c);
}

void
conn_deafen(struct conn *c)
{
	c->deaf = true;
	set_events(c);
}

/* n bytes came behind our goodbye; false: that is enough of them. */
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
	if (c->closed)
		return;
	n = c->transport == NULL ? recv(c->io.fd, w->recv, WORKER_RECV_BYTES, 0)
				 : transport_recv(w, c->transport, &c->in,
				       w->recv, WORKER_RECV_BYTES);
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		if (transport_wants_write(c->transport))
			set_events(c);
		return;
	}
	if (n == -1)
		conn_close(c);
	else if (n == 0)
		on_eof(c);
	else if ((c->close_sent || c->finishing) && !hear_out(c, (size_t)n))
		return;
	else if (!c->finishing) {
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
		if (waited && !c->closed)
			set_events(c);
	}
	if ((revents & EV_WRITE) && !c->closed && c->blocked) {
		c->blocked = false;
		set_events(c);
		conn_move(c, &c->w->dirty);
	}
}

struct conn *
conn_new(struct worker *w, int fd, const struct conn_ops *ops)
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
	conn_name(c);
	ev_io_init(&c->io, on_io, fd, EV_READ);
	ev_io_start(w->loop, &c->io);
	return c;
}

void
conn_queue(struct conn *c, struct buf *b, uint32_t off, uint32_t len)
{
	assert(c->magic == MAGIC_CONN);
	if (c->closed || c->finishing || c->slow)
		return;
	outq_push(&c->out, b, off, len);
	/* What has no goodbye asked for it: one answer may be longer. */
	if (outq_bytes(&c->out) > c->w->conf->client_buffer + c->owed &&
	    c->ops->on_slow != NULL) {
		if (!c->over)
			conn_move(c, &c->w->slow);
		c->over = true;
	} else if (list_is_empty(&c->link)) {
		list_append(&c->w->dirty, &c->link);
		c->w->ndirty++;
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
conn_set_timeout(struct conn *c, uint32_t seconds)
{
	timeout_set(c->w, &c->timeout, c->closed ? 0 : seconds);
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
	if (c->closed)
		return;
	c->closed = true;
	ev_io_stop(c->w->loop, &c->io);
	timeout_clear(&c->timeout);
	conn_delist(c);
	conn_move(c, &c->w->closed);
	c->ops->on_close(c);
}

void
conn_finish(struct conn *c)
{
	if (c->closed || c->finishing)
		return;
	c->finishing = true;
	if (is_halted(c)) {
		c->paused = c->stopped = false;
		set_events(c);
	}
	conn_set_timeout(c, FINISH_SECONDS);
	if (list_is_empty(&c->link))
		list_append(&c->w->dirty, &c->link);
}

void
conn_pause(struct conn *c)
{
	if (c->paused || c->closed || c->finishing)
		return;
	c->paused = true;
	set_events(c);
}

static void
go_on(struct conn *c)
{
	set_events(c);
	if (c->in != NULL && !c->feeding && !is_halted(c))
		feed_kept(c);
}

void
conn_resume(struct conn *c)
{
	if (!c->paused || c->closed)
		return;
	c->paused = false;
	go_on(c);
}

void
conn_stop(struct conn *c)
{
	if (c->stopped || c->closed || c->finishing)
		return;
	c->stopped = true;
	set_events(c);
}

void
conn_go(struct conn *c)
{
	if (!c->stopped || c->closed)
		return;
	c->stopped = false;
	go_on(c);
}

/* Everything has left: says so, and listens for the peer's own end. */
static void
say_end(struct conn *c)
{
	shutdown(c->io.fd, SHUT_WR);
	if (!c->deaf || c->unheard > c->ops->unheard_max)
		return;
	c->deaf = false;
	set_events(c);
	conn_set_timeout(c, FINISH_SECONDS);
}

void
conn_flush(struct conn *c)
{
	struct worker *w = c->w;
	uint64_t before = c->out.out;
	size_t max = MIN(conn_may_write(c), (size_t)FLUSH_BYTES);
	int r;

	if (max == 0) {
		conn_hold(c);
		return;
	}
	r = c->transport == NULL
	    ? outq_send(&c->out, c->io.fd, max)
	    : transport_send(w, c->transport, &c->out, max);
	if (r == 1 && c->finishing && c->transport != NULL)
		r = transport_finish(c->transport);
	if (c->app != NULL)
		stats_of(c->app)->bytes_out += c->out.out - before;
	if (r == -1) {
		conn_close(c);
		return;
	}
	slow_written(c);
	if (r == 0 && conn_may_write(c) > 0) {
		if (!c->blocked || c->out.out != before)
			c->blocked_at = worker_now();
		c->blocked = true;
		conn_move(c, &w->blocked);
		set_events(c);
		return;
	}
	if (c->blocked) {
		c->blocked = false;
		set_events(c);
	}
	if (r == 0) {
		conn_hold(c);
		return;
	}
	list_remove(&c->link);
	if (c->ended)
		conn_close(c);
	else if (c->finishing)
		say_end(c);
}

bool
conn_flush_dirty(struct worker *w)
{
	unsigned budget = FLUSH_SOCKETS;

	slow_judge(w);
	while (!list_is_empty(&w->dirty)) {
		if (budget-- == 0)
			return true;
		conn_flush(CONN_OF(w->dirty.next, link));
	}
	return false;
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
		transport_free(w, c->transport);
		close(c->io.fd);
		outq_clear(&c->out);
		buf_unref(c->in);
		free(c->marks);
		client_app_unref(c->app);
		magic_poison(&c->magic);
		free(c);
	}
}
