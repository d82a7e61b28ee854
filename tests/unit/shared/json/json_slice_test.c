/* SPDX-License-Identifier: MIT */
/*
 * json_slice.c: the walk, keys, escapes, and a comparison with cJSON on
 * random texts.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "shared/base/base.h"
#include "tests/unit/shared/json/json_texts.h"

static struct json
must_parse(const char *text)
{
	struct json v;
	const char *err;

	assert_int_equal(json_parse(str_of(text), &v, &err), 0);
	return v;
}

static void
assert_raw(struct json v, enum json_kind kind, const char *raw)
{
	assert_int_equal(v.kind, kind);
	assert_int_equal(v.raw.n, strlen(raw));
	assert_memory_equal(v.raw.p, raw, v.raw.n);
}

static void
raw_is_without_white_space(void **state)
{
	assert_raw(must_parse(" \n{\"a\" : 1} "), JSON_OBJECT, "{\"a\" : 1}");
	assert_raw(must_parse("\t1e400\n"), JSON_NUMBER, "1e400");
	assert_raw(must_parse("\"x\" "), JSON_STRING, "\"x\"");
	assert_raw(must_parse(" [ 1 ] "), JSON_ARRAY, "[ 1 ]");
	assert_raw(must_parse("null"), JSON_NULL, "null");
	assert_raw(must_parse(" true"), JSON_TRUE, "true");
	assert_raw(must_parse("false "), JSON_FALSE, "false");
}

static void
members_are_found(void **state)
{
	struct json o = must_parse(
	    "{ \"a\" : 1 , \"b\":\"x\\\"},\",\"c\":[1,{\"a\":9}],"
	    "\"\\u0064\" : { \"a\" : 2 } ,\"A\":3,\"e\":null,\"f\" :-1.5e3 ,"
	    "\"\":\"empty\",\"k\\u0000\":7,\"g\\/\":true,\"a\":false}");

	assert_raw(json_get(o, S("a")), JSON_FALSE, "false"); /* the last */
	assert_raw(json_get(o, S("b")), JSON_STRING, "\"x\\\"},\"");
	assert_raw(json_get(o, S("c")), JSON_ARRAY, "[1,{\"a\":9}]");
	assert_raw(json_get(o, S("d")), JSON_OBJECT, "{ \"a\" : 2 }");
	assert_raw(json_get(o, S("A")), JSON_NUMBER, "3");
	assert_raw(json_get(o, S("e")), JSON_NULL, "null");
	assert_raw(json_get(o, S("f")), JSON_NUMBER, "-1.5e3");
	assert_raw(json_get(o, S("")), JSON_STRING, "\"empty\"");
	assert_raw(json_get(o, S("k\0")), JSON_NUMBER, "7");
	assert_raw(json_get(o, S("g/")), JSON_TRUE, "true");
	assert_int_equal(json_get(o, S("k")).kind, JSON_NONE);
	assert_int_equal(json_get(o, S("x")).kind, JSON_NONE);
	assert_int_equal(json_get(o, S("\\u0064")).kind, JSON_NONE);
	assert_int_equal(
	    json_get(must_parse("[\"a\",1]"), S("a")).kind, JSON_NONE);
	assert_int_equal(json_get(must_parse("{}"), S("a")).kind, JSON_NONE);
	assert_int_equal(json_get((struct json){ 0 }, S("a")).kind, JSON_NONE);
}

static void
keys_are_compared_after_unescaping(void **state)
{
	static const struct {
		const char *text;
		struct str key;
		bool found;
	} rows[] = {
		{ "{\"\\u0065vent\":1}", { "event", 5 }, true },
		{ "{\"e\\u0076ent\":1}", { "event", 5 }, true },
		{ "{\"even\\u0074\":1}", { "event", 5 }, true },
		{ "{\"even\\u0074\":1}", { "even", 4 }, false },
		{ "{\"even\\u0074\":1}", { "events", 6 }, false },
		{ "{\"\\ud83c\\udf88\":1}", { "\xf0\x9f\x8e\x88", 4 }, true },
		{ "{\"\\u00e9\":1}", { "\xc3\xa9", 2 }, true },
		{ "{\"\\ud800\":1}", { "\xed\xa0\x80", 3 }, false },
		{ "{\"\\ud800\":1}", { "", 0 }, false },
		{ "{\"\\n\":1}", { "\n", 1 }, true },
		{ "{\"\\u0000\":1}", { "", 0 }, false },
		{ "{\"\\u0000\":1}", { "\0", 1 }, true },
	};
	size_t i;

	for (i = 0; i < nitems(rows); i++)
		assert_int_equal(
		    json_get(must_parse(rows[i].text), rows[i].key).kind !=
			JSON_NONE,
		    rows[i].found);
}

