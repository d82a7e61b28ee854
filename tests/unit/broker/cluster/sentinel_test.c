/* SPDX-License-Identifier: MIT */
/* sentinel_test.c: a Sentinel whose name has several addresses. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/cluster/sentinel.h"
#include "shared/net/sock.h"

#define ANSWER "*2\r\n$8\r\n10.0.0.7\r\n$4\r\n6379\r\n"

static char primary[64];
static unsigned nanswers;

static void
on_answer(void *owner, const char *host, int port, const char *why)
{
	(void)owner;
	(void)why;
	nanswers++;
	assert_non_null(host);
	snprintf(primary, sizeof(primary), "%s:%d", host, port);
}

/* Listens on a free port of this host. */
static int
listening(struct sock_addr *a)
{
	int fd;

	assert_int_equal(sock_addr_parse(S("127.0.0.1:0"), a), 0);
	fd = sock_listen_tcp(a);
	assert_true(fd != -1);
	a->len = sizeof(a->ss);
	assert_int_equal(
	    getsockname(fd, (struct sockaddr *)&a->ss, &a->len), 0);
	return fd;
}

static void
turn(struct ev_loop *loop, double seconds)
{
	ev_sleep(seconds);
	ev_run(loop, EVRUN_NOWAIT);
}

static void
the_next_address_is_tried(void **state)
{
	struct cluster_addr addr = { .master = "m", .nservers = 1 };
	struct cluster_secrets secrets = { 0 };
	struct sentinel s = { .loop = ev_default_loop(0),
		.addr = &addr,
		.secrets = &secrets,
		.found = on_answer };
	struct sock_addr v[2];
	int refused = listening(&v[0]), fd = listening(&v[1]), c = -1;
	char bytes[256];

	(void)state;
	close(refused);
	sentinel_init(&s);
	s.busy = true; /* as after sentinel_ask(): its name is looked up */
	s.lookup.found(s.lookup.owner, v, 2, "");
	for (int i = 0; i < 5000 && nanswers == 0; i++) {
		turn(s.loop, 0.001);
		if (c == -1)
			c = sock_accept(fd, NULL);
		else if (recv(c, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
			assert_int_equal(
			    send(c, ANSWER, strlen(ANSWER), 0), strlen(ANSWER));
	}
	assert_int_equal(nanswers, 1);
	assert_string_equal(primary, "10.0.0.7:6379");
	sentinel_stop(&s);
	close(c);
	close(fd);
	ev_loop_destroy(s.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_address_is_tried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
