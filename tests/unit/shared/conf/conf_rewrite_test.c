/* SPDX-License-Identifier: MIT */
/*
 * conf_rewrite.c: values replace those in the text of a file; comments, order,
 * indentation and the ends of lines stay, and the result reads back.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/conf/conf_rewrite.h"

static void
test_texts(void **state)
{
	static const struct {
		const char *name, *value, *text, *want;
	} t[] = {
		{ "workers", "3", "", "workers 3\n" },
		{ "workers", "3", "# a\nworkers 2", "# a\nworkers 3" },
		{ "workers", "3", "\t workers \t2  # two # 2\nlog a\n",
		    "\t workers \t3  # two # 2\nlog a\n" },
		{ "workers", "3", "workers \"2\"# two\r\nlog a\r\n",
		    "workers 3# two\r\nlog a\r\n" },
		{ "workers", "3", "#workers auto\nlog a\n",
		    "#workers auto\nworkers 3\nlog a\n" },
		{ "workers", "3", "#workers auto\nlog a\nworkers 2\n",
		    "#workers auto\nlog a\nworkers 3\n" },
		{ "workers", "3", "#workers auto\r\n#workers 1",
		    "#workers auto\r\nworkers 3\r\n#workers 1" },
		{ "workers", "3", "#workers auto",
		    "#workers auto\nworkers 3\n" },
		{ "workers", "3", "# workers auto",
		    "# workers auto\nworkers 3\n" },
		{ "workers", "3", "\xef\xbb\xbfworkers 2\n",
		    "\xef\xbb\xbfworkers 3\n" },
		{ "trusted_proxies", "::1, 10.0.0.0/8",
		    "trusted_proxies ::2 # a\nlog a\ntrusted_proxies ::3 # b\n"
		    "trusted_proxies ::4\n",
		    "trusted_proxies \"::1, 10.0.0.0/8\" # a\nlog a\n# b\n" },
		{ "console_url", "", "console_url \"http://a/\" #x\n",
		    "console_url \"\" #x\n" },
		{ "tls_ciphers", "a\"b\\#", "tls_ciphers \"a\\\"#\" # x\n",
		    "tls_ciphers \"a\\\"b\\\\#\" # x\n" },
		{ "tls_ciphers", "A", "tls_ciphers a#b\n", "tls_ciphers A\n" },
	};

	for (size_t i = 0; i < nitems(t); i++) {
		char *name = str_dup(str_of(t[i].name)),
		     *value = str_dup(str_of(t[i].value)), *got, *why = NULL;
		struct conf_rewrite v = { .name = name, .value = value };
		struct buf *b = NULL;
		struct conf c;

		conf_rewrite(str_of(t[i].text), &v, 1, &b);
		got = str_dup(buf_str(b));
		assert_string_equal(got, t[i].want);
		conf_init(&c);
		if (conf_read_text(&c, "x", buf_str(b), &why) == -1)
			fail_msg("%s", why);
		conf_clear(&c);
		free(got);
		buf_unref(b);
		free(name);
		free(value);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
