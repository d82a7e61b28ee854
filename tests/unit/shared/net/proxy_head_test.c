/* SPDX-License-Identifier: MIT */
/* proxy_head_test.c: the PROXY protocol, in every split. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/net/proxy_head.h"

#define SIGN "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(lit) \
	{ \
		(lit), sizeof(lit) - 1 \
	}

static const struct {
	struct str in;
	const char *ip; /* NULL: not known */
	uint16_t port;
	bool tls;
} good[] = {
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n"), "1.2.3.4", 9, false },
	{ BYTES("PROXY TCP6 2001:db8::1 ::1 65535 0\r\n"), "2001:db8::1", 65535,
	    false },
	{ BYTES("PROXY UNKNOWN\r\n"), NULL, 0, false },
	{ BYTES("PROXY UNKNOWN whatever it says\r\n"), NULL, 0, false },
	{ BYTES(SIGN "\x21\x11\0\x0c\1\2\3\4\5\6\7\x08\1\2\3\4"), "1.2.3.4",
	    258, false },
	{ BYTES(SIGN "\x21\x21\0\x24"
		     "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
		     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\7\0\x08"),
	    "2001:db8::1", 7, false },
	/* with a TLV of two bytes behind it */
	{ BYTES(SIGN "\x21\x11\0\x11\1\2\3\4\5\6\7\x08\0\1\0\2\4\0\2xy"),
	    "1.2.3.4", 1, false },
	/* PP2_TYPE_SSL: by TLS, and not; with another one in between */
	{ BYTES(SIGN "\x21\x11\0\x14\1\2\3\4\5\6\7\x08\0\1\0\2"
		     "\x20\0\5\1\0\0\0\0"),
	    "1.2.3.4", 1, true },
	{ BYTES(SIGN "\x21\x11\0\x18\1\2\3\4\5\6\7\x08\0\1\0\2"
		     "\4\0\1x\x20\0\5\6\0\0\0\0"),
	    "1.2.3.4", 1, false },
	{ BYTES(SIGN "\x20\0\0\0"), NULL, 0, false },
	{ BYTES(SIGN "\x20\x11\0\3abc"), NULL, 0, false },
	{ BYTES(SIGN "\x21\0\0\0"), NULL, 0, false },
};

static const struct str bad[] = {
	/* PP2_TYPE_SSL without its result */
	BYTES(SIGN "\x21\x11\0\x10\1\2\3\4\5\6\7\x08\0\1\0\2\x20\0\1\1"),
	BYTES("GET / HTTP/1.1\r\n\r\n"),
	BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 9 10\n"),
	BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 9\r\n"),
	BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 9 10 11\r\n"),
	BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 09 10\r\n"),
	BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 9 65536\r\n"),
	BYTES("PROXY TCP4 ::1 ::1 9 10\r\n"),
	BYTES("PROXY TCP6 1.2.3.4 5.6.7.8 9 10\r\n"),
	BYTES("PROXY UDP4 1.2.3.4 5.6.7.8 9 10\r\n"),
	BYTES("PROXY  TCP4 1.2.3.4 5.6.7.8 9 10\r\n"),
	BYTES("proxy TCP4 1.2.3.4 5.6.7.8 9 10\r\n"),
	BYTES(SIGN "\x11\x11\0\x0c\1\2\3\4\5\6\7\x08\1\2\3\4"),
	BYTES(SIGN "\x22\x11\0\x0c\1\2\3\4\5\6\7\x08\1\2\3\4"),
	BYTES(SIGN "\x21\x11\0\x0b\1\2\3\4\5\6\7\x08\1\2\3"),
	BYTES(SIGN "\x21\x41\0\x0c\1\2\3\4\5\6\7\x08\1\2\3\4"),
	BYTES(SIGN "\x21\x13\0\x0c\1\2\3\4\5\6\7\x08\1\2\3\4"),
	BYTES(SIGN "\x21\x11\xff\xff"),
	/* a TLV that sticks out */
	BYTES(SIGN "\x21\x11\0\x10\1\2\3\4\5\6\7\x08\0\1\0\2\4\0\2x"),
};

static void
test_good(void **state)
{
	struct proxy_head h;
	char text[IP_TEXT_MAX];

	for (size_t i = 0; i < nitems(good); i++) {
		struct str in = good[i].in;

		for (size_t n = 0; n < in.n; n++)
			assert_int_equal(
			    proxy_head_read(&h, str_make(in.p, n)), 0);
		assert_int_equal(proxy_head_read(&h, in), in.n);
		assert_int_equal(h.known, good[i].ip != NULL);
		assert_int_equal(h.port, good[i].port);
		assert_int_equal(h.tls, good[i].tls);
		if (!h.known)
			continue;
		ip_text(&h.ip, text);
		assert_string_equal(text, good[i].ip);
	}
}

static void
test_bad(void **state)
{
	char line[200] = "PROXY UNKNOWN ";
	struct proxy_head h;

	for (size_t i = 0; i < nitems(bad); i++)
		if (proxy_head_read(&h, bad[i]) != -1)
			fail_msg("number %zu is accepted", i);
	memset(line + 14, 'x', sizeof(line) - 14);
	assert_int_equal(proxy_head_read(&h, str_make(line, 106)), 0);
	assert_int_equal(proxy_head_read(&h, str_make(line, 107)), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
