/* SPDX-License-Identifier: MIT */
/* cluster_addr_test.c: addresses of Redis, and names of hosts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/conf/cluster_addr.h"

static const struct {
	const char *text;
	const char *servers; /* "HOST PORT " for each */
	const char *path, *master;
	int db;
	bool tls;
} good[] = {
	{ "redis://127.0.0.1", "127.0.0.1 6379 ", "", "", 0, false },
	{ "redis://localhost:7000", "localhost 7000 ", "", "", 0, false },
	{ "redis://redis.example/3", "redis.example 6379 ", "", "", 3, false },
	{ "redis://10.0.0.1:65535/1000000", "10.0.0.1 65535 ", "", "", 1000000,
	    false },
	{ "redis://[::1]", "::1 6379 ", "", "", 0, false },
	{ "rediss://[2001:db8::1]:7/2", "2001:db8::1 7 ", "", "", 2, true },
	{ "unix:/run/redis.sock", "", "/run/redis.sock", "", 0, false },
	{ "sentinel://a/m", "a 26379 ", "", "m", 0, false },
	{ "sentinel://a:1,[::1]:2,10.0.0.1/my-name.1/4",
	    "a 1 ::1 2 10.0.0.1 26379 ", "", "my-name.1", 4, false },
	{ "sentinels://a,b/m", "a 26379 b 26379 ", "", "m", 0, true },
};

static const struct {
	const char *text, *why; /* part of the reason */
} bad[] = {
	{ "", "redis://HOST" },
	{ "127.0.0.1:6379", "redis://HOST" },
	{ "unix:", "unix:/PATH" },
	{ "unix:relative", "unix:/PATH" },
	{ "unix:/a?db=1", "unix:/PATH" },
	{ "redis://:word@10.0.0.1", "cluster_auth" },
	{ "rediss://user:word@a", "cluster_auth" },
	{ "redis://", "redis://HOST" },
	{ "redis://a b", "redis://HOST" },
	{ "redis://a,b", "redis://HOST" },
	{ "redis://[::1", "redis://HOST" },
	{ "redis://[name]", "redis://HOST" },
	{ "redis://::1", "redis://HOST" },
	{ "redis://10.0.0.1:0", "redis://HOST" },
	{ "redis://10.0.0.1:", "redis://HOST" },
	{ "redis://10.0.0.1:65536", "redis://HOST" },
	{ "redis://10.0.0.1:99999999999999999999", "redis://HOST" },
	{ "redis://10.0.0.1/1000001", "redis://HOST" },
	{ "redis://10.0.0.1/", "redis://HOST" },
	{ "redis://10.0.0.1/1/2", "redis://HOST" },
	{ "redis://10.0.0.1:6379x", "redis://HOST" },
	{ "sentinel://a", "sentinel://HOST" },
	{ "sentinel://a/", "sentinel://HOST" },
	{ "sentinel://a,/m", "sentinel://HOST" },
	{ "sentinel:///m", "sentinel://HOST" },
	{ "sentinel://a/m x", "sentinel://HOST" },
	{ "sentinel://a/m/x", "sentinel://HOST" },
	{ "sentinel://1,2,3,4,5,6,7,8,9/m", "sentinel://HOST" },
};

static void
test_good(void **state)
{
	struct cluster_addr a;
	struct buf *servers;
	const char *why;

	for (size_t i = 0; i < nitems(good); i++) {
		if (cluster_addr_parse(&a, str_of(good[i].text), &why) != 0)
			fail_msg("%s: %s", good[i].text, why);
		servers = buf_new(64);
		for (size_t k = 0; k < a.nservers; k++)
			buf_printf(&servers, "%s %d ", a.servers[k].host,
			    a.servers[k].port);
		assert_true(str_eq(buf_str(servers), str_of(good[i].servers)));
		buf_unref(servers);
		assert_string_equal(a.path, good[i].path);
		assert_string_equal(a.master, good[i].master);
		assert_int_equal(a.db, good[i].db);
		assert_int_equal(a.tls, good[i].tls);
	}
}

static void
test_bad(void **state)
{
	struct cluster_addr a;
	const char *why;

	for (size_t i = 0; i < nitems(bad); i++) {
		if (cluster_addr_parse(&a, str_of(bad[i].text), &why) != -1)
			fail_msg("%s is taken", bad[i].text);
		if (strstr(why, bad[i].why) == NULL)
			fail_msg("%s: %s", bad[i].text, why);
	}
}

/* A path that fills its room is refused, one byte less is not cut. */
static void
test_long_path(void **state)
{
	struct cluster_addr a;
	char text[5 + sizeof(a.path) + 1] = "unix:/";
	const char *why;

	memset(text + 6, 'p', sizeof(a.path) - 1);
	assert_int_equal(cluster_addr_parse(&a, str_of(text), &why), -1);
	text[5 + sizeof(a.path) - 1] = '\0';
	assert_int_equal(cluster_addr_parse(&a, str_of(text), &why), 0);
	assert_string_equal(a.path, text + 5);
}

static void
test_names(void **state)
{
	char name[CLUSTER_HOST_MAX + 1];

	memset(name, 'n', sizeof(name));
	assert_true(cluster_name_is_valid(S("a")));
	assert_true(cluster_name_is_valid(S("Web-1_b.example")));
	assert_true(cluster_name_is_valid(str_make(name, CLUSTER_HOST_MAX)));
	assert_false(
	    cluster_name_is_valid(str_make(name, CLUSTER_HOST_MAX + 1)));
	assert_false(cluster_name_is_valid(S("")));
	assert_false(cluster_name_is_valid(S("a b")));
	assert_false(cluster_name_is_valid(S("a:b")));
	assert_false(cluster_name_is_valid(S("a\nb")));
	assert_false(cluster_name_is_valid(S("a\0b")));
	assert_false(cluster_name_is_valid(S("\xc3\xa4")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
