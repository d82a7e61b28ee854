/* SPDX-License-Identifier: MIT */
/* slot.c: the mark, and the last words of the worker that leaves. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/slot.h"
#include "tests/unit/broker/links.h"

enum { RECEIVER, LEAVING };

/* All have a link, and read what they were told. */
static struct links *
new_links(void)
{
	struct links *l = links_new(NULL);

	for (unsigned i = 0; i < LINKS; i++) {
		links_done(l, i, 0);
		expect_nothing(l, i);
	}
	return l;
}

/* The messages of these types that the broker has written, without a turn. */
static unsigned
count_written(struct links *l, unsigned slot, uint32_t type)
{
	struct said s;
	unsigned n = 0;

	links_read(l, slot);
	while (said_next(l->in[slot], &l->at[slot], &s))
		n += s.type == type;
	return n;
}

static void
ask(struct links *l)
{
	SEND(l, LEAVING, merge, .slot = LEAVING, .receiver = RECEIVER);
}

/* If it dies now, both know whose the clients are. */
static void
both_links_have_the_mark_before_the_turn_ends(void **state)
{
	struct links *l = new_links();

	ask(l);
	ev_run(l->br.loop, EVRUN_NOWAIT);
	assert_int_equal(count_written(l, LEAVING, IPC_MERGE), 1);
	assert_int_equal(count_written(l, RECEIVER, IPC_MERGE), 1);
	links_free(l);
}

/* Two members of the worker that leaves, which has got the mark. */
static struct links *
new_marked(void)
{
	struct links *l = new_links();
	struct msg_merge mark;
	struct msg_sub_done done;
	char id[] = "u0";

	for (uint64_t sid = 1; sid <= 2; sid++) {
		id[1] = (char)('0' + sid);
		SEND(l, LEAVING, sub, .app = 1, .sid = sid,
		    .channel = S("presence-a"), .user_id = str_of(id));
		EXPECT(l, LEAVING, sub_done, SUB_DONE, &done);
		assert_int_equal(done.status, 0);
		while (count_written(l, LEAVING, IPC_EVENT) > 0)
			continue; /* member_added */
	}
	ask(l);
	EXPECT(l, LEAVING, merge, MERGE, &mark);
	assert_int_equal(mark.receiver, RECEIVER);
	EXPECT(l, RECEIVER, merge, MERGE, &mark);
	assert_int_equal(mark.slot, LEAVING);
	return l;
}

/* A client has ended before the hand-over; closes: so has the link. */
static void
last_words(bool closes)
{
	struct links *l = new_marked();
	const struct registry *r = l->br.registry;

	SEND(l, RECEIVER, merged, .taken = 1);
	SEND(l, LEAVING, unsub, .app = 1, .sid = 2, .channel = S("presence-a"),
	    .user_id = S("u2"));
	if (closes)
		links_kill(l, LEAVING);
	links_turn(l);
	assert_int_equal(r->nsubs[LEAVING], 0);
	assert_int_equal(r->nsubs[RECEIVER], 1);
	assert_int_equal(l->br.dying, 0);
	if (!closes)
		assert_true(links_is_over(l, LEAVING));
	/* The one that stays is the receiver's. */
	SEND(l, RECEIVER, unsub, .app = 1, .sid = 1, .channel = S("presence-a"),
	    .user_id = S("u1"));
	links_turn(l);
	assert_int_equal(r->channels.n, 0);
	assert_false(links_is_over(l, RECEIVER));
	links_free(l);
}

static void
last_words_count_though_merged_is_read_first(void **state)
{
	last_words(false);
}

static void
last_words_count_when_the_link_has_ended(void **state)
{
	last_words(true);
}

/* The one that leaves is gone first, then the receiver: all of it ends. */
static void
clients_of_both_end_with_the_receiver(void **state)
{
	struct links *l = new_marked();

	links_kill(l, LEAVING);
	assert_int_equal(l->br.registry->nsubs[LEAVING], 2);
	links_kill(l, RECEIVER);
	links_turn(l);
	assert_int_equal(l->br.registry->nsubs[LEAVING], 0);
	assert_int_equal(l->br.registry->channels.n, 0);
	assert_int_equal(l->br.dying, 0);
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_links_have_the_mark_before_the_turn_ends),
		cmocka_unit_test(last_words_count_though_merged_is_read_first),
		cmocka_unit_test(last_words_count_when_the_link_has_ended),
		cmocka_unit_test(clients_of_both_end_with_the_receiver),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
