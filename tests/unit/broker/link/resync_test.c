/* SPDX-License-Identifier: MIT */
/* A broker that has just begun, and workers that have been there longer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/broker/links.h"

#define ROOM S("presence-room")

static void
replay(struct links *l, unsigned slot, uint64_t sid, uint64_t stamp,
    const char *user)
{
	SEND(l, slot, sub, .app = 1, .sid = sid, .ref = 1, .stamp = stamp,
	    .channel = ROOM, .user_id = str_of(user));
}

/* The clients of this worker have been told of this one. */
static void
knows(struct links *l, unsigned slot, const char *user, const char *info)
{
	SEND(l, slot, roster, .app = 1, .channel = ROOM);
	SEND(l, slot, member, .app = 1, .stamp = 60, .channel = ROOM,
	    .user_id = str_of(user), .user_info = str_of(info));
}

static void
expect_ids(const struct msg_sub_done *m, const char *ids)
{
	char *text = links_text(m->frames);

	if (strstr(text, ids) == NULL)
		fail_msg("%s is not in %s", ids, text);
	free(text);
}

static void
nobody_is_answered_before_all_are_there(void **state)
{
	struct links *l = links_resync(NULL);
	struct msg_sub_done m;
	struct msg_member e;

	(void)state;
	replay(l, 0, 1, 70, "zoe");
	replay(l, 1, 2, 50, "ada");
	knows(l, 1, "zoe", "null");
	for (unsigned i = 0; i < LINKS - 1; i++)
		links_done(l, i, 0);
	SEND(l, 0, sub, .seq = 1, .app = 1, .sid = 3, .ref = 2, .channel = ROOM,
	    .user_id = S("bob"));
	for (unsigned i = 0; i < LINKS; i++)
		expect_nothing(l, i);
	links_done(l, LINKS - 1, 0);
	EXPECT(l, 0, sub_done, SUB_DONE, &m);
	expect_ids(&m, "[\\\"ada\\\",\\\"zoe\\\",\\\"bob\\\"]");
	EXPECT(l, 1, member, MEMBER, &e);
	assert_int_equal(e.origin, 1);
	assert_int_equal(e.seq, 1);
	links_free(l);
}

/* One dies while the others are awaited, and its next one is there before. */
static void
the_last_words_of_the_dead_count(void **state)
{
	struct links *l = links_resync(NULL);

	(void)state;
	SEND(l, 3, sub, .app = 1, .sid = 1, .ref = 1, .stamp = 5,
	    .channel = S("x"));
	links_done(l, 0, 0);
	links_turn(l);
	links_event(l, 0, "x", S("a"), 0);
	close(l->fd[0]);
	links_come(l, 0, 77);
	links_turn(l);
	for (unsigned i = 1; i < LINKS; i++)
		links_done(l, i, 0);
	links_turn(l);
	links_turn(l);
	expect_events(l, "a");
	assert_int_equal(l->br.peers[0]->origin, 77);
	links_free(l);
}

static void
the_backlog_is_answered_last(void **state)
{
	struct links *l = links_resync(NULL);
	struct msg_sub_done m;
	struct msg_member e;
	struct said s;

	(void)state;
	replay(l, 0, 1, 70, "zoe");
	replay(l, 1, 2, 50, "ada");
	knows(l, 0, "ada", "null");
	links_done(l, 0, 3);
	SEND(l, 0, sub, .seq = 3, .app = 1, .sid = 3, .ref = 2, .channel = ROOM,
	    .user_id = S("bob"));
	links_done(l, 1, 5);
	links_done(l, 2, 0);
	links_done(l, 3, 0);
	links_turn(l);
	assert_int_equal(l->br.resync->state, RESYNC_RESEND);
	SEND(l, 1, unsub, .seq = 5, .app = 1, .sid = 2, .channel = ROOM,
	    .user_id = S("ada"));
	/* A message to others has the number of its cause. */
	EXPECT(l, 0, member, MEMBER, &e); /* ada has left */
	assert_int_equal(e.origin, 2);
	assert_int_equal(e.seq, 5);
	EXPECT(l, 0, member, MEMBER, &e); /* bob, for zoe */
	assert_int_equal(e.origin, 1);
	assert_int_equal(e.seq, 3);
	EXPECT(l, 0, sub_done, SUB_DONE, &m);
	expect_ids(&m, "[\\\"zoe\\\",\\\"bob\\\"]");
	links_wait(l, 0.02);
	assert_true(links_next_any(l, 0, &s));
	assert_int_equal(s.type, IPC_ACK);
	links_free(l);
}

