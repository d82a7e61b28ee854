/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_SHARED_IPC_IPC_TWO_H
#define TESTS_UNIT_SHARED_IPC_IPC_TWO_H

/* Shared by the tests of links with a ring: both ends, and what they say. */

#include "shared/base/base.h"
#include "tests/unit/shared/ipc/ipc_end.h"

/* The end that offers a ring, and the one that takes it. */
struct two {
	struct end a, b;
};

static inline void
ping(struct end *e, uint64_t id)
{
	struct msg_ping m = { .id = id };

	ipc_send_ping(&e->l, &m);
}

/* The ids of the pings that have come, in order: from 1 on. */
static inline void
expect_pings(const struct end *e, unsigned n)
{
	struct str s = buf_str(e->got);
	struct msg_ping m;

	assert_int_equal(e->ngot, n);
	for (unsigned i = 1; i <= n; i++) {
		assert_int_equal(
		    msg_ping_get(&m,
			str_make(s.p + IPC_HEAD, msg_ping_size(&m) - IPC_HEAD)),
		    0);
		assert_int_equal(m.id, i);
		s = str_from(s, msg_ping_size(&m));
	}
}

/* What the loop of a role does at the end of a turn. */
static inline void
turns(struct two *t, unsigned n)
{
	while (n-- > 0) {
		ipc_flush(&t->a.l);
		ipc_flush(&t->b.l);
		ipc_turn(&t->a.l, true);
		ipc_turn(&t->b.l, true);
		ev_run(loop, EVRUN_NOWAIT);
	}
}

static inline void
two_open(struct two *t)
{
	int fds[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	end_init(&t->a, fds[0], -1);
	end_init(&t->b, fds[1], -1);
	t->b.l.carrier.takes_ring = true;
}

/* Both have a ring. */
static inline void
two_with_ring(struct two *t)
{
	two_open(t);
	carrier_offer(&t->a.l.carrier);
	turns(t, 2);
	assert_non_null(t->b.l.carrier.ring);
}

static inline void
two_clear(struct two *t)
{
	end_clear(&t->a);
	end_clear(&t->b);
}

#endif
