/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_SHARED_IPC_IPC_END_H
#define TESTS_UNIT_SHARED_IPC_IPC_END_H

/*
 * Shared by the tests of ipc.c: one end of a socket pair that writes down
 * all that happens to it, the other end bare, and messages to write there.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/ipc/ipc.h"

/* One end under test; `far` is the other, a bare descriptor, or -1. */
struct end {
	struct ipc l;
	int far;
	struct buf *got; /* every message as it came, one after the other */
	unsigned ngot, ndead, ndrained;
	const char *why;
	struct end *pass_to;
	unsigned close_at;  /* the handler closes at this message */
	unsigned refuse_at; /* the handler refuses it */
	unsigned quiet_at;  /* the handler pauses the link, which is quiet */
	bool rests;         /* after each message */
};

static struct ev_loop *loop;

static inline int
on_any(void *owner, const struct ipc_in *m)
{
	struct end *e = owner;

	assert_int_equal(m->len, m->body.n + IPC_HEAD);
	assert_ptr_equal(m->b->data + m->off + IPC_HEAD, m->body.p);
	e->ngot++;
	if (e->ngot == e->refuse_at)
		return -1;
	if (e->pass_to != NULL)
		ipc_pass(&e->pass_to->l, m);
	else
		buf_append(&e->got, str_make(m->b->data + m->off, m->len));
	if (e->ngot == e->close_at)
		ipc_close(&e->l);
	if (e->ngot == e->quiet_at) {
		ipc_pause(&e->l);
		e->l.quiet = true;
	}
	if (e->rests)
		ipc_rest(&e->l);
	return 0;
}

static inline void
on_dead(void *owner, const char *why)
{
	struct end *e = owner;

	e->ndead++;
	e->why = why;
}

static inline void
on_drained(void *owner)
{
	struct end *e = owner;

	e->ndrained++;
}

static const ipc_handler handlers[IPC_NTYPES] = {
	[IPC_PING] = on_any,
	[IPC_EVENT] = on_any,
	[IPC_SUB] = on_any,
	[IPC_RESYNC_DONE] = on_any,
	[IPC_APP_DEL] = on_any, /* that the peer must not send */
};
static const struct ipc_ops ops = { .peer = FROM_WORKER,
	.handlers = handlers,
	.on_dead = on_dead,
	.on_drained = on_drained };

static inline void
end_init(struct end *e, int fd, int far)
{
	*e = (struct end){ .far = far };
	ipc_init(&e->l, loop, fd, &ops, e);
}

static inline void
end_open(struct end *e)
{
	int fds[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	end_init(e, fds[0], fds[1]);
}

static inline void
end_clear(struct end *e)
{
	ipc_close(&e->l);
	ipc_close(&e->l); /* harmless */
	assert_false(ipc_is_open(&e->l));
	if (e->far != -1)
		close(e->far);
	buf_unref(e->got);
}

/* Turns the loop until nothing is left to do for certain. */
static inline void
turn(unsigned n)
{
	while (n-- > 0)
		ev_run(loop, EVRUN_NOWAIT);
}

static inline void
far_write(const struct end *e, struct str s)
{
	ssize_t n;

	if (s.n == 0)
		return;
	n = send(e->far, s.p, s.n, MSG_NOSIGNAL);
	assert_int_equal(n, s.n);
}

static inline void
put_ping(struct buf **b, uint64_t id)
{
	struct msg_ping m = { .id = id };

	msg_ping_put(buf_reserve(b, msg_ping_size(&m)), &m);
	(*b)->len += (uint32_t)msg_ping_size(&m);
}

static inline void
put_event(struct buf **b, uint64_t seq, struct str frame)
{
	struct msg_event m = {
		.origin = 1, .seq = seq, .channel = S("room"), .frame = frame
	};

	msg_event_put(buf_reserve(b, msg_event_size(&m)), &m);
	(*b)->len += (uint32_t)msg_event_size(&m);
}

/* A few messages of different shapes. */
static inline struct buf *
sample(void)
{
	struct msg_resync_done done = { 0 };
	struct buf *b = NULL;

	put_ping(&b, 1);
	put_event(&b, 1, S(""));
	msg_resync_done_put(
	    buf_reserve(&b, msg_resync_done_size(&done)), &done);
	b->len += (uint32_t)msg_resync_done_size(&done);
	put_event(&b, 2, S("{\"event\":\"x\",\"data\":\"\\u0000\"}"));
	put_ping(&b, UINT64_MAX);
	return b;
}

/* Reads all there is from the far end into *b, turning the loop. */
static inline void
far_read(const struct end *e, struct buf **b, size_t want)
{
	unsigned idle = 0;
	ssize_t n;

	while ((*b == NULL || (*b)->len < want) && idle < 1000) {
		n = recv(e->far, buf_reserve(b, 65536), 65536, MSG_DONTWAIT);
		if (n > 0)
			(*b)->len += (uint32_t)n;
		idle = n > 0 ? 0 : idle + 1;
		turn(1);
	}
	assert_int_equal(buf_str(*b).n, want);
}

#endif
