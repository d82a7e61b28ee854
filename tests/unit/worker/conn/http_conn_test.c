/* SPDX-License-Identifier: MIT */
/* http_conn.c: what requests cost in one turn. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "tests/unit/worker/rig.h"
#include "worker/conn/http_conn.h"
#include "worker/conn/http_request.h"

#define MANY 60u
#define BODY 100000u

static unsigned requests;

static bool
is_upgrade(const struct http_head *head)
{
	return false;
}

static void
on_request(
    struct conn *c, const struct http_head *head, struct str body, bool granted)
{
	assert_int_equal(body.n, BODY);
	requests++;
	api_reply(c, 200, S("{}"));
}

static bool
is_good(struct conn *c, const struct http_head *head)
{
	return true;
}

static void
on_reply(struct conn *c, unsigned status, struct str json)
{
}

static void
on_drop(struct conn *c)
{
}

static const struct http_handler handler = { .is_upgrade = is_upgrade,
	.on_request = on_request,
	.on_head = is_good,
	.is_signed = is_good,
	.on_reply = on_reply,
	.on_drop = on_drop };

static unsigned
turn(struct rig *r)
{
	unsigned before = requests;

	ev_run(r->w.loop, EVRUN_NOWAIT);
	input_run(&r->w);
	return requests - before;
}

static void
many_large_requests_that_end_together_have_several_turns(void **state)
{
	static char body[BODY];
	struct conn *conns[MANY];
	int fds[2], ends[MANY];
	struct rig r;
	char head[80];
	unsigned n;

	rig_init(&r);
	r.w.http = &handler;
	r.conf.max_request_bytes = 2 * BODY;
	n = (unsigned)snprintf(head, sizeof(head),
	    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %u\r\n\r\n", BODY);
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		assert_int_equal(sock_set_nonblock(fds[1]), 0);
		ends[i] = fds[0];
		conns[i] = input_open(&r.w, fds[1], &http_ops);
		assert_int_equal(write(ends[i], head, n), n);
		assert_int_equal(write(ends[i], body, BODY - 1), BODY - 1);
	}
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(turn(&r), 0);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(write(ends[i], body, 1), 1);
	n = 2 * FLOW_TURN / (BODY / COST_BODY) + 2;
	for (unsigned i = 0; i < 100; i++)
		assert_in_range(turn(&r), 0, n);
	assert_int_equal(requests, MANY);
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
		    many_large_requests_that_end_together_have_several_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
