/* SPDX-License-Identifier: MIT */
/* subscribe.c, subscription_count.c: confirmations, members, counts. */

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

#define ADDED(l, slot, user, info) \
	links_expect_member(l, slot, MEMBER_ADDED, user, info)
#define REMOVED(l, slot, user) \
	links_expect_member(l, slot, MEMBER_REMOVED, user, "")

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
	struct msg_member m;

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
	EXPECT(l, 0, member, MEMBER, &m);
	assert_int_equal(m.origin, 0);
	assert_int_equal(m.except, 2);
	assert_int_equal(m.change, MEMBER_ADDED);
	assert_bytes(m.user_id, S("bob"));
	assert_bytes(m.user_info, S("{\\\"n\\\":1}"));
	/* on the joiner's worker behind the confirmation, if anyone is there */
	links_sub(l, 0, 4, "presence-a", "cleo");
	ADDED(l, 0, "cleo", "null");
	ADDED(l, 1, "cleo", "null");
	links_sub(l, 2, 3, "presence-a", "bob"); /* once more: no event */
	expect_nothing(l, 0);
	SEND(l, 1, unsub, .app = 1, .sid = 2, .channel = S("presence-a"),
	    .user_id = S("bob"));
	expect_nothing(l, 0);
	SEND(l, 2, unsub, .app = 1, .sid = 3, .channel = S("presence-a"),
	    .user_id = S("bob"));
	REMOVED(l, 0, "bob");
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
	assert_int_equal(l->br.registry->nsubs[1], 1);
	expect_nothing(l, 1);
	SEND(l, 1, unsub, .app = 1, .sid = 3, .channel = S("presence-a"),
	    .user_id = S("bob"));
	links_turn(l);
	assert_int_equal(l->br.registry->channels.n, 0);
	assert_false(links_is_over(l, 1));
	links_free(l);
}

/* The refusal that it has read must not swallow its UNSUB later. */
static void
a_refused_member_may_come_and_go(void **state)
{
	static const char *const settings[] = { "max_presence_members", "1",
		NULL };
	struct links *l = links_new(settings);
	struct msg_sub_done done;

	(void)state;
	links_sub(l, 0, 1, "presence-a", "ada");
	SEND(l, 1, sub, .app = 1, .sid = 2, .channel = S("presence-a"),
	    .user_id = S("bob"));
	EXPECT(l, 1, sub_done, SUB_DONE, &done);
	assert_int_equal(done.status, 413);
	SEND(l, 0, unsub, .app = 1, .sid = 1, .channel = S("presence-a"),
	    .user_id = S("ada"));
	links_turn(l);
	links_sub(l, 1, 2, "presence-a", "bob");
	SEND(l, 1, unsub, .app = 1, .sid = 2, .channel = S("presence-a"),
	    .user_id = S("bob"));
	links_turn(l);
	assert_int_equal(l->br.registry->channels.n, 0);
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

	(void)state;
	links_sub(l, 0, 1, "presence-a", "ada");
	links_sub(l, 1, 2, "presence-a", "bob");
	ADDED(l, 0, "bob", "null");
	links_sub(l, 1, 3, "presence-a", "ada");
	links_kill(l, 1);
	assert_int_equal(l->br.registry->nsubs[1], 0);
	REMOVED(l, 0, "bob");
	expect_nothing(l, 0);
	links_free(l);
}

static void
members_have_time_to_come_back(void **state)
{
	struct links *l = links_new(NULL);

	(void)state;
	l->conf.crash_grace = 1;
	links_sub(l, 0, 1, "presence-a", "ada");
	links_sub(l, 1, 2, "presence-a", "bob");
	ADDED(l, 0, "bob", "null");
	links_sub(l, 1, 3, "presence-a", "cleo");
	ADDED(l, 0, "cleo", "null");
	links_kill(l, 1);
	expect_nothing(l, 0);
	links_sub(l, 2, 4, "presence-a", "bob");
	expect_nothing(l, 0);
	links_wait(l, 1.1);
	REMOVED(l, 0, "cleo"); /* she alone */
	expect_nothing(l, 0);
	links_free(l);
}

