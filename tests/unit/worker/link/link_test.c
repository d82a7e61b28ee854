/* SPDX-License-Identifier: MIT */
/* link_test.c: a link that goes on in another process; when the broker is
 * woken. */

#include <poll.h>
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

/* Is the broker woken?  It sleeps from now on. */
static bool
is_woken(struct memring *broker)
{
	struct pollfd bell = { memring_fds(broker).bell, POLLIN, 0 };
	bool woken = poll(&bell, 1, 0) == 1;

	if (woken)
		memring_hear(broker);
	memring_sleep(broker);
	return woken;
}

static void
say(struct rig *r, unsigned n)
{
	struct msg_ping m = { 0 };

	while (n-- > 0)
		link_send_ping(&r->w, &m);
}

static void
the_broker_is_woken_by_the_next_flush(void **state)
{
	struct memring_fds fds;
	struct memring *first = memring_new(&fds), *broker;
	struct rig r;

	(void)state;
	assert_non_null(first);
	broker = memring_open(&fds);
	assert_non_null(broker);
	rig_init(&r);
	rig_link(&r);
	carrier_adopt(&r.w.link->ipc.carrier, first, 0);
	is_woken(broker);

	assert_false(link_flush_later(&r.w)); /* nothing has been said */
	say(&r, 1);
	assert_false(link_flush_later(&r.w)); /* no more than one message */
	link_flush(&r.w);
	assert_true(is_woken(broker));

	say(&r, 2);
	assert_true(link_flush_later(&r.w));
	assert_false(is_woken(broker));
	assert_int_equal(memring_ready(broker), 3 * (IPC_HEAD + 8));
	say(&r, 2);
	assert_false(link_flush_later(&r.w)); /* it has waited once */
	link_flush(&r.w);
	assert_true(is_woken(broker));

	say(&r, 2);
	assert_true(link_flush_later(&r.w));
	link_flush(&r.w); /* though nothing more has been said */
	assert_true(is_woken(broker));

	rig_clear(&r);
	memring_free(broker);
}

static unsigned npings;

static int
on_ping(void *w, const struct ipc_in *in)
{
	struct msg_ping m;

	assert_int_equal(msg_ping_get(&m, in->body), 0);
	assert_int_equal(m.id, ++npings);
	return 0;
}

/* The process before had read more than it could deliver in one turn. */
static void
messages_that_were_read_before_are_handled_at_once(void **state)
{
	static const ipc_handler handlers[IPC_NTYPES] = { [IPC_PING] =
							      on_ping };
	static const struct link_handler handler = { .handlers = handlers,
		.up = on_up };
	struct rig from, to;
	struct msg_move_link m;
	char bytes[2][64];
	int fds[2];
	size_t n;

	(void)state;
	rig_init(&from);
	rig_link(&from);
	rig_init(&to);
	n = msg_ping_size(NULL);
	for (unsigned i = 0; i < 2; i++)
		msg_ping_put(*bytes + i * n, &(struct msg_ping){ .id = i + 1 });
	m = link_state(&from.w);
	m.unsent = S("");
	m.unread = str_make(*bytes, 2 * n);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	to.broker = fds[0];
	to.w.link->ops = &handler;
	link_adopt(&to.w, fds[1], NULL, &m);
	assert_int_equal(npings, 0);
	ipc_go_on(&to.w.link->ipc);
	ev_run(to.w.loop, EVRUN_NOWAIT);
	assert_int_equal(npings, 2);
	rig_clear(&to);
	rig_clear(&from);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_process_that_takes_over_knows_what_was_received),
		cmocka_unit_test(the_broker_is_woken_by_the_next_flush),
		cmocka_unit_test(
		    messages_that_were_read_before_are_handled_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