static void
many_in_one_walk(void **state)
{
	const struct str keys[] = { S("event"), S("channel"), S("data"),
		S("auth") };
	struct json out[nitems(keys)];

	json_get_many(must_parse("{\"data\":{\"event\":1},\"x\":[],"
				 "\"event\":\"a\",\"d\\u0061ta\":\"b\"}"),
	    keys, out, nitems(keys));
	assert_raw(out[0], JSON_STRING, "\"a\"");
	assert_int_equal(out[1].kind, JSON_NONE);
	assert_raw(out[2], JSON_STRING, "\"b\"");
	assert_int_equal(out[3].kind, JSON_NONE);
	json_get_many(must_parse("[]"), keys, out, nitems(keys));
	assert_int_equal(out[0].kind, JSON_NONE);
}

static void
arrays_and_objects_are_walked(void **state)
{
	struct json arr = must_parse("[ 1 ,\"a,b\" , [2,3],{\"x\":[]},null ]");
	struct json obj = must_parse("{ \"a\" : 1 ,\"b\\\"\":[] , \"c\":{} }");
	struct json k, v;
	size_t pos = 0;

	assert_true(json_next(arr, &pos, &v));
	assert_raw(v, JSON_NUMBER, "1");
	assert_true(json_next(arr, &pos, &v));
	assert_raw(v, JSON_STRING, "\"a,b\"");
	assert_true(json_next(arr, &pos, &v));
	assert_raw(v, JSON_ARRAY, "[2,3]");
	assert_true(json_next(arr, &pos, &v));
	assert_raw(v, JSON_OBJECT, "{\"x\":[]}");
	assert_true(json_next(arr, &pos, &v));
	assert_raw(v, JSON_NULL, "null");
	assert_false(json_next(arr, &pos, &v));
	assert_false(json_next(arr, &pos, &v));
	assert_int_equal(v.kind, JSON_NONE);

	pos = 0;
	assert_true(json_next_member(obj, &pos, &k, &v));
	assert_raw(k, JSON_STRING, "\"a\"");
	assert_raw(v, JSON_NUMBER, "1");
	assert_true(json_next_member(obj, &pos, &k, &v));
	assert_raw(k, JSON_STRING, "\"b\\\"\"");
	assert_raw(v, JSON_ARRAY, "[]");
	assert_true(json_next_member(obj, &pos, &k, &v));
	assert_raw(v, JSON_OBJECT, "{}");
	assert_false(json_next_member(obj, &pos, &k, &v));

	pos = 0;
	assert_false(json_next(obj, &pos, &v));
	assert_false(json_next_member(arr, &pos, &k, &v));
	assert_false(json_next(must_parse("[]"), &pos, &v));
	pos = 0;
	assert_false(json_next_member(must_parse("{ }"), &pos, &k, &v));
}

