/* SPDX-License-Identifier: MIT */
/*
 * conn_query_test.c: questions that workers answer: portion by portion, one
 * worker after the other, with limits, and with workers and clients that go.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/control/conn_query.h"
#include "shared/base/base.h"
#include "tests/unit/broker/desk.h"

static void
expect_query(
    struct desk *d, unsigned slot, uint32_t kind, struct msg_conn_query *m)
{
	EXPECT(d->l, slot, conn_query, CONN_QUERY, m);
	assert_int_equal(m->kind, kind);
	assert_true(m->id != 0);
}

static void
workers_are_asked_in_turn(void **state)
{
	struct desk *d = desk_new();
	struct msg_conn_query m, next;
	struct msg_conn_query_more go;
	uint64_t id;

	(void)state;
	desk_ask(d, "connections", "{\"app\":\"app1\",\"channel\":\"a\"}");
	expect_query(d, 0, CONN_QUERY_LIST, &m);
	assert_int_equal(m.app, 1);
	assert_bytes(m.channel, S("a"));
	assert_int_equal(m.user_id.n, 0);
	id = m.id;
	for (unsigned i = 1; i < LINKS; i++)
		expect_nothing(d->l, i);
	/* Two portions, of two rows and of one. */
	SEND(d->l, 0, conn_query_rows, .id = id, .n = 2,
	    .rows = S("{\"n\":1}\n{\"n\":2}\n"));
	EXPECT(d->l, 0, conn_query_more, CONN_QUERY_MORE, &go);
	assert_true(go.id == id);
	SEND(d->l, 0, conn_query_rows, .id = id, .n = 1, .last = 1,
	    .rows = S("{\"n\":3}\n"));
	for (unsigned i = 1; i < LINKS; i++) {
		expect_query(d, i, CONN_QUERY_LIST, &next);
		assert_true(next.id == id);
		SEND(d->l, i, conn_query_rows, .id = id, .last = 1);
	}
	assert_row(d, "{\"n\":1}");
	assert_row(d, "{\"n\":2}");
	assert_row(d, "{\"n\":3}");
	assert_end(d, 0, "");
	desk_free(d);
}

static void
enough_is_enough(void **state)
{
	struct desk *d = desk_new();
	struct msg_conn_query_cancel over;
	struct msg_conn_query m;

	(void)state;
	desk_ask(d, "connections", "{\"limit\":2}");
	expect_query(d, 0, CONN_QUERY_LIST, &m);
	assert_int_equal(m.app, 0);
	SEND(d->l, 0, conn_query_rows, .id = m.id, .n = 3,
	    .rows = S("1\n2\n3\n"));
	assert_row(d, "1");
	assert_row(d, "2");
	assert_end(d, 0, "");
	EXPECT(d->l, 0, conn_query_cancel, CONN_QUERY_CANCEL, &over);
	/* An answer that comes late finds nobody, and that is fine. */
	SEND(d->l, 0, conn_query_rows, .id = m.id, .n = 1, .rows = S("4\n"));
	expect_nothing(d->l, 0);
	expect_nothing(d->l, 1);
	assert_false(links_is_over(d->l, 0));
	desk_free(d);
}

static void
one_connection_or_none(void **state)
{
	struct desk *d = desk_new();
	struct msg_conn_query m;

	(void)state;
	desk_ask(d, "connection", "{\"socket_id\":\"1.2\"}");
	for (unsigned i = 0; i < LINKS; i++) {
		expect_query(d, i, CONN_QUERY_SHOW, &m);
		assert_true(m.sid == (UINT64_C(1) << 32 | 2));
		SEND(d->l, i, conn_query_rows, .id = m.id, .last = 1);
	}
	assert_end(d, 1, "there is no such connection");
	desk_ask(d, "connection", "{\"socket_id\":\"1.2\"}");
	expect_query(d, 0, CONN_QUERY_SHOW, &m);
	SEND(d->l, 0, conn_query_rows, .id = m.id, .n = 1, .last = 1,
	    .rows = S("{}\n"));
	assert_row(d, "{}");
	assert_end(d, 0, "");
	expect_nothing(d->l, 1); /* it has been found */
	desk_free(d);
}

static void
all_close_side_by_side(void **state)
{
	static const struct {
		const char *args;
		uint32_t kind;
	} rows[] = {
		{ "{\"app\":\"app1\"}", CONN_QUERY_KILL },
		{ "{\"app\":\"app1\",\"reconnect\":true}",
		    CONN_QUERY_RECONNECT },
	};
	struct desk *d = desk_new();
	struct msg_conn_query m;

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		desk_ask(d, "kill", rows[i].args);
		for (unsigned k = 0; k < LINKS; k++)
			expect_query(d, k, rows[i].kind, &m);
		SEND(d->l, 3, conn_query_rows, .id = m.id, .n = 5);
		assert_row(d, "{\"type\":\"closed\",\"closed\":5}");
		for (unsigned k = 0; k < LINKS; k++) {
			SEND(d->l, k, conn_query_rows, .id = m.id, .n = 1,
			    .last = 1);
			links_turn(d->l);
		}
		assert_row(d, "{\"type\":\"closed\",\"closed\":6}");
		assert_row(d, "{\"type\":\"closed\",\"closed\":7}");
		assert_row(d, "{\"type\":\"closed\",\"closed\":8}");
		assert_row(d, "{\"type\":\"closed\",\"closed\":9}");
		assert_end(d, 0, "");
	}
	desk_free(d);
}

static void
workers_and_clients_go(void **state)
{
	struct desk *d = desk_new();
	struct msg_conn_query_cancel over;
	struct msg_conn_query m;

	(void)state;
	desk_ask(d, "kill", "{\"app\":\"app1\"}");
	for (unsigned k = 0; k < LINKS; k++)
		expect_query(d, k, CONN_QUERY_KILL, &m);
	for (unsigned k = 0; k < LINKS - 1; k++)
		SEND(d->l, k, conn_query_rows, .id = m.id, .n = 1, .last = 1);
	links_turn(d->l);
	links_kill(d->l, LINKS - 1);
	for (unsigned k = 0; k < LINKS - 1; k++) {
		struct said s;

		assert_true(desk_next(d, &s));
		assert_int_equal(s.type, IPC_CTL_ROW);
	}
	assert_row(d, "{\"type\":\"closed\",\"closed\":3}");
	assert_end(d, 0, "");
	/* The client goes: the workers need not go on. */
	desk_ask(d, "connections", "{}");
	expect_query(d, 0, CONN_QUERY_LIST, &m);
	close(d->fd);
	d->fd = -1;
	EXPECT(d->l, 0, conn_query_cancel, CONN_QUERY_CANCEL, &over);
	assert_true(over.id == m.id);
	desk_free(d);
}

/* A worker that was not asked has nothing to say. */
static void
nobody_answers_for_others(void **state)
{
	struct desk *d = desk_new();
	struct msg_conn_query m;

	(void)state;
	desk_ask(d, "connections", "{}");
	expect_query(d, 0, CONN_QUERY_LIST, &m);
	SEND(d->l, 2, conn_query_rows, .id = m.id, .n = 1, .rows = S("1\n"));
	assert_true(links_is_over(d->l, 2));
	assert_false(links_is_over(d->l, 0));
	desk_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_are_asked_in_turn),
		cmocka_unit_test(enough_is_enough),
		cmocka_unit_test(one_connection_or_none),
		cmocka_unit_test(all_close_side_by_side),
		cmocka_unit_test(workers_and_clients_go),
		cmocka_unit_test(nobody_answers_for_others),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
