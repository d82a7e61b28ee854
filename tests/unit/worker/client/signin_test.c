/* SPDX-License-Identifier: MIT */
/* signin.c: signing in, again, wrongly, and without an answer. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "tests/unit/worker/client/client_rig.h"
#include "worker/conn/input.h"
#include "worker/link/unacked.h"

#define ERROR_FULL "{\"event\":\"pusher:error\",\"data\":{\"code\":4009}}"

static void
sign_in(void **state)
{
	struct msg_signin m;
	struct msg_signout out;
	struct msg_sub sub;
	struct msg_unsub u;

	signin("{\"id\":\"u-7\",\"user_info\":{\"n\":1},"
	       "\"watchlist\":[\"u-8\"]}");
	rig_expect_nothing(&rig);
	HEAR(signin, SIGNIN, m);
	assert_str(m.user_id, "u-7");
	assert_str(m.watchlist, "[\"u-8\"]");
	assert_int_equal(m.replay, 0);
	signin_done("{\"event\":\"watch\"}");
	rig_expect_text(&rig,
	    "{\"event\":\"pusher:signin_success\",\"data\":"
	    "\"{\\\"user_data\\\":\\\"{\\\\\\\"id\\\\\\\":\\\\\\\"u-7*");
	rig_expect_text(&rig, "{\"event\":\"watch\"}");

	/* Its own channel, and no other one. */
	say("{\"event\":\"pusher:subscribe\",\"data\":{\"auth\":\"\","
	    "\"channel\":\"#server-to-user-u-7\"}}");
	rig_expect_text(&rig,
	    "{\"event\":\"pusher_internal:subscription_succeeded\","
	    "\"channel\":\"#server-to-user-u-7\",\"data\":\"{}\"}");
	say("{\"event\":\"pusher:subscribe\",\"data\":{\"auth\":\"\","
	    "\"channel\":\"#server-to-user-u-8\"}}");
	refused("AuthError", 401);
	say("{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":"
	    "\"#server-to-user-u-7\"}}");
	rig_heard_nothing(&rig);
	assert_non_null(subscription_find(rig.c, S("#server-to-user-u-7")));
	assert_int_equal(rig.c->nsubs, 0);

	/* Presence without channel_data: the user who is signed in. */
	sub = join("presence-a", NULL);
	assert_str(sub.user_id, "u-7");
	assert_str(sub.user_info, "{\"n\":1}");

	/* The same id again replaces, another one does not. */
	signin("{\"id\":\"u-7\"}");
	HEAR(signin, SIGNIN, m);
	assert_int_equal(m.watchlist.n, 0);
	signin_done(NULL);
	rig_expect_text(&rig, "{\"event\":\"pusher:signin_success\",*");
	signin("{\"id\":\"u-8\"}");
	rig_expect_text(&rig, ERROR_4009);
	rig_expect_nothing(&rig);
	rig_heard_nothing(&rig);
	assert_false(rig.eof);

	client_signin_replay(rig.c);
	HEAR(signin, SIGNIN, m);
	assert_int_equal(m.replay, 1);
	rig_hang_up(&rig);
	HEAR(unsub, UNSUB, u);
	HEAR(signout, SIGNOUT, out);
	assert_str(out.user_id, "u-7");
	rig_heard_nothing(&rig);
}

static void
bad_sign_in(void **state)
{
	static const char *const rows[] = {
		"{\"event\":\"pusher:signin\"}",
		"{\"event\":\"pusher:signin\",\"data\":{}}",
		"{\"event\":\"pusher:signin\",\"data\":{\"auth\":\"x\"}}",
		"{\"event\":\"pusher:signin\",\"data\":{\"auth\":null,"
		"\"user_data\":null}}",
		"{\"event\":\"pusher:signin\",\"data\":{\"auth\":\"x:y\","
		"\"user_data\":{\"id\":\"a\"}}}",
		"{\"event\":\"pusher:signin\",\"data\":{\"auth\":\"x:y\","
		"\"user_data\":\"{\\\"id\\\":\\\"a\\\"}\"}}",
		"{\"event\":\"pusher:signin\",\"data\":{\"auth\":\"\\ud800\","
		"\"user_data\":\"\\ud800\"}}",
	};
	static const char *const signed_rows[] = { "", "x", "{}", "{\"id\":7}",
		"{\"id\":\"\"}", "{\"id\":\"a\\nb\"}",
		"{\"id\":\"a\",\"watchlist\":{}}",
		"{\"id\":\"a\",\"watchlist\":[7]}" };

	for (size_t i = 0; i < nitems(rows); i++) {
		say(rows[i]);
		rig_expect_text(&rig, ERROR_4009);
		rig_expect_nothing(&rig);
	}
	for (size_t i = 0; i < nitems(signed_rows); i++) {
		signin(signed_rows[i]);
		rig_expect_text(&rig, ERROR_4009);
		rig_expect_nothing(&rig);
	}
	assert_false(rig.eof);
	assert_null(rig.c->user);
	rig_heard_nothing(&rig);
}

/*
 * Several at once: one too many waits until some are answered.  Each is
 * answered; the broker died in between.
 */