static void
strings_are_unescaped(void **state)
{
	static const struct {
		const char *raw;
		ssize_t n;
		const char *plain;
	} rows[] = {
		{ "\"\"", 0, "" },
		{ "\"abc\"", 3, "abc" },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", 8, "\"\\/\b\f\n\r\t" },
		{ "\"\\u0041\\u00e9\\u20AC\"", 6, "A\xc3\xa9\xe2\x82\xac" },
		{ "\"x\\ud83c\\udf88y\"", 6, "x\xf0\x9f\x8e\x88y" },
		{ "\"\\ud800\\udc00\"", 4, "\xf0\x90\x80\x80" },
		{ "\"\\udbff\\udfff\"", 4, "\xf4\x8f\xbf\xbf" },
		{ "\"\\uffff\\ud7ff\\ue000\"", 9,
		    "\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80" },
		{ "\"a\\u0000b\"", 3, "a\0b" },
		{ "\"\\u007f\\u0080\\u07ff\\u0800\"", 8,
		    "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80" },
		{ "\"\\ud800\"", -1, NULL },
		{ "\"\\udc00\"", -1, NULL },
		{ "\"\\ud800\\ud800\"", -1, NULL },
		{ "\"\\ud800x\"", -1, NULL },
		{ "\"\\ud800\\n\"", -1, NULL },
		{ "\"x\\udf88\\ud83c\"", -1, NULL },
	};
	char out[64], *tmp = NULL;
	struct str s;
	size_t i;

	for (i = 0; i < nitems(rows); i++) {
		struct json v = must_parse(rows[i].raw);

		assert_int_equal(json_unescape(v, out), rows[i].n);
		assert_int_equal(json_length(v), rows[i].n);
		assert_int_equal(
		    json_string(v, &s, &tmp), rows[i].n == -1 ? -1 : 0);
		if (rows[i].n == -1)
			continue;
		assert_memory_equal(out, rows[i].plain, (size_t)rows[i].n);
		assert_int_equal(s.n, rows[i].n);
		assert_memory_equal(s.p, rows[i].plain, s.n);
	}
	free(tmp);
	/* Without escapes it is a view and nothing is allocated. */
	tmp = NULL;
	assert_int_equal(json_string(must_parse("\"view\""), &s, &tmp), 0);
	assert_null(tmp);
	assert_true(str_eq(s, S("view")));
}

static void
numbers_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		int result;
		uint64_t v;
	} rows[] = {
		{ "0", 10, 0, 0 },
		{ "10", 10, 0, 10 },
		{ "11", 10, -1, 0 },
		{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, -1, 0 },
		{ "-1", 10, -1, 0 },
		{ "-0", 10, -1, 0 },
		{ "1.0", 10, -1, 0 },
		{ "1e1", 10, -1, 0 },
		{ "\"1\"", 10, -1, 0 },
		{ "null", 10, -1, 0 },
		{ "[1]", 10, -1, 0 },
	};
	uint64_t v;
	size_t i;

	for (i = 0; i < nitems(rows); i++) {
		v = 0;
		assert_int_equal(
		    json_u64(must_parse(rows[i].text), rows[i].max, &v),
		    rows[i].result);
		if (rows[i].result == 0)
			assert_true(v == rows[i].v);
	}
}

/* --- random texts ------------------------------------------------------ */

struct out {
	char p[8192];
	size_t n;
};

static void
put(struct out *o, const char *s)
{
	size_t n = strlen(s);

	if (o->n + n < sizeof(o->p)) {
		memcpy(o->p + o->n, s, n);
		o->n += n;
	}
}

static void
put_string(struct out *o)
{
	static const char *const parts[] = { "a", "0123456789", " ", "\\n",
		"\\\"", "\\\\", "\\/", "\\u00e9", "\\u20AC", "\\ud83c\\udf88",
		"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8e\x88", "\\b\\f\\r\\t",
		"{}[],:", "\x7f" };
	unsigned n = draw(5);

	put(o, "\"");
	while (n-- > 0)
		put(o, parts[draw(nitems(parts))]);
	put(o, "\"");
}

static void
put_blank(struct out *o)
{
	static const char *const blanks[] = { "", "", "", " ", "\n\t", "\r" };

	put(o, blanks[draw(nitems(blanks))]);
}

static void
put_scalar(struct out *o)
{
	static const char *const words[] = { "null", "true", "false", "0", "-1",
		"12.5", "1e3", "-0.25E-2", "123456789" };

	if (draw(2) == 0)
		put_string(o);
	else
		put(o, words[draw(nitems(words))]);
}

static void
put_value(struct out *o, unsigned depth)
{
	unsigned kind = depth == 0 ? 0 : draw(4), n = draw(5);
	bool object = kind == 3;

	put_blank(o);
	if (kind < 2) {
		put_scalar(o);
	} else {
		put(o, object ? "{" : "[");
		put_blank(o);
		while (n > 0) {
			if (object) {
				put_string(o);
				put_blank(o);
				put(o, ":");
			}
			put_value(o, depth - 1);
			if (--n > 0) {
				put(o, ",");
				put_blank(o);
			}
		}
		put(o, object ? "}" : "]");
	}
	put_blank(o);
}

