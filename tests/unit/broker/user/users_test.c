/* SPDX-License-Identifier: MIT */
/* users.c: sign-in, the user's channel, watchlists, terminate. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "broker/user/user.h"
#include "broker/user/watchlist.h"
#include "tests/unit/broker/links.h"

#define CHANGES(events) \
	"{\"event\":\"pusher_internal:watchlist_events\",\"data\":" \
	"\"{\\\"events\\\":[" events "]}\"}"
#define CHANGE(name, ids) \
	"{\\\"name\\\":\\\"" name "\\\",\\\"user_ids\\\":[" ids "]}"
#define ID(id) "\\\"" id "\\\""

static void
sign_in(struct links *l, unsigned slot, uint64_t sid, const char *user,
    const char *watchlist, const char *want)
{
	struct msg_signin_done done;

	SEND(l, slot, signin, .app = 1, .sid = sid, .user_id = str_of(user),
	    .watchlist = str_of(watchlist));
	EXPECT(l, slot, signin_done, SIGNIN_DONE, &done);
	assert_true(done.sid == sid);
	assert_frames(done.frames, want);
}

static void
sign_out(struct links *l, unsigned slot, uint64_t sid, const char *user)
{
	SEND(l, slot, signout, .app = 1, .sid = sid, .user_id = str_of(user));
	links_turn(l);
}

static void
assert_watchlist_event(
    struct links *l, unsigned slot, uint64_t sid, const char *want)
{
	struct msg_watchlist_event m;

	EXPECT(l, slot, watchlist_event, WATCHLIST_EVENT, &m);
	assert_true(m.sid == sid);
	assert_frames(m.frames, want);
}

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

#define USERS 100
#define WATCHERS 150

/* Is a whole message there? */
static bool
has_message(const struct links *l)
{
	uint32_t len, n = l->in[0] == NULL ? 0 : l->in[0]->len - l->at[0];

	if (n < IPC_HEAD)
		return false;
	memcpy(&len, l->in[0]->data + l->at[0], 4);
	return n >= len + 4;
}

static void
user_name(char id[16], unsigned i)
{
	snprintf(id, 16, "user-%u", i);
}

/* WATCHERS connections that watch USERS users. */
static void
begin_watching(struct links *l)
{
	struct buf *list = NULL;
	char id[16];

	for (unsigned i = 0; i < USERS; i++) {
		user_name(id, i);
		buf_printf(&list, "%c\"%s\"", i == 0 ? '[' : ',', id);
	}
	buf_putc(&list, ']');
	for (unsigned i = 0; i < WATCHERS; i++) {
		snprintf(id, sizeof(id), "watcher-%u", i);
		SEND(l, 0, signin, .app = 1, .sid = 1000 + i,
		    .user_id = str_of(id), .watchlist = buf_str(list));
		links_turn(l);
		links_read(l, 0);
	}
	buf_unref(list);
}

static unsigned
count_events(struct links *l)
{
	struct said said;
	unsigned n = 0;

	links_read(l, 0);
	while (has_message(l) && said_next(l->in[0], &l->at[0], &said))
		n += said.type == IPC_WATCHLIST_EVENT;
	return n;
}

/* The links of the workers are not filled with what one app's users do. */
static void
expect_portions(struct links *l)
{
	unsigned told = 0;

	assert_in_range(
	    outq_bytes(&l->br.peers[0]->ipc.out), 0, (1 << 20) + (1 << 18));
	while (told < USERS * WATCHERS) {
		links_turn(l);
		told += count_events(l);
	}
	assert_int_equal(told, USERS * WATCHERS);
	links_turn(l);
	assert_int_equal(count_events(l), 0);
}