static void
s1_waiting_sign_ins(void **state)
{
	struct msg_signin m;

	for (int i = 0; i < 4; i++) {
		signin("{\"id\":\"u-7\"}");
		HEAR(signin, SIGNIN, m);
	}
	signin("{\"id\":\"u-7\"}");
	rig_expect_nothing(&rig);
	rig_heard_nothing(&rig);
	signin_done(NULL);
	rig_expect_text(&rig, "{\"event\":\"pusher:signin_success\",*");
	/* A new broker: what was answered is said, the rest is asked again. */
	client_signin_replay(rig.c);
	HEAR(signin, SIGNIN, m);
	assert_int_equal(m.replay, 1);
	assert_int_equal(m.seq, 0);
	input_forget(rig.c);
	unacked_resend(&rig.w);
	HEAR(signin, SIGNIN, m);
	assert_int_equal(m.replay, 1);
	for (int i = 0; i < 4; i++) {
		HEAR(signin, SIGNIN, m);
		assert_int_equal(m.replay, 0);
		signin_done(NULL);
		rig_expect_text(&rig, "{\"event\":\"pusher:signin_success\",*");
	}
	rig_heard_nothing(&rig);
	rig_expect_nothing(&rig);
	/* It leaves while one is on its way. */
	signin("{\"id\":\"u-7\"}");
	rig_hang_up(&rig);
}

static void
long_watchlist(void **state)
{
	struct buf *b = NULL;
	char auth[128], rest[2048];
	struct msg_signin m;
	size_t n = 0;

	n += (size_t)snprintf(
	    rest, sizeof(rest), "::user::{\"id\":\"a\",\"watchlist\":[");
	for (int i = 0; i < 101; i++)
		n += (size_t)snprintf(rest + n, sizeof(rest) - n, "%s\"w%d\"",
		    i == 0 ? "" : ",", i);
	snprintf(rest + n, sizeof(rest) - n, "]}");
	sign(rest, auth);
	buf_printf(&b,
	    "{\"event\":\"pusher:signin\",\"data\":{\"auth\":\"%s\","
	    "\"user_data\":",
	    auth);
	json_quote(&b, str_of(rest + 8));
	buf_append(&b, S("}}"));
	rig_text(&rig, buf_str(b));
	HEAR(signin, SIGNIN, m);
	assert_true(str_ends(m.watchlist, S(",\"w99\"]")));
	signin_done(NULL);
	rig_expect_text(&rig, "{\"event\":\"pusher:signin_success\",*");
	rig_expect_text(
	    &rig, "{\"event\":\"pusher:error\",\"data\":{\"code\":4302,*");
	rig_expect_nothing(&rig);
	buf_unref(b);
}

static void
signin_refused(void)
{
	struct msg_signin_done m = { .sid = conn_sid(rig.c), .status = 413 };
	struct buf *b = NULL;

	frame_text(&b, S(ERROR_FULL));
	m.frames = buf_str(b);
	assert_int_equal(client_on_signin_done(&rig.w, &m), 0);
	buf_unref(b);
	rig_turn(&rig);
	rig_expect_text(&rig, ERROR_FULL);
	rig_expect_nothing(&rig);
}

/* The broker has no room: nothing is as if the sign-in had been sent. */
static void
s4_a_refused_sign_in_leaves_what_was(void **state)
{
	struct msg_signin m;
	struct msg_signout out;

	(void)state;
	for (int i = 0; i < 2; i++) {
		signin("{\"id\":\"u-7\",\"watchlist\":[\"a\"]}");
		HEAR(signin, SIGNIN, m);
	}
	signin_refused();
	rig_heard_nothing(&rig); /* the second one may be taken */
	signin_refused();
	HEAR(signout, SIGNOUT, out);
	assert_str(out.user_id, "u-7");
	assert_null(rig.c->user);
	assert_null(rig.c->signins);
	/* The first is taken, the second and the third are not. */
	signin("{\"id\":\"u-8\",\"watchlist\":[\"a\"]}");
	HEAR(signin, SIGNIN, m);
	for (int i = 0; i < 2; i++) {
		signin("{\"id\":\"u-8\",\"watchlist\":[\"b\",\"c\"]}");
		HEAR(signin, SIGNIN, m);
	}
	signin_done(NULL);
	rig_expect_text(&rig, "{\"event\":\"pusher:signin_success\",*");
	signin_refused();
	signin_refused();
	assert_true(rig.c->signed_in);
	client_signin_replay(rig.c);
	HEAR(signin, SIGNIN, m);
	assert_str(m.watchlist, "[\"a\"]");
	rig_heard_nothing(&rig);
	rig_hang_up(&rig);
	HEAR(signout, SIGNOUT, out);
	rig_heard_nothing(&rig);
}

#define ASK_CHANNEL \
	"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":" \
	"\"#server-to-user-u-7\"}}"

/* Its own channel: asked for before the broker has answered. */
static void
the_channel_is_confirmed_after_the_sign_in(void **state)
{
	struct msg_signin_done no = { .sid = conn_sid(rig.c), .status = 413 };
	struct msg_signout out;
	struct msg_signin m;

	(void)state;
	signin("{\"id\":\"u-7\"}");
	HEAR(signin, SIGNIN, m);
	say(ASK_CHANNEL);
	rig_expect_nothing(&rig);
	assert_int_equal(client_on_signin_done(&rig.w, &no), 0);
	rig_turn(&rig);
	HEAR(signout, SIGNOUT, out);
	refused("AuthError", 401);
	rig_expect_nothing(&rig);

	/* The second of two is refused, the first one holds. */
	for (int i = 0; i < 2; i++) {
		signin("{\"id\":\"u-7\"}");
		rig_expect_nothing(&rig);
	}
	say(ASK_CHANNEL);
	signin_done(NULL);
	rig_expect_text(&rig, "{\"event\":\"pusher:signin_success\",*");
	assert_int_equal(client_on_signin_done(&rig.w, &no), 0);
	rig_turn(&rig);
	rig_expect_text(
	    &rig, "{\"event\":\"pusher_internal:subscription_succeeded\",*");
	rig_expect_nothing(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sign_in),
		TEST(bad_sign_in),
		TEST(s1_waiting_sign_ins),
		TEST(long_watchlist),
		TEST(s4_a_refused_sign_in_leaves_what_was),
		TEST(the_channel_is_confirmed_after_the_sign_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