static void
a_replay_is_not_answered(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_sub_done done;

	(void)state;
	l->br.peers[0]->rejoined = l->br.peers[1]->rejoined = false;
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

static void
a_known_worker_that_is_late_joins_anew(void **state)
{
	struct links *l = links_new(NULL);

	(void)state;
	links_sub(l, 0, 1, "presence-a", "ada");
	links_sub(l, 1, 2, "presence-a", "bob");
	ADDED(l, 0, "bob", "null");
	links_sub(l, 2, 3, "presence-a", "cleo");
	ADDED(l, 0, "cleo", "null");
	ADDED(l, 1, "cleo", "null");
	links_kill(l, 1);
	REMOVED(l, 0, "bob");
	REMOVED(l, 2, "bob");
	links_kill(l, 2);
	REMOVED(l, 0, "cleo");
	links_hello(l, 1, 2);
	SEND(l, 1, sub, .app = 1, .sid = 2, .stamp = 2,
	    .channel = S("presence-a"), .user_id = S("bob"));
	ADDED(l, 0, "bob", "null");
	/* Its clients believe in cleo, and are told who is there. */
	SEND(l, 1, roster, .app = 1, .channel = S("presence-a"));
	SEND(l, 1, member, .app = 1, .channel = S("presence-a"),
	    .user_id = S("bob"), .user_info = S("null"));
	SEND(l, 1, member, .app = 1, .channel = S("presence-a"),
	    .user_id = S("cleo"), .user_info = S("null"));
	ADDED(l, 1, "ada", "null");
	ADDED(l, 1, "bob", "null"); /* which the worker drops */
	REMOVED(l, 1, "cleo");
	expect_nothing(l, 0);
	expect_nothing(l, 1);
	links_free(l);
}

static void
a_roster_comes_before_the_first_answer(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_member m;
	struct said s;

	(void)state;
	SEND(l, 0, sub, .app = 1, .sid = 1, .channel = S("presence-a"),
	    .user_id = S("ada"), .user_info = S("{\"n\":1}"));
	SEND(l, 0, sub, .app = 1, .sid = 2, .channel = S("presence-a"),
	    .user_id = S("bob"));
	assert_true(links_next_any(l, 0, &s) && s.type == IPC_ROSTER);
	assert_true(links_next_any(l, 0, &s) && s.type == IPC_MEMBER);
	assert_int_equal(msg_member_get(&m, s.body), 0);
	assert_int_equal(m.change, MEMBER_IS);
	assert_bytes(m.user_id, S("ada"));
	assert_bytes(m.user_info, S("{\\\"n\\\":1}"));
	assert_true(links_next_any(l, 0, &s) && s.type == IPC_SUB_DONE);
	assert_true(links_next_any(l, 0, &s) && s.type == IPC_SUB_DONE);
	ADDED(l, 0, "bob", "null"); /* the worker has one already */
	/* All have gone: the next one begins anew. */
	SEND(l, 0, unsub, .app = 1, .sid = 1, .channel = S("presence-a"),
	    .user_id = S("ada"));
	REMOVED(l, 0, "ada");
	SEND(l, 0, unsub, .app = 1, .sid = 2, .channel = S("presence-a"),
	    .user_id = S("bob"));
	expect_nothing(l, 0);
	SEND(l, 0, sub, .app = 1, .sid = 3, .channel = S("presence-a"),
	    .user_id = S("cleo"));
	assert_true(links_next_any(l, 0, &s) && s.type == IPC_ROSTER);
	links_free(l);
}

static void
a_roster_of_nobodys_ends_the_link(void **state)
{
	static const struct {
		const char *channel, *user, *info;
		uint32_t change;
		bool begins;
	} said[] = {
		{ "presence-b", "x", "null", MEMBER_IS, true },
		{ "room", "x", "null", MEMBER_IS, true },
		{ "presence-a", "", "null", MEMBER_IS, true },
		{ "presence-a", "x", "null", MEMBER_ADDED, true },
		{ "presence-a", "x", "null", MEMBER_REMOVED, true },
		{ "presence-a", "x", "null", MEMBER_IS, false },
	};
	struct links *l = links_new(NULL);

	(void)state;
	links_sub(l, 1, 1, "presence-a", "ada");
	links_sub(l, 1, 2, "room", "");
	for (size_t i = 0; i < nitems(said); i++) {
		SEND(l, 0, sub, .app = 1, .sid = 9, .stamp = 5,
		    .channel = S("presence-a"), .user_id = S("eve"));
		if (said[i].begins)
			SEND(l, 0, roster, .app = 1,
			    .channel = str_of(said[i].channel));
		SEND(l, 0, member, .app = 1, .change = said[i].change,
		    .channel = str_of(said[i].channel),
		    .user_id = str_of(said[i].user),
		    .user_info = str_of(said[i].info));
		if (!links_is_over(l, 0))
			fail_msg("case %zu is believed", i);
		close(l->fd[0]);
		links_hello(l, 0, 100 + i);
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
	for (uint32_t i = 3; i <= 101; i++)
		SEND(l, 2, sub, .app = 1, .sid = i, .ref = i,
		    .channel = S("room"), .user_id = S(""));
	links_wait(l, 0.1);
	for (unsigned slot = 1; slot <= 2; slot++)
		while (links_next(l, slot, &s))
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
		cmocka_unit_test(a_confirmation_precedes_later_events),
		cmocka_unit_test(members_come_and_go),
		cmocka_unit_test(a_full_channel_refuses_and_forgets),
		cmocka_unit_test(a_refused_member_may_come_and_go),
		cmocka_unit_test(asking_again_has_no_effects),
		cmocka_unit_test(a_dead_worker_takes_its_members_along),
		cmocka_unit_test(members_have_time_to_come_back),
		cmocka_unit_test(a_replay_is_not_answered),
		cmocka_unit_test(a_known_worker_that_is_late_joins_anew),
		cmocka_unit_test(a_roster_comes_before_the_first_answer),
		cmocka_unit_test(a_roster_of_nobodys_ends_the_link),
		cmocka_unit_test(subscribers_are_told_their_number),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
