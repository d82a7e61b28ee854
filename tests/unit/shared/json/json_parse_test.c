/* SPDX-License-Identifier: MIT */
/* json_parse.c: a table of texts, right and wrong, also as cJSON sees them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "shared/base/base.h"
#include "shared/net/ws_frame.h"
#include "tests/unit/shared/json/json_texts.h"

/* The value that cJSON reads from a text. */
enum cjson { AGREES, LENIENT /* takes it wrongly */, STRICT /* refuses it */ };

struct text {
	struct str s;
	bool ok;
	enum cjson cjson;
};

#define Y(t) \
	{ \
		{ (t), sizeof(t) - 1 }, true, AGREES \
	}
#define Y_STRICT(t) \
	{ \
		{ (t), sizeof(t) - 1 }, true, STRICT \
	}
#define N(t) \
	{ \
		{ (t), sizeof(t) - 1 }, false, AGREES \
	}
#define N_LENIENT(t) \
	{ \
		{ (t), sizeof(t) - 1 }, false, LENIENT \
	}

#define OPEN8 "[[[[[[[["
#define CLOSE8 "]]]]]]]]"
#define OPEN32 OPEN8 OPEN8 OPEN8 OPEN8
#define CLOSE32 CLOSE8 CLOSE8 CLOSE8 CLOSE8

