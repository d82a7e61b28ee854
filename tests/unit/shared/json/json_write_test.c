/* SPDX-License-Identifier: MIT */
/* json_write.c: escapes, the writer's commas, the way back. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/json/json_slice.h"
#include "shared/json/json_write.h"

static void
assert_buf(struct buf *b, struct str want)
{
	assert_int_equal(buf_str(b).n, want.n);
	assert_memory_equal(buf_str(b).p, want.p, want.n);
}

static void
texts_are_quoted(void **state)
{
	static const struct {
		struct str in, out;
	} rows[] = {
		{ { "", 0 }, { "\"\"", 2 } },
		{ { "abc", 3 }, { "\"abc\"", 5 } },
		{ { "a\"b\\c", 5 }, { "\"a\\\"b\\\\c\"", 9 } },
		{ { "\b\t\n\f\r", 5 }, { "\"\\b\\t\\n\\f\\r\"", 12 } },
		{ { "\0\x01\x1f", 3 }, { "\"\\u0000\\u0001\\u001f\"", 20 } },
		{ { "a/b", 3 }, { "\"a/b\"", 5 } },
		{ { "\x7f", 1 }, { "\"\x7f\"", 3 } },
		{ { "\xc3\xa9\xe2\x80\xa8\xf0\x9f\x8e\x88", 9 },
		    { "\"\xc3\xa9\xe2\x80\xa8\xf0\x9f\x8e\x88\"", 11 } },
	};
	struct buf *b;
	size_t i;

	for (i = 0; i < nitems(rows); i++) {
		b = NULL;
		json_quote(&b, rows[i].in);
		assert_buf(b, rows[i].out);
		b->len = 0;
		json_escape(&b, rows[i].in);
		assert_buf(b, str_make(rows[i].out.p + 1, rows[i].out.n - 2));
		b->len = 0;
		json_raw(&b, S("x"));
		json_raw(&b, rows[i].in);
		assert_int_equal(b->len, 1 + rows[i].in.n);
		buf_unref(b);
	}
}

static void
every_byte_comes_back(void **state)
{
	char text[256], back[8 * 256];
	struct buf *b = NULL;
	struct json v = { .kind = JSON_STRING };
	unsigned i;

	for (i = 0; i < 256; i++)
		text[i] = (char)i;
	json_quote(&b, str_make(text, sizeof(text)));
	v.raw = buf_str(b);
	assert_int_equal(json_unescape(v, back), sizeof(text));
	assert_memory_equal(back, text, sizeof(text));
	buf_unref(b);
}

/*
 * Eight bytes are read at a time.  '#' and ']' differ in one bit from a quote
 * and a backslash.
 */
static void
escapes_are_found_at_every_place(void **state)
{
	static const char ends[] = "\"#\\]\x1f !";
	char plain[64], out[64];

	for (size_t n = 0; n < 24; n++) {
		struct str text = str_make(plain, n + sizeof(ends) - 1);
		struct buf *b = buf_from(S("["));
		size_t pos = 0;
		struct json arr, v;
		const char *err;

		memset(plain, 'x', n);
		memcpy(plain + n, ends, sizeof(ends));
		json_quote(&b, text);
		buf_append(&b, S(",1]"));
		assert_int_equal(json_parse(buf_str(b), &arr, &err), 0);
		assert_true(json_next(arr, &pos, &v));
		assert_int_equal(json_unescape(v, out), text.n);
		assert_memory_equal(out, plain, text.n);
		assert_true(json_next(arr, &pos, &v));
		assert_true(str_eq(v.raw, S("1")));
		assert_false(json_next(arr, &pos, &v));
		buf_unref(b);
	}
}

static void
nested_twice(void **state)
{
	struct buf *b = NULL;

	json_raw(&b, S("\""));
	json_nest(&b, S("{\"a\":\"\\\"\"}"));
	json_raw(&b, S("\""));
	assert_buf(b, S("\"{\\\"a\\\":\\\"\\\\\\\"\\\"}\""));
	buf_unref(b);
}

static void
the_writer_sets_commas(void **state)
{
	struct json_writer w;
	struct buf *b;

	json_writer_init(&w);
	json_object_open(&w);
	json_key(&w, "a");
	json_array_open(&w);
	json_put_u64(&w, 0);
	json_put_u64(&w, UINT64_MAX);
	json_put_i64(&w, INT64_MIN);
	json_put_i64(&w, 7);
	json_array_open(&w);
	json_array_close(&w);
	json_object_open(&w);
	json_object_close(&w);
	json_put_null(&w);
	json_array_close(&w);
	json_key_str(&w, S("b\"\n"));
	json_object_open(&w);
	json_key(&w, "t");
	json_put_bool(&w, true);
	json_key(&w, "f");
	json_put_bool(&w, false);
	json_object_close(&w);
	json_key(&w, "c");
	json_put_str(&w, S("x"));
	json_key(&w, "d");
	json_put_raw(&w, S("{\"y\":1e400}"));
	json_object_close(&w);
	b = json_writer_take(&w);
	assert_buf(b,
	    S("{\"a\":[0,18446744073709551615,-9223372036854775808,7,[],{},"
	      "null],\"b\\\"\\n\":{\"t\":true,\"f\":false},\"c\":\"x\","
	      "\"d\":{\"y\":1e400}}"));
	buf_unref(b);
	assert_null(w.b);
}

static void
the_writer_goes_deep(void **state)
{
	struct json_writer w;
	struct json v;
	const char *err;
	struct buf *b;
	int i;

	json_writer_init(&w);
	for (i = 0; i < 31; i++)
		json_array_open(&w);
	json_put_u64(&w, 1);
	json_put_u64(&w, 2);
	for (i = 0; i < 31; i++)
		json_array_close(&w);
	b = json_writer_take(&w);
	assert_int_equal(b->len, 31 + 3 + 31);
	assert_int_equal(json_parse(buf_str(b), &v, &err), 0);
	buf_unref(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_quoted),
		cmocka_unit_test(every_byte_comes_back),
		cmocka_unit_test(escapes_are_found_at_every_place),
		cmocka_unit_test(nested_twice),
		cmocka_unit_test(the_writer_sets_commas),
		cmocka_unit_test(the_writer_goes_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
