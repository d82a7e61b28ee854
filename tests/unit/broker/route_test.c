/* SPDX-License-Identifier: MIT */
/* route.c, subscribe.c, peer.c: events, confirmations, acknowledgements. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/broker/links.h"

#define SUBSCRIBED(channel, data) \
	"{\"event\":\"pusher_internal:subscription_succeeded\"," \
	"\"channel\":\"" channel "\",\"data\":\"" data "\"}"

#define ADDED(user, info) \
	"{\"event\":\"pusher_internal:member_added\",\"channel\":" \
	"\"presence-a\",\"data\":\"{\\\"user_id\\\":\\\"" user "\\\"," \
	"\\\"user_info\\\":" info "}\"}"
#define REMOVED(user) \
	"{\"event\":\"pusher_internal:member_removed\",\"channel\":" \
	"\"presence-a\",\"data\":\"{\\\"user_id\\\":\\\"" user "\\\"}\"}"

static void
events_reach_the_workers_with_subscribers(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_event m;

	(void)state;
	links_sub(l, 1, 11, "room", "");
	links_sub(l, 3, 33, "room", "");
	links_event(l, 0, "room", S("frame"), 0);
	links_event(l, 1, "other", S("frame"), 0);
	for (unsigned i = 1; i < LINKS; i += 2) {
		EXPECT(l, i, event, EVENT, &m);
		assert_int_equal(m.origin, 1);
		assert_int_equal(m.seq, 1);
		assert_bytes(m.channel, S("room"));
		assert_bytes(m.frame, S("frame"));
	}
	for (unsigned i = 0; i < LINKS; i++)
		expect_nothing(l, i);
	SEND(l, 3, unsub, .app = 1, .sid = 33, .channel = S("room"));
	links_event(l, 3, "room", S("two"), 0);
	EXPECT(l, 1, event, EVENT, &m);
	expect_nothing(l, 3);
	assert_int_equal(l->br.nevents, 3);
	links_free(l);
}

static void
a_confirmation_precedes_later_events(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_sub_done done;
	struct msg_event m;

	(void)state;
	SEND(l, 0, sub, .app = 1, .sid = 5, .ref = 9, .channel = S("room"));
	links_event(l, 0, "room", S("frame"), 0);
	EXPECT(l, 0, sub_done, SUB_DONE, &done);
	assert_int_equal(done.sid, 5);
	assert_int_equal(done.ref, 9);
	assert_int_equal(done.status, 0);
	assert_true(done.stamp > 0);
	assert_frames(done.frames, SUBSCRIBED("room", "{}"));
	EXPECT(l, 0, event, EVENT, &m);
	links_free(l);
}

static void
members_come_and_go(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_sub_done done;
	struct msg_event m;

	(void)state;
	links_sub(l, 0, 1, "presence-a", "ada");
	SEND(l, 1, sub, .app = 1, .sid = 2, .channel = S("presence-a"),
	    .user_id = S("bob"), .user_info = S("{\"n\":1}"));
	EXPECT(l, 1, sub_done, SUB_DONE, &done);
	assert_frames(done.frames,
	    SUBSCRIBED("presence-a",
		"{\\\"presence\\\":{\\\"ids\\\":[\\\"ada\\\",\\\"bob\\\"],"
		"\\\"hash\\\":{\\\"ada\\\":null,\\\"bob\\\":{\\\"n\\\":1}},"
		"\\\"count\\\":2}}"));
	expect_nothing(l, 1); /* nobody else is there */
	EXPECT(l, 0, event, EVENT, &m);
	assert_int_equal(m.origin, 0);
	assert_int_equal(m.except, 2);
	assert_frames(m.frame, ADDED("bob", "{\\\"n\\\":1}"));
	/* on the joiner's worker behind the confirmation, if anyone is there */
	links_sub(l, 0, 4, "presence-a", "cleo");
	EXPECT(l, 0, event, EVENT, &m);
	assert_frames(m.frame, ADDED("cleo", "null"));
	EXPECT(l, 1, event, EVENT, &m);
	links_sub(l, 2, 3, "presence-a", "bob"); /* once more: no event */
	expect_nothing(l, 0);
	SEND(l, 1, unsub, .app = 1, .sid = 2, .channel = S("presence-a"),
	    .user_id = S("bob"));
	expect_nothing(l, 0);
	SEND(l, 2, unsub, .app = 1, .sid = 3, .channel = S("presence-a"),
	    .user_id = S("bob"));
	EXPECT(l, 0, event, EVENT, &m);
	assert_frames(m.frame, REMOVED("bob"));
	expect_nothing(l, 1);
	expect_nothing(l, 2);
	links_free(l);
}

