/* SPDX-License-Identifier: MIT */
/*
 * move.c: hands this slot over to another process (etc/doc/upgrade.md).  Its
 * clients and its link to the broker go there as they are, so that no client,
 * no other worker and no broker notices.
 *
 * The old process waits for the last confirmations of clients that it closes:
 * the new one would not know whom it has to close.  It waits, too, while
 * more output is on its way to its clients than may be handed over, as behind a
 * large event to many of them.  It serves them meanwhile.  Then it stops
 * reading its clients, sends their sockets, and waits until the broker has
 * answered everything.  Events are delivered meanwhile.  Then it writes all
 * down and sends it.  Until the new process has said that it understands all of
 * it, and COMMIT is sent, nothing is changed and the old one may go on.  From
 * then on it touches no client any more.  The new process touches none before.
 *
 * The worker in another slot, the receiver, has its own link: the broker puts a
 * mark into both (MERGE, broker/slot.c).  Events before it are delivered here,
 * those behind it there.  Before the mark this process may go on; from the mark
 * on it serves no client any more, and closes those that do not get to the
 * receiver.
 *
 * The old process waits for the new one here, at most SEND_SECONDS: the only
 * place where a worker waits, since nothing may happen meanwhile.
 */

#include "worker/admin/move.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/ipc/fdpass.h"
#include "shared/ipc/master_link.h"
#include "shared/proc/proc.h"
#include "worker/admin/conn_list.h"
#include "worker/admin/drain.h"
#include "worker/admin/stats_report.h"
#include "worker/api/retry.h"
#include "worker/client/client_memory.h"
#include "worker/client/closing.h"
#include "worker/conn/conn.h"
#include "worker/conn/http_request.h"
#include "worker/conn/input.h"
#include "worker/conn/listener.h"
#include "worker/conn/pump.h"
#include "worker/conn/timeout.h"
#include "worker/core/core.h"
#include "worker/link/link.h"
#include "worker/link/unacked.h"
#include "worker/session/session.h"

#define HELLO_SECONDS 4. /* for the new process, and clients that are late */
#define QUIET_SECONDS 2. /* for everything to be answered */
#define SEND_SECONDS 3.  /* for the hand-over itself */
#define RECORD_BYTES 256 /* of a connection, about */
/* Bytes of half messages and unread output: all wait while they go over. */
#define COPIES_MAX (32u << 20)

/* ---- the old process ---- */

static void
report(struct move *m, const struct msg_moved *moved)
{
	if (master_link_moved(m->w->master_link, moved) == -1)
		log_warn("move: cannot report to the master");
}

static void
hang_up(struct move *m)
{
	ev_io_stop(m->w->loop, &m->io);
	ev_timer_stop(m->w->loop, &m->late);
	if (m->fd != -1)
		close(m->fd);
	m->fd = -1;
	move_sockets_end(m);
	m->w->drain->held = m->wanted = false;
	m->asked = m->marked = m->expired = false;
}

static void
each_conn(struct worker *w, void (*fn)(struct conn *))
{
	struct hash_node *n;

	HASH_FOREACH(n, &w->conns) {
		struct conn *c = CONN_OF(n, node);

		if (c->state != CONN_CLOSED)
			fn(c);
	}
}

static void
resume(struct conn *c)
{
	c->sent_ahead = false;
	input_continue(c);
}

/* Nothing has happened: goes on. */
static void
give_up(struct move *m, const char *why)
{
	struct worker *w = m->w;
	struct msg_moved moved = { .id = m->id, .failed = str_of(why) };

	log_warnx("move: this worker keeps its clients: %s", why);
	report(m, &moved); /* before the new process ends */
	hang_up(m);
	pump_free(m->pump);
	m->pump = NULL;
	if (w->moving) {
		w->moving = false;
		xheap_init(); /* after xheap_prepare() */
		xtrim();
		listener_start(w);
		each_conn(w, resume);
	}
}

/* Behind the mark: no client of this process is served any more. */
static void
lose(struct move *m, const char *why)
{
	struct msg_moved moved = {
		.id = m->id, .closed = m->w->nconns, .failed = str_of(why)
	};

	log_warnx("move: %u clients are closed: %s", m->w->nconns, why);
	pump_free(m->pump);
	m->pump = NULL;
	m->over = true;
	hang_up(m);
	report(m, &moved);
	ev_break(m->w->loop, EVBREAK_ALL);
}

static bool
is_waiting(const struct conn *c)
{
	return c->unanswered > 0 || c->signins != NULL ||
	    c->admission == ADMISSION_PENDING || c->state == CONN_REFUSED ||
	    (c->state == CONN_OPEN && c->session.named && !c->greeted) ||
	    c->state == CONN_PARTING ||
	    (c->http != NULL && c->http->state >= API_RUNS &&
		c->http->state != API_CONSOLE);
}

/* Of connections: for how many of them is something on its way? */
static uint32_t
count_waiting(struct worker *w)
{
	struct hash_node *n;
	uint32_t waiting = 0;

	HASH_FOREACH(n, &w->conns)
		waiting += is_waiting(CONN_OF(n, node));
	return waiting;
}