static const struct text texts[] = {
	/* values */
	Y("null"),
	Y("true"),
	Y("false"),
	Y("0"),
	Y("\"\""),
	Y("[]"),
	Y("{}"),
	Y(" null "),
	Y("\t\n\r 1 \t\n\r"),
	Y("\"x\""),
	Y("[null]"),
	Y("[1,2,3]"),
	Y("[ 1 , 2 ]"),
	Y("[[],[],[[]]]"),
	Y("[{},{}]"),
	Y("[\"a\",\"b\"]"),
	Y("[true,false,null]"),
	Y("[\"\"]"),
	Y("[1\n]"),
	Y("[ ]"),
	Y("{ }"),
	Y("[{\"a\":[{\"b\":[]}]}]"),
	N(""),
	N(" "),
	N("\n\t"),
	N("nul"),
	N("nulll"),
	N("Null"),
	N("TRUE"),
	N("tru"),
	N("fals"),
	N("truefalse"),
	N("[nul]"),
	N("undefined"),
	N("NaN"),
	N("[NaN]"),
	N("Infinity"),
	N("[-Infinity]"),
	N("'a'"),
	N("[a"),
	N("a"),
	N("[True]"),
	N("1 2"),
	N("[] []"),
	N("{}}"),
	N("[]]"),
	N("\"a\" \"b\""),
	N("{}#"),
	N("[1]x"),
	N("{}/**/"),
	N("/**/1"),
	N("//x\n1"),
	N("[1,/*x*/2]"),
	N("{\"a\":1}garbage"),
	/* numbers */
	Y("-0"),
	Y("-1"),
	Y("1.5"),
	Y("-1.5"),
	Y("1e5"),
	Y("1E5"),
	Y("1e+5"),
	Y("1e-5"),
	Y("1.25E+2"),
	Y("0.1"),
	Y("0e1"),
	Y("0E0"),
	Y("-0.0"),
	Y("9007199254740993"),
	Y("18446744073709551616"),
	Y("1e400"),
	Y("-1e-400"),
	Y("123456789012345678901234567890"),
	Y("[1,-2,3.5]"),
	Y("20e1"),
	Y("0.4e006"),
	N("-"),
	N("+1"),
	N("++1"),
	N(".5"),
	N_LENIENT("-.5"),
	N("1e"),
	N("1e+"),
	N("1E-"),
	N("0x1"),
	N("0x"),
	N("1a"),
	N("1e1.5"),
	N("1 000"),
	N("- 1"),
	N("1,"),
	N("--1"),
	N("[1+2]"),
	N("[0e]"),
	N("[0e+]"),
	N("[1.8011670033376514H-308]"),
	N("1e+-5"),
	N("\xef\xbc\x91"),
	N_LENIENT("01"),
	N_LENIENT("-01"),
	N_LENIENT("00"),
	N_LENIENT("1."),
	N_LENIENT("-1."),
	N_LENIENT("1.e1"),
	N("[1.2.3]"),
	N("1_000"),
	N_LENIENT("[-012]"),
	N_LENIENT("[2.]"),
	N_LENIENT("[0.e1]"),
	/* arrays and objects */
	N("["),
	N("]"),
	N("[1"),
	N("[1,"),
	N("[1,]"),
	N("[,1]"),
	N("[,]"),
	N("[1,,2]"),
	N("[1 2]"),
	N("[1:2]"),
	N("[}"),
	N("[1}"),
	N("[[1]"),
	N("[\"a\":1]"),
	N("[\"a\""),
	N("[\"\": 1]"),
	N("[,"),
	N("[{]"),
	Y("{\"a\":1}"),
	Y("{ \"a\" : 1 , \"b\" : 2 }"),
	Y("{\"\":0}"),
	Y("{\"a\":{\"b\":{\"c\":[]}}}"),
	Y("{\"a\":1,\"a\":2}"),
	Y("{\"a\\\"b\":1}"),
	Y("{\"\\u0061\":1}"),
	Y("{\"a\":\n1}"),
	N("{"),
	N("}"),
	N("{\"a\"}"),
	N("{\"a\":}"),
	N("{\"a\":1,}"),
	N("{,}"),
	N("{\"a\":1"),
	N("{\"a\":1,"),
	N("{\"a\" 1}"),
	N("{a:1}"),
	N("{1:1}"),
	N("{'a':1}"),
	N("{\"a\":1 \"b\":2}"),
	N("{\"a\":1]"),
	N("{\"a\"::1}"),
	N("{\"a\",1}"),
	N("{\"a\":1,,\"b\":2}"),
	N("{[]:1}"),
	N("{\"a\":1;}"),
	N("{null:1}"),
	N("{\"a"),
	N("{\"a\":\"b"),
	N("{:1}"),
	N("{\"a\":\"a\" 123}"),
	N("{\"id\":0,,,,,}"),
	N("{\"x\",null}"),
	/* strings */
	Y("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
	Y("\"\\u0041\\u00e9\\u20AC\""),
	Y("\"\\ud83c\\udf88\""),
	Y("\"\\uD83C\\uDF88\""),
	Y("\"\x7f\""),
	Y("\"\xc3\xa9\""),
	Y("\"\xe2\x82\xac\""),
	Y("\"\xf0\x9f\x8e\x88\""),
	Y("\"\xf4\x8f\xbf\xbf\""),
	Y("\"\xed\x9f\xbf\""),
	Y("\"\\u0000\""),
	Y("\"\xee\x80\x80\""),
	Y("\"\xe2\x80\xa8\""),
	Y("\"a/b\""),
	Y("\"12345678\\n12345678\""),
	Y("\"1234567\xc3\xa9xxxxxxxx\""),
	Y("\"\\\\u12\""),
	Y("\"\\u2028\\u2029\""),
	Y("\"\xef\xbf\xbf\""),
	Y("[\"\\uDBFF\\uDFFF\"]"),
	Y("\" \""),
	Y("\"[{,}]\""),
	Y_STRICT("\"\\ud800\""),
	Y_STRICT("\"\\udc00\""),
	Y_STRICT("\"\\ud800\\ud800\""),
	Y_STRICT("\"\\ud800x\""),
	Y_STRICT("[\"\\udf88\\ud83c\"]"),
	N("\""),
	N("\"a"),
	N("\"\\"),
	N("\"\\\""),
	N("\"\\x41\""),
	N("\"\\u\""),
	N("\"\\u12\""),
	N("\"\\u123\""),
	N_LENIENT("\"\\u123g\""),
	N_LENIENT("\"\\u12 4\""),
	N("\"\\U0041\""),
	N("\"\\'\""),
	N("\"\\0\""),
	N("\"\\a\""),
	N("\"\\\xc3\xa9\""),
	N("\"12345678"),
	N("\"\\u12"),
	N("\"\\ \""),
	N("\"\\e\""),
	N("\"\\uD834\\uDd\""),
	N_LENIENT("\"\n\""),
	N_LENIENT("\"\t\""),
	N_LENIENT("\"\r\""),
	N_LENIENT("\"a\0b\""),
	N_LENIENT("\"\x1f\""),
	N_LENIENT("\"\x01\""),
	N_LENIENT("\"12345678\x1f\""),
	N_LENIENT("\"1234567\0abcdefgh\""),
	N_LENIENT("\"\x80\""),
	N_LENIENT("\"\xff\""),
	N_LENIENT("\"\xc0\x80\""),
	N_LENIENT("\"\xc1\xbf\""),
	N_LENIENT("\"\xc3\""),
	N_LENIENT("\"\xe0\x80\x80\""),
	N_LENIENT("\"\xe2\x82\""),
	N_LENIENT("\"\xed\xa0\x80\""),
	N_LENIENT("\"\xf0\x80\x80\x80\""),
	N_LENIENT("\"\xf4\x90\x80\x80\""),
	N_LENIENT("\"\xf5\x80\x80\x80\""),
	N_LENIENT("\"\xf0\x9f\x8e\""),
	N_LENIENT("\"\xfc\x83\xbf\xbf\xbf\xbf\""),
	N_LENIENT("\"\xe9\""),
	N_LENIENT("{\"\xff\":1}"),
	/* around and between */
	N_LENIENT("\xef\xbb\xbf{}"),
	N("\xff\xfe[\0]\0"),
	N("[1,\xff]"),
	N_LENIENT("\x0c[]"),
	N_LENIENT("[\x0b]"),
	N("\xc2\xa0[]"),
	N("\xe2\x81\xa0[]"),
	N_LENIENT("\x01[]"),
	N_LENIENT("\0[]"),
	N("{}\xef\xbb\xbf"),
	N("*"),
	N("<.>"),
	N("\\u0061"),
	N("[\\n]"),
	N("[\xc3\xa5]"),
	N("\xc3\xa5"),
	N("[<null>]"),
	/* depth */
	Y(OPEN32 CLOSE32),
	Y(OPEN32 "1" CLOSE32),
	N_LENIENT(OPEN32 "[]" CLOSE32),
	N_LENIENT(OPEN32 "{}" CLOSE32),
	Y("[" OPEN8 CLOSE8 "," OPEN8 CLOSE8 "]"),
	N(OPEN32 OPEN32),
	N("{\"a\":" OPEN32 CLOSE32),
	N_LENIENT("{\"a\":" OPEN32 CLOSE32 "}"),
};

static void
texts_are_judged(void **state)
{
	struct json v;
	char *mem;
	size_t i;

	assert_true(nitems(texts) >= 120);
	for (i = 0; i < nitems(texts); i++) {
		bool ok = parse_copy(texts[i].s, &mem, &v) == 0;

		if (ok != texts[i].ok)
			fail_msg("text %zu: %.*s", i, STR_ARG(texts[i].s));
		free(mem);
	}
}

static void
texts_as_cjson_judges(void **state)
{
	size_t i, agreed = 0, differ = 0;

	for (i = 0; i < nitems(texts); i++) {
		if (texts[i].cjson != AGREES)
			continue;
		agreed++;
		if (cjson_takes(texts[i].s) == texts[i].ok)
			continue;
		print_error("cJSON differs on text %zu: %.*s\n", i,
		    STR_ARG(texts[i].s));
		differ++;
	}
	assert_int_equal(differ, 0);
	assert_true(agreed >= 120);
}

static void
prefixes_are_refused(void **state)
{
	static const char whole[] =
	    "{\"event\":\"client-\\u00e9\",\"data\":{\"a\":[1,2.5e3,"
	    "true,null,\"\xf0\x9f\x8e\x88\"]},\"channel\":\"private-x\"}";
	struct json v;
	char *mem;
	size_t n;

	for (n = 0; n < sizeof(whole) - 1; n++) {
		assert_int_equal(parse_copy(str_make(whole, n), &mem, &v), -1);
		free(mem);
	}
	assert_int_equal(parse_copy(str_make(whole, n), &mem, &v), 0);
	free(mem);
}

/* Every byte at every place of a string: the fast path judges as the slow. */
static void
each_byte_at_each_place(void **state)
{
	char text[40];
	struct json v;
	unsigned c, at;
	char *mem;

	for (c = 0; c < 256; c++) {
		for (at = 1; at < sizeof(text) - 1; at++) {
			bool ok =
			    c >= 0x20 && c < 0x80 && c != '"' && c != '\\';

			memset(text, 'a', sizeof(text));
			text[0] = text[sizeof(text) - 1] = '"';
			text[at] = (char)c;
			assert_int_equal(
			    parse_copy(str_make(text, sizeof(text)), &mem, &v),
			    ok ? 0 : -1);
			free(mem);
		}
	}
}

/* Inside of quotes json_parse() and utf8_is_valid() agree on any bytes. */
static void
utf8_as_the_other_check(void **state)
{
	static const unsigned char bytes[] = { 'a', 0x7f, 0x80, 0x8f, 0x90,
		0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec,
		0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff };
	char text[12];
	struct json v;
	char *mem;
	int round;
	unsigned i, n;

	for (round = 0; round < 200000; round++) {
		n = draw(sizeof(text) - 1);
		for (i = 0; i < n; i++)
			text[1 + i] = (char)bytes[draw(nitems(bytes))];
		text[0] = text[1 + n] = '"';
		assert_int_equal(
		    parse_copy(str_make(text, n + 2), &mem, &v) == 0,
		    utf8_is_valid(str_make(text + 1, n)));
		free(mem);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_judged),
		cmocka_unit_test(texts_as_cjson_judges),
		cmocka_unit_test(prefixes_are_refused),
		cmocka_unit_test(each_byte_at_each_place),
		cmocka_unit_test(utf8_as_the_other_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
