/* SPDX-License-Identifier: MIT */
/* roster.c: members are told once, and a new broker hears who was told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "tests/unit/worker/client/client_rig.h"
#include "worker/channel/topic.h"

#define ROOM "presence-a"
#define ADDED \
	"{\"event\":\"pusher_internal:member_added\",\"channel\":\"" ROOM \
	"\",\"data\":\"{\\\"user_id\\\":\\\"bob\\\"," \
	"\\\"user_info\\\":{\\\"n\\\":1}}\"}"
#define REMOVED \
	"{\"event\":\"pusher_internal:member_removed\",\"channel\":\"" ROOM \
	"\",\"data\":\"{\\\"user_id\\\":\\\"bob\\\"}\"}"

static const struct str info = { "{\\\"n\\\":1}", 9 };

static int
say_member(
    enum member_change change, const char *user, uint64_t seq, uint64_t except)
{
	struct msg_member m = { .origin = seq == 0 ? 0 : 77,
		.seq = seq,
		.app = RIG_APP,
		.except = except,
		.change = change,
		.stamp = 9,
		.channel = S(ROOM),
		.user_id = str_of(user) };
	int r;

	if (change != MEMBER_REMOVED)
		m.user_info = info;
	r = topic_on_member(&rig.w, &m);
	rig_turn(&rig);
	return r;
}

/* The client is in, and knows of itself. */
static void
enter(void)
{
	struct msg_roster r = { .app = RIG_APP, .channel = S(ROOM) };
	struct msg_sub m;

	subscribe(ROOM, "{\"user_id\":\"ada\"}");
	HEAR(sub, SUB, m);
	assert_int_equal(topic_on_roster(&rig.w, &r), 0);
	assert_int_equal(say_member(MEMBER_IS, "ada", 0, 0), 0);
	confirm(m.ref, 0);
}

static void
told_once(void **state)
{
	static const struct {
		enum member_change change;
		uint64_t seq;
		const char *want;
	} rows[] = {
		{ MEMBER_REMOVED, 0, NULL }, /* was never there */
		{ MEMBER_ADDED, 5, ADDED },
		{ MEMBER_ADDED, 6, NULL },
		{ MEMBER_ADDED, 0, NULL },
		{ MEMBER_REMOVED, 6, NULL }, /* seen */
		{ MEMBER_REMOVED, 7, REMOVED },
		{ MEMBER_REMOVED, 0, NULL },
		{ MEMBER_ADDED, 7, NULL }, /* seen */
		{ MEMBER_IS, 0, NULL },
		{ MEMBER_ADDED, 0, NULL },
		{ MEMBER_REMOVED, 0, REMOVED },
	};

	enter();
	for (size_t i = 0; i < nitems(rows); i++) {
		assert_int_equal(
		    say_member(rows[i].change, "bob", rows[i].seq, 0), 0);
		if (rows[i].want != NULL)
			rig_expect_text(&rig, rows[i].want);
		rig_expect_nothing(&rig);
	}
	/* The newcomer itself is not told, but it counts. */
	assert_int_equal(
	    say_member(MEMBER_ADDED, "bob", 0, conn_sid(rig.c)), 0);
	rig_expect_nothing(&rig);
	assert_int_equal(say_member(MEMBER_REMOVED, "bob", 0, 0), 0);
	rig_expect_text(&rig, REMOVED);
}

static void
nonsense(void **state)
{
	enter();
	assert_int_equal(say_member(MEMBER_ADDED, "", 0, 0), -1);
	assert_int_equal(say_member(MEMBER_REMOVED + 1, "bob", 0, 0), -1);
	rig_expect_nothing(&rig);
}

static void
nobody_is_here(void **state)
{
	struct msg_roster r = { .app = RIG_APP, .channel = S(ROOM) };

	assert_int_equal(topic_on_roster(&rig.w, &r), 0);
	assert_int_equal(say_member(MEMBER_ADDED, "bob", 0, 0), 0);
	topics_replay_rosters(&rig.w);
	rig_heard_nothing(&rig);
	rig_expect_nothing(&rig);
}

static void
replayed(void **state)
{
	struct msg_roster r;
	struct msg_member m;
	bool seen[2] = { false, false };

	enter();
	assert_int_equal(say_member(MEMBER_ADDED, "bob", 0, 0), 0);
	rig_expect_text(&rig, ADDED);
	topics_replay_rosters(&rig.w);
	HEAR(roster, ROSTER, r);
	assert_str(r.channel, ROOM);
	for (int i = 0; i < 2; i++) {
		HEAR(member, MEMBER, m);
		assert_int_equal(m.change, MEMBER_IS);
		assert_int_equal(m.stamp, 9);
		assert_str(m.user_info, info.p);
		seen[str_eq(m.user_id, S("bob"))] = true;
	}
	assert_true(seen[0] && seen[1]);
	rig_heard_nothing(&rig);
}

/* ROSTER begins anew. */
static void
given_again(void **state)
{
	struct msg_roster r = { .app = RIG_APP, .channel = S(ROOM) };

	enter();
	assert_int_equal(topic_on_roster(&rig.w, &r), 0);
	assert_int_equal(say_member(MEMBER_REMOVED, "ada", 0, 0), 0);
	rig_expect_nothing(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(told_once),
		TEST(nonsense),
		TEST(nobody_is_here),
		TEST(replayed),
		TEST(given_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
