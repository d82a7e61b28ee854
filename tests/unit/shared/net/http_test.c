/* SPDX-License-Identifier: MIT */
/*
 * http.c: each request is read whole, byte by byte and in
 * every pair of pieces, and must give the same answer each time.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/net/http.h"
#include "tests/unit/shared/net/http_rows.h"

#define MAX_HEAD 16384

struct answer {
	ssize_t used;
	enum http_error err;
	const char *why;
};

static struct answer
read_head(struct http_head *h, struct str in, size_t seen, size_t max)
{
	struct answer a = { 0, HTTP_OK, NULL };

	a.used = http_head_read(h, in, seen, max, &a.err, &a.why);
	if (a.used != -1)
		a.err = HTTP_OK;
	else
		assert_non_null(a.why);
	return a;
}

/* The same over a copy that ends where its memory ends. */
static struct answer
read_exact(struct str in, size_t n, size_t seen, size_t max)
{
	struct http_head h;
	char *mem = xmalloc(n == 0 ? 1 : n);
	struct answer a;

	memcpy(mem, in.p, n);
	a = read_head(&h, str_make(mem, n), seen, max);
	free(mem);
	return a;
}

static void
assert_answer(struct answer a, struct answer want)
{
	assert_int_equal(a.used, want.used);
	if (want.used == -1) {
		assert_int_equal(a.err, want.err);
		assert_string_equal(a.why, want.why);
	}
}

/* Whole, in all pairs of pieces, and byte by byte. */
static struct answer
read_all_ways(struct http_head *h, struct str in, size_t max)
{
	struct answer whole = read_head(h, in, 0, max), a;
	size_t n, seen;

	for (n = 0; n <= in.n; n++) {
		a = read_exact(in, n, 0, max);
		if (a.used == 0)
			a = read_exact(in, in.n, n, max);
		assert_answer(a, whole);
	}
	for (n = 0, seen = 0; n <= in.n; seen = n++) {
		a = read_exact(in, n, seen, max);
		if (a.used != 0)
			break;
	}
	assert_answer(a, whole);
	return whole;
}

static void
heads_are_judged(void **state)
{
	struct http_head h;
	struct answer a;
	size_t i;

	for (i = 0; i < nitems(rows); i++) {
		const struct row *r = &rows[i];

		a = read_all_ways(&h, r->in, MAX_HEAD);
		if (r->status == 0 && a.used != (ssize_t)r->in.n)
			fail_msg("%s: %zd %s", r->name, a.used, a.why);
		if (r->status == 1 && a.used != 0)
			fail_msg("%s: %zd %s", r->name, a.used, a.why);
		if (r->status > 1 && (a.used != -1 || (int)a.err != r->status))
			fail_msg("%s: %zd %d", r->name, a.used, (int)a.err);
	}
}

/* A byte of a second request right behind changes nothing. */
static void
bytes_after_a_request_are_left_alone(void **state)
{
	static const char *const more[] = { "X", "\r", "\n", "\0", "\x16",
		"GET / HTTP/1.1\r\n\r\n" };
	char text[512];
	struct http_head h;
	size_t i, k, n;

	for (i = 0; i < nitems(rows); i++) {
		if (rows[i].status != 0)
			continue;
		for (k = 0; k < nitems(more); k++) {
			n = strlen(more[k]) + (k == 3);
			memcpy(text, rows[i].in.p, rows[i].in.n);
			memcpy(text + rows[i].in.n, more[k], n);
			assert_int_equal(
			    read_all_ways(
				&h, str_make(text, rows[i].in.n + n), MAX_HEAD)
				.used,
			    rows[i].in.n);
		}
	}
}

/* Is "GET / HTTP/1.1", then Host and another header, accepted? */
static bool
accepts(struct str host, struct str value)
{
	char text[128];
	int n = snprintf(text, sizeof(text),
	    "GET / HTTP/1.1\r\nHost: %.*s\r\nX: %.*s\r\n\r\n", STR_ARG(host),
	    STR_ARG(value));

	return read_exact(str_make(text, (size_t)n), (size_t)n, 0, MAX_HEAD)
		   .used == n;
}

