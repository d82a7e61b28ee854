/* SPDX-License-Identifier: MIT */
/*
 * conn_list_test.c: which connections a query means, portions that wait for
 * their turn, closing, and questions that nobody should ask.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/json/json_slice.h"
#include "tests/unit/worker/client/client_rig.h"
#include "worker/admin/conn_list.h"
#include "worker/app/apps.h"
#include "worker/conn/input.h"

#define MANY 450 /* clients: three portions with the first one */

static uint64_t query_id;

static void
ask(struct msg_conn_query m)
{
	m.id = ++query_id;
	assert_int_equal(conn_list_on_query(&rig.w, &m), 0);
}

static void
expect_rows(uint32_t n, bool last)
{
	struct msg_conn_query_rows m;

	HEAR(conn_query_rows, CONN_QUERY_ROWS, m);
	assert_true(m.id == query_id);
	assert_int_equal(m.n, n);
	assert_int_equal(m.last, last);
}

static void
filters_choose_the_connections(void **state)
{
	uint64_t sid = conn_sid(rig.c);
	const struct {
		struct msg_conn_query m;
		uint32_t n;
	} rows[] = {
		{ { .kind = CONN_QUERY_LIST }, 1 },
		{ { .kind = CONN_QUERY_LIST, .app = RIG_APP }, 1 },
		{ { .kind = CONN_QUERY_LIST, .app = RIG_APP + 1 }, 0 },
		{ { .kind = CONN_QUERY_SHOW, .sid = sid }, 1 },
		{ { .kind = CONN_QUERY_SHOW, .sid = sid + 1 }, 0 },
		{ { .kind = CONN_QUERY_SHOW, .sid = sid, .app = RIG_APP + 1 },
		    0 },
		{ { .kind = CONN_QUERY_LIST, .channel = S("room") }, 0 },
		{ { .kind = CONN_QUERY_LIST, .user_id = S("ann") }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		ask(rows[i].m);
		expect_rows(rows[i].n, true);
	}
	rig.c->greeted = false;
	ask((struct msg_conn_query){ .kind = CONN_QUERY_LIST });
	expect_rows(0, true);
	rig.c->greeted = true;
}

static void
a_row_says_who_hogs(void **state)
{
	struct msg_conn_query_rows m;
	struct json row;
	const char *err;
	uint64_t n;

	(void)state;
	say("{\"event\":\"pusher:ping\",\"data\":{}}");
	say("{\"event\":\"pusher:ping\",\"data\":{}}");
	ask((struct msg_conn_query){
	    .kind = CONN_QUERY_SHOW, .sid = conn_sid(rig.c) });
	HEAR(conn_query_rows, CONN_QUERY_ROWS, m);
	assert_int_equal(m.rows.p[m.rows.n - 1], '\n');
	m.rows.n--;
	assert_int_equal(json_parse(m.rows, &row, &err), 0);
	assert_int_equal(json_u64(json_get(row, S("received")), 9, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(json_u64(json_get(row, S("sent")), 9, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(json_get(row, S("channels")).kind, JSON_ARRAY);
}

static void
add_many(int fds[MANY])
{
	int pair[2];

	rig.w.max_conns = MANY + 1;
	for (size_t i = 0; i < MANY; i++) {
		struct conn *c;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		assert_int_equal(sock_set_nonblock(pair[1]), 0);
		fds[i] = pair[0];
		c = input_open(&rig.w, pair[1], &ws_ops);
		c->app = client_app_ref(apps_by_num(&rig.w, RIG_APP));
		c->greeted = c->authorized = true;
		conn_enlist(c);
		ws_arm(c);
	}
}

static void
hang_up_all(int fds[MANY])
{
	for (size_t i = 0; i < MANY; i++)
		close(fds[i]);
	for (int i = 0; i < 20; i++)
		rig_turn(&rig);
}

/* Both queries stand on a client that sends a close frame of its own. */
static void
m1_queries_outlive_a_goodbye(void **state)
{
	static const char *const bye = "\x88\x80\1\2\3\4";
	struct msg_conn_query_cancel end;
	struct msg_conn_query_more go;
	int fds[MANY];

	(void)state;
	add_many(fds);
	ask((struct msg_conn_query){ .kind = CONN_QUERY_LIST });
	expect_rows(200, false);
	go.id = query_id;
	/* The list stands on number 200 from now on, fds[199]. */
	for (size_t i = 190; i < 210; i++)
		assert_int_equal(send(fds[i], bye, 6, 0), 6);
	for (int i = 0; i < 20; i++)
		rig_turn(&rig);
	assert_int_equal(conn_list_on_more(&rig.w, &go), 0);
	expect_rows(200, false);
	end.id = query_id;
	assert_int_equal(conn_list_on_cancel(&rig.w, &end), 0);
	/* A kill, whose every next one says goodbye first. */
	ask((struct msg_conn_query){ .kind = CONN_QUERY_RECONNECT });
	for (size_t i = 0; i < MANY; i++) {
		send(fds[i], bye, 6, MSG_NOSIGNAL);
		if (i % 30 == 0)
			rig_turn(&rig);
	}
	for (int i = 0; i < 400 && !list_is_empty(&rig.w.conn_lists->all);
	     i++) {
		usleep(10000);
		rig_turn(&rig);
	}
	assert_true(list_is_empty(&rig.w.conn_lists->all));
	hang_up_all(fds);
}

static void
portions_wait_to_be_asked_for(void **state)
{
	struct msg_conn_query_more go;
	struct msg_conn_query_cancel end;
	int fds[MANY];

	(void)state;
	add_many(fds);
	ask((struct msg_conn_query){ .kind = CONN_QUERY_LIST });
	expect_rows(200, false);
	rig_heard_nothing(&rig);
	go.id = query_id;
	assert_int_equal(conn_list_on_more(&rig.w, &go), 0);
	expect_rows(200, false);
	/* All that are left go, and whoever it stood at, too. */
	hang_up_all(fds);
	assert_int_equal(conn_list_on_more(&rig.w, &go), 0);
	end.id = query_id;
	assert_int_equal(conn_list_on_cancel(&rig.w, &end), 0);
	assert_int_equal(conn_list_on_cancel(&rig.w, &end), 0); /* it is over */
	assert_int_equal(conn_list_on_more(&rig.w, &go), -1);
}

static void
closing_is_for_good_or_not(void **state)
{
	static const struct {
		uint32_t kind;
		unsigned code;
	} rows[] = { { CONN_QUERY_KILL, 4009 },
		{ CONN_QUERY_RECONNECT, 4200 } };

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		rig_greeted(&rig);
		while (rig_heard(&rig, &(struct str){ NULL, 0 }) != IPC_NONE)
			;
		ask((struct msg_conn_query){
		    .kind = rows[i].kind, .sid = conn_sid(rig.c) });
		assert_false(conn_is_ending(rig.c)); /* not in this turn */
		for (int k = 0; k < 50 && !conn_is_ending(rig.c); k++) {
			usleep(2000);
			ev_run(rig.w.loop, EVRUN_NOWAIT);
		}
		assert_int_equal(rig.c->close_code, rows[i].code);
	}
}

static void
bad_questions(void **state)
{
	const struct msg_conn_query unknown = { .id = 900, .kind = 77 };
	const struct msg_conn_query twice = { .id = 901,
		.kind = CONN_QUERY_KILL };
	struct msg_conn_query_more go = { .id = 901 };
	struct msg_conn_query m = { .kind = CONN_QUERY_KILL };

	(void)state;
	assert_int_equal(conn_list_on_query(&rig.w, &unknown), -1);
	assert_int_equal(conn_list_on_query(&rig.w, &twice), 0);
	assert_int_equal(conn_list_on_query(&rig.w, &twice), -1);
	assert_int_equal(
	    conn_list_on_more(&rig.w, &go), -1); /* closing has none */
	for (m.id = 1000; m.id < 1063; m.id++)
		assert_int_equal(conn_list_on_query(&rig.w, &m), 0);
	assert_int_equal(conn_list_on_query(&rig.w, &m), -1); /* too many */
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(filters_choose_the_connections),
		TEST(a_row_says_who_hogs),
		TEST(m1_queries_outlive_a_goodbye),
		TEST(portions_wait_to_be_asked_for),
		TEST(closing_is_for_good_or_not),
		TEST(bad_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