static bool
is_quiet(struct worker *w)
{
	return link_is_up(w) && unacked_is_empty(w) &&
	    list_is_empty(&w->awaiting) && list_is_empty(&w->dirty) &&
	    list_is_empty(&w->slow) && list_is_empty(&w->closed) &&
	    list_is_empty(&w->conn_lists->all) && closing_is_over(w) &&
	    w->retries->n == 0 && count_waiting(w) == 0;
}

/* Is there nothing that it serves its clients for before it begins? */
static bool
may_begin(struct worker *w)
{
	return w->drain->on ||
	    (list_is_empty(&w->sessions->parting) && closing_is_over(w) &&
		client_memory_copies_fit(w, COPIES_MAX));
}

/* It would wait for long. */
static void
settle(struct conn *c)
{
	if (c->state == CONN_REFUSED || c->state == CONN_PARTING ||
	    c->state == CONN_LOST ||
	    (c->http != NULL && c->http->state == API_ASKS && c->http->waits))
		c->ops->on_timeout(c);
}

static void
set_late(struct move *m, double seconds)
{
	ev_timer_stop(m->w->loop, &m->late);
	ev_timer_set(&m->late, seconds, 0.);
	ev_timer_start(m->w->loop, &m->late);
}

static void
begin(struct move *m)
{
	struct worker *w = m->w;

	if (w->drain->on) {
		give_up(m, "it closes its clients");
		return;
	}
	if (m->receiver != MOVE_NEW)
		listener_take_all(w); /* nobody else will */
	w->moving = true;
	listener_stop(w);
	each_conn(w, settle);
	m->bulky = client_memory_bound_copies(w, COPIES_MAX);
	if (m->bulky > 0)
		log_info("move: unread output and half messages have more than "
			 "%u bytes: %u clients with most of it are closed",
		    COPIES_MAX, m->bulky);
	move_sockets_begin(m);
	xheap_prepare((size_t)w->nconns * RECORD_BYTES);
	log_debug("move: no client is read");
	set_late(m, QUIET_SECONDS);
}

static void
on_hello(struct move *m, struct str body)
{
	struct msg_move_hello h;
	char why[160];

	if (msg_move_hello_get(&h, body) == -1) {
		give_up(m, "the new process is not understood");
	} else if (h.state != STATE_VERSION || h.ipc != IPC_VERSION) {
		snprintf(why, sizeof(why),
		    "the new process reads state version %u and link version "
		    "%u, this one has %u and %u: restart instead",
		    h.state, h.ipc, (uint32_t)STATE_VERSION,
		    (uint32_t)IPC_VERSION);
		give_up(m, why);
	} else if (m->receiver != MOVE_NEW && h.room < m->w->nconns) {
		snprintf(why, sizeof(why),
		    "worker %u has room for %u connections, not for %u",
		    m->receiver, h.room, m->w->nconns);
		give_up(m, why);
	} else {
		m->w->drain->held = m->wanted = true;
		if (!list_is_empty(&m->w->sessions->parting))
			log_debug("move: waits for last confirmations");
	}
}

static void
on_word(struct ev_loop *loop, ev_io *io, int revents)
{
	struct move *m = container_of(io, struct move, io);
	char bytes[1024];
	struct str in;
	uint32_t type;
	int fds[FDPASS_FDS];
	size_t nfds;
	ssize_t n = fdpass_recv(io->fd, bytes, sizeof(bytes), fds, &nfds);

	while (nfds > 0)
		close(fds[--nfds]);
	if (n == -1 && errno == EAGAIN)
		return; /* more can be sent: move_turn() */
	in = str_make(bytes, n < 0 ? 0 : (size_t)n);
	if (m->marked)
		lose(m, "the other worker does not take them");
	else if (m->asked)
		m->expired = true; /* the broker has the last word */
	else if (n <= 0)
		give_up(m, "the new process has ended");
	else if (!move_datagram(in, &type) || type != IPC_MOVE_HELLO ||
	    m->wanted)
		give_up(m, "the new process is not understood");
	else
		on_hello(m, str_from(in, IPC_HEAD));
}

static void
on_late(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct move *m = container_of(timer, struct move, late);
	struct worker *w = m->w;
	char why[200];

	if (!m->wanted) {
		give_up(m, "the new process did not begin in time");
		return;
	}
	if (!w->moving) {
		begin(m); /* some have not answered, or not read */
		return;
	}
	if (m->marked) {
		lose(m, "the broker does not read");
		return;
	}
	if (m->asked) {
		m->expired = true; /* its answer will come */
		return;
	}
	if (m->ahead_at < m->nahead) {
		give_up(m, "the new process did not read in time");
		return;
	}
	snprintf(why, sizeof(why),
	    "after %.0f s %u connections still wait for an answer, and %llu "
	    "messages for the broker: try again",
	    QUIET_SECONDS, count_waiting(w),
	    (unsigned long long)(w->unacked->seq - w->unacked->acked));
	give_up(m, why);
}

