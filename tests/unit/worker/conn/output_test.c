/* SPDX-License-Identifier: MIT */
/*
 * Many connections with much output: what is written in one turn, and that
 * the last of them does not wait for the first.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/worker/rig.h"

#define MANY 300u
#define BYTES (200u << 10) /* for each, below client_buffer */

static size_t
feed(struct conn *c, char *bytes, size_t n)
{
	return n;
}

static void
on_close(struct conn *c)
{
}

static const struct conn_ops ops = { .feed = feed, .on_close = on_close };

static void
s2_a_turn_writes_so_much_and_the_last_gets_its_share(void **state)
{
	const size_t most = 8u << 20;
	struct buf *b = buf_new(BYTES);
	struct conn *conns[MANY];
	size_t written = 0, all = 0;
	unsigned turns = 0;
	int ends[MANY], fds[2], size = 1 << 20;
	static char room[BYTES];
	struct rig r;
	bool left;

	memset(b->data, 'x', BYTES);
	b->len = BYTES;
	rig_init(&r);
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		assert_int_equal(sock_set_nonblock(fds[1]), 0);
		setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		ends[i] = fds[0];
		conns[i] = input_open(&r.w, fds[1], &ops);
		conn_queue(conns[i], b, 0, BYTES);
	}
	buf_unref(b);
	do {
		left = output_flush(&r.w);
		assert_in_range(r.w.flushed, 1, 2 * most);
		if (turns++ == 0) {
			assert_in_range(r.w.flushed, 1, most + (1 << 20));
			assert_in_range(conns[MANY - 1]->out.out, 1, BYTES);
		}
		for (unsigned i = 0; i < MANY; i++)
			while (recv(ends[i], room, BYTES, MSG_DONTWAIT) > 0)
				;
		ev_run(r.w.loop, EVRUN_NOWAIT); /* sockets take more */
		written += r.w.flushed;
		all = 0;
		for (unsigned i = 0; i < MANY; i++)
			all += conns[i]->out.out;
	} while (left || all < (size_t)MANY * BYTES);
	assert_int_equal(written, all);
	assert_true(turns > 3);
	for (unsigned i = 0; i < MANY; i++) {
		conn_close(conns[i]);
		close(ends[i]);
	}
	conn_reap(&r.w);
	rig_clear(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    s2_a_turn_writes_so_much_and_the_last_gets_its_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
