/* SPDX-License-Identifier: MIT */
/* news_test.c: an event that comes again is none, also when only Redis has seen
 * the first one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/cluster/news.h"

static void
each_number_is_news_once(void **state)
{
	struct news n = { 0 };

	(void)state;
	assert_true(news_is(&n, 1, 5));
	assert_false(news_is(&n, 1, 5));
	assert_false(news_is(&n, 1, 4));
	assert_true(news_is(&n, 2, 5));
	assert_true(news_is(&n, 1, 6));
}

static void
a_new_worker_takes_the_place_of_the_oldest(void **state)
{
	struct news n = { 0 };

	(void)state;
	for (uint64_t origin = 1; origin <= NEWS_ORIGINS + 1; origin++)
		assert_true(news_is(&n, origin, 1));
	assert_false(news_is(&n, 2, 1));
	assert_true(news_is(&n, 1, 1));
}

static void
what_redis_has_seen_is_no_news(void **state)
{
	struct news n = { 0 };

	(void)state;
	news_note(&n, "");
	news_note(&n, "ffeeddccbbaa9988 7 a 3 ");
	assert_false(news_is(&n, 0xffeeddccbbaa9988, 7));
	assert_true(news_is(&n, 0xffeeddccbbaa9988, 8));
	assert_false(news_is(&n, 10, 3));
	news_note(&n, "a 2 "); /* an older one changes nothing */
	assert_false(news_is(&n, 10, 3));
}

/* Anyone who reaches Redis may have written it. */
static void
the_rest_of_a_damaged_text_is_ignored(void **state)
{
	static const char *const texts[] = { "a", "a ", "a x", "a 0 b 9", "0 9",
		"x", " ", "-", "a -", "\xff 1", "b 0" };
	struct news n = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		news_note(&n, texts[i]);
	news_note(&n, "c 4 ! d 9");
	assert_true(news_is(&n, 10, 1));
	assert_true(news_is(&n, 11, 1));
	assert_false(news_is(&n, 12, 4));
	assert_true(news_is(&n, 13, 9));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_number_is_news_once),
		cmocka_unit_test(a_new_worker_takes_the_place_of_the_oldest),
		cmocka_unit_test(what_redis_has_seen_is_no_news),
		cmocka_unit_test(the_rest_of_a_damaged_text_is_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
