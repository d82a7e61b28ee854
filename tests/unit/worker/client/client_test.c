/* SPDX-License-Identifier: MIT */
/* client.c: messages that make no sense, pings, and what the broker sends. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/worker/client/client_rig.h"
#include "worker/client/error.h"

static void
bad_messages(void **state)
{
	static const char *const rows[] = {
		"",
		"x",
		"{",
		"[]",
		"null",
		"\"pusher:ping\"",
		"{}",
		"{\"event\":null}",
		"{\"event\":7}",
		"{\"event\":[\"pusher:ping\"]}",
		"{\"Event\":\"pusher:ping\"}",
		"{\"event\":\"\\ud800\"}",
		"{\"event\":\"pusher:ping\"} {}",
		"{\"event\":\"pusher:ping\",}",
		"{\"event\":\"\"}",
		"{\"event\":\"pusher:pingx\"}",
		"{\"event\":\"pusher:ping\\u0000\"}",
		"{\"event\":\"pusher:something_new\",\"data\":{}}",
		"{\"event\":\"pusher_internal:x\"}",
		"{\"event\":\"my-event\",\"channel\":\"room\",\"data\":\"x\"}",
		"{\"event\":\"Client-x\",\"channel\":\"private-a\","
		"\"data\":1}",
	};

	for (size_t i = 0; i < nitems(rows); i++) {
		say(rows[i]);
		rig_expect_text(&rig, NULL_ERROR);
		rig_expect_nothing(&rig);
		assert_false(rig.eof);
	}
	rig_heard_nothing(&rig);
	/* Too many that make no sense at all. */
	free(rig.c->rates);
	rig.c->rates = NULL;
	rig.conf.max_bad_messages = 2;
	say("{\"event\":\"unknown\"}");
	rig_expect_text(&rig, NULL_ERROR);
	say("x");
	rig_expect_text(&rig, NULL_ERROR);
	say("x");
	rig_expect_text(&rig, NULL_ERROR);
	say("x");
	rig_expect_text(&rig, ERROR_4009);
	rig_expect_close(&rig, 4009);
}

static void
ping_pong(void **state)
{
	static const char *const rows[] = {
		"{\"event\":\"pusher:ping\",\"data\":{}}",
		"{\"event\":\"pusher:ping\"}",
		" { \"data\" : \"{}\" , \"event\" : \"pusher:ping\" } ",
		"{\"event\":\"x\",\"event\":\"pusher:ping\"}",
		"{\"event\":\"pusher:p\\u0069ng\",\"x\":{\"y\":[1]}}",
	};

	for (size_t i = 0; i < nitems(rows); i++) {
		say(rows[i]);
		rig_expect_text(
		    &rig, "{\"event\":\"pusher:pong\",\"data\":\"{}\"}");
	}
	say("{\"event\":\"pusher:pong\",\"data\":{}}");
	rig_expect_nothing(&rig);
}

static void
terminate(void **state)
{
	struct msg_terminate t = { .app = RIG_APP, .user_id = S("u-7") };
	struct msg_watchlist_event d = {
		.at = 1, .online = 1, .frames = { "\x81\x02{}", 4 }
	};
	struct msg_signin m;
	struct msg_signout out;

	assert_int_equal(client_on_terminate(&rig.w, &t), 0);
	signin("{\"id\":\"u-7\",\"watchlist\":[\"a\",\"b\"]}");
	HEAR(signin, SIGNIN, m);
	signin_done(NULL);
	rig_expect_text(&rig, "{\"event\":\"pusher:signin_success\",*");
	d.sid = conn_sid(rig.c);
	assert_int_equal(client_on_watchlist_event(&rig.w, &d), 0);
	assert_int_equal(
	    client_on_watchlist_event(&rig.w, &d), 0); /* it knows */
	rig_turn(&rig);
	rig_expect_text(&rig, "{}");
	rig_expect_nothing(&rig);
	/* A new broker hears what the client believes. */
	client_signin_replay(rig.c);
	HEAR(signin, SIGNIN, m);
	assert_int_equal(m.online.n, 1);
	assert_int_equal(m.online.p[0], 2);
	d.online = 0;
	assert_int_equal(client_on_watchlist_event(&rig.w, &d), 0);
	rig_turn(&rig);
	rig_expect_text(&rig, "{}");
	d.at = 2; /* there is none */
	d.online = 1;
	assert_int_equal(client_on_watchlist_event(&rig.w, &d), 0);
	rig_turn(&rig);
	rig_expect_nothing(&rig);
	t.app++;
	client_on_terminate(&rig.w, &t);
	rig_turn(&rig);
	rig_expect_nothing(&rig);
	t.app--;
	client_on_terminate(&rig.w, &t);
	HEAR(signout, SIGNOUT, out);
	client_on_watchlist_event(&rig.w, &d);
	rig_turn(&rig);
	rig_expect_text(&rig,
	    "{\"event\":\"pusher:error\",\"data\":{\"code\":4009,"
	    "\"message\":\"connection terminated\"}}");
	rig_expect_close(&rig, 4009);
	rig_expect_nothing(&rig);
	d.sid++;
	client_on_watchlist_event(&rig.w, &d); /* finds nobody */
}

/* 42xx never before the greeting. */
static void
close_before_greeting(void **state)
{
	rig.c->greeted = false;
	client_close(rig.c, 4200, S("the server is restarting"));
	rig_turn(&rig);
	rig_expect_text(
	    &rig, "{\"event\":\"pusher:error\",\"data\":{\"code\":4100,*");
	rig_expect_close(&rig, 4100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bad_messages),
		TEST(ping_pong),
		TEST(terminate),
		TEST(close_before_greeting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
