/* SPDX-License-Identifier: MIT */
/*
 * listener.c: accepts connections on this slot's sockets.  A bounded number in
 * a turn, so that a stampede does not starve the present clients.  Out of
 * descriptors: pauses, because a level-triggered loop would spin on a socket
 * that it cannot accept from.  The sockets are the master's, too; a worker
 * closes its copies when the configuration no longer has them, or when it
 * exits.  A client that comes when there is no room for it gets that of the
 * oldest connection that is idle: one without a request, or half a handshake.
 */

#include "worker/conn/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/ip.h"
#include "shared/net/listen_spec.h"
#include "shared/net/sock.h"
#include "shared/proc/proc.h"
#include "worker/app/stats.h"
#include "worker/conn/conn.h"
#include "worker/conn/http_conn.h"
#include "worker/conn/http_request.h"
#include "worker/conn/input.h"
#include "worker/conn/timeout.h"
#include "worker/conn/transport.h"
#include "worker/core/core.h"

#define ACCEPT_BUDGET 128    /* in one turn and listener */
#define CONN_BYTES 1024      /* that a connection costs, about */
#define PAUSE_SECONDS 0.1    /* when out of descriptors */
#define EVICT_SECONDS 1.     /* an idle connection stays so long */
#define EVICT_STEPS 1024     /* connections that are looked at in one turn */
#define LOG_SECONDS 60.      /* between two log lines about that */
#define NOTSENT_LOWAT 16384u /* bytes the kernel may hold back unsent */

/* May the peer name its client, like a proxy? */
static bool
is_trusted(const struct listener *l, const struct sock_addr *a)
{
	const struct conf *conf = l->w->conf;
	struct ip ip;

	if (l->local)
		return true; /* the mode of the socket decides who connects */
	return ip_of_sock(a, &ip) &&
	    ip_nets_have(conf->trusted, conf->ntrusted, &ip);
}

static void
welcome(struct listener *l, int fd, const struct sock_addr *a)
{
	struct worker *w = l->w;
	bool trusted = is_trusted(l, a);
	struct conn *c;

	if (l->proxy_protocol && !trusted) {
		log_debug("connection refused: the peer is not among "
			  "trusted_proxies");
		close(fd);
		return;
	}
	c = input_open(w, fd, &http_ops);
	w->stats->counts.accepted++;
	w->bytes_in += l->tls ? TLS_SHAKING_BYTES : CONN_BYTES;
	c->serves = l->serves;
	c->peer = trusted ? PEER_TRUSTED : PEER_NEW;
	conn_set_timeout(c, (uint32_t)w->conf->handshake_timeout);
	if (!l->tls && !l->proxy_protocol)
		return;
	c->transport = transport_new(fd);
	if (!transport_begin(w, c->transport, l->tls, l->proxy_protocol))
		conn_close(c);
}

static void
turn_on(struct worker *w)
{
	if (w->listeners->on)
		return;
	w->listeners->on = true;
	for (size_t i = 0; i < w->listeners->n; i++)
		ev_io_start(w->loop, &w->listeners->v[i]->io);
}

static void
turn_off(struct worker *w)
{
	if (!w->listeners->on)
		return;
	w->listeners->on = false;
	for (size_t i = 0; i < w->listeners->n; i++)
		ev_io_stop(w->loop, &w->listeners->v[i]->io);
}

/* ---- no room ---- */

/* Has it no request that is complete, and no answer to one? */
static bool
is_idle(const struct conn *c)
{
	return c->ops == &http_ops && c->state == CONN_OPEN &&
	    outq_is_empty(&c->out) &&
	    (c->http == NULL || c->http->state == API_IDLE ||
		c->http->state == API_HEAD);
}

/* Closes up to n of those that have had this time-out for long. */
static unsigned
evict_from(struct worker *w, uint64_t seconds, unsigned n)
{
	struct timeout *t = timeout_oldest(w, (uint32_t)seconds), *next;
	double since = worker_now() - EVICT_SECONDS;
	unsigned steps = EVICT_STEPS, closed = 0;
	struct conn *c;

	for (; t != NULL && closed < n && steps-- > 0; t = next) {
		if (timeout_started(t) > since)
			break;
		next = timeout_next(t);
		c = CONN_OF(t, timeout);
		if (!is_idle(c))
			continue;
		conn_close(c);
		closed++;
	}
	return closed;
}

/* Makes room for n clients at the cost of idle ones; false: for none. */
static bool
evict(struct worker *w, unsigned n)
{
	struct listeners *ls = w->listeners;
	double at = worker_now();
	unsigned closed = evict_from(w, w->conf->handshake_timeout, n);

	closed += evict_from(w, w->conf->keepalive_timeout, n - closed);
	ls->evicted += closed;
	if (closed == 0 || at < ls->logged_at + LOG_SECONDS)
		return closed > 0;
	log_warnx("no room for new clients (max_connections, memory_limit, "
		  "open files): %u connections without a request were closed "
		  "for them",
	    ls->evicted);
	ls->logged_at = at;
	ls->evicted = 0;
	return true;
}

/* Waits, because accept(2) fails and the socket stays readable. */
static void
pause_accept(struct worker *w)
{
	if (evict(w, ACCEPT_BUDGET))
		return;
	log_warn("accept paused");
	w->stats->counts.accept_pauses++;
	turn_off(w);
	ev_timer_set(&w->listeners->pause, PAUSE_SECONDS, 0.);
	ev_timer_start(w->loop, &w->listeners->pause);
}

