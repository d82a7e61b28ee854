/* SPDX-License-Identifier: MIT */
/* ip_test.c: addresses and networks. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/net/ip.h"
#include "shared/net/sock.h"

static void
test_text(void **state)
{
	static const char *const table[][2] = {
		{ "1.2.3.4", "1.2.3.4" },
		{ "::ffff:1.2.3.4", "1.2.3.4" },
		{ "2001:DB8:0:0::1", "2001:db8::1" },
		{ "::", "::" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "", NULL },
		{ "1.2.3", NULL },
		{ "1.2.3.4.5", NULL },
		{ "1.2.3.256", NULL },
		{ "01.2.3.4", NULL },
		{ "::1%lo", NULL },
		{ "[::1]", NULL },
		{ "1.2.3.4 ", NULL },
		{ "aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa", NULL },
	};
	char out[IP_TEXT_MAX];
	struct ip ip;

	for (size_t i = 0; i < nitems(table); i++) {
		int r = ip_parse(str_of(table[i][0]), &ip);

		assert_int_equal(r, table[i][1] == NULL ? -1 : 0);
		if (r == -1)
			continue;
		ip_text(&ip, out);
		assert_string_equal(out, table[i][1]);
	}
	assert_int_equal(ip_parse(str_make("1.2.3.4\0", 8), &ip), -1);
}

static void
test_nets(void **state)
{
	static const struct {
		const char *net, *ip;
		bool in;
	} table[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "10.0.0.0/8", "::ffff:10.1.1.1", true },
		{ "::ffff:10.0.0.0/104", "10.1.1.1", true },
		{ "192.168.7.0/25", "192.168.7.127", true },
		{ "192.168.7.0/25", "192.168.7.128", false },
		{ "1.2.3.4", "1.2.3.4", true },
		{ "1.2.3.4/32", "1.2.3.5", false },
		{ "0.0.0.0/0", "9.9.9.9", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "9.9.9.9", true },
		{ "fd00::/8", "fdff::1", true },
		{ "fd00::/8", "fe00::1", false },
		{ "2001:db8::/33", "2001:db8:7fff::", true },
		{ "2001:db8::/33", "2001:db8:8000::", false },
	};
	static const char *const bad[] = { "", "/8", "10.0.0.0/", "10.0.0.0/33",
		"::/129", "10/8", "10.0.0.0/8/8", "10.0.0.0/-1", "x" };
	struct ip_net net;
	struct ip ip;

	for (size_t i = 0; i < nitems(table); i++) {
		assert_int_equal(ip_net_parse(str_of(table[i].net), &net), 0);
		assert_int_equal(ip_parse(str_of(table[i].ip), &ip), 0);
		if (ip_net_has(&net, &ip) != table[i].in)
			fail_msg("%s in %s", table[i].ip, table[i].net);
		assert_int_equal(ip_nets_have(&net, 1, &ip), table[i].in);
		assert_false(ip_nets_have(&net, 0, &ip));
	}
	for (size_t i = 0; i < nitems(bad); i++)
		assert_int_equal(ip_net_parse(str_of(bad[i]), &net), -1);
}

static void
test_sock(void **state)
{
	struct sock_addr a;
	struct ip ip, want;

	assert_int_equal(sock_addr_parse(S("[::ffff:1.2.3.4]:5"), &a), 0);
	assert_int_equal(sock_addr_port(&a), 5);
	assert_true(ip_of_sock(&a, &ip));
	assert_int_equal(ip_parse(S("1.2.3.4"), &want), 0);
	assert_true(ip_eq(&ip, &want));
	assert_int_equal(sock_addr_parse(S("1.2.3.4:6"), &a), 0);
	assert_true(ip_of_sock(&a, &ip));
	assert_true(ip_eq(&ip, &want));
	a.ss.ss_family = AF_UNIX;
	assert_false(ip_of_sock(&a, &ip));
	assert_int_equal(sock_addr_port(&a), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_nets),
		cmocka_unit_test(test_sock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
