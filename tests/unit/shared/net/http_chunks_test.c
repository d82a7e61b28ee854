/* SPDX-License-Identifier: MIT */
/*
 * http_chunks.c: each body is decoded whole, byte by byte and in every pair
 * of pieces.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/net/http.h"

struct decoded {
	struct http_chunks c;
	char data[1024];
	size_t n;
	size_t used;
	bool done, bad;
};

/* Feeds one piece from memory of exactly its size. */
static void
feed(struct decoded *d, const char *p, size_t n)
{
	char *mem = xmalloc(n == 0 ? 1 : n);
	size_t nout;
	ssize_t r;

	memcpy(mem, p, n);
	r = http_chunks_read(&d->c, mem, n, &nout, &d->done);
	if (r == -1) {
		d->bad = true;
	} else {
		assert_true(nout <= n && (size_t)r <= n);
		assert_true(d->done || (size_t)r == n);
		memcpy(d->data + d->n, mem, nout);
		d->n += nout;
		d->used += (size_t)r;
	}
	free(mem);
}

static void
assert_same(const struct decoded *d, const struct decoded *want)
{
	assert_int_equal(d->bad, want->bad);
	if (want->bad)
		return;
	assert_int_equal(d->done, want->done);
	assert_int_equal(d->used, want->used);
	assert_int_equal(d->n, want->n);
	assert_memory_equal(d->data, want->data, d->n);
}

static struct decoded
decode_all_ways(struct str in)
{
	struct decoded whole = { 0 }, d;
	size_t i;

	feed(&whole, in.p, in.n);
	for (i = 0; i <= in.n; i++) {
		d = (struct decoded){ 0 };
		feed(&d, in.p, i);
		if (!d.bad && !d.done)
			feed(&d, in.p + i, in.n - i);
		assert_same(&d, &whole);
	}
	d = (struct decoded){ 0 };
	for (i = 0; i < in.n && !d.bad && !d.done; i++)
		feed(&d, in.p + i, 1);
	assert_same(&d, &whole);
	return whole;
}

#define T(t) \
	{ \
		(t), sizeof(t) - 1 \
	}

static const struct {
	struct str in;
	const char *data; /* NULL: refused */
	size_t left;      /* bytes behind the body */
} rows[] = {
	{ T("0\r\n\r\n"), "", 0 },
	{ T("5\r\nhello\r\n0\r\n\r\n"), "hello", 0 },
	{ T("5\r\nhello\r\n0\r\n\r\nGET /"), "hello", 5 },
	{ T("3\r\na\r\n\r\n2\r\n\n\r\r\n0\r\n\r\n"), "a\r\n\n\r", 0 },
	{ T("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"),
	    "01234567890123456789", 0 },
	{ T("005\r\nhello\r\n000\r\n\r\n"), "hello", 0 },
	{ T("1;a=b\r\nx\r\n0;last\r\n\r\n"), "x", 0 },
	{ T("1;\r\nx\r\n0\r\n\r\n"), "x", 0 },
	{ T("1; a=\"b;c\"\t\r\nx\r\n0\r\n\r\n"), "x", 0 },
	{ T("0\r\nX-Sum: 1\r\nY:\r\n\r\nZ"), "", 1 },
	{ T("\r\n"), NULL, 0 },
	{ T(";a\r\n"), NULL, 0 },
	{ T("g\r\n"), NULL, 0 },
	{ T("-1\r\n"), NULL, 0 },
	{ T("+1\r\n"), NULL, 0 },
	{ T("0x1\r\n"), NULL, 0 },
	{ T(" 1\r\n"), NULL, 0 },
	{ T("1 \r\nx\r\n"), NULL, 0 },
	{ T("1\t;a\r\n"), NULL, 0 },
	{ T("1\nx\r\n0\r\n\r\n"), NULL, 0 },
	{ T("1\rx\r\n0\r\n\r\n"), NULL, 0 },
	{ T("1\r\r\nx"), NULL, 0 },
	{ T("1\r\nxy\r\n"), NULL, 0 },
	{ T("1\r\nx\n0\r\n\r\n"), NULL, 0 },
	{ T("1\r\nx\r0\r\n\r\n"), NULL, 0 },
	{ T("1\r\nx0\r\n\r\n"), NULL, 0 },
	{ T("5\r\nhello0\r\n\r\n"), NULL, 0 },
	{ T("1;a\nb\r\nx"), NULL, 0 },
	{ T("1;a\0\r\nx"), NULL, 0 },
	{ T("1;\x7f\r\nx"), NULL, 0 },
	{ T("8000000000000000\r\n"), NULL, 0 },
	{ T("ffffffffffffffff\r\n"), NULL, 0 },
	{ T("10000000000000001\r\n"), NULL, 0 },
	{ T("00000000000000001\r\n"), NULL, 0 },
	{ T("0\r\n\n"), NULL, 0 },
	{ T("0\r\n\r\r\n"), NULL, 0 },
	{ T("0\r\n X: folded\r\n\r\n"), NULL, 0 },
	{ T("0\r\nX: a\r\n b\r\n\r\n"), NULL, 0 },
	{ T("0\r\nX : a\r\n\r\n"), NULL, 0 },
	{ T("0\r\nno colon\r\n\r\n"), NULL, 0 },
	{ T("0\r\nGET / HTTP/1.1\r\n\r\n"), NULL, 0 },
	{ T("0\r\nX\r\n\r\n"), NULL, 0 },
	{ T("0\r\n: a\r\n\r\n"), NULL, 0 },
	{ T("0\r\nX: a\nb\r\n\r\n"), NULL, 0 },
	{ T("0\r\nX: a\0\r\n\r\n"), NULL, 0 },
};

