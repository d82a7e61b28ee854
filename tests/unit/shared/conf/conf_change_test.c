/* SPDX-License-Identifier: MIT */
/*
 * conf_change.c: a configuration goes through a dump unchanged, with its
 * origins; what needs a restart is kept and named; nonsense is refused.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/conf/conf_change.h"

static void
make(struct conf *c, const char *text)
{
	char *why = NULL;

	conf_init(c);
	if (conf_read_text(c, "x.conf", str_of(text), &why) == -1 ||
	    conf_finish(c, &why) == -1)
		fail_msg("%s", why);
}

static char *
dump_of(const struct conf *c)
{
	struct buf *b = NULL;
	char *text;

	conf_dump(c, &b);
	text = str_dup(buf_str(b));
	buf_unref(b);
	return text;
}

static void
test_round_trip(void **state)
{
	static const char *const texts[] = {
		"",
		"listen 127.0.0.1:1\nlisten [::1]:2\nworkers 3\n",
		"log /tmp/ab\nlog_level debug\nstrict_protocol on\n",
		"database \"/tmp/a b#c\"\nuser \"\"\nmax_connections "
		"10000000\n",
	};
	struct conf c, again;
	char *one, *two, *why = NULL;

	for (size_t i = 0; i < nitems(texts); i++) {
		make(&c, texts[i]);
		one = dump_of(&c);
		if (conf_load_dump(&again, str_of(one), &why) == -1)
			fail_msg("%s", why);
		two = dump_of(&again);
		assert_string_equal(one, two);
		assert_int_equal(c.nworkers, again.nworkers);
		assert_string_equal(c.control_path, again.control_path);
		assert_string_equal(
		    conf_origin(&c, "listen"), conf_origin(&again, "listen"));
		free(one);
		free(two);
		conf_clear(&c);
		conf_clear(&again);
	}
}

static void
test_keep(void **state)
{
	struct conf live, fresh;
	char *names;

	make(&live, "database /a/x\nruntime_dir /r\nuser x\ndrain_time 1\n");
	make(&fresh, "database /b/x\nruntime_dir /s\nuser x\ndrain_time 2\n");
	names = conf_keep(&fresh, &live);
	assert_string_equal(names, "database, runtime_dir, pid_file, outbox");
	free(names);
	assert_string_equal(fresh.database, "/a/x");
	assert_string_equal(fresh.broker_path, "/r/broker.sock");
	assert_int_equal(fresh.drain_time, 2);
	assert_string_equal(conf_origin(&fresh, "database"), "x.conf:1");
	assert_null(conf_keep(&fresh, &live));
	conf_replace(&live, &fresh);
	assert_int_equal(live.drain_time, 2);
	assert_null(fresh.database);
	conf_clear(&fresh);
	conf_clear(&live);
}

static void
test_nonsense(void **state)
{
	static const char *const texts[] = {
		"",
		"nonsense",
		"nworkers\t0\t\n",
		"nworkers\t1\t\nnonsense\t1\tx\n",
		"nworkers\t1\t\ndrain_time\tx\tx\n",
		"nworkers\t1\t\ndrain_time\t1",
		"nworkers\tx\t\n",
	};
	struct conf c;
	char *why;

	for (size_t i = 0; i < nitems(texts); i++) {
		why = NULL;
		assert_int_equal(
		    conf_load_dump(&c, str_of(texts[i]), &why), -1);
		assert_non_null(why);
		free(why);
		assert_null(c.database);
	}
}

static void
test_names(void **state)
{
	struct conf c;

	conf_init(&c);
	assert_true(conf_needs_restart("database"));
	assert_false(conf_needs_restart("listen"));
#define CHECK(name) \
	if (conf_needs_restart(name)) \
		assert_string_not_equal(conf_origin(&c, name), "");
	CHECK("runtime_dir")
	CHECK("pid_file")
	CHECK("user")
	CHECK("outbox")
	CHECK("sandbox")
	CHECK("core_dumps")
#undef CHECK
	assert_string_equal(conf_origin(&c, "nonsense"), "");
	conf_clear(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
