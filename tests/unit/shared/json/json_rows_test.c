/* SPDX-License-Identifier: MIT */
/*
 * json_parse_rows(): it finds what json_get(), json_next() and json_get_many()
 * find after json_parse(), in written and in random texts.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "tests/unit/shared/json/json_texts.h"

#define NKEYS 2
#define ROWS_MAX 4 /* rows, at most */

static const struct str keys[NKEYS] = { { "a", 1 }, { "b", 1 } };

static void
assert_value(struct str text, struct json got, struct json want)
{
	if (got.kind != want.kind || got.raw.p != want.raw.p ||
	    got.raw.n != want.raw.n)
		fail_msg("%.*s: %.*s, not %.*s", STR_ARG(text),
		    STR_ARG(got.raw), STR_ARG(want.raw));
}

static void
assert_row(struct str text, const struct json *row, struct json element)
{
	struct json want[NKEYS];

	assert_value(text, row[0], element);
	json_get_many(element, keys, want, NKEYS);
	for (size_t i = 0; i < NKEYS; i++)
		assert_value(text, row[1 + i], want[i]);
}

/* The rows of the array "r" of a valid text, with room for max of them. */
static void
assert_array(struct str text, size_t max)
{
	struct json cells[ROWS_MAX * (1 + NKEYS) + 1], unused, root, same,
	    array, v;
	struct json_rows r = { .array = S("r"),
		.keys = keys,
		.nkeys = NKEYS,
		.cells = cells,
		.max = max };
	size_t pos = 0, n = 0;
	const char *err;

	memset(cells, 0x5a, sizeof(cells));
	memset(&unused, 0x5a, sizeof(unused));
	assert_int_equal(json_parse(text, &root, &err), 0);
	assert_int_equal(json_parse_rows(text, &same, &r, &err), 0);
	assert_value(text, same, root);
	array = json_get(root, S("r"));
	assert_int_equal(r.kind, array.kind);
	for (; json_next(array, &pos, &v); n++)
		if (n < max)
			assert_row(text, json_row(&r, n), v);
	if (r.n != n)
		fail_msg("%.*s: %zu rows", STR_ARG(text), r.n);
	for (size_t i = max * (1 + NKEYS); i < nitems(cells); i++)
		assert_memory_equal(cells + i, &unused, sizeof(unused));
}

/* The root as the only row. */
static void
assert_root(struct str text)
{
	struct json cells[1 + NKEYS], root;
	struct json_rows r = {
		.keys = keys, .nkeys = NKEYS, .cells = cells, .max = 1
	};
	const char *err;

	assert_int_equal(json_parse_rows(text, &root, &r, &err), 0);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.kind, JSON_NONE);
	assert_row(text, cells, root);
}

static void
assert_found(struct str text)
{
	for (size_t max = 0; max <= ROWS_MAX; max++)
		assert_array(text, max);
	assert_root(text);
}

static void
written_texts(void **state)
{
	static const char *const texts[] = {
		"{\"r\":[{\"a\":1,\"b\":\"x\"},{\"b\":[{\"a\":2}],\"a\":{}}]}",
		" { \"r\" : [ { \"a\" : 1 , \"x\" : {\"a\":2} } , [1] , 2 ] } ",
		"{\"r\":[]}",
		"{\"r\":{\"a\":{\"a\":1}}}",
		"{\"r\":null,\"a\":\"root\"}",
		"{\"r\":[{\"a\":1}],\"r\":[{\"b\":2},{}]}",
		"{\"r\":[{\"a\":1}],\"r\":7}",
		"{\"r\":7,\"r\":[{\"a\":1}]}",
		"{\"x\":[{\"a\":1}],\"r\":[{}],\"y\":[{\"a\":1},{\"b\":2}]}",
		"{\"x\":{\"r\":[{\"a\":1}]}}",
		"{\"\\u0072\":[{\"\\u0061\":1,\"b\\n\":2,\"\\ud800\":3}]}",
		"{\"r\":[{\"a\":1,\"a\":2,\"\\u0061\":\"three\"}]}",
		"{\"r\":[[{\"a\":1}],{\"a\":[[{\"a\":1}]]},\"a\",{}]}",
		"{\"r\":[1,2,3,4,5,{\"a\":6}],\"a\":[1,{\"b\":2}],\"b\":-0.5}",
		"[{\"r\":[{\"a\":1}],\"a\":2}]",
		"[[[{\"a\":1}]]]",
		"\"r\"",
		"{}",
		"12",
	};

	for (size_t i = 0; i < nitems(texts); i++)
		assert_found(str_of(texts[i]));
}

static void
put_value(struct buf **b, unsigned depth)
{
	static const char *const scalars[] = { "1", "null", "\"a\"",
		"\"\\\"]}\"", "-2.5e3", "true" };
	static const char *const names[] = {
		"\"r\":", "\"a\":", "\"b\" : ", "\"\\u0061\":", "\"x\":"
	};
	unsigned n = draw(4);
	bool object = draw(2) == 0;

	if (depth == 0 || draw(5) == 0) {
		buf_append(b, str_of(scalars[draw(nitems(scalars))]));
		return;
	}
	buf_putc(b, object ? '{' : '[');
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(b, ',');
		if (object)
			buf_append(b, str_of(names[draw(nitems(names))]));
		put_value(b, depth - 1);
	}
	buf_putc(b, object ? '}' : ']');
}

static void
random_texts(void **state)
{
	struct buf *b = buf_new(1024);

	for (unsigned i = 0; i < 20000; i++) {
		b->len = 0;
		buf_append(&b, S("{\"r\":"));
		put_value(&b, 4);
		buf_append(&b, S(",\"a\":"));
		put_value(&b, 3);
		buf_putc(&b, '}');
		assert_found(buf_str(b));
	}
	buf_unref(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_texts),
		cmocka_unit_test(random_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
