/* SPDX-License-Identifier: MIT */
/* http_reply.c: the exact bytes of replies. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/json/json_slice.h"
#include "shared/net/http_reply.h"

static const struct {
	struct http_reply reply;
	const char *want;
} rows[] = {
	{ { 200, NULL, NULL, { "{}", 2 }, true, false },
	    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	    "Content-Length: 2\r\nConnection: keep-alive\r\n\r\n{}" },
	{ { 404, NULL, NULL, { "{\"a\":1}", 7 }, false, false },
	    "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n"
	    "Content-Length: 7\r\nConnection: close\r\n\r\n{\"a\":1}" },
	{ { 405, "text/plain", "Allow: GET\r\nX: y\r\n", { "no", 2 }, true,
	      false },
	    "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\n"
	    "Content-Length: 2\r\nAllow: GET\r\nX: y\r\n"
	    "Connection: keep-alive\r\n\r\nno" },
	{ { 200, NULL, NULL, { "{}", 2 }, true, true },
	    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	    "Content-Length: 2\r\nConnection: keep-alive\r\n\r\n" },
	{ { 202, NULL, NULL, { "", 0 }, true, false },
	    "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n"
	    "Connection: keep-alive\r\n\r\n" },
	{ { 204, NULL, NULL, { "", 0 }, true, false },
	    "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n" },
	{ { 100, NULL, NULL, { "", 0 }, true, false },
	    "HTTP/1.1 100 Continue\r\n\r\n" },
	{ { 101, NULL, "Upgrade: websocket\r\nConnection: Upgrade\r\n",
	      { "", 0 }, true, false },
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\n\r\n" },
};

static void
replies_are_written(void **state)
{
	struct buf *b = NULL;
	size_t i, at;

	/* One behind the other, as pipelined answers lie. */
	for (i = 0; i < nitems(rows); i++) {
		at = b == NULL ? 0 : b->len;
		http_reply_write(&b, &rows[i].reply);
		assert_int_equal(b->len - at, strlen(rows[i].want));
		assert_memory_equal(b->data + at, rows[i].want, b->len - at);
	}
	buf_unref(b);
}

static void
errors_are_json(void **state)
{
	static const char want[] =
	    "{\"error\":\"a \\\"b\\\"\\n\\\\\",\"code\":413}";
	struct buf *b = NULL;
	struct json v;
	const char *err;

	http_error_body(&b, 413, S("a \"b\"\n\\"));
	assert_int_equal(b->len, sizeof(want) - 1);
	assert_memory_equal(b->data, want, b->len);
	assert_int_equal(json_parse(buf_str(b), &v, &err), 0);
	buf_unref(b);
}

static void
reasons_are_known(void **state)
{
	static const unsigned used[] = { 100, 101, 200, 202, 400, 401, 403, 404,
		405, 408, 413, 414, 417, 426, 429, 431, 500, 501, 503, 505 };
	size_t i;

	for (i = 0; i < nitems(used); i++)
		assert_string_not_equal(http_reason(used[i]), "Unknown");
	assert_string_equal(http_reason(404), "Not Found");
	assert_string_equal(http_reason(299), "Unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_written),
		cmocka_unit_test(errors_are_json),
		cmocka_unit_test(reasons_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
