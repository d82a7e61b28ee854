/* SPDX-License-Identifier: MIT */
/* link_test.c: a link that goes on in another process. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/worker/rig.h"

static void
on_up(struct worker *w, bool dropped)
{
	assert_false(dropped);
	w->link->retry.data = w;
}

/* An event that another process has received is not new in this one, whatever
 * workers come later. */
static void
a_process_that_takes_over_knows_what_was_received(void **state)
{
	static const ipc_handler none[IPC_NTYPES];
	static const struct link_handler handler = { .handlers = none,
		.up = on_up };
	struct rig from, to;
	struct msg_move_link m;
	int fds[2];

	(void)state;
	rig_init(&from);
	rig_link(&from);
	rig_init(&to);
	for (uint64_t origin = 1; origin <= 3; origin++)
		assert_true(link_is_new(&from.w, origin, 5));
	m = link_state(&from.w);
	m.unsent = S("");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	to.broker = fds[0];
	to.w.link->ops = &handler;
	link_adopt(&to.w, fds[1], NULL, &m);
	for (uint64_t origin = 4; origin <= 6; origin++)
		assert_true(link_is_new(&to.w, origin, 1));
	for (uint64_t origin = 1; origin <= 3; origin++) {
		assert_false(link_is_new(&to.w, origin, 5));
		assert_true(link_is_new(&to.w, origin, 6));
	}
	rig_clear(&to);
	rig_clear(&from);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_process_that_takes_over_knows_what_was_received),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