void
move_out(void *worker, const struct msg_move_out *order, int fd)
{
	struct worker *w = worker;
	struct move *m = w->move;
	struct msg_moved busy = { .id = order->id,
		.failed = S("it is being replaced already") };

	if (m->fd != -1) {
		close(fd);
		report(m, &busy);
		return;
	}
	m->id = order->id;
	m->linger = order->linger;
	m->receiver = order->receiver;
	m->fd = fd;
	ev_io_init(&m->io, on_word, fd, EV_READ);
	ev_io_start(w->loop, &m->io);
	ev_timer_init(&m->late, on_late, HELLO_SECONDS, 0.);
	ev_timer_start(w->loop, &m->late);
}

/* ---- the mark ---- */

static void
ask(struct move *m)
{
	struct msg_merge merge = { .slot = m->w->inherit->slot,
		.receiver = m->receiver };

	m->asked = true;
	link_send_merge(m->w, &merge);
	link_flush(m->w);
	log_debug("move: nothing is on its way; waits for the mark");
}

int
move_on_merge(struct worker *w, const struct msg_merge *mark)
{
	struct move *m = w->move;

	if (mark->receiver == w->inherit->slot) {
		move_in_mark(w, mark->slot);
		return 0;
	}
	if (mark->slot != w->inherit->slot || !m->asked || m->marked)
		return -1;
	if (mark->receiver != UINT32_MAX) {
		/* Nothing follows; if the broker is dead, that is enough. */
		ipc_pause(&w->link->ipc);
		w->link->ipc.quiet = true;
		m->marked = true;
		m->marked_us = clock_us(CLOCK_MONOTONIC);
		set_late(m, SEND_SECONDS);
	} else if (m->expired) {
		give_up(
		    m, "the broker or the receiver is not ready: try again");
	} else {
		m->asked = false; /* asks again */
	}
	return 0;
}

/* ---- the hand-over ---- */

/* From here on the slot is the other one's.  False: it is not. */
static bool
commit(struct move *m)
{
	struct msg_move_commit c = { 0 };
	char bytes[32];

	msg_move_commit_put(bytes, &c);
	m->over = m->marked ||
	    fdpass_send(m->fd, bytes, msg_move_commit_size(&c), NULL, 0) == 0;
	return m->over;
}

static void
hand_over(struct move *m, uint64_t began_us)
{
	struct worker *w = m->w;
	uint64_t now = clock_us(CLOCK_MONOTONIC);
	uint64_t until_us = now + (uint64_t)(SEND_SECONDS * 1e6);
	struct move_image image;
	struct msg_moved moved = { .id = m->id };
	const char *why;
	char room[1024];

	stats_report(w);
	if (m->marked) {
		closing_finish(w, 0); /* ordered after the last look */
		link_flush(w);        /* nobody else does */
	}
	if (!link_is_open(w)) {
		(m->marked ? lose : give_up)(m, "the broker has ended");
		return;
	}
	m->pump = pump_new();
	why = move_save(w, &image);
	if (why == NULL)
		why = move_send(m, &image, until_us, room);
	if (why == NULL && !commit(m))
		why = "the new process has ended";
	moved.moved = image.conns;
	moved.lingering = image.lingering;
	moved.closed = w->nconns - image.conns + m->bulky;
	move_image_clear(&image);
	if (why != NULL) {
		(m->marked ? lose : give_up)(m, why);
		return;
	}
	link_let_go(w); /* at once: the other process reads and writes it */
	moved.pause_us = clock_us(CLOCK_MONOTONIC) - began_us;
	pump_take(m->pump);
	if (moved.lingering == 0) {
		pump_free(m->pump);
		m->pump = NULL;
	}
	log_info("move: %u connections handed over pause=%llu us", moved.moved,
	    (unsigned long long)moved.pause_us);
	hang_up(m);
	report(m, &moved);
	ev_break(w->loop, EVBREAK_ALL);
}

static void
listen_for(struct move *m, int events)
{
	if (m->io.events == events)
		return;
	ev_io_stop(m->w->loop, &m->io);
	ev_io_set(&m->io, m->fd, events);
	ev_io_start(m->w->loop, &m->io);
}

void
move_turn(struct worker *w)
{
	struct move *m = w->move;

	if (m->merges)
		move_in_turn(w);
	if (m->wanted && !w->moving && may_begin(w))
		begin(m);
	if (!w->moving || m->over)
		return;
	listen_for(m, move_sockets_more(m) ? EV_READ | EV_WRITE : EV_READ);
	if (m->ahead_at < m->nahead)
		return;
	if (m->asked && !link_is_open(w))
		(m->marked ? lose : give_up)(m, "the broker has ended");
	else if (m->marked && link_queued(w) == 0)
		hand_over(m, m->marked_us);
	else if (m->receiver != MOVE_NEW && !m->asked && is_quiet(w))
		ask(m);
	else if (m->receiver == MOVE_NEW && is_quiet(w))
		hand_over(m, clock_us(CLOCK_MONOTONIC));
}

static void
let_go(struct conn *c)
{
	c->close_recorded = true; /* it stays open */
	if (c->session.named)
		c->session.ended = true; /* its row is the other one's */
}

void
move_let_go(struct worker *w)
{
	link_let_go(w);
	each_conn(w, let_go);
}