static void
assert_text(struct json v, const char *want)
{
	char out[8192];
	ssize_t n = json_unescape(v, out);

	assert_int_equal(n, strlen(want));
	assert_memory_equal(out, want, (size_t)n);
}

static enum json_kind
kind_in_cjson(const cJSON *item)
{
	switch (item->type & 0xff) {
	case cJSON_False:
		return JSON_FALSE;
	case cJSON_True:
		return JSON_TRUE;
	case cJSON_NULL:
		return JSON_NULL;
	case cJSON_Number:
		return JSON_NUMBER;
	case cJSON_String:
		return JSON_STRING;
	case cJSON_Array:
		return JSON_ARRAY;
	default:
		return JSON_OBJECT;
	}
}

/* Both readings of a valid text hold the same. */
static void
assert_same(struct json v, const cJSON *item)
{
	const cJSON *child = item->child;
	char number[64];
	struct json key, e;
	size_t pos = 0;

	assert_int_equal(v.kind, kind_in_cjson(item));
	if (v.kind == JSON_STRING)
		assert_text(v, item->valuestring);
	if (v.kind == JSON_NUMBER) {
		snprintf(number, sizeof(number), "%.*s", STR_ARG(v.raw));
		assert_true(strtod(number, NULL) == item->valuedouble);
	}
	if (v.kind == JSON_ARRAY) {
		for (; json_next(v, &pos, &e); child = child->next) {
			assert_non_null(child);
			assert_same(e, child);
		}
		assert_null(child);
	}
	if (v.kind == JSON_OBJECT) {
		for (; json_next_member(v, &pos, &key, &e);
		     child = child->next) {
			assert_non_null(child);
			assert_text(key, child->string);
			assert_same(e, child);
		}
		assert_null(child);
	}
}

static void
random_texts_as_cjson_reads_them(void **state)
{
	struct out o;
	struct json v;
	cJSON *tree;
	char *mem;
	int round;

	for (round = 0; round < 3000; round++) {
		o.n = 0;
		put_value(&o, 6);
		if (o.n > sizeof(o.p) - 200)
			continue; /* may have been cut */
		assert_int_equal(parse_copy(str_make(o.p, o.n), &mem, &v), 0);
		o.p[o.n] = '\0';
		tree = cJSON_ParseWithLengthOpts(o.p, o.n + 1, NULL, 1);
		assert_non_null(tree);
		assert_same(v, tree);
		cJSON_Delete(tree);
		free(mem);
	}
}

static bool
has_lone_surrogate(struct str s)
{
	size_t i;

	/* Coarse: any escape of a surrogate excuses cJSON. */
	for (i = 0; i + 3 < s.n; i++)
		if (s.p[i] == '\\' && s.p[i + 1] == 'u' &&
		    (s.p[i + 2] == 'd' || s.p[i + 2] == 'D'))
			return true;
	return false;
}

/* After random damage cJSON takes every text that we take. */
static void
damaged_texts(void **state)
{
	static const char bytes[] = "\"\\{}[],:0123456789eE+-.tfnu \n\x00\x1f"
				    "\x80\xc3\xff";
	struct out o;
	struct json v;
	char *mem;
	int round, taken = 0;
	unsigned hits;

	for (round = 0; round < 20000; round++) {
		o.n = 0;
		put_value(&o, 3);
		if (o.n > sizeof(o.p) - 200)
			continue;
		for (hits = 1 + draw(2); hits > 0; hits--)
			o.p[draw((unsigned)o.n)] =
			    bytes[draw(sizeof(bytes) - 1)];
		if (parse_copy(str_make(o.p, o.n), &mem, &v) == 0) {
			taken++;
			o.p[o.n] = '\0';
			if (!has_lone_surrogate(str_make(o.p, o.n)))
				assert_true(cjson_takes(str_make(o.p, o.n)));
		}
		free(mem);
	}
	assert_true(taken > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raw_is_without_white_space),
		cmocka_unit_test(members_are_found),
		cmocka_unit_test(keys_are_compared_after_unescaping),
		cmocka_unit_test(many_in_one_walk),
		cmocka_unit_test(arrays_and_objects_are_walked),
		cmocka_unit_test(strings_are_unescaped),
		cmocka_unit_test(numbers_are_read),
		cmocka_unit_test(random_texts_as_cjson_reads_them),
		cmocka_unit_test(damaged_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
