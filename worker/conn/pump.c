/* SPDX-License-Identifier: MIT */
/*
 * pump.c: carries bytes between TLS clients and the process that serves them.
 * Owns, from pump_take() on, the sockets and the SSL of these clients, and one
 * end of a pair of sockets for each.  Up to BUFFER_BYTES that one side does not
 * take are buffered, then the other side is not read.
 *
 * Must never look into the bytes.
 */

#include "worker/conn/pump.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/list.h"
#include "shared/base/log.h"
#include "shared/base/outq.h"
#include "shared/base/xmalloc.h"
#include "shared/proc/proc.h"
#include "worker/conn/conn.h"
#include "worker/conn/tls.h"
#include "worker/conn/transport.h"

#define BUFFER_BYTES (64u << 10)
#define TICK_SECONDS 0.5
#define LATE_TICKS 2

/* One client. */
struct pump_client {
	struct list link;
	struct pump *pump;
	struct conn *c; /* until pump_take() */
	SSL *ssl;
	int fd, plain, theirs;
	ev_io io, plain_io;
	struct outq out, in; /* for the client, and from it */
	bool ended;          /* it sends no more */
	bool end_sent;       /* the other process knows */
	bool over;           /* the other process sends no more */
	bool wants_write;    /* to read on */
	unsigned late;       /* ticks since it is over */
};

struct pump {
	struct list clients;
	struct ev_loop *loop;
	uint32_t n;
	ev_idle busy; /* active while the rest is there */
	ev_check turn;
	bool (*rest)(void *arg);
	void *arg;
};

struct pump *
pump_new(void)
{
	struct pump *p = xcalloc(1, sizeof(*p));

	list_init(&p->clients);
	return p;
}

int
pump_add(struct pump *p, struct conn *c)
{
	struct pump_client *s;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		pair) == -1)
		return -1;
	s = xcalloc(1, sizeof(*s));
	s->pump = p;
	s->c = c;
	s->fd = -1;
	s->plain = pair[0];
	s->theirs = pair[1];
	outq_init(&s->out);
	outq_init(&s->in);
	list_init(&s->link);
	list_append(&p->clients, &s->link);
	p->n++;
	return s->theirs;
}

static void
pump_client_free(struct pump_client *s)
{
	if (s->pump->loop != NULL) {
		ev_io_stop(s->pump->loop, &s->io);
		ev_io_stop(s->pump->loop, &s->plain_io);
	}
	SSL_free(s->ssl);
	if (s->fd != -1)
		close(s->fd);
	if (s->theirs != -1)
		close(s->theirs);
	close(s->plain);
	outq_clear(&s->out);
	outq_clear(&s->in);
	list_remove(&s->link);
	s->pump->n--;
	free(s);
}

void
pump_free(struct pump *p)
{
	if (p == NULL)
		return;
	while (!list_is_empty(&p->clients))
		pump_client_free(
		    LIST_ITEM(p->clients.next, struct pump_client, link));
	free(p);
}

static void
take(struct pump_client *s)
{
	struct conn *c = s->c;
	struct tls_conn *t = &c->transport->tls;

	s->c = NULL;
	s->ssl = t->ssl;
	s->wants_write = t->wants_write;
	t->ssl = NULL;
	s->fd = fcntl(c->io.fd, F_DUPFD_CLOEXEC, 3);
	close(s->theirs);
	s->theirs = -1;
	s->out = c->out;
	outq_init(&c->out);
	if (s->fd == -1 || SSL_set_fd(s->ssl, s->fd) != 1)
		pump_client_free(s);
}

void
pump_take(struct pump *p)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &p->clients)
		take(LIST_ITEM(e, struct pump_client, link));
}

/* ---- bytes ---- */

/* From the client; false: it is broken. */
static bool
read_client(struct pump_client *s)
{
	static char room[TLS_RECORD_BYTES];
	int n;

	s->wants_write = false;
	while (!s->ended && outq_bytes(&s->in) < BUFFER_BYTES) {
		ERR_clear_error();
		n = SSL_read(s->ssl, room, sizeof(room));
		if (n > 0) {
			outq_push_copy(&s->in, str_make(room, (size_t)n));
			continue;
		}
		switch (SSL_get_error(s->ssl, n)) {
		case SSL_ERROR_WANT_READ:
			return true;
		case SSL_ERROR_WANT_WRITE:
			s->wants_write = true;
			return true;
		case SSL_ERROR_ZERO_RETURN:
			s->ended = true;
			break;
		default:
			return false;
		}
	}
	return true;
}

/* To the client. */
static bool
write_client(struct pump_client *s)
{
	const struct slice *first;
	int n;

	while ((first = outq_front(&s->out)) != NULL) {
		ERR_clear_error();
		n = SSL_write(s->ssl, first->b->data + first->off,
		    (int)MIN(first->len, (uint32_t)TLS_RECORD_BYTES));
		if (n <= 0)
			return SSL_get_error(s->ssl, n) == SSL_ERROR_WANT_WRITE;
		outq_consume(&s->out, (size_t)n);
	}
	return true;
}