static void
an_answered_join_is_only_announced(void **state)
{
	struct links *l = links_resync(NULL);
	struct msg_member e;

	(void)state;
	replay(l, 0, 1, 70, "zoe");
	replay(l, 1, 2, 80, "ada");
	knows(l, 0, "zoe", "null");
	links_done(l, 0, 0);
	links_done(l, 1, 2);
	SEND(l, 1, sub, .seq = 1, .app = 1, .sid = 9, .ref = 8,
	    .stamp = SUB_VOID, .channel = ROOM, .user_id = S("nobody"));
	SEND(l, 1, sub, .seq = 2, .app = 1, .sid = 2, .ref = 1, .stamp = 80,
	    .channel = ROOM, .user_id = S("ada"));
	links_done(l, 2, 0);
	links_done(l, 3, 0);
	EXPECT(l, 0, member, MEMBER, &e);
	assert_int_equal(e.origin, 2);
	assert_int_equal(e.seq, 2);
	assert_int_equal(e.except, 2);
	expect_nothing(l, 0);
	expect_nothing(l, 1);
	links_free(l);
}

/* bob's worker has died together with the old broker. */
static void
a_lost_member_leaves_once(void **state)
{
	struct links *l = links_resync(NULL);
	struct msg_sub_done m;

	(void)state;
	l->conf.crash_grace = 1;
	replay(l, 0, 1, 70, "zoe");
	knows(l, 0, "bob", "{\\\"n\\\":1}");
	replay(l, 1, 2, 80, "ada");
	knows(l, 1, "bob", "{\\\"n\\\":1}");
	replay(l, 2, 3, 90, "cleo"); /* has never been told of bob */
	SEND(l, 2, roster, .app = 1, .channel = ROOM);
	for (unsigned i = 0; i < LINKS; i++)
		links_done(l, i, 0);
	/* So that all know the same; workers drop what they know. */
	for (unsigned i = 0; i < 3; i++)
		links_expect_member(l, i, MEMBER_ADDED, "bob", "{\\\"n\\\":1}");
	SEND(l, 3, sub, .seq = 1, .app = 1, .sid = 4, .ref = 4, .channel = ROOM,
	    .user_id = S("dan"));
	EXPECT(l, 3, sub_done, SUB_DONE, &m);
	expect_ids(&m, "[\\\"bob\\\",\\\"zoe\\\",\\\"ada\\\"");
	for (unsigned i = 0; i < 3; i++)
		links_expect_member(l, i, MEMBER_ADDED, "dan", "null");
	links_wait(l, 1.1);
	for (unsigned i = 0; i < LINKS; i++) {
		links_expect_member(l, i, MEMBER_REMOVED, "bob", "");
		expect_nothing(l, i);
	}
	links_free(l);
}

static void
a_member_back_in_time_never_left(void **state)
{
	struct links *l = links_resync(NULL);
	struct msg_sub_done m;

	(void)state;
	l->conf.crash_grace = 1;
	replay(l, 0, 1, 70, "zoe");
	knows(l, 0, "bob", "null");
	knows(l, 0, "ada", "null");
	replay(l, 1, 2, 80, "ada"); /* is replayed later */
	for (unsigned i = 0; i < LINKS; i++)
		links_done(l, i, 0);
	links_expect_member(l, 0, MEMBER_ADDED, "bob", "null");
	SEND(l, 3, sub, .seq = 1, .app = 1, .sid = 4, .ref = 4, .channel = ROOM,
	    .user_id = S("bob"));
	EXPECT(l, 3, sub_done, SUB_DONE, &m);
	links_wait(l, 1.2);
	for (unsigned i = 0; i < LINKS; i++)
		expect_nothing(l, i);
	links_free(l);
}