static void
many_who_leave_together_are_told_of_in_portions(void **state)
{
	struct links *l = links_new(NULL);
	char id[16];

	(void)state;
	for (unsigned i = 0; i < USERS; i++) {
		user_name(id, i);
		SEND(l, 0, signin, .app = 1, .sid = 1 + i,
		    .user_id = str_of(id), .watchlist = S(""));
		links_turn(l);
	}
	begin_watching(l);
	count_events(l);
	for (unsigned i = 0; i < USERS; i++) {
		user_name(id, i);
		sign_out(l, 0, 1 + i, id);
	}
	links_wait(l, USERS_OFFLINE + .3);
	expect_portions(l);
	links_free(l);
}

static void
many_who_come_together_are_told_of_in_portions(void **state)
{
	struct links *l = links_new(NULL);
	char id[16];

	(void)state;
	begin_watching(l);
	count_events(l);
	for (unsigned i = 0; i < USERS; i++) {
		user_name(id, i);
		SEND(l, 0, signin, .app = 1, .sid = 1 + i,
		    .user_id = str_of(id), .watchlist = S(""));
	}
	links_turn(l); /* reads all of them */
	expect_portions(l);
	links_free(l);
}

#define CROWD 5000

/* Each is told the present state, and once. */
static void
watchers_come_and_go_between_two_portions(void **state)
{
	struct links *l = links_new(NULL);
	unsigned told, more = 1;

	(void)state;
	for (unsigned i = 0; i < CROWD; i++) {
		SEND(l, 0, signin, .app = 1, .sid = 1000 + i,
		    .user_id = S("watcher"), .watchlist = S("[\"ada\"]"));
		links_turn(l);
		links_read(l, 0);
	}
	count_events(l);
	sign_in(l, 1, 1, "ada", "", "");
	told = count_events(l);
	assert_in_range(told, 1, CROWD - 2);
	sign_out(l, 0, 1000 + CROWD - 1, "watcher"); /* the last one */
	sign_out(l, 0, 1000, "watcher");
	sign_in(
	    l, 2, 2, "late", "[\"ada\"]", CHANGES(CHANGE("online", ID("ada"))));
	for (; more > 0; told += more) {
		links_turn(l);
		more = count_events(l);
	}
	assert_int_equal(told, CROWD - 1);
	expect_nothing(l, 2);
	links_free(l);
}

/* Whoever leaves before all are told is offline for all in the end. */
static void
a_user_leaves_before_all_are_told(void **state)
{
	struct links *l = links_new(NULL);
	struct user *u;

	(void)state;
	for (unsigned i = 0; i < CROWD; i++) {
		SEND(l, 0, signin, .app = 1, .sid = 1000 + i,
		    .user_id = S("watcher"), .watchlist = S("[\"ada\"]"));
		links_turn(l);
		links_read(l, 0);
	}
	sign_in(l, 1, 1, "ada", "", "");
	sign_out(l, 1, 1, "ada");
	u = users_find(&l->br, 1, S("ada"));
	assert_non_null(u);
	assert_true(u->untold > 0);
	u->due = broker_now(); /* the three seconds are over */
	l->br.users->offline.repeat = 0.001;
	ev_timer_again(l->br.loop, &l->br.users->offline);
	while (user_is_online(u) || u->untold > 0) {
		links_turn(l);
		links_read(l, 0);
	}
	assert_false(user_is_online(u));
	assert_false(watchlist_is_notified(u));
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_reach_a_signed_in_user),
		cmocka_unit_test(a_watcher_hears_of_changes),
		cmocka_unit_test(a_second_sign_in_replaces_the_list),
		cmocka_unit_test(ids_are_any_text),
		cmocka_unit_test(a_dead_worker_signs_its_users_out),
		cmocka_unit_test(a_replay_is_silent),
		cmocka_unit_test(terminate_goes_where_the_user_is),
		cmocka_unit_test(
		    many_who_leave_together_are_told_of_in_portions),
		cmocka_unit_test(
		    many_who_come_together_are_told_of_in_portions),
		cmocka_unit_test(watchers_come_and_go_between_two_portions),
		cmocka_unit_test(a_user_leaves_before_all_are_told),
		cmocka_unit_test(nonsense_ends_the_link),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