static bool
read_plain(struct pump_client *s)
{
	static char room[TLS_RECORD_BYTES];
	ssize_t n;

	while (!s->over && outq_bytes(&s->out) < BUFFER_BYTES) {
		n = recv(s->plain, room, sizeof(room), 0);
		if (n == -1)
			return errno == EAGAIN || errno == EINTR;
		if (n == 0)
			s->over = true;
		outq_push_copy(&s->out, str_make(room, (size_t)n));
	}
	return true;
}

static void
watch(struct ev_loop *loop, ev_io *io, int events)
{
	ev_io_stop(loop, io);
	if (events == 0)
		return;
	ev_io_set(io, io->fd, events);
	ev_io_start(loop, io);
}

/* All that can go on with this client now. */
static void
go_on(struct pump_client *s)
{
	struct ev_loop *loop = s->pump->loop;

	if (!read_client(s) || outq_send(&s->in, s->plain, SIZE_MAX) == -1 ||
	    !read_plain(s) || !write_client(s)) {
		pump_client_free(s);
		return;
	}
	if (s->over && outq_is_empty(&s->out)) {
		SSL_shutdown(s->ssl);
		pump_client_free(s);
		return;
	}
	if (s->ended && !s->end_sent && outq_is_empty(&s->in)) {
		s->end_sent = true;
		shutdown(s->plain, SHUT_WR);
	}
	watch(loop, &s->io,
	    (!s->ended && outq_bytes(&s->in) < BUFFER_BYTES ? EV_READ : 0) |
		(!outq_is_empty(&s->out) || s->wants_write ? EV_WRITE : 0));
	watch(loop, &s->plain_io,
	    (!s->over && outq_bytes(&s->out) < BUFFER_BYTES ? EV_READ : 0) |
		(outq_is_empty(&s->in) ? 0 : EV_WRITE));
}

static void
on_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct pump *p;
	struct pump_client *s = io->data;

	p = s->pump;
	go_on(s);
	if (p->n == 0)
		ev_break(loop, EVBREAK_ALL);
}

/* The last bytes do not wait for ever for a client that does not read. */
static void
on_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct pump *p = timer->data;
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &p->clients) {
		struct pump_client *s = LIST_ITEM(e, struct pump_client, link);

		if (s->over && s->late++ == LATE_TICKS)
			pump_client_free(s);
	}
	if (p->n == 0)
		ev_break(loop, EVBREAK_ALL);
}

static void
on_life(struct ev_loop *loop, ev_io *io, int revents)
{
	ev_break(loop, EVBREAK_ALL);
}

static void
on_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	ev_break(loop, EVBREAK_ALL);
}

static void
on_busy(struct ev_loop *loop, ev_idle *idle, int revents)
{
	/* keeps the loop from sleeping */
}

static void
on_turn(struct ev_loop *loop, ev_check *check, int revents)
{
	struct pump *p = check->data;

	if (p->rest(p->arg))
		return;
	ev_check_stop(loop, &p->turn);
	ev_idle_stop(loop, &p->busy);
	xtrim();
}

/* The rest goes little by little: its clients must not wait for that. */
static void
free_rest(struct pump *p, bool (*rest)(void *arg), void *arg)
{
	p->rest = rest;
	p->arg = arg;
	ev_idle_init(&p->busy, on_busy);
	ev_idle_start(p->loop, &p->busy);
	ev_check_init(&p->turn, on_turn);
	p->turn.data = p;
	ev_check_start(p->loop, &p->turn);
}

void
pump_run(struct pump *p, int life_fd, uint32_t seconds, bool (*rest)(void *arg),
    void *arg)
{
	struct list *e, *tmp;
	ev_timer over, tick;
	ev_io life;

	proc_signal(SIGTERM, SIG_DFL); /* the loop of before is gone */
	proc_signal(SIGQUIT, SIG_DFL);
	proc_title("pusherd: TLS of %u earlier clients", p->n);
	log_info(
	    "tls: serving %u clients for at most %u s more", p->n, seconds);
	if ((p->loop = ev_loop_new(EVFLAG_AUTO)) == NULL)
		fatalx("no event loop");
	ev_io_init(&life, on_life, life_fd, EV_READ);
	ev_io_start(p->loop, &life);
	ev_timer_init(&over, on_over, seconds, 0.);
	ev_timer_start(p->loop, &over);
	ev_timer_init(&tick, on_tick, TICK_SECONDS, TICK_SECONDS);
	tick.data = p;
	ev_timer_start(p->loop, &tick);
	free_rest(p, rest, arg);
	LIST_FOREACH_SAFE(e, tmp, &p->clients) {
		struct pump_client *s = LIST_ITEM(e, struct pump_client, link);

		ev_io_init(&s->io, on_io, s->fd, 0);
		ev_io_init(&s->plain_io, on_io, s->plain, 0);
		s->io.data = s->plain_io.data = s;
		go_on(s);
	}
	if (p->n > 0)
		ev_run(p->loop, 0);
	log_info("tls: exiting, %u clients are left", p->n);
	while (ev_is_active(&p->turn))
		on_turn(p->loop, &p->turn, 0);
	ev_io_stop(p->loop, &life);
	ev_timer_stop(p->loop, &over);
	ev_timer_stop(p->loop, &tick);
	while (!list_is_empty(&p->clients))
		pump_client_free(
		    LIST_ITEM(p->clients.next, struct pump_client, link));
	ev_loop_destroy(p->loop);
	free(p);
}