static void
watchers_are_told_what_they_do_not_know(void **state)
{
	static const struct str list = { "[\"ada\",\"bob\",\"cleo\",\"dan\"]",
		26 };
	struct links *l = links_resync(NULL);
	struct msg_watchlist_event m;

	(void)state;
	/* Has been told: bob and cleo are online. */
	SEND(l, 0, signin, .app = 1, .sid = 1, .replay = 1,
	    .user_id = S("watcher"), .watchlist = list, .online = S("\x06"));
	/* ada came last, cleo is still there; bob died with the broker. */
	SEND(
	    l, 1, signin, .app = 1, .sid = 2, .replay = 1, .user_id = S("ada"));
	SEND(l, 1, signin, .app = 1, .sid = 3, .replay = 1,
	    .user_id = S("cleo"));
	for (unsigned i = 0; i < LINKS; i++)
		links_done(l, i, 0);
	EXPECT(l, 0, watchlist_event, WATCHLIST_EVENT, &m);
	assert_true(m.sid == 1 && m.at == 0 && m.online == 1);
	expect_nothing(l, 0);
	links_wait(l, 3.2);
	EXPECT(l, 0, watchlist_event, WATCHLIST_EVENT, &m);
	assert_true(m.sid == 1 && m.at == 1 && m.online == 0);
	expect_nothing(l, 0);
	links_free(l);
}

static void
cached_events_come_back(void **state)
{
	struct links *l = links_resync(NULL);
	uint64_t due = (uint64_t)(broker_now() * 1000) + 60000;
	struct msg_sub_done m;

	(void)state;
	SEND(l, 0, cached, .app = 1, .stamp = 9, .due_ms = due,
	    .channel = S("cache-x"), .frame = S("\x81\x03new"));
	SEND(l, 1, cached, .app = 1, .stamp = 8, .due_ms = due,
	    .channel = S("cache-x"), .frame = S("\x81\x03old"));
	SEND(l, 1, cached, .app = 1, .stamp = 7, .due_ms = 1,
	    .channel = S("cache-y"), .frame = S("\x81\x04over"));
	for (unsigned i = 0; i < LINKS; i++)
		links_done(l, i, 0);
	SEND(l, 2, sub, .seq = 1, .app = 1, .sid = 3, .ref = 2,
	    .channel = S("cache-x"));
	EXPECT(l, 2, sub_done, SUB_DONE, &m);
	expect_ids(&m, "new");
	SEND(l, 2, sub, .seq = 2, .app = 1, .sid = 3, .ref = 3,
	    .channel = S("cache-y"));
	EXPECT(l, 2, sub_done, SUB_DONE, &m);
	expect_ids(&m, "pusher:cache_miss");
	links_free(l);
}

/* An event that is sent again by this worker, to a cache channel. */
static void
again(struct links *l, unsigned slot, uint64_t seq, const char *channel,
    const char *frame)
{
	SEND(l, slot, event, .origin = slot + 1, .seq = seq, .app = 1,
	    .flags = EVENT_CACHE, .channel = str_of(channel),
	    .frame = str_of(frame));
	links_turn(l);
}

static void
expect_cached(
    struct links *l, const char *channel, uint32_t ref, const char *want)
{
	struct msg_sub_done m;

	SEND(l, 3, sub, .seq = ref, .app = 1, .sid = 3, .ref = ref,
	    .channel = str_of(channel));
	EXPECT(l, 3, sub_done, SUB_DONE, &m);
	expect_ids(&m, want);
}

/*
 * Worker 0 keeps what four channels had, after events 1 to 10 of worker 0 and
 * 1 to 5 of worker 1: what is sent again of these is older.
 */