static void
a_full_channel_refuses_and_forgets(void **state)
{
	static const char *const settings[] = { "max_presence_members", "1",
		NULL };
	struct links *l = links_new(settings);
	struct msg_sub_done done;

	(void)state;
	links_sub(l, 0, 1, "presence-a", "ada");
	SEND(l, 1, sub, .app = 1, .sid = 2, .channel = S("presence-a"),
	    .user_id = S("bob"));
	links_turn(l);
	/* he leaves before he knows; then a place is free */
	SEND(l, 0, unsub, .app = 1, .sid = 1, .channel = S("presence-a"),
	    .user_id = S("ada"));
	EXPECT(l, 1, sub_done, SUB_DONE, &done);
	assert_int_equal(done.status, 413);
	assert_frames(done.frames,
	    "{\"event\":\"pusher:subscription_error\",\"channel\":"
	    "\"presence-a\",\"data\":\"{\\\"type\\\":\\\"LimitReached\\\","
	    "\\\"error\\\":\\\"channel has 1 members, the limit of "
	    "max_presence_members\\\",\\\"status\\\":413}\"} "
	    "{\"event\":\"pusher:error\",\"data\":{\"code\":null,\"message\":"
	    "\"Subscription to presence-a failed: channel has 1 members, the "
	    "limit of max_presence_members\"}}");
	links_turn(l);
	links_sub(l, 1, 3, "presence-a", "bob");
	SEND(l, 1, unsub, .app = 1, .sid = 2, .channel = S("presence-a"),
	    .user_id = S("bob")); /* of the refused one: means nothing */
	links_turn(l);
	assert_int_equal(l->br.registry.nsubs[1], 1);
	expect_nothing(l, 1);
	SEND(l, 1, unsub, .app = 1, .sid = 3, .channel = S("presence-a"),
	    .user_id = S("bob"));
	links_turn(l);
	assert_int_equal(l->br.registry.channels.n, 0);
	assert_false(links_is_over(l, 1));
	links_free(l);
}

static void
asking_again_has_no_effects(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_sub_done done;

	(void)state;
	links_sub(l, 0, 1, "presence-cache-a", "ada");
	SEND(l, 0, sub_again, .app = 1, .sid = 1, .ref = 7, .stamp = 3,
	    .channel = S("presence-cache-a"));
	EXPECT(l, 0, sub_done, SUB_DONE, &done);
	assert_int_equal(done.ref, 7);
	assert_int_equal(done.stamp, 3);
	assert_frames(done.frames,
	    SUBSCRIBED("presence-cache-a",
		"{\\\"presence\\\":{\\\"ids\\\":[\\\"ada\\\"],\\\"hash\\\":{"
		"\\\"ada\\\":null},\\\"count\\\":1}}"));
	expect_nothing(l, 0);
	links_free(l);
}

static void
a_dead_worker_takes_its_members_along(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_event m;

	(void)state;
	links_sub(l, 0, 1, "presence-a", "ada");
	links_sub(l, 1, 2, "presence-a", "bob");
	EXPECT(l, 0, event, EVENT, &m);
	links_sub(l, 1, 3, "presence-a", "ada");
	links_kill(l, 1);
	assert_int_equal(l->br.registry.nsubs[1], 0);
	EXPECT(l, 0, event, EVENT, &m);
	assert_frames(m.frame, REMOVED("bob"));
	expect_nothing(l, 0);
	links_free(l);
}

static void
members_have_time_to_come_back(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_event m;

	(void)state;
	l->conf.crash_grace = 1;
	links_sub(l, 0, 1, "presence-a", "ada");
	links_sub(l, 1, 2, "presence-a", "bob");
	EXPECT(l, 0, event, EVENT, &m);
	links_sub(l, 1, 3, "presence-a", "cleo");
	EXPECT(l, 0, event, EVENT, &m);
	links_kill(l, 1);
	expect_nothing(l, 0);
	links_sub(l, 2, 4, "presence-a", "bob");
	expect_nothing(l, 0);
	links_wait(l, 1.1);
	EXPECT(l, 0, event, EVENT, &m); /* cleo alone */
	assert_frames(m.frame, REMOVED("cleo"));
	expect_nothing(l, 0);
	links_free(l);
}

