/* SPDX-License-Identifier: MIT */
/* peer.c, park.c, quota.c: links, and what ends them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "broker/channel/subscribe.h"
#include "broker/core/budget.h"
#include "tests/unit/broker/links.h"

/* Is anything held for an app? */
static bool
is_booked(struct links *l)
{
	uint32_t app;

	budget_set(l->br.budget, 64); /* a few bytes are much */
	return budget_payer(l->br.budget, &app);
}

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

static void
another_build_is_refused(void **state)
{
	struct links *l = links_new(NULL);
	int fds[2];
	char byte;

	(void)state;
	for (int i = 0; i < 4; i++) {
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
			    .build =
				i == 2 ? S("other") : str_of(proc_build_id()),
			    .slot = i == 3 ? proc_slot_room(LINKS) : 0,
			    .origin = 9);
		links_turn(l);
		assert_int_equal(recv(fds[1], &byte, 1, MSG_DONTWAIT), 0);
	}
	links_free(l);
}

/* One message in pieces, while the broker turns; nothing is read back. */
static void
push(struct links *l, unsigned slot, const struct msg_sub *m)
{
	size_t n = msg_sub_size(m), off = 0;
	char *p = xmalloc(n);

	msg_sub_put(p, m);
	while (off < n) {
		ssize_t r = send(l->fd[slot], p + off, n - off, MSG_DONTWAIT);

		if (r > 0)
			off += (size_t)r;
		else
			links_turn(l);
	}
	free(p);
}

/*
 * Each of many newcomers of one channel is owed a long list: more than may be
 * queued, but nobody is dropped for it and nothing is out of order.
 */
static void
long_answers_wait_for_room(void **state)
{
	enum { N = 1000 };
	static const char *const settings[] = { "max_presence_members", "9999",
		NULL };
	struct links *l = links_new(settings);
	struct msg_sub m = { .app = 1, .channel = S("presence-a") };
	struct msg_sub_done done;
	struct msg_pong pong;
	struct msg_member e;
	char id[16], info[300];

	(void)state;
	memset(info, '1', sizeof(info));
	m.user_info = str_make(info, sizeof(info));
	for (m.sid = 1; m.sid <= N; m.sid++) {
		snprintf(id, sizeof(id), "u%u", (unsigned)m.sid);
		m.user_id = str_of(id);
		push(l, 0, &m);
	}
	SEND(l, 0, ping, .id = 5);
	links_turn(l);
	assert_in_range(outq_bytes(&l->br.peers[0]->ipc.out), PEER_ROOM / 2,
	    PEER_ROOM + (1 << 20));
	assert_true(l->br.peers[0]->backlog.bytes > 0);
	for (uint64_t sid = 1; sid <= N; sid++) {
		EXPECT(l, 0, sub_done, SUB_DONE, &done);
		assert_int_equal(done.sid, sid);
		if (l->at[0] > 1 << 20) { /* forget what has been read */
			memmove(l->in[0]->data, l->in[0]->data + l->at[0],
			    l->in[0]->len - l->at[0]);
			l->in[0]->len -= l->at[0];
			l->at[0] = 0;
		}
		if (sid > 1) {
			EXPECT(l, 0, member, MEMBER, &e);
			assert_int_equal(e.except, sid);
		}
	}
	EXPECT(l, 0, pong, PONG, &pong);
	assert_int_equal(l->br.peers[0]->backlog.bytes, 0);
	expect_nothing(l, 0);
	links_free(l);
}

/* What still waits when the worker goes is forgotten. */
static void
a_link_ends_with_what_waits(void **state)
{
	static const char *const settings[] = { "max_presence_members", "9999",
		"max_presence_member_bytes", "1048576", NULL };
	struct links *l = links_new(settings);
	struct msg_sub m = { .app = 1, .channel = S("presence-a") };
	char id[16], *info = xmalloc(1 << 20);

	(void)state;
	memset(info, '1', 1 << 20);
	m.user_info = str_make(info, 1 << 20);
	for (m.sid = 1; m.sid <= 20; m.sid++) {
		snprintf(id, sizeof(id), "u%u", (unsigned)m.sid);
		m.user_id = str_of(id);
		push(l, 0, &m);
	}
	links_turn(l);
	assert_true(l->br.peers[0]->backlog.bytes > 0);
	links_kill(l, 0);
	assert_null(l->br.peers[0]);
	for (int i = 0; i < 10; i++)
		links_turn(l);
	assert_false(is_booked(l));
	free(info);
	links_free(l);
}

static void
s4_what_waits_is_booked(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_sub m = { .app = 1, .sid = 1, .channel = S("a") };

	(void)state;
	assert_false(is_booked(l));
	resync_begin(&l->br);
	resync_put_off(l->br.peers[1], subscribe_answer, &m, 1);
	assert_true(is_booked(l));
	resync_clear(&l->br);
	assert_false(is_booked(l));
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_are_counted_and_limited),
		cmocka_unit_test(nonsense_ends_the_link),
		cmocka_unit_test(a_new_link_replaces_the_old_one),
		cmocka_unit_test(another_build_is_refused),
		cmocka_unit_test(long_answers_wait_for_room),
		cmocka_unit_test(a_link_ends_with_what_waits),
		cmocka_unit_test(s4_what_waits_is_booked),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
