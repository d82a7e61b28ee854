/* SPDX-License-Identifier: MIT */
/* toml_test.c: what TOML becomes, and the sentence with the line when not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cli/import/toml.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"

static const struct {
	const char *text, *json;
} good[] = {
	{ "", "{}" },
	{ "# nothing\n\n  \t# else", "{}" },
	{ "a = 1", "{\"a\":1}" },
	{ "a = -17\r\nb=+4", "{\"a\":-17,\"b\":4}" },
	{ "a = 1_000_000", "{\"a\":1000000}" },
	{ "a = 1.5\nb = -2.5e3", "{\"a\":1.5,\"b\":-2.5e3}" },
	{ "a = true\nb = false # c", "{\"a\":true,\"b\":false}" },
	{ "a = \"x\\ty\\u0041\\\"\\\\\"", "{\"a\":\"x\\tyA\\\"\\\\\"}" },
	{ "a = 'C:\\temp'", "{\"a\":\"C:\\\\temp\"}" },
	{ "a.b.c = 1\na.b.d = 2", "{\"a\":{\"b\":{\"c\":1,\"d\":2}}}" },
	{ "\"a b\".'c.d' = 1", "{\"a b\":{\"c.d\":1}}" },
	{ "[t]\na = 1\n[t.u]\nb = 2", "{\"t\":{\"a\":1,\"u\":{\"b\":2}}}" },
	{ "[t.u]\nb = 2\n[t]\na = 1", "{\"t\":{\"u\":{\"b\":2},\"a\":1}}" },
	{ "[[t]]\na = 1\n[[t]]\na = 2", "{\"t\":[{\"a\":1},{\"a\":2}]}" },
	{ "[[t]]\n[t.u]\na = 1\n[[t]]", "{\"t\":[{\"u\":{\"a\":1}},{}]}" },
	{ "a = [1, 2, # two\n 3,\n]", "{\"a\":[1,2,3]}" },
	{ "a = [[], ['x']]", "{\"a\":[[],[\"x\"]]}" },
	{ "a = { b = 1, \"c\" = [2] }", "{\"a\":{\"b\":1,\"c\":[2]}}" },
	{ "a = {}", "{\"a\":{}}" },
};

static void
is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(good); i++) {
		char *why = NULL, *json;

		json = toml_to_json(str_of(good[i].text), &why);
		if (json == NULL)
			fail_msg("%s: %s", good[i].text, why);
		assert_string_equal(json, good[i].json);
		free(json);
	}
}

/* The sentence begins with the line. */
static const struct {
	const char *text, *line;
} bad[] = {
	{ "a", "line 1:" },
	{ "a =", "line 1:" },
	{ "a = 1 b = 2", "line 1:" },
	{ "ok = 1\na = 1\na = 2", "line 3:" },
	{ "a = 1\n[a]", "line 2:" },
	{ "[t]\na = 1\n[u]\n[t]\nb = 2", "line 4:" },
	{ "[[t]]\n[t]", "line 2:" },
	{ "a = {}\n[a]", "line 2:" },
	{ "a = 1__0", "line 1:" },
	{ "a = 1_", "line 1:" },
	{ "a = _1", "line 1:" },
	{ "a = \"x", "line 1:" },
	{ "a = \"x\ny\"", "line 1:" },
	{ "a = \"\\q\"", "line 1:" },
	{ "a = \"\\ud800\"", "line 1:" },
	{ "a = \"\"\"x\"\"\"", "line 1:" },
	{ "\na = 1979-05-27", "line 2:" },
	{ "a = [1, 2", "line 1:" },
	{ "a = { b = 1", "line 1:" },
	{ "[t", "line 1:" },
	{ "[[t]\n", "line 1:" },
	{ "= 1", "line 1:" },
	{ "a. = 1", "line 1:" },
	{ "a = yes", "line 1:" },
	{ "a = \"\\u00e9\"", "line 1:" }, /* to be written as it is */
	{ "a = [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]", "line 1:" },
	{ "a = \"\xff\"", "" },
};

static void
is_refused_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(bad); i++) {
		char *why = NULL,
		     *json = toml_to_json(str_of(bad[i].text), &why);

		if (json != NULL)
			fail_msg("%s: %s", bad[i].text, json);
		assert_non_null(why);
		if (strncmp(why, bad[i].line, strlen(bad[i].line)) != 0)
			fail_msg("%s: %s", bad[i].text, why);
		free(why);
	}
}

/* Each cut of the text has an end, and one error at most. */
static void
halves_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(good); i++)
		for (size_t n = 0; n < strlen(good[i].text); n++) {
			char *why = NULL,
			     *json =
				 toml_to_json(str_make(good[i].text, n), &why);

			assert_true((json == NULL) == (why != NULL));
			free(json);
			free(why);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_read),
		cmocka_unit_test(is_refused_with_its_line),
		cmocka_unit_test(halves_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