/* RFC 9110, 5.5, and RFC 3986, 3.2.2; at each place of a word of eight. */
static void
every_byte_is_judged_at_every_place(void **state)
{
	char line[] = "abcdefghijklmnopqrs";

	for (size_t at = 1; at < sizeof(line) - 2; at++)
		for (unsigned c = 1; c < 256; c++) {
			struct str s = str_of(line);
			bool text = c == '\t' || (c >= ' ' && c != 0x7f);
			bool host = c > ' ' && c < 0x7f &&
			    strchr("\"#/<>?@\\^`{|}", (int)c) == NULL;

			line[at] = (char)c;
			if (accepts(S("a"), s) != text ||
			    accepts(s, S("a")) != host)
				fail_msg("byte %u at %zu", c, at);
			line[at] = 'a';
		}
}

static void
assert_str(struct str s, const char *want)
{
	assert_non_null(s.p);
	assert_int_equal(s.n, strlen(want));
	assert_memory_equal(s.p, want, s.n);
}

static void
parse(struct http_head *h, const char *text)
{
	assert_int_equal(
	    read_head(h, str_of(text), 0, MAX_HEAD).used, strlen(text));
}

static void
targets_are_cut(void **state)
{
	static const struct {
		const char *target, *path, *query;
	} t[] = {
		{ "/", "/", NULL },
		{ "/a?b=c", "/a", "b=c" },
		{ "/a?", "/a", "" },
		{ "/a?b?c", "/a", "b?c" },
		{ "//apps", "//apps", NULL },
		{ "/%2e%2e/x", "/%2e%2e/x", NULL },
		{ "http://a", "/", NULL },
		{ "http://a/", "/", NULL },
		{ "HTTP://a:1/x?y=/z", "/x", "y=/z" },
		{ "https://a?q", "/", "q" },
		{ "ws://a/app/k?protocol=7", "/app/k", "protocol=7" },
		{ "wss://a/app/k", "/app/k", NULL },
	};
	struct http_head h;
	char text[128];
	size_t i;

	for (i = 0; i < nitems(t); i++) {
		snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n" HOST "\r\n",
		    t[i].target);
		parse(&h, text);
		assert_str(h.method, "GET");
		assert_str(h.target, t[i].target);
		assert_str(h.path, t[i].path);
		if (t[i].query == NULL)
			assert_null(h.query.p);
		else
			assert_str(h.query, t[i].query);
	}
	parse(&h, "CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n");
	assert_str(h.path, "a:1");
	parse(&h, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n");
	assert_str(h.path, "*");
}

