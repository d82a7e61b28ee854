/* SPDX-License-Identifier: MIT */
/*
 * move_in.c: takes the slot over from another process; see move.c.  Without
 * COMMIT this process ends and has touched nothing.
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/ipc/fdpass.h"
#include "shared/proc/proc.h"
#include "worker/admin/move.h"
#include "worker/core/core.h"

bool
move_datagram(struct str in, uint32_t *type)
{
	struct str body;

	return move_cut(&in, type, &body) && in.n == 0;
}

_Noreturn static void
leave(const char *why)
{
	log_warnx("move: the slot is not taken over: %s", why);
	exit(1);
}

static void
say(struct move *m, const char *bytes, size_t n)
{
	if (fdpass_send(m->fd, bytes, n, NULL, 0) == -1)
		leave("the other process has ended");
}

static void
say_hello(struct move *m)
{
	struct msg_move_hello h = { .state = STATE_VERSION,
		.ipc = IPC_VERSION,
		.build = str_of(proc_build_id()) };
	char bytes[512];

	msg_move_hello_put(bytes, &h);
	say(m, bytes, msg_move_hello_size(&h));
}

/* All is here. */
static void
load(struct move *m)
{
	const char *why = m->nfds != m->want_fds
	    ? "not all sockets have come"
	    : move_load(m->w, buf_str(m->image), m->fds, m->nfds);
	struct msg_move_ready r = { .failed = str_of(why == NULL ? "" : why) };
	char bytes[512];

	msg_move_ready_put(bytes, &r);
	say(m, bytes, msg_move_ready_size(&r));
	if (why != NULL)
		leave(why);
}

static void
start(struct move *m)
{
	struct worker *w = m->w;

	ev_io_stop(w->loop, &m->io);
	close(m->fd);
	m->fd = -1;
	move_start(w, buf_str(m->image), m->fds[0]);
	log_info("move: %u connections taken over", w->nconns);
	buf_unref(m->image);
	free(m->fds);
	m->image = NULL;
	m->fds = NULL;
}

static void
take_part(struct move *m, struct str bytes, const int *fds, size_t nfds)
{
	if (m->image->len + bytes.n > m->bytes || m->nfds + nfds > m->want_fds)
		leave("more has come than was said");
	memcpy(m->image->data + m->image->len, bytes.p, bytes.n);
	m->image->len += (uint32_t)bytes.n;
	if (nfds > 0)
		memcpy(m->fds + m->nfds, fds, nfds * sizeof(*fds));
	m->nfds += (uint32_t)nfds;
	if (m->image->len == m->bytes)
		load(m);
}

static void
take(struct move *m, struct str in, const int *fds, size_t nfds)
{
	struct msg_move_begin b;
	uint32_t type;

	if (m->image != NULL && m->image->len < m->bytes) {
		take_part(m, in, fds, nfds);
		return;
	}
	if (!move_datagram(in, &type) || nfds > 0)
		leave("the other process is not understood");
	in = str_from(in, IPC_HEAD);
	if (type == IPC_MOVE_COMMIT && m->image != NULL) {
		start(m);
	} else if (type == IPC_MOVE_BEGIN && m->image == NULL &&
	    msg_move_begin_get(&b, in) == 0 && b.bytes > 0 &&
	    b.bytes <= UINT32_MAX / 4 && b.fds > 0) {
		m->bytes = b.bytes;
		m->want_fds = b.fds;
		m->image = buf_new((size_t)b.bytes);
		m->fds = xcalloc(b.fds, sizeof(*m->fds));
	} else {
		leave("the other process is not understood");
	}
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
		if (n == -1 && errno == EAGAIN)
			return;
		if (n == -1 && errno == EMSGSIZE)
			leave("sockets are lost: too many open files");
		if (n <= 0)
			leave("the other process goes on, or has ended");
		take(m, str_make(m->w->recv, (size_t)n), fds, nfds);
	}
}

void
move_init(struct worker *w)
{
	struct move *m = w->move;

	m->w = w;
	m->fd = -1;
	if (w->inherit->move_fd == 0)
		return;
	m->fd = w->inherit->move_fd;
	ev_io_init(&m->io, on_io, m->fd, EV_READ);
	ev_io_start(w->loop, &m->io);
	say_hello(m);
}