/* The stamps of a replay are kept, and later ones are above them. */
static void
a_replay_is_not_answered(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_sub_done done;

	(void)state;
	SEND(l, 0, sub, .app = 1, .sid = 1, .stamp = 70,
	    .channel = S("presence-a"), .user_id = S("zoe"));
	SEND(l, 1, sub, .app = 1, .sid = 2, .stamp = 50,
	    .channel = S("presence-a"), .user_id = S("ada"));
	SEND(l, 1, resync_done, .end_ = 0);
	expect_nothing(l, 0);
	expect_nothing(l, 1);
	SEND(l, 0, sub, .app = 1, .sid = 3, .channel = S("presence-a"),
	    .user_id = S("zoe"));
	EXPECT(l, 0, sub_done, SUB_DONE, &done);
	assert_int_equal(done.stamp, 71);
	assert_frames(done.frames,
	    SUBSCRIBED("presence-a",
		"{\\\"presence\\\":{\\\"ids\\\":[\\\"ada\\\",\\\"zoe\\\"],"
		"\\\"hash\\\":{\\\"ada\\\":null,\\\"zoe\\\":null},"
		"\\\"count\\\":2}}"));
	links_free(l);
}

/* A worker whose link broke is back too late: the others must hear it. */
static void
a_known_worker_that_is_late_joins_anew(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_event m;

	(void)state;
	links_sub(l, 0, 1, "presence-a", "ada");
	links_sub(l, 1, 2, "presence-a", "bob");
	EXPECT(l, 0, event, EVENT, &m);
	links_kill(l, 1);
	EXPECT(l, 0, event, EVENT, &m); /* removed */
	links_hello(l, 1, 2);
	SEND(l, 1, sub, .app = 1, .sid = 2, .stamp = 2,
	    .channel = S("presence-a"), .user_id = S("bob"));
	EXPECT(l, 0, event, EVENT, &m);
	assert_frames(m.frame,
	    "{\"event\":\"pusher_internal:member_added\",\"channel\":"
	    "\"presence-a\",\"data\":\"{\\\"user_id\\\":\\\"bob\\\","
	    "\\\"user_info\\\":null}\"}");
	links_free(l);
}

/* The seq of the next ACK within a second, or 0. */
static uint64_t
next_ack(struct links *l, unsigned slot)
{
	double end = broker_now() + 1;
	struct said s;
	struct msg_ack m;

	while (broker_now() < end) {
		while (links_next_any(l, slot, &s)) {
			if (s.type != IPC_ACK)
				continue;
			assert_int_equal(msg_ack_get(&m, s.body), 0);
			return m.seq;
		}
		usleep(1000);
	}
	return 0;
}

static void
events_are_acknowledged_when_they_have_left(void **state)
{
	struct links *l = links_new(NULL);
	struct buf *big = buf_new(1 << 20);

	(void)state;
	memset(big->data, 'x', 1 << 20);
	big->len = 1 << 20;
	links_event(l, 0, "nobody", S("frame"), 0);
	assert_int_equal(next_ack(l, 0), 1);
	/* worker 1 does not read: what goes there is not acknowledged */
	links_sub(l, 1, 1, "room", "");
	links_sub(l, 0, 2, "room", "");
	for (int i = 0; i < 8; i++) {
		struct msg_event m = { .origin = 1,
			.seq = ++l->seq[0],
			.app = 1,
			.channel = S("room"),
			.frame = buf_str(big) };
		size_t n = msg_event_size(&m), off = 0;
		char *p = xmalloc(n);

		msg_event_put(p, &m);
		while (off < n) {
			ssize_t r =
			    send(l->fd[0], p + off, n - off, MSG_DONTWAIT);

			off += r > 0 ? (size_t)r : 0;
			links_turn(l);
			links_read(l, 0);
		}
		free(p);
	}
	links_event(l, 0, "nobody", S("frame"), 0);
	links_wait(l, 0.05);
	assert_int_equal(next_ack(l, 0), 0);
	links_kill(l, 1); /* nobody waits for it any more */
	assert_int_equal(next_ack(l, 0), 10);
	buf_unref(big);
	links_free(l);
}

