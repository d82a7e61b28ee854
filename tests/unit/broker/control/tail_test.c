/* SPDX-License-Identifier: MIT */
/* tail_test.c: who sees which events pass, and who misses some. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/channel/route.h"
#include "broker/control/control_job.h"
#include "broker/log/replay.h"
#include "shared/base/base.h"
#include "shared/json/json_slice.h"
#include "tests/unit/broker/desk.h"

#define TEXT "{\"event\":\"e\",\"channel\":\"room-1\",\"data\":\"x\"}"

/* The next row's type; 0: there is none.  Its frame has to be this one. */
static char
next_type(struct desk *d, const char *frame)
{
	struct msg_ctl_row m;
	struct json row;
	const char *err;
	struct said s;

	if (!desk_next(d, &s))
		return 0;
	assert_int_equal(s.type, IPC_CTL_ROW);
	assert_int_equal(msg_ctl_row_get(&m, s.body), 0);
	assert_int_equal(json_parse(m.json, &row, &err), 0);
	if (frame != NULL)
		assert_bytes(json_get(row, S("frame")).raw, str_of(frame));
	return json_get(row, S("type")).raw.p[1];
}

/* An event passes. */
static void
tap(struct broker *br, const struct msg_event *m, enum route_kind kind)
{
	struct list *e;

	LIST_FOREACH(e, &br->taps->all) {
		struct route_tap *t = LIST_ITEM(e, struct route_tap, link);

		t->event(t, m, kind);
	}
}

static void
pass(struct desk *d, uint32_t app, enum route_kind kind)
{
	struct buf *b = NULL;
	struct msg_event m = { .app = app, .channel = S("room-1") };

	frame_text(&b, S(TEXT));
	m.frame = buf_str(b);
	if (d->l->br.ntaps > 0)
		tap(&d->l->br, &m, kind);
	buf_unref(b);
}

static void
filters_choose_the_events(void **state)
{
	static const struct {
		const char *args;
		uint32_t app;
		enum route_kind kind;
		char type; /* of the row; 0: none comes */
	} rows[] = {
		{ "{}", 1, ROUTE_EVENT, 'e' },
		{ "{}", 1, ROUTE_CLIENT, 'c' },
		{ "{}", 1, ROUTE_OWN, 0 },
		{ "{}", 99, ROUTE_EVENT, 0 },
		{ "{\"own\":true}", 1, ROUTE_OWN, 'o' },
		{ "{\"own\":true}", 1, ROUTE_EVENT, 'e' },
		{ "{\"own\":1}", 1, ROUTE_OWN, 0 },
		{ "{\"app\":\"app1\"}", 1, ROUTE_EVENT, 'e' },
		{ "{\"app\":\"app1\"}", 2, ROUTE_EVENT, 0 },
		{ "{\"channel\":\"room-1\"}", 1, ROUTE_EVENT, 'e' },
		{ "{\"channel\":\"room-*\"}", 1, ROUTE_EVENT, 'e' },
		{ "{\"channel\":\"room-?\"}", 1, ROUTE_CLIENT, 'c' },
		{ "{\"channel\":\"room\"}", 1, ROUTE_EVENT, 0 },
		{ "{\"channel\":\"\"}", 1, ROUTE_EVENT, 'e' },
	};
	struct desk *d = desk_new();

	(void)state;
	links_app(d->l, 2, NULL);
	for (size_t i = 0; i < nitems(rows); i++) {
		desk_ask(d, "tail", rows[i].args);
		links_turn(d->l);
		assert_int_equal(d->l->br.ntaps, 1);
		pass(d, rows[i].app, rows[i].kind);
		if (next_type(d, TEXT) != rows[i].type)
			fail_msg("row %zu", i);
		assert_int_equal(next_type(d, NULL), 0);
	}
	close(d->fd);
	d->fd = -1;
	links_turn(d->l);
	assert_int_equal(d->l->br.ntaps, 0);
	desk_free(d);
}

