/* SPDX-License-Identifier: MIT */
/* users.c: sign-in, the user's channel, watchlists, terminate. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/broker/user/signins.h"

static void
events_reach_a_signed_in_user(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_event m;

	(void)state;
	sign_in(l, 0, 1, "ada", "", "");
	sign_in(l, 1, 2, "ada", "[]", "");
	sign_in(l, 1, 3, "ada", "", "");
	links_event(l, 2, "#server-to-user-ada", S("frame"), 0);
	for (unsigned i = 0; i < 2; i++) {
		EXPECT(l, i, event, EVENT, &m);
		assert_bytes(m.channel, S("#server-to-user-ada"));
	}
	assert_int_equal(l->br.registry->noccupied, 0);
	sign_out(l, 1, 2, "ada");
	sign_out(l, 0, 1, "ada");
	links_event(l, 2, "#server-to-user-ada", S("frame"), 0);
	EXPECT(l, 1, event, EVENT, &m);
	expect_nothing(l, 0);
	sign_out(l, 1, 3, "ada");
	assert_int_equal(l->br.registry->channels.n, 0);
	links_event(l, 2, "#server-to-user-ada", S("frame"), 0);
	expect_nothing(l, 1);
	links_free(l);
}

static void
a_watcher_hears_of_changes(void **state)
{
	struct links *l = links_new(NULL);

	(void)state;
	sign_in(l, 0, 1, "ada", "", "");
	sign_in(l, 1, 2, "bob", "[\"ada\",\"cleo\",\"cleo\"]",
	    CHANGES(
		CHANGE("online", ID("ada")) "," CHANGE("offline", ID("cleo"))));
	sign_in(l, 2, 3, "cleo", "[\"dan\",\"eve\"]",
	    CHANGES(CHANGE("offline", ID("dan") "," ID("eve"))));
	assert_watchlist_event(l, 1, 2, CHANGES(CHANGE("online", ID("cleo"))));
	sign_in(l, 3, 4, "cleo", "", "");
	sign_out(l, 2, 3, "cleo");
	expect_nothing(l, 1);
	sign_out(l, 3, 4, "cleo"); /* and back within three seconds */
	sign_in(l, 3, 5, "cleo", "", "");
	expect_nothing(l, 1);
	sign_out(l, 3, 5, "cleo");
	/* a newcomer hears the same as the others */
	sign_in(l, 0, 6, "fay", "[\"cleo\"]",
	    CHANGES(CHANGE("online", ID("cleo"))));
	links_wait(l, 3.1);
	assert_watchlist_event(l, 1, 2, CHANGES(CHANGE("offline", ID("cleo"))));
	assert_watchlist_event(l, 0, 6, CHANGES(CHANGE("offline", ID("cleo"))));
	expect_nothing(l, 1);
	sign_in(l, 3, 7, "cleo", "", "");
	assert_watchlist_event(l, 1, 2, CHANGES(CHANGE("online", ID("cleo"))));
	links_free(l);
}

static void
a_second_sign_in_replaces_the_list(void **state)
{
	struct links *l = links_new(NULL);

	(void)state;
	sign_in(
	    l, 0, 1, "ada", "[\"bob\"]", CHANGES(CHANGE("offline", ID("bob"))));
	sign_in(l, 0, 1, "ada", "[\"cleo\",\"ada\"]",
	    CHANGES(
		CHANGE("online", ID("ada")) "," CHANGE("offline", ID("cleo"))));
	sign_in(l, 1, 2, "bob", "", "");
	expect_nothing(l, 0);
	sign_in(l, 1, 3, "cleo", "", "");
	assert_watchlist_event(l, 0, 1, CHANGES(CHANGE("online", ID("cleo"))));
	sign_in(l, 0, 1, "ada", "", "");
	/* watching oneself: the frame says it, no event follows */
	sign_in(l, 2, 9, "me", "[\"me\"]", CHANGES(CHANGE("online", ID("me"))));
	expect_nothing(l, 2);
	links_free(l);
}

static void
a_watcher_comes_after_the_last_one_has_left(void **state)
{
	struct links *l = links_new(NULL);

	(void)state;
	sign_in(l, 0, 1, "cleo", "", "");
	sign_in(l, 1, 2, "bob", "[\"cleo\"]",
	    CHANGES(CHANGE("online", ID("cleo"))));
	sign_out(l, 1, 2, "bob");
	sign_in(l, 1, 3, "dan", "[\"cleo\"]",
	    CHANGES(CHANGE("online", ID("cleo"))));
	sign_out(l, 0, 1, "cleo");
	links_wait(l, 3.1);
	assert_watchlist_event(l, 1, 3, CHANGES(CHANGE("offline", ID("cleo"))));
	links_free(l);
}

