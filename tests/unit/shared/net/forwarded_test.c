/* SPDX-License-Identifier: MIT */
/* forwarded_test.c: the client that proxies name. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/net/forwarded.h"
#include "shared/net/http.h"

#define XFF "X-Forwarded-For: "
#define XFP "X-Forwarded-Proto: "
#define FWD "Forwarded: "

static const struct {
	bool standard;
	const char *headers, *ip; /* NULL: not known */
	bool https;
} table[] = {
	{ false, "", NULL, false },
	{ false, XFF "1.2.3.4\r\n", "1.2.3.4", false },
	{ false, XFF "6.6.6.6, 1.2.3.4, 10.0.0.2\r\n", "1.2.3.4", false },
	{ false, XFF "6.6.6.6\r\n" XFF "1.2.3.4 ,10.0.0.2\r\n", "1.2.3.4",
	    false },
	{ false, XFF "10.0.0.7, 10.0.0.2\r\n", "10.0.0.7", false },
	{ false, XFF "unknown, 10.0.0.2\r\n", "10.0.0.2", false },
	{ false, XFF "unknown\r\n", NULL, false },
	{ false, XFF "1.2.3.4:55\r\n", "1.2.3.4", false },
	{ false, XFF "[2001:db8::1]:55\r\n", "2001:db8::1", false },
	{ false, XFF "2001:db8::1\r\n", "2001:db8::1", false },
	{ false, XFF "1.2.3.4\r\n" XFP "HTTPS\r\n", "1.2.3.4", true },
	{ false, XFP "https, http\r\n", NULL, false },
	/* the other header is whatever the client says */
	{ false, FWD "for=6.6.6.6;proto=https\r\n", NULL, false },
	{ true, XFF "6.6.6.6\r\n" XFP "https\r\n", NULL, false },
	{ true, FWD "for=1.2.3.4;proto=https\r\n", "1.2.3.4", true },
	/* Traefik's for a WebSocket, with TLS and without */
	{ false, XFF "1.2.3.4\r\n" XFP "wss\r\n", "1.2.3.4", true },
	{ false, XFF "1.2.3.4\r\n" XFP "ws\r\n", "1.2.3.4", false },
	{ true, FWD "for=1.2.3.4;proto=WSS\r\n", "1.2.3.4", true },
	{ true, FWD "For=\"[2001:db8::1]:5\" ; Proto=http\r\n", "2001:db8::1",
	    false },
	{ true, FWD "for=6.6.6.6, for=1.2.3.4;proto=https, for=10.0.0.2\r\n",
	    "1.2.3.4", true },
	{ true, FWD "for=\"a,b;c\", for=10.0.0.2;proto=https\r\n", "10.0.0.2",
	    false },
	{ true, FWD "for=_hidden\r\n", NULL, false },
};

static void
test_table(void **state)
{
	struct ip_net trusted;
	struct forwarded f;
	struct http_head head;
	enum http_error err;
	const char *why;
	char text[512], ip[IP_TEXT_MAX];

	assert_int_equal(ip_net_parse(S("10.0.0.0/8"), &trusted), 0);
	for (size_t i = 0; i < nitems(table); i++) {
		snprintf(text, sizeof(text),
		    "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", table[i].headers);
		assert_true(http_head_read(&head, str_of(text), 0, sizeof(text),
				&err, &why) > 0);
		forwarded_read(&f, &head, table[i].standard, &trusted, 1);
		if (f.known != (table[i].ip != NULL) ||
		    f.https != table[i].https)
			fail_msg("%s", table[i].headers);
		if (!f.known)
			continue;
		ip_text(&f.ip, ip);
		assert_string_equal(ip, table[i].ip);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
