/* SPDX-License-Identifier: MIT */
/*
 * move_in.c: takes the slot over from another process; see move.c.  Without
 * COMMIT this process ends and has touched nothing.
 *
 * A receiver takes them into a slot that has clients already.  It does not read
 * its link behind the mark before it has them, or knows that they will not
 * come: then it tells the broker, and goes on.
 */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/ipc/fdpass.h"
#include "shared/proc/proc.h"
#include "worker/admin/drain.h"
#include "worker/admin/move.h"
#include "worker/core/core.h"
#include "worker/link/link.h"

#define MARKED_SECONDS 3. /* for a receiver to get the clients */
#define HEAP_MAX (256u << 20)

bool
move_datagram(struct str in, uint32_t *type)
{
	struct str body;

	return move_cut(&in, type, &body) && in.n == 0;
}

/* Nothing of the other process is left here. */
static void
forget(struct move *m)
{
	ev_io_stop(m->w->loop, &m->io);
	ev_timer_stop(m->w->loop, &m->late);
	if (m->fd != -1)
		close(m->fd);
	m->fd = -1;
	buf_unref(m->image);
	m->image = NULL;
	move_sockets_close(m);
	move_load_free(m->load);
	m->load = NULL;
	xheap_init(); /* after prepare_heap() */
	m->merges = m->marked = false;
}

static void
say(struct move *m, const char *bytes, size_t n)
{
	if (fdpass_send(m->fd, bytes, n, NULL, 0) == -1 && !m->merges) {
		log_warnx("move: the slot is not taken over: the other process "
			  "has ended");
		exit(1);
	}
}

static void
say_hello(struct move *m)
{
	const struct worker *w = m->w;
	struct msg_move_hello h = { .state = STATE_VERSION,
		.ipc = IPC_VERSION,
		.room = w->max_conns - MIN(w->max_conns, w->nconns),
		.build = str_of(proc_build_id()) };
	char bytes[512];

	msg_move_hello_put(bytes, &h);
	say(m, bytes, msg_move_hello_size(&h));
}

static void
say_ready(struct move *m, const char *failed)
{
	struct msg_move_ready r = { .failed = str_of(failed) };
	char bytes[512];

	msg_move_ready_put(bytes, &r);
	say(m, bytes, msg_move_ready_size(&r));
}

static void
say_merged(struct worker *w, bool taken)
{
	struct msg_merged m = { .taken = taken };

	link_send_merged(w, &m);
	w->link->ipc.quiet = false;
	ipc_resume(&w->link->ipc);
}

/* A new process ends; a receiver goes on with its own clients. */
static void
leave(struct move *m, const char *why)
{
	struct worker *w = m->w;
	bool marked = m->marked;

	log_warnx("move: the slot is not taken over: %s", why);
	if (!m->merges)
		exit(1);
	forget(m);
	if (marked)
		say_merged(w, false);
}

static bool
is_complete(const struct move *m)
{
	return m->image != NULL && m->missing == 0;
}

/*
 * A malformed image comes from another version, or from a mistake in this one:
 * there is no way back from half of it.
 */
static void
load(struct move *m)
{
	struct str rest = str_make(m->image->data, m->image->len);
	const char *why;

	if (m->load == NULL)
		m->load = move_load_new(m->w, m->conns);
	why = move_load_more(m->load, &rest, is_complete(m));
	memmove(m->image->data, rest.p, rest.n);
	m->image->len = (uint32_t)rest.n;
	if (why == NULL)
		return;
	say_ready(m, why);
	log_warnx("move: the slot is not taken over: %s", why);
	exit(1);
}

static void
start(struct move *m)
{
	struct worker *w = m->w;
	struct memring *ring;
	struct str link;
	int fd = move_load_link(m->load, &link, &ring);

	move_adopt_link(w, link, fd, ring);
	move_load_start(m->load);
	log_info("move: %u connections taken over", w->nconns);
	forget(m);
}

/* The mark has come, and all that belongs to it. */
static void
merge(struct move *m)
{
	struct worker *w = m->w;
	uint32_t n;

	load(m);
	say_merged(w, true);
	n = move_load_start(m->load);
	say_ready(m, "");
	log_info("move: %u connections taken over", n);
	forget(m);
}

/* A receiver begins at the mark: events before it are the other one's. */
static void
take_part(struct move *m, struct str bytes)
{
	if (bytes.n > m->missing) {
		leave(m, "more bytes have come than were announced");
		return;
	}
	buf_append(&m->image, bytes);
	m->missing -= bytes.n;
	if (m->merges && m->marked && is_complete(m)) {
		merge(m);
	} else if (!m->merges) {
		load(m);
		if (is_complete(m))
			say_ready(m, "");
	}
}

/*
 * A new process will have allocated as much as the old one: the first touch of
 * a page takes longer than to make a connection in it.
 */