static void
ids_are_any_text(void **state)
{
	struct links *l = links_new(NULL);

	(void)state;
	sign_in(l, 0, 1, "ada", "[\"a\\\"b\",\"\\u00e9\"]",
	    CHANGES(CHANGE("offline", "\\\"a\\\\\\\"b\\\",\\\"\xc3\xa9\\\"")));
	links_free(l);
}

static void
a_dead_worker_signs_its_users_out(void **state)
{
	struct links *l = links_new(NULL);

	(void)state;
	sign_in(
	    l, 0, 1, "ada", "[\"bob\"]", CHANGES(CHANGE("offline", ID("bob"))));
	sign_in(
	    l, 1, 2, "bob", "[\"ada\"]", CHANGES(CHANGE("online", ID("ada"))));
	assert_watchlist_event(l, 0, 1, CHANGES(CHANGE("online", ID("bob"))));
	links_kill(l, 1);
	assert_null(registry_find(l->br.registry, 1, S("#server-to-user-bob")));
	links_wait(l, 3.1);
	assert_watchlist_event(l, 0, 1, CHANGES(CHANGE("offline", ID("bob"))));
	sign_out(l, 0, 1, "ada"); /* nobody watches her any more */
	links_free(l);
}

static void
a_replay_is_silent(void **state)
{
	struct links *l = links_new(NULL);

	(void)state;
	l->br.peers[0]->rejoined = l->br.peers[1]->rejoined = false;
	SEND(l, 0, signin, .app = 1, .sid = 1, .replay = 1, .user_id = S("ada"),
	    .watchlist = S("[\"bob\"]"));
	SEND(
	    l, 1, signin, .app = 1, .sid = 2, .replay = 1, .user_id = S("bob"));
	expect_nothing(l, 0);
	expect_nothing(l, 1);
	sign_in(l, 1, 3, "cleo", "[\"ada\",\"bob\"]",
	    CHANGES(CHANGE("online", ID("ada") "," ID("bob"))));
	links_free(l);
}

static void
terminate_goes_where_the_user_is(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_terminate m;

	(void)state;
	sign_in(l, 0, 1, "ada", "", "");
	sign_in(l, 1, 2, "bob", "", "");
	SEND(l, 3, terminate, .app = 1, .user_id = S("ada"));
	SEND(l, 3, terminate, .app = 1, .user_id = S("nobody"));
	SEND(l, 3, terminate, .app = 2, .user_id = S("bob"));
	EXPECT(l, 0, terminate, TERMINATE, &m);
	assert_bytes(m.user_id, S("ada"));
	for (unsigned i = 0; i < LINKS; i++)
		expect_nothing(l, i);
	links_free(l);
}

static void
nonsense_ends_the_link(void **state)
{
	static const struct {
		uint64_t sid;
		const char *user, *watchlist;
	} said[] = {
		{ 5, "", "" },
		{ 5, "ada", "{}" },
		{ 5, "ada", "[1]" },
		{ 5, "ada", "[\"a\"" },
		{ 1, "bob", "" }, /* another worker's connection */
		{ 1, "ada", "" },
	};
	struct links *l = links_new(NULL);

	(void)state;
	sign_in(l, 1, 1, "ada", "", "");
	for (size_t i = 0; i < nitems(said); i++) {
		SEND(l, 0, signin, .app = 1, .sid = said[i].sid,
		    .user_id = str_of(said[i].user),
		    .watchlist = str_of(said[i].watchlist));
		if (!links_is_over(l, 0))
			fail_msg("case %zu is believed", i);
		close(l->fd[0]);
		links_hello(l, 0, 100 + i);
	}
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_reach_a_signed_in_user),
		cmocka_unit_test(a_watcher_hears_of_changes),
		cmocka_unit_test(a_second_sign_in_replaces_the_list),
		cmocka_unit_test(a_watcher_comes_after_the_last_one_has_left),
		cmocka_unit_test(ids_are_any_text),
		cmocka_unit_test(a_dead_worker_signs_its_users_out),
		cmocka_unit_test(a_replay_is_silent),
		cmocka_unit_test(terminate_goes_where_the_user_is),
		cmocka_unit_test(nonsense_ends_the_link),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