static void
an_older_event_does_not_come_back(void **state)
{
	static const char *const channels[] = { "cache-a", "cache-b", "cache-c",
		"cache-d" };
	struct links *l = links_resync(NULL);
	uint64_t due = (uint64_t)(broker_now() * 1000) + 60000;

	(void)state;
	SEND(l, 0, cache_mark, .origin = 1, .seq = 10);
	SEND(l, 0, cache_mark, .origin = 2, .seq = 5);
	SEND(l, 1, cache_mark, .origin = 1, .seq = 99); /* of others */
	for (unsigned i = 0; i < 4; i++)
		SEND(l, 0, cached, .app = 1, .stamp = 9, .due_ms = due,
		    .channel = str_of(channels[i]), .frame = S("\x81\x04kept"));
	links_done(l, 0, 12);
	links_done(l, 1, 7);
	links_done(l, 2, 0);
	links_done(l, 3, 0);
	links_turn(l);
	assert_int_equal(l->br.resync->state, RESYNC_RESEND);
	again(l, 0, 9, "cache-a", "\x81\x03old");
	again(l, 0, 10, "cache-b", "\x81\x03old");
	again(l, 0, 11, "cache-c", "\x81\x03new");
	again(l, 1, 4, "cache-a", "\x81\x03old");
	again(l, 1, 5, "cache-c", "\x81\x03old"); /* behind a newer one */
	again(l, 1, 6, "cache-d", "\x81\x03new");
	again(l, 0, 12, "cache-e", "\x81\x03new"); /* nobody keeps one */
	again(l, 1, 7, "x", "\x81\x03new");
	assert_int_equal(l->br.resync->state, RESYNC_LIVE);
	expect_cached(l, "cache-a", 1, "kept");
	expect_cached(l, "cache-b", 2, "kept");
	expect_cached(l, "cache-c", 3, "new");
	expect_cached(l, "cache-d", 4, "new");
	expect_cached(l, "cache-e", 5, "new");
	links_free(l);
}

/* A worker that keeps an event is told whose it is, and counts as a target. */
static void
the_keeper_knows_whose_it_is(void **state)
{
	struct links *l = links_resync(NULL);
	struct msg_cached m;
	struct msg_ack ack;
	struct said s;
	unsigned keeper = LINKS;

	(void)state;
	for (unsigned i = 0; i < LINKS; i++)
		links_done(l, i, 0);
	links_turn(l);
	for (unsigned i = 0; i < LINKS; i++)
		while (links_next_any(l, i, &s))
			;
	again(l, 1, 1, "cache-a", "\x81\x03new");
	for (unsigned i = 0; i < LINKS; i++)
		while (links_next_any(l, i, &s))
			if (s.type == IPC_CACHED) {
				keeper = i;
				assert_int_equal(msg_cached_get(&m, s.body), 0);
			} else if (s.type == IPC_ACK) {
				assert_int_equal(msg_ack_get(&ack, s.body), 0);
			}
	assert_true(keeper < LINKS);
	assert_true(m.origin == 2 && m.seq == 1);
	assert_true(l->br.peers[1]->deliverable == 1);
	links_free(l);
}

static void
a_missing_worker_is_not_waited_for(void **state)
{
	struct links *l = links_resync(NULL);
	struct msg_sub_done m;

	(void)state;
	for (unsigned i = 0; i < LINKS - 1; i++)
		links_done(l, i, 0);
	SEND(l, 0, sub, .seq = 1, .app = 1, .sid = 3, .ref = 2,
	    .channel = S("a"));
	links_wait(l, RESYNC_SECONDS + 0.1);
	EXPECT(l, 0, sub_done, SUB_DONE, &m);
	links_free(l);
}

/* One that was stopped hears its timer before its workers. */
static void
a_broker_that_stood_still_blames_nobody(void **state)
{
	struct links *l = links_resync(NULL);

	(void)state;
	usleep((useconds_t)((RESYNC_SECONDS + 0.5) * 1e6));
	links_turn(l);
	assert_int_equal(l->br.resync->state, RESYNC_REPLAY);
	for (unsigned i = 0; i < LINKS; i++)
		links_done(l, i, 0);
	links_turn(l);
	assert_int_equal(l->br.resync->state, RESYNC_LIVE);
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_answered_before_all_are_there),
		cmocka_unit_test(the_last_words_of_the_dead_count),
		cmocka_unit_test(the_backlog_is_answered_last),
		cmocka_unit_test(an_answered_join_is_only_announced),
		cmocka_unit_test(a_lost_member_leaves_once),
		cmocka_unit_test(a_member_back_in_time_never_left),
		cmocka_unit_test(watchers_are_told_what_they_do_not_know),
		cmocka_unit_test(cached_events_come_back),
		cmocka_unit_test(an_older_event_does_not_come_back),
		cmocka_unit_test(the_keeper_knows_whose_it_is),
		cmocka_unit_test(a_missing_worker_is_not_waited_for),
		cmocka_unit_test(a_broker_that_stood_still_blames_nobody),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
