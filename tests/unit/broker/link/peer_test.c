/* SPDX-License-Identifier: MIT */
/* peer.c, quota.c: links, and what ends them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/broker/links.h"

static void
connections_are_counted_and_limited(void **state)
{
	static const char *const settings[] = { "max_connections", "2", NULL };
	struct links *l = links_new(settings);
	struct msg_conn_ok ok;

	(void)state;
	SEND(l, 0, conn_open, .app = 1, .sid = 1, .ask = 1);
	EXPECT(l, 0, conn_ok, CONN_OK, &ok);
	assert_int_equal(ok.granted, 1);
	SEND(l, 1, conn_open, .app = 1, .sid = 2); /* only counted */
	expect_nothing(l, 1);
	SEND(l, 2, conn_open, .app = 1, .sid = 3, .ask = 1);
	EXPECT(l, 2, conn_ok, CONN_OK, &ok);
	assert_int_equal(ok.sid, 3);
	assert_int_equal(ok.granted, 0);
	SEND(l, 0, conn_close, .app = 1, .sid = 1);
	links_turn(l);
	SEND(l, 2, conn_open, .app = 1, .sid = 4, .ask = 1);
	EXPECT(l, 2, conn_ok, CONN_OK, &ok);
	assert_int_equal(ok.granted, 1);
	assert_int_equal(apps_find(&l->br, 1)->nconns, 2);
	links_kill(l, 1);
	assert_int_equal(apps_find(&l->br, 1)->nconns, 1);
	SEND(l, 2, conn_open, .app = 9, .sid = 5, .ask = 1);
	EXPECT(l, 2, conn_ok, CONN_OK, &ok);
	assert_int_equal(ok.granted, 0);
	links_free(l);
}

static void
nonsense_ends_the_link(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_signin_done in;

	(void)state;
	links_sub(l, 3, 1, "room", "");
	SEND(l, 3, signin, .app = 1, .sid = 1, .user_id = S("ada"));
	EXPECT(l, 3, signin_done, SIGNIN_DONE, &in);
	for (int i = 0; i < 9; i++) {
		switch (i) {
		case 0:
			SEND(l, 0, unsub, .app = 1, .channel = S("room"));
			break;
		case 1:
			SEND(l, 0, sub, .app = 1, .sid = 1);
			break;
		case 2:
			SEND(l, 0, sub, .app = 1, .sid = 1,
			    .channel = S("room"), .user_id = S("ada"));
			break;
		case 3:
			SEND(l, 0, sub, .app = 1, .sid = 1,
			    .channel = S("presence-room"));
			break;
		case 4:
			SEND(l, 0, event, .origin = 77, .seq = 1, .app = 1,
			    .channel = S("room"));
			break;
		case 5:
			SEND(l, 0, conn_close, .app = 1, .sid = 1);
			break;
		case 6:
			SEND(l, 0, signout, .app = 1, .sid = 1,
			    .user_id = S("ada"));
			break;
		case 7:
			SEND(l, 0, query, .app = 1, .kind = 99);
			break;
		default:
			SEND(l, 0, pong, .id = 1000);
			break;
		}
		if (!links_is_over(l, 0))
			fail_msg("case %d is believed", i);
		close(l->fd[0]);
		links_hello(l, 0, 100 + (uint64_t)i);
	}
	expect_nothing(l, 3);
	links_free(l);
}

static void
a_new_link_replaces_the_old_one(void **state)
{
	struct links *l = links_new(NULL);
	int old = l->fd[0];
	char byte;

	(void)state;
	links_sub(l, 0, 1, "room", "");
	links_hello(l, 0, 50);
	assert_int_equal(l->br.registry->nsubs[0], 0);
	links_turn(l);
	while (recv(old, &byte, 1, MSG_DONTWAIT) == 1)
		;
	assert_int_equal(recv(old, &byte, 1, MSG_DONTWAIT), 0);
	close(old);
	links_free(l);
}

/* The bytes that the kernel took from a dead worker were answered with 200. */
static void
a_replaced_link_is_read_to_its_end(void **state)
{
	struct links *l = links_new(NULL);
	int old = l->fd[0], fds[2];
	struct msg_event ev;

	(void)state;
	links_sub(l, 1, 1, "room", "");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(sock_set_nonblock(fds[0]), 0);
	peer_accept(&l->br, fds[0]);
	/* Both are readable in one turn; the new one was first. */
	l->fd[0] = fds[1];
	SEND(l, 0, hello, .version = IPC_VERSION,
	    .build = str_of(proc_build_id()), .slot = 0, .pid = 1,
	    .origin = 50);
	l->fd[0] = old;
	links_event(l, 0, "room", S("last words"), 0);
	EXPECT(l, 1, event, EVENT, &ev);
	assert_bytes(ev.frame, S("last words"));
	l->fd[0] = fds[1];
	assert_false(links_is_over(l, 0));
	close(old);
	links_free(l);
}

static void
other_messages_are_refused(void **state)
{
	struct links *l = links_new(NULL);
	int fds[2];
	char byte;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		sock_set_nonblock(fds[0]);
		peer_accept(&l->br, fds[0]);
		close(l->fd[0]);
		l->fd[0] = fds[1];
		if (i == 0)
			SEND(l, 0, ping, .id = 1); /* before HELLO */
		else
			SEND(l, 0, hello,
			    .version = i == 1 ? IPC_VERSION + 1 : IPC_VERSION,
			    .build = S("other"),
			    .slot = i == 2 ? proc_slot_room(LINKS) : 0,
			    .origin = 9);
		links_turn(l);
		assert_int_equal(recv(fds[1], &byte, 1, MSG_DONTWAIT), 0);
	}
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_are_counted_and_limited),
		cmocka_unit_test(nonsense_ends_the_link),
		cmocka_unit_test(a_new_link_replaces_the_old_one),
		cmocka_unit_test(a_replaced_link_is_read_to_its_end),
		cmocka_unit_test(other_messages_are_refused),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
