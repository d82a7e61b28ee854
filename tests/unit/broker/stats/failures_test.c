/* SPDX-License-Identifier: MIT */
/* failures.c, doctor_names.c: bounds of what is remembered, and near names. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "broker/control/doctor.h"
#include "broker/stats/failures.h"
#include "tests/unit/broker/links.h"

static unsigned
count(const struct failures *f, unsigned kind)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < f->n; i++)
		n += f->v[i].kind == kind;
	return n;
}

static void
a_flood_of_one_kind_pushes_out_itself(void **state)
{
	struct links *l = links_new(NULL);
	struct failures *f;
	char name[400], why[64];

	(void)state;
	assert_int_equal(sizeof(struct failure), 184);
	failures_unheard(&l->br, 1, S("orders.7"));
	SEND(l, 0, failure, .app = 1, .kind = FAILURE_API, .sid = 401,
	    .name = S("GET /apps/1"), .why = S("off by 7 s"),
	    .proof = S("GET /apps/1?a=b"));
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "private-%0*d", i % 300, i);
		snprintf(why, sizeof(why), "reason %c", 'a' + i % 26);
		SEND(l, 0, failure, .app = 1, .kind = FAILURE_CHANNEL, .sid = 7,
		    .name = str_of(name), .why = str_of(why), .proof = S("k:s"),
		    .data = S("d"));
		links_turn(l);
	}
	SEND(l, 0, failure, .app = 1, .kind = FAILURE_API, .sid = 401,
	    .name = S("GET /apps/1"), .why = S("off by 731 s"));
	links_turn(l);
	f = apps_find(&l->br, 1)->failures;
	assert_true(f->n <= FAILURES_MAX && f->cap <= FAILURES_MAX);
	assert_int_equal(count(f, FAILURE_UNHEARD), 1);
	assert_int_equal(count(f, FAILURE_API), 1);
	assert_int_equal(f->reasons[FAILURE_API][0].count, 2);
	assert_string_equal(f->reasons[FAILURE_API][0].text, "off by 731 s");
	links_free(l);
}

/* A client that makes up names keeps no other sentence out. */
static void
names_in_quotes_are_no_other_sentence(void **state)
{
	struct links *l = links_new(NULL);
	struct failure_reason *v;
	char why[200];

	(void)state;
	SEND(l, 0, failure, .app = 1, .kind = FAILURE_CLIENT,
	    .why = S("client_events is off for this app"));
	for (int i = 0; i < 9; i++) {
		snprintf(why, sizeof(why), "unknown event \"%c%d\": %d names",
		    'a' + i, i, i);
		SEND(l, 0, failure, .app = 1, .kind = FAILURE_CLIENT,
		    .why = str_of(why));
		snprintf(why, sizeof(why), "not subscribed to \"%0*d", 180, i);
		why[20 + i] = 'x';
		SEND(l, 0, failure, .app = 1, .kind = FAILURE_CLIENT,
		    .why = str_of(why));
		links_turn(l);
	}
	v = apps_find(&l->br, 1)->failures->reasons[FAILURE_CLIENT];
	assert_string_equal(v[0].text, "client_events is off for this app");
	assert_string_equal(v[1].text, "unknown event \"i8\": 8 names");
	assert_int_equal(v[1].count, 9);
	assert_int_equal(v[2].count, 9);
	assert_int_equal(v[3].count, 0);
	links_free(l);
}

static void
events_beyond_a_few_a_second_are_not_noted(void **state)
{
	struct links *l = links_new(NULL);
	char name[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		failures_unheard(&l->br, 1, str_of(name));
	}
	assert_int_equal(apps_find(&l->br, 1)->failures->n, 8);
	failures_tick(&l->br);
	failures_unheard(&l->br, 1, S("later"));
	assert_int_equal(apps_find(&l->br, 1)->failures->n, 9);
	failures_unheard(&l->br, 77, S("of no app"));
	links_free(l);
}

static void
strangers_and_nonsense(void **state)
{
	struct links *l = links_new(NULL);

	(void)state;
	SEND(l, 0, failure, .app = 0, .kind = FAILURE_KEY, .name = S("key"));
	SEND(l, 0, failure, .app = 9, .kind = FAILURE_KEY, .name = S("gone"));
	SEND(l, 0, failure, .app = 1, .kind = FAILURE_KEY, .name = S("\xff"));
	links_turn(l);
	assert_int_equal(l->br.failures->none->n, 1);
	assert_null(apps_find(&l->br, 1)->failures);
	SEND(l, 0, failure, .app = 1, .kind = FAILURE_LATE);
	assert_true(links_is_over(l, 0));
	links_free(l);
}

static void
names_that_are_near(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned distance; /* 3: far */
	} rows[] = {
		{ "orders.7", "private-orders.7", 0 },
		{ "orders-7", "presence-cache-orders.7", 0 },
		{ "Orders.7", "laravel_database_private-orders.7", 0 },
		{ "orders.7", "private-my_shop_database_Orders.7", 0 },
		{ "my-shop-database-private-orders.7", "orders.7", 0 },
		{ "eu_database_orders.7", "us_database_orders.7", 2 },
		{ "laravel_database_", "x", 3 },
		{ "private-encrypted-x", "x", 0 },
		{ "orders.7", "orders.8", 3 },
		{ "orders.7", "orders.12", 3 },
		{ "private-user.1", "private-user.100", 3 },
		{ "ordres.7", "orders.7", 1 },
		{ "invoice", "invoices", 1 },
		{ "invoices-all", "invoice-alls", 2 },
		{ "abc", "abd", 3 },
		{ "chat", "char", 1 },
		{ "chat", "cahr", 3 },
		{ "orders", "news", 3 },
		{ "private-", "presence-", 3 },
		{ "", "x", 3 },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++)
		if (MIN(doctor_distance(str_of(rows[i].a), str_of(rows[i].b)),
			3u) != rows[i].distance)
			fail_msg("%s, %s: %u", rows[i].a, rows[i].b,
			    doctor_distance(
				str_of(rows[i].a), str_of(rows[i].b)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_of_one_kind_pushes_out_itself),
		cmocka_unit_test(names_in_quotes_are_no_other_sentence),
		cmocka_unit_test(events_beyond_a_few_a_second_are_not_noted),
		cmocka_unit_test(strangers_and_nonsense),
		cmocka_unit_test(names_that_are_near),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