static void
fields_are_filled(void **state)
{
	struct http_head h;

	parse(&h,
	    "POST /x HTTP/1.1\r\nHost: a:1\r\nX-One:  1 2 \r\n"
	    "x-empty:\r\nX-ONE: second\r\nContent-Length: 0042\r\n"
	    "Expect: 100-continue\r\n\r\n");
	assert_int_equal(h.minor, 1);
	assert_int_equal(h.nheaders, 6);
	assert_true(h.keep_alive && h.expect_continue && h.has_length);
	assert_false(h.chunked);
	assert_int_equal(h.length, 42);
	assert_str(http_header(&h, S("host")), "a:1");
	assert_str(http_header(&h, S("x-one")), "1 2");
	assert_str(http_header(&h, S("X-Empty")), "");
	assert_null(http_header(&h, S("x-none")).p);
	assert_str(h.headers[1].name, "X-One");

	/* Nothing is left over from the request before. */
	parse(&h, "GET / HTTP/1.0\r\n\r\n");
	assert_int_equal(h.minor, 0);
	assert_int_equal(h.nheaders, 0);
	assert_false(h.keep_alive || h.expect_continue || h.has_length);
	assert_int_equal(h.length, 0);

	parse(&h,
	    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	assert_true(h.chunked);
	assert_false(h.has_length);
	parse(&h,
	    "POST / HTTP/1.1\r\n" HOST
	    "Content-Length: 9223372036854775807\r\n\r\n");
	assert_true(h.length == INT64_MAX);
	/* A 1.0 client does not know what 100 is (RFC 9110, 10.1.1). */
	parse(&h, "POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n");
	assert_false(h.expect_continue);
}

static void
keep_alive_is_decided(void **state)
{
	static const struct {
		const char *head;
		bool keep;
	} t[] = {
		{ "GET / HTTP/1.1\r\n" HOST "\r\n", true },
		{ "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
		    false },
		{ "GET / HTTP/1.1\r\n" HOST "Connection: CLOSE\r\n\r\n",
		    false },
		{ "GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n",
		    true },
		{ "GET / HTTP/1.1\r\n" HOST "Connection: x, close\r\n\r\n",
		    false },
		{ "GET / HTTP/1.1\r\n" HOST
		  "Connection: keep-alive\r\nConnection: close\r\n\r\n",
		    false },
		{ "GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\n\r\n",
		    true },
		{ "GET / HTTP/1.0\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
		    false },
	};
	struct http_head h;
	size_t i;

	for (i = 0; i < nitems(t); i++) {
		parse(&h, t[i].head);
		assert_int_equal(h.keep_alive, t[i].keep);
	}
}

/* A head with this many header lines behind Host. */
static size_t
many_headers(char *text, size_t size, unsigned n)
{
	size_t at = (size_t)snprintf(text, size, "GET / HTTP/1.1\r\n" HOST);

	while (n-- > 0)
		at += (size_t)snprintf(text + at, size - at, "X: %u\r\n", n);
	return at + (size_t)snprintf(text + at, size - at, "\r\n");
}

static void
headers_are_counted(void **state)
{
	char text[2048];
	struct http_head h;
	struct answer a;
	size_t n;

	n = many_headers(text, sizeof(text), HTTP_MAX_HEADERS - 1);
	a = read_all_ways(&h, str_make(text, n), MAX_HEAD);
	assert_int_equal(a.used, n);
	assert_int_equal(h.nheaders, HTTP_MAX_HEADERS);
	n = many_headers(text, sizeof(text), HTTP_MAX_HEADERS);
	a = read_all_ways(&h, str_make(text, n), MAX_HEAD);
	assert_int_equal(a.err, HTTP_HEAD_TOO_LARGE);
}

/* The answer depends on the sizes alone, however the bytes come. */
static void
sizes_are_bounded(void **state)
{
	static char text[20000];
	static const struct {
		size_t target, value, max; /* bytes of each */
		int status;
	} t[] = {
		{ 100, 100, 400, 0 },
		{ 100, 300, 400, 431 },
		{ 500, 10, 400, 414 },
		{ 8177, 10, 16384, 0 }, /* a line of 8192 bytes */
		{ 8178, 10, 16384, 414 },
		{ 9000, 10, 16384, 414 },
		{ 10, 16343, 16384, 0 }, /* a head of 16384 bytes */
		{ 10, 16344, 16384, 431 },
		{ 10, 18000, 16384, 431 },
	};
	struct answer whole, a;
	struct http_head h;
	size_t i, n, seen, step;

	for (i = 0; i < nitems(t); i++) {
		n = (size_t)snprintf(text, sizeof(text),
		    "GET %c%0*d HTTP/1.1\r\n" HOST "X: %0*d\r\n\r\n", '/',
		    (int)t[i].target - 1, 0, (int)t[i].value, 0);
		whole = read_head(&h, str_make(text, n), 0, t[i].max);
		if (t[i].status == 0)
			assert_int_equal(whole.used, n);
		else
			assert_int_equal(whole.err, t[i].status);
		for (step = 1; step < 3000; step = step * 3 + 1) {
			for (a.used = 0, seen = 0; a.used == 0; seen += step)
				a = read_head(&h,
				    str_make(text, MIN(n, seen + step)), seen,
				    t[i].max);
			assert_answer(a, whole);
		}
	}
	/* Garbage without any line end. */
	memset(text, 'A', sizeof(text));
	a = read_head(&h, str_make(text, sizeof(text)), 0, MAX_HEAD);
	assert_int_equal(a.err, HTTP_URI_TOO_LONG);
}

/* Every byte value at every place of a head, in all splits of two. */
static void
any_damage_any_split(void **state)
{
	static const char whole[] = "GET /a?b HTTP/1.1\r\nHost: x\r\nA: b\r\n"
				    "Content-Length: 5\r\n\r\n";
	static const unsigned char bytes[] = { 0, 9, 10, 13, 32, 127, 128, 255,
		':', 'a', '5', '/' };
	char text[sizeof(whole)];
	struct http_head h;
	size_t i, k;

	for (i = 0; i < sizeof(whole) - 1; i++) {
		for (k = 0; k < nitems(bytes); k++) {
			memcpy(text, whole, sizeof(whole));
			text[i] = (char)bytes[k];
			read_all_ways(
			    &h, str_make(text, sizeof(whole) - 1), MAX_HEAD);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_are_judged),
		cmocka_unit_test(bytes_after_a_request_are_left_alone),
		cmocka_unit_test(every_byte_is_judged_at_every_place),
		cmocka_unit_test(targets_are_cut),
		cmocka_unit_test(fields_are_filled),
		cmocka_unit_test(keep_alive_is_decided),
		cmocka_unit_test(headers_are_counted),
		cmocka_unit_test(sizes_are_bounded),
		cmocka_unit_test(any_damage_any_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
