/* SPDX-License-Identifier: MIT */
/* conf_test.c: defaults, and what must hold for all options together. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"

static void
test_defaults(void **state)
{
	char *why = NULL;
	struct conf c;
	size_t i = 0;

	conf_init(&c);
#define CONF_TEXT(name, def, help) assert_string_equal(c.name, def);
#define CONF_PATH(name, def, help) assert_string_equal(c.name, def);
#define CONF_LIST(name, def, help) \
	assert_int_equal(c.name.n, (def)[0] != '\0'); \
	if (c.name.n == 1) \
		assert_string_equal(c.name.v[0], def);
#define CONF_UINT(name, def, min, max, help) \
	assert_true(c.name == (def)); \
	assert_true((def) >= (min) && (def) <= (max));
#define CONF_ENUM(name, def, choices, help) assert_string_equal(c.name, def);
#define CONF_BOOL(name, def, help) assert_int_equal(c.name, def);
#include "shared/conf/conf_options.def"
	assert_int_equal(conf_finish(&c, &why), 0);
	assert_in_range(c.nworkers, 1, 64);
	assert_string_equal(c.broker_path, "/run/pusherd/broker.sock");
	assert_string_equal(c.control_path, "/run/pusherd/ctl.sock");
	assert_string_equal(c.pid_file, "/run/pusherd/pusherd.pid");
	for (i = 0; i < 5; i++)
		assert_string_equal(c.origin[i], "default");
	assert_int_equal(conf_finish(&c, &why), 0); /* again */
	assert_int_equal(c.nlisteners, 2);          /* and metrics_listen */
	conf_clear(&c);
	conf_clear(&c);
}

struct bad {
	const char *text, *sentence;
};

static const struct bad bad_values[] = {
	{ "workers=0",
	    "command line: workers is \"0\": must be a number from 1 to 64, "
	    "or auto" },
	{ "workers=65",
	    "command line: workers is \"65\": must be a number from 1 to 64, "
	    "or auto" },
	{ "workers=",
	    "command line: workers is \"\": must be a number from 1 to 64, "
	    "or auto" },
	{ "listen=localhost:1",
	    "command line: listen is \"localhost:1\": must be an address and "
	    "a port, as in 0.0.0.0:6001, [::]:6001 or *:6001, or unix:/path" },
	{ "listen=127.0.0.1",
	    "command line: listen is \"127.0.0.1\": must be an address and "
	    "a port, as in 0.0.0.0:6001, [::]:6001 or *:6001, or unix:/path" },
	{ "listen=127.0.0.1:65536",
	    "command line: listen is \"127.0.0.1:65536\": must be an address "
	    "and a port, as in 0.0.0.0:6001, [::]:6001 or *:6001, or "
	    "unix:/path" },
	{ "listen=0.0.0.0:5, *:5", "command line: listen has 0.0.0.0:5 twice" },
	{ "listen=127.0.0.1:1 tls",
	    "command line: listen is \"127.0.0.1:1 tls\": tls needs the "
	    "option tls_certificate" },
	{ "listen=127.0.0.1:1 proxy_protocol",
	    "command line: listen is \"127.0.0.1:1 proxy_protocol\": "
	    "proxy_protocol needs the option trusted_proxies" },
	{ "listen=unix:x",
	    "command line: listen is \"unix:x\": unix: must be followed by a "
	    "full path" },
	{ "tls_key=/a",
	    "command line: there are 1 values of tls_key and 0 of "
	    "tls_certificate: must be as many, in the same order, or no "
	    "tls_key at all" },
	{ "trusted_proxies=10.0.0.0/8 10.0.0.0/99",
	    "command line: trusted_proxies has \"10.0.0.0/99\": must be "
	    "addresses or networks, as in 10.0.0.0/8 or ::1" },
	{ "path_prefix=ws",
	    "command line: path_prefix is \"ws\": must begin with / and have "
	    "no ?, #, % and blanks" },
	{ "database=", "command line: database must not be empty" },
	{ "runtime_dir=", "command line: runtime_dir must not be empty" },
	{ "workers",
	    "command line: -o workers has no value: write -o "
	    "NAME=VALUE" },
	{ "=1",
	    "command line: there is no option \"\"; pusherd -T shows all "
	    "of them" },
};

static void
test_bad_values(void **state)
{
	struct conf c;
	char *why;
	size_t i;

	for (i = 0; i < nitems(bad_values); i++) {
		why = NULL;
		conf_init(&c);
		if (conf_read_argument(&c, bad_values[i].text, &why) == 0)
			assert_int_equal(conf_finish(&c, &why), -1);
		assert_non_null(why);
		assert_string_equal(why, bad_values[i].sentence);
		free(why);
		conf_clear(&c);
	}
}

static void
test_runtime_dir_bound(void **state)
{
	char text[140], *why = NULL;
	struct conf c;

	/* sun_path has 108 bytes; "/broker.sock" and NUL take 13. */
	memset(text, 'a', sizeof(text));
	memcpy(text, "runtime_dir=/", 13);
	text[12 + 95] = '\0';
	conf_init(&c);
	assert_int_equal(conf_read_argument(&c, text, &why), 0);
	assert_int_equal(conf_finish(&c, &why), 0);
	assert_int_equal(strlen(c.broker_path), 107);
	text[12 + 95] = 'a';
	text[12 + 96] = '\0';
	assert_int_equal(conf_read_argument(&c, text, &why), 0);
	assert_int_equal(conf_finish(&c, &why), -1);
	assert_non_null(strstr(why, "96 bytes of at most 95"));
	free(why);
	conf_clear(&c);
}

static void
test_relative_paths(void **state)
{
	char *args[] = { (char *)(uintptr_t) "runtime_dir=./run",
		(char *)(uintptr_t) "database=db/apps.db",
		(char *)(uintptr_t) "pid_file=x.pid" };
	char *why = NULL, *cwd = getcwd(NULL, 0), *want;
	struct conf c;

	if (conf_load(&c, "/dev/null", args, nitems(args), &why) == -1)
		fail_msg("%s", why);
	want = xasprintf("%s/run/ctl.sock", cwd);
	assert_string_equal(c.control_path, want);
	free(want);
	want = xasprintf("%s/db/apps.db", cwd);
	assert_string_equal(c.database, want);
	free(want);
	want = xasprintf("%s/x.pid", cwd);
	assert_string_equal(c.pid_file, want);
	free(want);
	free(cwd);
	conf_clear(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_runtime_dir_bound),
		cmocka_unit_test(test_relative_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
