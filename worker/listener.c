/* SPDX-License-Identifier: MIT */
/*
 * listener.c: accepts connections on this slot's sockets.  A bounded number
 * in a turn, so that a stampede does not starve the clients that are there.
 * Out of descriptors: pauses, because a level-triggered loop would spin on a
 * socket that it cannot accept from.  The sockets belong to the master; a
 * worker never closes them before it exits.
 */

#include "worker/listener.h"

#include <errno.h>

#include "shared/conf.h"
#include "shared/log.h"
#include "shared/proc.h"
#include "shared/sock.h"
#include "shared/xmalloc.h"
#include "worker/api.h"
#include "worker/conn.h"
#include "worker/worker.h"

#define ACCEPT_BUDGET 128    /* in one turn and listener */
#define PAUSE_SECONDS 0.1    /* when out of descriptors */
#define NOTSENT_LOWAT 16384u /* bytes the kernel may hold back unsent */

static void
on_accept(struct ev_loop *loop, ev_io *io, int revents)
{
	struct listener *l = container_of(io, struct listener, io);
	struct worker *w = l->w;
	struct conn *c;
	int fd;

	UNUSED(revents);
	for (int i = 0; i < ACCEPT_BUDGET; i++) {
		fd = sock_accept(io->fd, NULL);
		if (fd != -1) {
			c = conn_new(w, fd, &http_ops);
			c->metrics = l->metrics;
			w->stats.counts.accepted++;
			timeout_set(w, c, (uint32_t)w->conf->handshake_timeout);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			log_warn("accept paused");
			w->stats.counts.accept_pauses++;
			listener_stop(w);
			ev_timer_set(&w->listeners.pause, PAUSE_SECONDS, 0.);
			ev_timer_start(loop, &w->listeners.pause);
		}
		return; /* EAGAIN, or a client that left already */
	}
}

static void
on_pause_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct worker *w = container_of(timer, struct worker, listeners.pause);

	UNUSED(loop);
	UNUSED(revents);
	if (!w->draining)
		listener_start(w);
}

void
listener_init(struct worker *w)
{
	struct listeners *ls = &w->listeners;

	ls->n = w->inherit->nlisten;
	ls->v = xcalloc(ls->n, sizeof(*ls->v));
	for (size_t i = 0; i < ls->n; i++) {
		ls->v[i].w = w;
		/* What it accepts inherits these: two system calls less. */
		sock_tune_client(w->inherit->listen_fds[i], NOTSENT_LOWAT);
		ls->v[i].metrics = i >= ls->n - w->inherit->nmetrics;
		ev_io_init(&ls->v[i].io, on_accept, w->inherit->listen_fds[i],
		    EV_READ);
	}
	ev_timer_init(&ls->pause, on_pause_over, 0., 0.);
}

void
listener_start(struct worker *w)
{
	if (w->listeners.on)
		return;
	w->listeners.on = true;
	for (size_t i = 0; i < w->listeners.n; i++)
		ev_io_start(w->loop, &w->listeners.v[i].io);
}

void
listener_stop(struct worker *w)
{
	if (!w->listeners.on)
		return;
	w->listeners.on = false;
	for (size_t i = 0; i < w->listeners.n; i++)
		ev_io_stop(w->loop, &w->listeners.v[i].io);
}

void
listener_free(struct worker *w)
{
	listener_stop(w);
	ev_timer_stop(w->loop, &w->listeners.pause);
	free(w->listeners.v);
}
