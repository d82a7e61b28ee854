/* SPDX-License-Identifier: MIT */
/*
 * receipt.c: who confirms an event: what workers say, what they say wrongly,
 * and what they do not say.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "broker/channel/receipt.h"
#include "broker/core/budget.h"
#include "shared/base/base.h"
#include "tests/unit/broker/links.h"

#define LINES "0 1 0 a\n"

static void
ask(struct links *l, uint64_t id, uint32_t ms)
{
	SEND(l, 3, query, .id = id, .app = 1, .kind = QUERY_EVENT_INFO,
	    .wait_ms = ms, .channel = S(LINES));
}

static void
answers(struct links *l, uint64_t id, const char *counts)
{
	struct msg_reply m;
	char want[128];

	EXPECT(l, 3, reply, REPLY, &m);
	assert_int_equal(m.id, id);
	snprintf(want, sizeof(want), "{\"channels\":{\"a\":{%s}},", counts);
	if (!str_starts(m.body, str_of(want)))
		fail_msg("%.*s is not %s", STR_ARG(m.body), want);
}

static struct links *new (void)
{
	struct links *l = links_new(NULL);
	struct said s;

	links_sub(l, 0, 1, "a", "");
	links_sub(l, 1, 2, "a", "");
	links_sub(l, 1, 3, "a", "");
	while (links_next(l, 0, &s) || links_next(l, 1, &s))
		;
	return l;
}

static void
workers_are_asked_and_counted(void **state)
{
	struct links *l = new ();
	struct msg_receipt m;
	char row[2 * RECEIPT_ROW] = { 0 };

	(void)state;
	ask(l, 7, 8000);
	EXPECT(l, 0, receipt, RECEIPT, &m);
	assert_bytes(m.channel, S("a"));
	SEND(l, 0, receipt_rows, .id = m.id, .without_session = 1, .last = 1);
	EXPECT(l, 1, receipt, RECEIPT, &m);
	expect_nothing(l, 2);
	SEND(l, 1, receipt_rows, .id = m.id, .without_session = 1);
	expect_nothing(l, 3);
	/* The event has no number, so nobody can confirm it. */
	SEND(l, 1, receipt_rows, .id = m.id, .last = 1,
	    .rows = str_make(row, sizeof(row)));
	links_wait(l, 0.1);
	answers(l, 7, "\"confirmed\":0,\"open\":2,\"without_session\":2");
	/* A late one finds nobody. */
	SEND(l, 1, receipt_rows, .id = m.id, .last = 1);
	assert_false(links_is_over(l, 1));
	assert_int_equal(l->br.receipts->by_requests.held, 0);
	assert_int_equal(l->br.receipts->by_requests.by_app.n, 0);
	assert_true(l->br.receipts->by_subscribers.held == 0);
	links_free(l);
}

static void
a_silent_subscriber_stays_open(void **state)
{
	struct links *l = new ();
	struct msg_receipt m;

	(void)state;
	ask(l, 8, 50);
	EXPECT(l, 0, receipt, RECEIPT, &m);
	SEND(l, 0, receipt_rows, .id = m.id, .without_session = 1, .last = 1);
	links_wait(l, 0.1);
	answers(l, 8, "\"confirmed\":0,\"open\":2,\"without_session\":1");
	/* A worker that is gone, and another one in its place. */
	ask(l, 9, 8000);
	EXPECT(l, 0, receipt, RECEIPT, &m);
	SEND(l, 0, receipt_rows, .id = m.id, .without_session = 1, .last = 1);
	links_kill(l, 1);
	links_hello(l, 1, 99);
	links_wait(l, 0.1);
	answers(l, 9, "\"confirmed\":0,\"open\":2,\"without_session\":1");
	/* The one that asks is gone. */
	ask(l, 10, 8000);
	links_turn(l);
	assert_int_equal(l->br.receipts->by_requests.held, 1);
	links_kill(l, 3);
	assert_int_equal(l->br.receipts->by_requests.held, 0);
	links_free(l);
}

static void
rows_that_are_none_end_the_link(void **state)
{
	static const struct {
		uint32_t channel_at;
		size_t n;
		unsigned slot;
	} bad[] = { { 1, 0, 0 }, { UINT32_MAX, 12, 0 }, { 0, 11, 0 },
		{ 0, 13, 0 }, { 0, 12, 2 } };
	char row[2 * RECEIPT_ROW] = { 0 };

	(void)state;
	for (size_t i = 0; i < nitems(bad); i++) {
		struct links *l = new ();
		struct msg_receipt m;

		ask(l, 1, 8000);
		EXPECT(l, 0, receipt, RECEIPT, &m);
		SEND(l, bad[i].slot, receipt_rows, .id = m.id,
		    .channel_at = bad[i].channel_at,
		    .rows = str_make(row, bad[i].n));
		if (!links_is_over(l, bad[i].slot))
			fail_msg("row %zu is believed", i);
		links_free(l);
	}
}

/* Of an event in 200 channels with long names: 35 KB. */
static void
ask_much(struct links *l, uint64_t id, uint32_t ms)
{
	struct buf *lines = buf_from(S(LINES));

	for (unsigned i = 0; i < 200; i++)
		buf_printf(&lines, "0 1 0 %0100u\n", i);
	SEND(l, 3, query, .id = id, .app = 1, .kind = QUERY_EVENT_INFO,
	    .wait_ms = ms, .channel = buf_str(lines));
	links_turn(l);
	buf_unref(lines);
}

static bool
is_refused(struct links *l, uint64_t id)
{
	struct msg_reply m;

	EXPECT(l, 3, reply, REPLY, &m);
	assert_int_equal(m.id, id);
	return memmem(m.body.p, m.body.n, "memory_limit", 12) != NULL;
}

static void
what_waits_is_in_the_account_of_its_app(void **state)
{
	struct links *l = new ();
	uint64_t id = 0;

	(void)state;
	budget_set(l->br.budget, 2 << 20); /* some 400 KB for apps */
	do
		ask_much(l, ++id, 8000);
	while (id < 30 && l->br.receipts->by_requests.held == id);
	assert_in_range(id, 4, 15);
	assert_true(is_refused(l, id));
	links_kill(l, 3); /* none waits any more */
	links_hello(l, 3, 99);
	assert_int_equal(l->br.receipts->by_requests.held, 0);
	ask_much(l, 7, 1);
	links_wait(l, 0.1);
	assert_false(is_refused(l, 7));
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_are_asked_and_counted),
		cmocka_unit_test(a_silent_subscriber_stays_open),
		cmocka_unit_test(rows_that_are_none_end_the_link),
		cmocka_unit_test(what_waits_is_in_the_account_of_its_app),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
