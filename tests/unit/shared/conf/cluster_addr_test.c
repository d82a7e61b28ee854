/* SPDX-License-Identifier: MIT */
/* cluster_addr_test.c: addresses of Redis, and names of hosts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/conf/cluster_addr.h"

static const struct {
	const char *text, *host, *path;
	int port, db;
} good[] = {
	{ "redis://127.0.0.1", "127.0.0.1", "", 6379, 0 },
	{ "redis://localhost:7000", "127.0.0.1", "", 7000, 0 },
	{ "redis://10.0.0.1:65535/1000000", "10.0.0.1", "", 65535, 1000000 },
	{ "redis://10.0.0.1/3", "10.0.0.1", "", 6379, 3 },
	{ "redis://[::1]", "::1", "", 6379, 0 },
	{ "redis://[2001:db8::1]:7/2", "2001:db8::1", "", 7, 2 },
	{ "unix:/run/redis.sock", "", "/run/redis.sock", 6379, 0 },
};

static const struct {
	const char *text, *why; /* part of the reason */
} bad[] = {
	{ "", "redis://ADDRESS" },
	{ "127.0.0.1:6379", "redis://ADDRESS" },
	{ "unix:", "unix:/PATH" },
	{ "unix:relative", "unix:/PATH" },
	{ "unix:/a?db=1", "unix:/PATH" },
	{ "rediss://10.0.0.1", "TLS and Sentinel" },
	{ "sentinel://10.0.0.1", "TLS and Sentinel" },
	{ "redis://:word@10.0.0.1", "cluster_auth" },
	{ "redis://", "looks no names up" },
	{ "redis://redis.example", "looks no names up" },
	{ "redis://[::1", "looks no names up" },
	{ "redis://::1", "looks no names up" },
	{ "redis://10.0.0.1:0", "redis://ADDRESS" },
	{ "redis://10.0.0.1:", "redis://ADDRESS" },
	{ "redis://10.0.0.1:65536", "redis://ADDRESS" },
	{ "redis://10.0.0.1:99999999999999999999", "redis://ADDRESS" },
	{ "redis://10.0.0.1/1000001", "redis://ADDRESS" },
	{ "redis://10.0.0.1/", "redis://ADDRESS" },
	{ "redis://10.0.0.1/1/2", "redis://ADDRESS" },
	{ "redis://10.0.0.1:6379x", "redis://ADDRESS" },
};

static void
test_good(void **state)
{
	struct cluster_addr a;
	const char *why;

	for (size_t i = 0; i < nitems(good); i++) {
		if (cluster_addr_parse(&a, str_of(good[i].text), &why) != 0)
			fail_msg("%s: %s", good[i].text, why);
		assert_string_equal(a.host, good[i].host);
		assert_string_equal(a.path, good[i].path);
		assert_int_equal(a.port, good[i].port);
		assert_int_equal(a.db, good[i].db);
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
