/* SPDX-License-Identifier: MIT */
/* watchlist.c: much work for one app is done in portions. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/broker/user/signins.h"

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

#define LISTS 20
#define NAMES 1000

/* The answers to sign-ins that have come by now. */
static unsigned
count_answers(struct links *l)
{
	struct said said;
	unsigned n = 0;

	links_read(l, 0);
	while (has_message(l) && said_next(l->in[0], &l->at[0], &said))
		n += said.type == IPC_SIGNIN_DONE;
	return n;
}

/* A long list takes its time, and so does its end: others come in between. */
static void
long_lists_come_and_go_in_portions(void **state)
{
	struct links *l = links_new(NULL);
	const struct hash *users = &l->br.users->by_id;
	unsigned answers;
	char id[16];

	(void)state;
	for (unsigned i = 0; i < LISTS; i++) {
		struct buf *list = NULL;

		for (unsigned k = 0; k < NAMES; k++)
			buf_printf(
			    &list, "%c\"%u-%u\"", k == 0 ? '[' : ',', i, k);
		buf_putc(&list, ']');
		user_name(id, i);
		SEND(l, 0, signin, .app = 1, .sid = 1 + i,
		    .user_id = str_of(id), .watchlist = buf_str(list));
		buf_unref(list);
	}
	links_turn(l);
	answers = count_answers(l);
	assert_in_range(answers, 1, LISTS / 2);
	sign_out(l, 0, LISTS, id); /* it has no answer */
	while (answers < LISTS - 1) {
		links_turn(l);
		answers += count_answers(l);
	}
	assert_int_equal(users->n, LISTS + (LISTS - 1) * NAMES);
	for (unsigned i = 0; i < LISTS - 1; i++) {
		user_name(id, i);
		SEND(l, 0, signout, .app = 1, .sid = 1 + i,
		    .user_id = str_of(id));
	}
	links_turn(l);
	assert_in_range(users->n, LISTS * NAMES / 2, LISTS * NAMES);
	for (unsigned i = 0; i < 2 * LISTS; i++)
		links_turn(l);
	assert_int_equal(users->n, LISTS); /* they are leaving */
	links_free(l);
}

/* The state of the list that counts is in the answer. */
static void
a_long_list_replaces_one_that_waits(void **state)
{
	struct links *l = links_new(NULL);
	struct buf *list = NULL;
	struct msg_signin_done done;
	const struct user *u;

	(void)state;
	for (unsigned k = 0; k < NAMES; k++)
		buf_printf(&list, "%c\"%u\"", k == 0 ? '[' : ',', k);
	buf_putc(&list, ']');
	SEND(l, 0, signin, .app = 1, .sid = 1, .user_id = S("ada"),
	    .watchlist = buf_str(list));
	SEND(l, 0, signin, .app = 1, .sid = 1, .user_id = S("ada"),
	    .watchlist = S("[\"bob\"]"));
	for (int i = 0; i < 2; i++) {
		EXPECT(l, 0, signin_done, SIGNIN_DONE, &done);
		assert_frames(
		    done.frames, CHANGES(CHANGE("offline", ID("bob"))));
	}
	u = users_find(&l->br, 1, S("bob"));
	assert_non_null(u);
	assert_int_equal(u->nwatchers, 1);
	assert_null(users_find(&l->br, 1, S("7")));
	buf_unref(list);
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    many_who_leave_together_are_told_of_in_portions),
		cmocka_unit_test(
		    many_who_come_together_are_told_of_in_portions),
		cmocka_unit_test(watchers_come_and_go_between_two_portions),
		cmocka_unit_test(a_user_leaves_before_all_are_told),
		cmocka_unit_test(long_lists_come_and_go_in_portions),
		cmocka_unit_test(a_long_list_replaces_one_that_waits),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
