/* SPDX-License-Identifier: MIT */
/* document.c, text.c, json.c: the same document in three styles. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "cli/out/out.h"
#include "shared/base/base.h"

typedef void (*document)(struct out *);

static void
check(document doc, enum out_style style, bool colour, const char *want)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	struct out *o = out_new(f, style, colour);

	doc(o);
	assert_int_equal(out_finish(o), 0);
	out_free(o);
	fclose(f);
	assert_string_equal(text, want);
	free(text);
}

struct row {
	document doc;
	const char *table, *tabs, *json;
};

static const char columns[] = "name bytes up";

static void
empty_table(struct out *o)
{
	out_table_open(o, NULL, columns);
	out_table_close(o);
}

static void
table(struct out *o)
{
	out_table_open(o, NULL, columns);
	out_row_open(o);
	out_text(o, "name", "a");
	out_bytes(o, "bytes", 1);
	out_state(o, "up", "up", true);
	out_row_close(o);
	out_row_open(o);
	out_text(o, "name", "longer");
	out_bytes(o, "bytes", 1572864);
	out_state(o, "up", "down", false);
	out_row_close(o);
	out_table_close(o);
}

static void
record(struct out *o)
{
	out_record_open(o, NULL);
	out_num(o, "n", UINT64_MAX);
	out_switch(o, "switch", true);
	out_bool(o, "other", false);
	out_null(o, "none");
	out_seconds(o, "uptime", 2 * 86400 + 3 * 3600 + 4 * 60 + 5);
	out_record_close(o);
}

static void
group(struct out *o)
{
	out_group_open(o);
	out_record_open(o, "server");
	out_seconds(o, "uptime", 61);
	out_record_close(o);
	out_table_open(o, "workers", "name");
	out_row_open(o);
	out_text(o, "name", "w");
	out_row_close(o);
	out_table_close(o);
	out_block(o, "code", "Some code", S("one\n\ntwo\n"));
	out_group_close(o);
	out_hint(o, "next: %s", "x");
}

/* Names from outside: ESC, tab, line feed, C1, half a character, good ones. */
static void
hostile(struct out *o)
{
	out_record_open(o, NULL);
	out_str(o, "a", S("\033[2J\t\n\x7f"));
	out_str(o, "b", S("\xc2\x9b|\xc2\xa0|\xc3"));
	out_str(o, "c", S("gr\xc3\xbc\xc3\x9f \xf0\x9f\x8e\x89"));
	out_str(o, "d", S("\"\\"));
	out_record_close(o);
}

static void
values_of_the_daemon(struct out *o)
{
	struct json row;
	const char *err,
	    *const members[] = { "s", "n", "neg", "t", "nil", "gone", "o" };
	size_t i;

	assert_int_equal(
	    json_parse(S("{\"s\":\"a\\u0062c\",\"n\":7,\"neg\":-1,\"t\":true,"
			 "\"nil\":null,\"o\":{}}"),
		&row, &err),
	    0);
	out_record_open(o, NULL);
	for (i = 0; i < nitems(members); i++)
		out_json(o, members[i], json_get(row, str_of(members[i])));
	out_record_close(o);
}

/* A column of numbers stands at the right, also where there is none. */
static void
users(struct out *o)
{
	out_table_open(o, NULL, "users x");
	out_row_open(o);
	out_null(o, "users");
	out_text(o, "x", "a");
	out_row_close(o);
	out_row_open(o);
	out_num(o, "users", 12);
	out_text(o, "x", "b");
	out_row_close(o);
	out_table_close(o);
}

static void
nothing(struct out *o)
{
}

static const struct row rows[] = {
	{ empty_table, "NAME  BYTES  UP\n", "", "[]\n" },
	{ table,
	    "NAME      BYTES  UP\n"
	    "a           1 B  up\n"
	    "longer  1.5 MiB  down\n",
	    "a\t1\tup\nlonger\t1572864\tdown\n",
	    "[{\"name\":\"a\",\"bytes\":1,\"up\":\"up\"},"
	    "{\"name\":\"longer\",\"bytes\":1572864,\"up\":\"down\"}]\n" },
	{ record,
	    "n       18446744073709551615\n"
	    "switch  on\n"
	    "other   no\n"
	    "none    -\n"
	    "uptime  2d 03:04:05\n",
	    "n\t18446744073709551615\nswitch\ton\nother\tno\nnone\t-\n"
	    "uptime\t183845\n",
	    "{\"n\":18446744073709551615,\"switch\":true,\"other\":false,"
	    "\"none\":null,\"uptime\":183845}\n" },
	{ group,
	    "uptime  00:01:01\n"
	    "\nNAME\nw\n"
	    "\n# Some code\none\n\ntwo\n"
	    "next: x\n",
	    "uptime\t61\n\nw\n\n# Some code\none\n\ntwo\n",
	    "{\"server\":{\"uptime\":61},\"workers\":[{\"name\":\"w\"}],"
	    "\"code\":\"one\\n\\ntwo\\n\"}\n" },
	{ hostile,
	    "a  \\x1b[2J\\x09\\x0a\\x7f\n"
	    "b  \\xc2\\x9b|\xc2\xa0|\\xc3\n"
	    "c  gr\xc3\xbc\xc3\x9f \xf0\x9f\x8e\x89\n"
	    "d  \"\\\n",
	    "a\t\\x1b[2J\\x09\\x0a\\x7f\n"
	    "b\t\\xc2\\x9b|\xc2\xa0|\\xc3\n"
	    "c\tgr\xc3\xbc\xc3\x9f \xf0\x9f\x8e\x89\n"
	    "d\t\"\\\n",
	    NULL },
	{ values_of_the_daemon,
	    "s     abc\nn     7\nneg   -1\nt     yes\nnil   -\ngone  -\n"
	    "o     {}\n",
	    "s\tabc\nn\t7\nneg\t-1\nt\tyes\nnil\t-\ngone\t-\no\t{}\n", NULL },
	{ users, "USERS  X\n    -  a\n   12  b\n", "-\ta\n12\tb\n", NULL },
	{ nothing, "", "", "" },
};