static void
prepare_heap(const struct move *m, uint64_t heap)
{
	size_t used = xheap_used();

	if (!m->merges && m->nsockets == 0 && heap > used)
		xheap_prepare(MIN(heap - used, HEAP_MAX));
}

/* The descriptors are taken, or closed. */
static bool
take_sockets(struct move *m, struct str in, const int *fds, size_t nfds)
{
	struct msg_move_sockets s;
	uint32_t type;

	if (m->image == NULL && move_datagram(in, &type) &&
	    type == IPC_MOVE_SOCKETS &&
	    msg_move_sockets_get(&s, str_from(in, IPC_HEAD)) == 0) {
		prepare_heap(m, s.heap);
		return move_sockets_take(m, s.numbers, fds, nfds);
	}
	while (nfds > 0)
		close(fds[--nfds]);
	return false;
}

static bool
take_begin(struct move *m, struct str body)
{
	struct msg_move_begin b;

	if (msg_move_begin_get(&b, body) == -1 || b.bytes == 0 ||
	    b.bytes > UINT32_MAX / 4 || b.conns > b.bytes / IPC_HEAD)
		return false;
	m->missing = b.bytes;
	m->conns = b.conns;
	m->image = buf_new(m->merges ? (size_t)b.bytes : 0);
	return true;
}

static bool
take_message(struct move *m, struct str in)
{
	uint32_t type;

	if (!move_datagram(in, &type))
		return false;
	in = str_from(in, IPC_HEAD);
	if (type == IPC_MOVE_BEGIN && m->image == NULL)
		return take_begin(m, in);
	if (type != IPC_MOVE_COMMIT || m->image == NULL || m->merges)
		return false;
	start(m);
	return true;
}

static void
take(struct move *m, struct str in, const int *fds, size_t nfds)
{
	bool taken = true;

	if (nfds > 0)
		taken = take_sockets(m, in, fds, nfds);
	else if (m->image != NULL && !is_complete(m))
		take_part(m, in);
	else
		taken = take_message(m, in);
	if (!taken)
		leave(m, "the other process is not understood");
}

/*
 * A new process that has begun to read waits for the rest, and for COMMIT,
 * here: in a turn of the loop its timers would write to the clients.
 */
static bool
may_wait(const struct move *m)
{
	struct pollfd p = { m->fd, POLLIN, 0 };

	if (m->merges || m->image == NULL)
		return false;
	poll(&p, 1, -1); /* the other process ends, or goes on, in time */
	return true;
}

static void
on_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct move *m = container_of(io, struct move, io);
	int fds[FDPASS_FDS];
	size_t nfds;
	ssize_t n;

	while (m->fd != -1) {
		n = fdpass_recv(
		    m->fd, m->w->recv, WORKER_RECV_BYTES, fds, &nfds);
		if (n == -1 && errno == EAGAIN && may_wait(m))
			continue;
		if (n == -1 && errno == EAGAIN)
			return;
		if (n == -1 && errno == EMFILE)
			leave(m, "sockets are lost: too many open files");
		else if (n > 0)
			take(m, str_make(m->w->recv, (size_t)n), fds, nfds);
		else if (m->merges && is_complete(m))
			ev_io_stop(loop, io); /* the mark will come */
		else
			leave(m, "the other process goes on, or has ended");
		if (!ev_is_active(io))
			return;
	}
}

static void
begin(struct move *m, int fd)
{
	m->fd = fd;
	ev_io_init(&m->io, on_io, fd, EV_READ);
	ev_io_start(m->w->loop, &m->io);
	say_hello(m);
}

void
move_init(struct worker *w)
{
	struct move *m = w->move;

	m->w = w;
	m->fd = -1;
	if (w->inherit->move_fd != 0)
		begin(m, w->inherit->move_fd);
}

/* ---- the receiver ---- */

static void
on_late(struct ev_loop *loop, ev_timer *timer, int revents)
{
	leave(container_of(timer, struct move, late),
	    "it did not send its clients in time");
}

void
move_in(void *worker, const struct msg_move_in *order, int fd)
{
	struct worker *w = worker;
	struct move *m = w->move;

	if (m->fd != -1 || m->over || w->draining || w->drain->on) {
		close(fd); /* which tells it */
		return;
	}
	m->merges = true;
	m->from = order->slot;
	ev_timer_init(&m->late, on_late, MARKED_SECONDS, 0.);
	begin(m, fd);
}

void
move_in_mark(struct worker *w, uint32_t slot)
{
	struct move *m = w->move;

	ipc_pause(&w->link->ipc);
	w->link->ipc.quiet = true;           /* else it would end unread */
	if (!m->merges || m->from != slot) { /* that one has been given up */
		say_merged(w, false);
		return;
	}
	m->marked = true;
	log_debug("move: the mark has come");
	ev_timer_start(w->loop, &m->late);
	if (is_complete(m))
		merge(m);
}

void
move_in_turn(struct worker *w)
{
	struct move *m = w->move;

	if (m->marked || link_is_open(w))
		return;
	leave(m, "the broker has ended");
}