static void
an_ack_rides_with_other_messages(void **state)
{
	struct links *l = links_new(NULL);
	struct said s;

	(void)state;
	links_event(l, 0, "nobody", S("frame"), 0);
	/* one turn: the event has left, nothing is sent for it alone */
	ev_run(l->br.loop, EVRUN_NOWAIT);
	broker_turn(&l->br);
	SEND(l, 0, ping, .id = 5);
	ev_run(l->br.loop, EVRUN_NOWAIT);
	broker_turn(&l->br);
	assert_true(links_next_any(l, 0, &s));
	assert_int_equal(s.type, IPC_PONG);
	assert_true(links_next_any(l, 0, &s));
	assert_int_equal(s.type, IPC_ACK);
	assert_false(links_next_any(l, 0, &s));
	links_free(l);
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

/* What a worker that works never says ends its link, and no other. */
static void
nonsense_ends_the_link(void **state)
{
	struct links *l = links_new(NULL);

	(void)state;
	links_sub(l, 3, 1, "room", "");
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
	assert_int_equal(l->br.registry.nsubs[0], 0);
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
			    .slot = i == 3 ? LINKS : 0, .origin = 9);
		links_turn(l);
		assert_int_equal(recv(fds[1], &byte, 1, MSG_DONTWAIT), 0);
	}
	links_free(l);
}

static void
subscribers_are_told_their_number(void **state)
{
	static const char *const settings[] = { "subscription_count", "on",
		NULL };
	struct links *l = links_new(settings);
	struct msg_event m;
	struct said s;

	(void)state;
	links_sub(l, 0, 1, "room", "");
	links_sub(l, 1, 2, "room", "");
	expect_nothing(l, 0);
	links_wait(l, 0.1);
	EXPECT(l, 0, event, EVENT, &m); /* once for both */
	assert_frames(m.frame,
	    "{\"event\":\"pusher_internal:subscription_count\",\"channel\":"
	    "\"room\",\"data\":\"{\\\"subscription_count\\\":2}\"}");
	EXPECT(l, 1, event, EVENT, &m);
	for (uint64_t i = 3; i <= 101; i++)
		links_sub(l, 2, i, "room", "");
	links_wait(l, 0.1);
	while (links_next(l, 1, &s))
		;
	links_sub(l, 2, 102, "room", "");
	links_wait(l, 0.1);
	expect_nothing(l, 1); /* less than 5 s since the last one */
	while (links_next(l, 0, &s))
		;
	SEND(l, 1, unsub, .app = 1, .sid = 2, .channel = S("room"));
	SEND(l, 2, unsub, .app = 1, .sid = 102, .channel = S("room"));
	links_wait(l, 0.1);
	EXPECT(l, 0, event, EVENT, &m); /* no longer many */
	assert_frames(m.frame,
	    "{\"event\":\"pusher_internal:subscription_count\",\"channel\":"
	    "\"room\",\"data\":\"{\\\"subscription_count\\\":100}\"}");
	links_sub(l, 3, 500, "presence-a", "ada");
	links_wait(l, 0.1);
	expect_nothing(l, 3);
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_reach_the_workers_with_subscribers),
		cmocka_unit_test(a_confirmation_precedes_later_events),
		cmocka_unit_test(members_come_and_go),
		cmocka_unit_test(a_full_channel_refuses_and_forgets),
		cmocka_unit_test(asking_again_has_no_effects),
		cmocka_unit_test(a_dead_worker_takes_its_members_along),
		cmocka_unit_test(members_have_time_to_come_back),
		cmocka_unit_test(a_replay_is_not_answered),
		cmocka_unit_test(a_known_worker_that_is_late_joins_anew),
		cmocka_unit_test(events_are_acknowledged_when_they_have_left),
		cmocka_unit_test(an_ack_rides_with_other_messages),
		cmocka_unit_test(connections_are_counted_and_limited),
		cmocka_unit_test(nonsense_ends_the_link),
		cmocka_unit_test(a_new_link_replaces_the_old_one),
		cmocka_unit_test(another_build_is_refused),
		cmocka_unit_test(subscribers_are_told_their_number),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