static void
three_styles(void **state)
{
	size_t i;

	for (i = 0; i < nitems(rows); i++) {
		check(rows[i].doc, OUT_TABLE, false, rows[i].table);
		check(rows[i].doc, OUT_TABS, false, rows[i].tabs);
		if (rows[i].json != NULL)
			check(rows[i].doc, OUT_JSON, false, rows[i].json);
	}
}

static void
colour(void **state)
{
	check(table, OUT_TABLE, true,
	    "\033[1mNAME\033[0m      \033[1mBYTES\033[0m  \033[1mUP\033[0m\n"
	    "a           1 B  \033[32mup\033[0m\n"
	    "longer  1.5 MiB  \033[31mdown\033[0m\n");
}

static void
half_a_table(struct out *o)
{
	out_group_open(o);
	out_table_open(o, "t", "name");
	out_row_open(o);
	out_text(o, "name", "w");
	out_row_close(o);
	out_drop(o);
	out_table_close(o);
	out_group_close(o);
	out_hint(o, "next");
}

static void
open_ends(struct out *o)
{
	out_group_open(o);
	out_record_open(o, "r");
	out_num(o, "n", 1);
	out_drop(o);
}

static void
half_an_answer_is_not_printed(void **state)
{
	check(half_a_table, OUT_TABLE, false, "");
	check(half_a_table, OUT_TABS, false, "");
	check(half_a_table, OUT_JSON, false, "");
	check(open_ends, OUT_TABLE, false, "");
	check(open_ends, OUT_JSON, false, "");
}

static void
a_full_disk_is_an_error(void **state)
{
	static const enum out_style styles[] = { OUT_TABLE, OUT_TABS,
		OUT_JSON };
	struct out *o;
	FILE *f;
	size_t i;

	for (i = 0; i < nitems(styles); i++) {
		f = fopen("/dev/full", "we");
		assert_non_null(f);
		o = out_new(f, styles[i], false);
		record(o);
		assert_int_equal(out_finish(o), -1);
		assert_int_equal(errno, ENOSPC);
		out_free(o);
		fclose(f);
	}
}

static void
many_rows(void **state)
{
	char *text = NULL, name[16];
	size_t n = 0, lines = 0, i;
	FILE *f = open_memstream(&text, &n);
	struct out *o = out_new(f, OUT_TABS, false);

	out_table_open(o, NULL, "name");
	for (i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "n%zu", i);
		out_row_open(o);
		out_text(o, "name", name);
		out_row_close(o);
	}
	out_table_close(o);
	assert_int_equal(out_finish(o), 0);
	out_free(o);
	fclose(f);
	for (i = 0; i < n; i++)
		lines += text[i] == '\n';
	assert_int_equal(lines, 20000);
	free(text);
}

static const char many_columns[] =
    "id text bytes_out_per_s connections nothing";

static void
wide_table(struct out *o)
{
	out_table_order(o, "id connections text");
	out_table_open(o, NULL, many_columns);
	out_row_open(o);
	out_text(o, "id", "12345.67890");
	out_text(o, "text", "gr\xc3\xbc\xc3\x9f, and many words behind it");
	out_bytes(o, "bytes_out_per_s", 1572864);
	out_num(o, "connections", 1234567);
	out_text(o, "nothing", "");
	out_row_close(o);
	out_table_close(o);
}

static void
c11_a_table_fits_the_terminal(void **state)
{
	static const struct {
		size_t width;
		const char *want;
	} t[] = {
		{ 200,
		    "ID           TEXT                            "
		    "BYTES_OUT_PER_S  CONNECTIONS  NOTHING\n"
		    "12345.67890  gr\xc3\xbc\xc3\x9f, and many words behind it "
		    " "
		    "        1.5 MiB      1234567  \n" },
		{ 62,
		    "ID           TEXT                            B_OUT/S  "
		    "CONNS\n"
		    "12345.67890  gr\xc3\xbc\xc3\x9f, and many words behind it "
		    " "
		    "   1.5M   1.2M\n"
		    "(no room for nothing)\n" },
		{ 45,
		    "ID           TEXT              B_OUT/S  CONNS\n"
		    "12345.67890  gr\xc3\xbc\xc3\x9f, and many \xe2\x80\xa6  "
		    "   1.5M   1.2M\n"
		    "(no room for nothing)\n" },
		{ 40,
		    "ID           TEXT                  CONNS\n"
		    "12345.67890  gr\xc3\xbc\xc3\x9f, and many "
		    "word\xe2\x80\xa6   1.2M\n"
		    "(no room for bytes_out_per_s, nothing)\n" },
		{ 8, "ID\n12345.6\xe2\x80\xa6\n(no roo\xe2\x80\xa6\n" },
	};

	for (size_t i = 0; i < nitems(t); i++) {
		char *text = NULL;
		size_t n = 0;
		FILE *f = open_memstream(&text, &n);
		struct out *o = out_new(f, OUT_TABLE, false);

		out_set_width(o, t[i].width);
		wide_table(o);
		assert_int_equal(out_finish(o), 0);
		out_free(o);
		fclose(f);
		assert_string_equal(text, t[i].want);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_styles),
		cmocka_unit_test(colour),
		cmocka_unit_test(half_an_answer_is_not_printed),
		cmocka_unit_test(a_full_disk_is_an_error),
		cmocka_unit_test(many_rows),
		cmocka_unit_test(c11_a_table_fits_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
