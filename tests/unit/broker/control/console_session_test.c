/* SPDX-License-Identifier: MIT */
/* console_session.c: tokens, sessions, and wrong tokens. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "broker/control/console_session.h"
#include "shared/base/base.h"
#include "shared/base/hash.h"

#define HERE S("10.0.0.1")

static struct console_sessions s;

static int
teardown(void **state)
{
	console_sessions_clear(&s);
	return 0;
}

static enum console_login
login(const char *token, struct str address, double now, char *cookie)
{
	char room[CONSOLE_SECRET_LEN + 1];

	return console_login(
	    &s, str_of(token), address, now, cookie == NULL ? room : cookie);
}

static void
a_token_counts_once(void **state)
{
	struct console_scope scope = { .app = 7, .read_only = true };
	char token[CONSOLE_SECRET_LEN + 1], cookie[CONSOLE_SECRET_LEN + 1];
	struct console_secret *x;

	console_token_new(&s, scope, 100, 60, token);
	assert_int_equal(strlen(token), CONSOLE_SECRET_LEN);
	assert_null(console_session_find(&s, str_of(token), 101));
	assert_int_equal(login(token, HERE, 159, cookie), CONSOLE_LOGIN_OK);
	assert_int_equal(login(token, HERE, 159, NULL), CONSOLE_WRONG);
	x = console_session_find(&s, str_of(cookie), 160);
	assert_non_null(x);
	assert_int_equal(x->scope.app, 7);
	assert_true(x->scope.read_only);
	assert_ptr_equal(console_session_by_id(&s, x->id), x);
	assert_non_null(
	    console_session_find(&s, str_of(cookie), 158 + CONSOLE_SECONDS));
	assert_null(
	    console_session_find(&s, str_of(cookie), 160 + CONSOLE_SECONDS));
	/* Nothing of it lies in memory. */
	assert_null(memmem(&s, sizeof(s), cookie, CONSOLE_SECRET_LEN));
	assert_null(memmem(&s, sizeof(s), token, CONSOLE_SECRET_LEN));
}

static void
a_token_ends(void **state)
{
	char token[CONSOLE_SECRET_LEN + 1];

	console_token_new(&s, (struct console_scope){ 0 }, 100, 60, token);
	assert_int_equal(login(token, HERE, 160.5, NULL), CONSOLE_WRONG);
	token[0] = token[0] == '0' ? '1' : '0';
	assert_int_equal(login(token, HERE, 101, NULL), CONSOLE_WRONG);
	assert_int_equal(login("", HERE, 101, NULL), CONSOLE_WRONG);
}

static void
wrong_tokens_are_limited(void **state)
{
	char token[CONSOLE_SECRET_LEN + 1], v6[32];

	console_token_new(&s, (struct console_scope){ 0 }, 100, 600, token);
	for (int i = 0; i < CONSOLE_FAILURES; i++)
		assert_int_equal(login("x", HERE, 100, NULL), CONSOLE_WRONG);
	assert_int_equal(login(token, HERE, 159, NULL), CONSOLE_TOO_MANY);
	assert_int_equal(login(token, HERE, 161, NULL), CONSOLE_LOGIN_OK);
	/* One /64 is one address.  It may have the place of the one before. */
	for (int i = 0; i < CONSOLE_FAILURES; i++) {
		snprintf(v6, sizeof(v6), "2001:db8::%x", i + 1);
		assert_int_equal(
		    login("x", str_of(v6), 200, NULL), CONSOLE_WRONG);
	}
	assert_int_equal(
	    login("x", S("2001:db8::ffff"), 200, NULL), CONSOLE_TOO_MANY);
}

/* More than there is room for: the oldest goes, nothing overflows. */
static void
places_are_bounded(void **state)
{
	char first[CONSOLE_SECRET_LEN + 1], token[CONSOLE_SECRET_LEN + 1];

	console_token_new(&s, (struct console_scope){ 0 }, 1, 60, first);
	for (size_t i = 0; i < nitems(s.tokens); i++)
		console_token_new(
		    &s, (struct console_scope){ 0 }, 2, 60, token);
	assert_int_equal(login(first, HERE, 3, NULL), CONSOLE_WRONG);
	assert_int_equal(login(token, HERE, 3, NULL), CONSOLE_LOGIN_OK);
}

/* An app that fills all places takes none from the operator. */
static void
an_app_gives_way_to_itself(void **state)
{
	struct console_scope app = { .app = 7 }, all = { 0 };
	char token[CONSOLE_SECRET_LEN + 1], other[CONSOLE_SECRET_LEN + 1],
	    cookie[CONSOLE_SECRET_LEN + 1];

	console_token_new(&s, all, 1, 60, token);
	for (size_t i = 0; i < 2 * nitems(s.tokens); i++)
		console_token_new(&s, app, 2, 3600, other);
	assert_int_equal(login(token, HERE, 3, cookie), CONSOLE_LOGIN_OK);
	for (size_t i = 0; i < 2 * nitems(s.sessions); i++) {
		console_token_new(&s, app, 4, 3600, other);
		assert_int_equal(login(other, HERE, 5, NULL), CONSOLE_LOGIN_OK);
	}
	assert_non_null(console_session_find(&s, str_of(cookie), 6));
	/* A newcomer among them finds a place. */
	console_token_new(&s, (struct console_scope){ .app = 8 }, 7, 60, token);
	assert_int_equal(login(token, HERE, 8, NULL), CONSOLE_LOGIN_OK);
	assert_non_null(console_session_find(&s, str_of(cookie), 9));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_token_counts_once, teardown),
		cmocka_unit_test_teardown(a_token_ends, teardown),
		cmocka_unit_test_teardown(wrong_tokens_are_limited, teardown),
		cmocka_unit_test_teardown(places_are_bounded, teardown),
		cmocka_unit_test_teardown(an_app_gives_way_to_itself, teardown),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