static void
bodies_are_decoded(void **state)
{
	struct decoded d;
	size_t i;

	for (i = 0; i < nitems(rows); i++) {
		d = decode_all_ways(rows[i].in);
		if (d.bad != (rows[i].data == NULL))
			fail_msg("row %zu: %.*s", i, STR_ARG(rows[i].in));
		if (d.bad || rows[i].data == NULL)
			continue;
		assert_true(d.done);
		assert_int_equal(d.used, rows[i].in.n - rows[i].left);
		assert_int_equal(d.n, strlen(rows[i].data));
		assert_memory_equal(d.data, rows[i].data, d.n);
	}
}

static void
every_prefix_wants_more(void **state)
{
	static const char whole[] =
	    "5;a=b\r\nhello\r\nb\r\n0123456789\n\r\n0\r\nA: b\r\n\r\n";
	struct decoded d;
	size_t n;

	for (n = 0; n < sizeof(whole) - 1; n++) {
		d = decode_all_ways(str_make(whole, n));
		assert_false(d.bad || d.done);
		assert_int_equal(d.used, n);
	}
	d = decode_all_ways(str_make(whole, n));
	assert_true(d.done);
	assert_int_equal(d.n, 16);
}

/* Feeds the same byte n times; is the body still good? */
static bool
survives(struct http_chunks *c, char byte, unsigned n)
{
	size_t nout;
	bool done;

	while (n-- > 0) {
		char one = byte;

		if (http_chunks_read(c, &one, 1, &nout, &done) == -1)
			return false;
	}
	return true;
}

static void
extensions_and_trailers_are_bounded(void **state)
{
	char begin[] = "1;", last[] = "0\r\n", more[] = "\r\nx\r\n1;",
	     name[] = "x:";
	struct http_chunks c = { 0 };
	size_t nout;
	bool done;
	int i;

	assert_int_equal(http_chunks_read(&c, begin, 2, &nout, &done), 2);
	assert_true(survives(&c, 'a', 256));
	/* The bound is of one chunk. */
	assert_int_equal(http_chunks_read(&c, more, 7, &nout, &done), 7);
	assert_true(survives(&c, 'a', 256));
	assert_false(survives(&c, 'a', 1));

	c = (struct http_chunks){ 0 };
	assert_int_equal(http_chunks_read(&c, last, 3, &nout, &done), 3);
	assert_int_equal(http_chunks_read(&c, name, 2, &nout, &done), 2);
	assert_true(survives(&c, 'a', 4094));
	assert_false(survives(&c, 'a', 1));

	/* Many short trailers count together. */
	c = (struct http_chunks){ 0 };
	memcpy(last, "0\r\n", 3);
	assert_int_equal(http_chunks_read(&c, last, 3, &nout, &done), 3);
	for (i = 0; i < 2048; i++) {
		char line[] = "x:\r\n";

		assert_int_equal(
		    http_chunks_read(&c, line, 4, &nout, &done), 4);
	}
	assert_false(survives(&c, 'x', 1));
}

static void
nothing_is_read_behind_the_end(void **state)
{
	char text[] = "0\r\n\r\nabc";
	struct http_chunks c = { 0 };
	size_t nout;
	bool done = false;

	assert_int_equal(http_chunks_read(&c, text, 8, &nout, &done), 5);
	assert_true(done);
	assert_int_equal(http_chunks_read(&c, text + 5, 3, &nout, &done), 0);
	assert_true(done);
	assert_memory_equal(text + 5, "abc", 3);
}

/* The largest size that is taken: the number, not the data. */
static void
large_sizes(void **state)
{
	char text[] = "7fffffffffffffff\r\n";
	struct http_chunks c = { 0 };
	size_t nout;
	bool done;

	assert_int_equal(
	    http_chunks_read(&c, text, sizeof(text) - 1, &nout, &done),
	    sizeof(text) - 1);
	assert_true(c.left == INT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_are_decoded),
		cmocka_unit_test(every_prefix_wants_more),
		cmocka_unit_test(extensions_and_trailers_are_bounded),
		cmocka_unit_test(nothing_is_read_behind_the_end),
		cmocka_unit_test(large_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
