/* SPDX-License-Identifier: MIT */
/* listen_spec_test.c: one value of the option listen. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/net/listen_spec.h"

static const struct {
	const char *text, *back;
	enum listen_role role;
	bool tls, proxy;
	mode_t mode;
} good[] = {
	{ "1.2.3.4:5", "1.2.3.4:5", LISTEN_PUBLIC, false, false, 0660 },
	{ " [::1]:6  tls ", "[::1]:6", LISTEN_PUBLIC, true, false, 0660 },
	{ "*:1 role=api proxy_protocol tls", "0.0.0.0:1", LISTEN_API, true,
	    true, 0660 },
	{ "unix:/a/b mode=0600 role=metrics", "unix:/a/b", LISTEN_METRICS,
	    false, false, 0600 },
	{ "unix:/a role=admin role=public mode=777", "unix:/a", LISTEN_PUBLIC,
	    false, false, 0777 },
};

static const struct {
	const char *text, *word;
} bad[] = {
	{ "", "address" },
	{ "tls", "address" },
	{ "localhost:1", "address" },
	{ "unix:a", "full path" },
	{ "unix:/", "full path" },
	{ "1.2.3.4:5 ssl", "tls, role=" },
	{ "1.2.3.4:5 1.2.3.4:6", "commas" },
	{ "1.2.3.4:5 role=", "public, api" },
	{ "1.2.3.4:5 role=Public", "public, api" },
	{ "1.2.3.4:5 mode=0600", "unix" },
	{ "unix:/a mode=", "octal" },
	{ "unix:/a mode=8", "octal" },
	{ "unix:/a mode=1777", "octal" },
	{ "unix:/a mode=00777", "octal" },
};

static void
test_good(void **state)
{
	struct listen_spec l;
	char *why, text[SOCK_TEXT_MAX];

	for (size_t i = 0; i < nitems(good); i++) {
		assert_int_equal(
		    listen_spec_parse(&l, str_of(good[i].text), &why), 0);
		sock_addr_text(&l.addr, text, sizeof(text));
		assert_string_equal(text, good[i].back);
		assert_int_equal(l.role, good[i].role);
		assert_int_equal(l.tls, good[i].tls);
		assert_int_equal(l.proxy_protocol, good[i].proxy);
		assert_int_equal(l.mode, good[i].mode);
	}
}

static void
test_bad(void **state)
{
	struct listen_spec l;
	char *why;

	for (size_t i = 0; i < nitems(bad); i++) {
		why = NULL;
		assert_int_equal(
		    listen_spec_parse(&l, str_of(bad[i].text), &why), -1);
		assert_non_null(why);
		if (strstr(why, bad[i].word) == NULL)
			fail_msg("%s: %s", bad[i].text, why);
		free(why);
	}
}

static void
test_role_text(void **state)
{
	assert_string_equal(listen_role_text(LISTEN_PUBLIC), "public");
	assert_string_equal(listen_role_text(LISTEN_ADMIN), "admin");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_role_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
