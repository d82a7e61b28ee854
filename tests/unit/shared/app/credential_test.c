/* SPDX-License-Identifier: MIT */
/* credential.c: what may be an id, a key, a secret; what is shown of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "shared/app/credential.h"
#include "shared/base/base.h"

static char long_text[300];

static void
o10_forms(void **state)
{
	const struct {
		struct str s;
		bool name, secret, label;
	} t[] = {
		{ S("a"), true, true, true },
		{ S("Ab9_-."), true, true, true },
		{ S(""), false, false, true },
		{ S("a b"), false, true, true },
		{ S(" a"), false, false, true },
		{ S("a "), false, false, true },
		{ S("a:b"), false, true, true },
		{ S("a/b"), false, true, true },
		{ S("a\nb"), false, false, false },
		{ S("a\0b"), false, false, false },
		{ S("a\x7f"), false, false, false },
		{ S("\xc3\xbc"), false, true, true },
		{ S("\xc3"), false, false, false },
		{ S("\xff"), false, false, false },
		{ S("\"abc\""), false, false, true },
		{ S("'abc'"), false, false, true },
		{ S("\"abc"), false, true, true },
		{ S("\""), false, true, true },
		{ str_make(long_text, 128), true, true, true },
		{ str_make(long_text, 129), false, true, false },
		{ str_make(long_text, 256), false, true, false },
		{ str_make(long_text, 257), false, false, false },
	};
	size_t i;

	memset(long_text, 'x', sizeof(long_text));
	for (i = 0; i < nitems(t); i++) {
		assert_int_equal(
		    credential_check_name(t[i].s) == NULL, t[i].name);
		assert_int_equal(
		    credential_check_secret(t[i].s) == NULL, t[i].secret);
		assert_int_equal(
		    credential_check_label(t[i].s) == NULL, t[i].label);
	}
}

static void
masks(void **state)
{
	static const struct {
		const char *secret, *mask;
	} t[] = {
		{ "0123456789abcdef", "0123\xe2\x80\xa6" },
		{ "0123456789ab", "0123\xe2\x80\xa6" },
		{ "0123456789a", "\xe2\x80\xa6" },
		{ "", "\xe2\x80\xa6" },
		{ "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc",
		    "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xe2\x80\xa6" },
	};
	char *s;
	size_t i;

	for (i = 0; i < nitems(t); i++) {
		s = credential_mask(t[i].secret);
		assert_string_equal(s, t[i].mask);
		free(s);
	}
}

static void
ids(void **state)
{
	char id[CREDENTIAL_ID_MAX], other[CREDENTIAL_ID_MAX];
	unsigned digits, same = 0, i;

	for (digits = 6; digits < CREDENTIAL_ID_MAX; digits++) {
		credential_make_id(other, digits);
		for (i = 0; i < 200; i++) {
			credential_make_id(id, digits);
			assert_int_equal(strlen(id), digits);
			assert_int_equal(strspn(id, "0123456789"), digits);
			assert_true(id[0] != '0');
			same += strcmp(id, other) == 0;
		}
	}
	assert_true(same < 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(o10_forms),
		cmocka_unit_test(masks),
		cmocka_unit_test(ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