static void
on_accept(struct ev_loop *loop, ev_io *io, int revents)
{
	struct listener *l = container_of(io, struct listener, io);
	struct worker *w = l->w;
	struct sock_addr a;
	int fd;

	for (int i = 0; i < ACCEPT_BUDGET; i++) {
		fd = sock_accept(io->fd, &a);
		if (fd != -1) {
			welcome(l, fd, &a);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM)
			pause_accept(w);
		break; /* EAGAIN, or a client that left already */
	}
	if (w->nconns > w->max_conns)
		evict(w, w->nconns - w->max_conns);
	else if (w->memory_full)
		evict(w, ACCEPT_BUDGET);
}

static void
on_pause_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct worker *w = timer->data;

	if (w->listeners->started)
		turn_on(w);
}

static struct listener *
make(struct worker *w, int fd, uint32_t id)
{
	struct listener *l = xcalloc(1, sizeof(*l));

	l->w = w;
	l->id = id;
	/* Accepted sockets inherit these: two system calls less. */
	sock_tune_client(fd, NOTSENT_LOWAT);
	ev_io_init(&l->io, on_accept, fd, EV_READ);
	return l;
}

/* The API is not on public listeners if it has one of its own. */
static uint8_t
serves(const struct conf *conf, const struct listen_spec *spec)
{
	switch (spec->role) {
	case LISTEN_API:
	case LISTEN_METRICS:
	case LISTEN_CONSOLE:
		return (uint8_t)spec->role;
	case LISTEN_ADMIN:
		return LISTEN_ADMIN | LISTEN_API | LISTEN_METRICS;
	case LISTEN_PUBLIC:
		break;
	}
	for (size_t i = 0; i < conf->nlisteners; i++)
		if (conf->listeners[i].role == LISTEN_API)
			return LISTEN_PUBLIC;
	return LISTEN_PUBLIC | LISTEN_API;
}

/* Takes the settings of the i-th listener. */
static void
describe(struct listener *l, size_t i)
{
	const struct conf *conf = l->w->conf;
	const struct listen_spec *spec = &conf->listeners[i];

	if (i >= conf->nlisteners) { /* the master counts otherwise */
		log_warnx(
		    "listener %zu is not in the configuration: it answers "
		    "nothing until the next reload",
		    i);
		l->serves = 0;
		return;
	}
	l->serves = serves(conf, spec);
	l->tls = spec->tls;
	l->proxy_protocol = spec->proxy_protocol;
	l->local = listen_spec_is_unix(spec);
}

void
listener_init(struct worker *w)
{
	const struct inherit *in = w->inherit;
	struct listeners *ls = w->listeners;

	ls->n = in->nlisten;
	ls->v = xcalloc(ls->n, sizeof(struct listener *));
	for (size_t i = 0; i < ls->n; i++) {
		ls->v[i] = make(w, in->listen_fds[i], in->listen_ids[i]);
		describe(ls->v[i], i);
	}
	ev_timer_init(&ls->pause, on_pause_over, 0., 0.);
	ls->pause.data = w;
}

/* Removes it from the list; NULL when there is none with this id. */
static struct listener *
take(struct listeners *ls, uint32_t id)
{
	struct listener *l;

	for (size_t i = 0; i < ls->n; i++) {
		l = ls->v[i];
		if (l->id != id)
			continue;
		ls->v[i] = ls->v[--ls->n];
		return l;
	}
	return NULL;
}

/* Clients in its queue connected before it was removed: accepts them. */
static void
give_up(struct worker *w, struct listener *l)
{
	if (ev_is_active(&l->io))
		on_accept(w->loop, &l->io, EV_READ);
	ev_io_stop(w->loop, &l->io);
	close(l->io.fd);
	free(l);
}

void
listener_replace(
    struct worker *w, const int *fds, const uint32_t *ids, size_t n)
{
	struct listeners *ls = w->listeners;
	struct listener **v = xcalloc(n, sizeof(struct listener *));

	for (size_t i = 0; i < n; i++) {
		v[i] = take(ls, ids[i]);
		if (v[i] != NULL) {
			close(fds[i]); /* of the same socket */
		} else {
			v[i] = make(w, fds[i], ids[i]);
			if (ls->on)
				ev_io_start(w->loop, &v[i]->io);
		}
		describe(v[i], i);
	}
	while (ls->n > 0)
		give_up(w, ls->v[--ls->n]);
	free(ls->v);
	ls->v = v;
	ls->n = n;
}

void
listener_start(struct worker *w)
{
	w->listeners->started = true;
	turn_on(w);
}

void
listener_stop(struct worker *w)
{
	w->listeners->started = false;
	turn_off(w);
}

void
listener_take_all(struct worker *w)
{
	for (size_t i = 0; w->listeners->on && i < w->listeners->n; i++)
		on_accept(w->loop, &w->listeners->v[i]->io, EV_READ);
}

void
listener_free(struct worker *w)
{
	listener_stop(w);
	ev_timer_stop(w->loop, &w->listeners->pause);
	for (size_t i = 0; i < w->listeners->n; i++)
		free(w->listeners->v[i]);
	free(w->listeners->v);
}