static void
bad_questions(void **state)
{
	struct desk *d = desk_new();

	(void)state;
	desk_ask(d, "tail", "{\"channel\":7}");
	assert_end(d, 1, "channel: not a text");
	desk_ask(d, "tail", "{\"app\":\"nobody\"}");
	assert_end(d, 1, "the running pusherd knows no app");
	assert_int_equal(d->l->br.ntaps, 0);
	desk_free(d);
}

/* A frame that is none is nobody's business; nobody is held up. */
static void
a_slow_reader_misses_events(void **state)
{
	struct desk *d = desk_new();
	struct control_client *k;
	struct msg_event none = {
		.app = 1, .channel = S("room-1"), .frame = S("\201")
	};
	unsigned seen = 0, n = 0;
	struct said s;

	(void)state;
	desk_ask(d, "tail", "{}");
	links_turn(d->l);
	tap(&d->l->br, &none, ROUTE_EVENT);
	assert_int_equal(next_type(d, NULL), 0);
	k = LIST_ITEM(
	    d->l->br.control->clients.next, struct control_client, link);
	for (; control_has_room(k) && n < 100000; n++)
		pass(d, 1, ROUTE_EVENT);
	for (int i = 0; i < 1000; i++)
		pass(d, 1, ROUTE_EVENT);
	assert_in_range(outq_bytes(&k->ipc.out), 1 << 20, (1 << 20) + 4096);
	while (desk_next(d, &s))
		seen++;
	assert_int_equal(seen, n);
	control_jobs_tick(&d->l->br);
	assert_row(d, "{\"type\":\"missed\",\"missed\":1000}");
	pass(d, 1, ROUTE_EVENT);
	assert_int_equal(next_type(d, TEXT), 'e');
	desk_free(d);
}

#define RECORDS 600
#define LONG_NAME \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Rows of the log that the first turn brings. */
static unsigned
rows_of_a_turn(struct desk *d, const char *args)
{
	unsigned n = 0;
	struct said s;

	desk_ask(d, "tail", args);
	for (int i = 0; i < 10 && n == 0; i++) {
		ev_run(d->l->br.loop, EVRUN_NOWAIT);
		broker_turn(&d->l->br);
		said_read(d->fd, &d->in);
		while (said_next(d->in, &d->at, &s))
			n += s.type == IPC_CTL_ROW;
	}
	return n;
}

/* A pattern that is slow to compare has smaller portions of the log. */
static void
a_long_pattern_holds_up_nobody(void **state)
{
	static const char *const settings[] = { "resume", "on", NULL };
	char dir[] = "/tmp/tail-test-XXXXXX";
	struct desk *d = desk_new();
	struct app_logs *logs = &d->l->br.replay->logs;
	struct buf *b = NULL;
	unsigned n;

	(void)state;
	assert_non_null(mkdtemp(dir));
	free(logs->dir);
	logs->dir = xstrdup(dir);
	links_app(d->l, 1, settings);
	frame_text(&b, S(TEXT));
	for (uint64_t i = 1; i <= RECORDS; i++) {
		struct msg_event m = { .app = 1,
			.channel = S(LONG_NAME),
			.frame = buf_str(b),
			.flags = EVENT_LOG };

		route_publish(&d->l->br, &m);
	}
	buf_unref(b);
	n = rows_of_a_turn(d, "{\"app\":\"app1\",\"since_ms\":1}");
	assert_in_range(n, RECORDS / 2, RECORDS);
	n = rows_of_a_turn(d,
	    "{\"app\":\"app1\",\"since_ms\":1,\"channel\":\"*" LONG_NAME
	    "*\"}");
	assert_in_range(n, 1, RECORDS / 5);
	app_logs_remove(logs, 1);
	desk_free(d);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_choose_the_events),
		cmocka_unit_test(bad_questions),
		cmocka_unit_test(a_slow_reader_misses_events),
		cmocka_unit_test(a_long_pattern_holds_up_nobody),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
