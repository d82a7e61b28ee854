/* SPDX-License-Identifier: MIT */
/*
 * webhook_test.c: options and their errors, filters, addresses, and the exact
 * bytes and signatures of the vectors.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/pusher/channel_name.h"
#include "shared/pusher/webhook.h"
#include "tests/unit/shared/vectors.h"

static void
signatures_of_the_vectors(void **state)
{
	char hex[SIGN_HEX_LEN + 1], *a, *b, *c;
	unsigned char mac[SIGN_SHA256_LEN];
	struct sign_key *key;
	struct str body, secret, want;
	struct vectors v;
	struct json j;
	size_t n = 0;

	(void)state;
	vectors_open(&v);
	for (; vectors_next(&v, "webhook", &j); n++) {
		struct json in = json_get(j, S("input"));
		struct json out =
		    json_get(json_get(j, S("expect")), S("headers"));

		body = vector_text(in, "body", &a);
		secret = vector_text(in, "secret", &b);
		want = vector_text(out, "X-Pusher-Signature", &c);
		key = sign_key_new(secret);
		sign_hmac(key, &body, 1, mac);
		sign_key_free(key);
		str_hex(mac, sizeof(mac), hex);
		assert_int_equal(want.n, SIGN_HEX_LEN);
		assert_memory_equal(hex, want.p, want.n);
		free(a);
		free(b);
		free(c);
	}
	assert_in_range(n, 10, 100);
	vectors_close(&v);
}

static void
assert_text(struct buf *b, const char *want)
{
	char *got = str_dup(buf_str(b));

	assert_string_equal(got, want);
	free(got);
	buf_unref(b);
}

static void
bodies(void **state)
{
	struct webhook_client_event e = { .channel = S("private-x"),
		.event = S("\"client-a\""),
		.data = S("\"{\\\"on\\\":true}\""),
		.sid = (UINT64_C(5) << 32) + 7 };
	char want[300], sid[SOCKET_ID_MAX];
	struct buf *b = NULL, *body = NULL;

	(void)state;
	webhook_put_event(&b, WEBHOOK_OCCUPIED, S("room-1"), S(""));
	buf_putc(&b, ',');
	webhook_put_event(&b, WEBHOOK_MEMBER_ADDED, S("presence-x"), S("u\"7"));
	buf_putc(&b, ',');
	webhook_put_count(&b, S("room-1"), 3);
	webhook_put_body(&body, 1700000000123, buf_str(b));
	buf_unref(b);
	assert_text(body,
	    "{\"time_ms\":1700000000123,\"events\":["
	    "{\"name\":\"channel_occupied\",\"channel\":\"room-1\"},"
	    "{\"name\":\"member_added\",\"channel\":\"presence-x\","
	    "\"user_id\":\"u\\\"7\"},"
	    "{\"name\":\"subscription_count\",\"channel\":\"room-1\","
	    "\"subscription_count\":3}]}");
	b = NULL;
	webhook_put_client_event(&b, &e);
	socket_id_text(e.sid, sid);
	snprintf(want, sizeof(want),
	    "{\"name\":\"client_event\",\"channel\":\"private-x\","
	    "\"event\":\"client-a\",\"data\":\"{\\\"on\\\":true}\","
	    "\"socket_id\":\"%s\"}",
	    sid);
	assert_text(b, want);
}

/* The event as it is with this id. */
static struct buf *
with_id(uint64_t mark, enum webhook_kind k, struct str app, struct str user)
{
	struct buf *b = NULL;

	webhook_put_event(&b, k, S("presence-x"), user);
	webhook_put_id(&b, mark, app, k, S("presence-x"), user);
	return b;
}

static void
ids(void **state)
{
	struct buf *v[] = {
		with_id(7, WEBHOOK_MEMBER_ADDED, S("app"), S("u1")),
		with_id(8, WEBHOOK_MEMBER_ADDED, S("app"), S("u1")),
		with_id(7, WEBHOOK_MEMBER_REMOVED, S("app"), S("u1")),
		with_id(7, WEBHOOK_MEMBER_ADDED, S("ap"), S("u1")),
		with_id(7, WEBHOOK_MEMBER_ADDED, S("app"), S("u2")),
	};
	struct buf *again = with_id(7, WEBHOOK_MEMBER_ADDED, S("app"), S("u1"));
	struct buf *none = with_id(0, WEBHOOK_OCCUPIED, S("app"), S(""));
	const char *at[nitems(v)];

	(void)state;
	assert_true(str_eq(buf_str(v[0]), buf_str(again)));
	assert_text(
	    none, "{\"name\":\"channel_occupied\",\"channel\":\"presence-x\"}");
	for (size_t i = 0; i < nitems(v); i++) {
		at[i] = v[i]->data + v[i]->len - strlen("0123456789abcdef\"}");
		assert_memory_equal(at[i] - 6, "\"id\":\"", 6);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(at[i], at[j], 16);
	}
	for (size_t i = 0; i < nitems(v); i++)
		buf_unref(v[i]);
	buf_unref(again);
}

static void
options(void **state)
{
	static const struct {
		const char *option, *value, *why; /* why NULL: fine */
	} rows[] = {
		{ "url", "http://x", NULL },
		{ "url", "https://example.org:8443/a?b=c", NULL },
		{ "url", "http://[::1]:80/", NULL },
		{ "url", "ftp://x/", "http" },
		{ "url", "HTTP://x/", "http" },
		{ "url", "http://", "no host" },
		{ "url", "http:///path", "no host" },
		{ "url", "http://:80/", "no host" },
		{ "url", "http://u:p@x/", "user name" },
		{ "url", "http://x/ y", "blank" },
		{ "url", "http://x/\n", "blank" },
		{ "url", "http://x/\xc3\xa9", "ASCII" },
		{ "url", "http://x/#f", "fragment" },
		{ "events", "", NULL },
		{ "events", "member_added,channel_vacated", NULL },
		{ "events", "member_added nonsense", "nonsense" },
		{ "events", "test", "none of" },
		{ "channel-prefix", "room-", NULL },
		{ "channel-glob", "a b", "blanks" },
		{ "batch", "on", NULL },
		{ "batch", "yes", "on or off" },
		{ "enabled", "off", NULL },
		{ "headers", "A: b\nC: d\n", NULL },
		{ "headers", "A: b\nHost: d\n", "sets itself" },
		{ "colour", "red", "no option" },
	};
	struct webhook h;
	char *why;

	(void)state;
	webhook_init(&h);
	for (size_t i = 0; i < nitems(rows); i++) {
		int r = webhook_set(&h, rows[i].option, rows[i].value, &why);

		assert_int_equal(r, rows[i].why == NULL ? 0 : -1);
		if (r == -1) {
			if (strstr(why, rows[i].why) == NULL)
				fail_msg("%s: %s", rows[i].value, why);
			free(why);
		}
	}
	assert_string_equal(h.events, "channel_vacated member_added");
	assert_string_equal(h.headers, "A: b\nC: d\n");
	assert_int_equal(
	    h.mask, 1u << WEBHOOK_VACATED | 1u << WEBHOOK_MEMBER_ADDED);
	assert_true(webhook_wants_channel(&h, S("room-1")));
	assert_false(webhook_wants_channel(&h, S("x-room-1")));
	webhook_clear(&h);
	webhook_init(&h);
	assert_int_equal(h.mask, (1u << WEBHOOK_KINDS) - 1);
	webhook_clear(&h);
}

static void
headers(void **state)
{
	static const char *const bad[] = { "", "A", "A:", "A:  ", ": b",
		"A b: c", "A: b\r\nC: d", "A: b\nC: d", "A: \xc3\xa9",
		"A: \x01", "host: x", "CONTENT-TYPE: text/plain",
		"Content-Length: 3", "Transfer-Encoding: chunked",
		"Connection: close", "X-Pusher-Key: k", "x-pusherd-delivery: 1",
		"Expect: 100-continue", "User-Agent: x" };
	struct webhook h;
	char *why, big[4200];

	(void)state;
	webhook_init(&h);
	for (size_t i = 0; i < nitems(bad); i++) {
		assert_int_equal(webhook_add_header(&h, bad[i], &why), -1);
		free(why);
	}
	memset(big, 'x', sizeof(big));
	memcpy(big, "A: ", 3);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(webhook_add_header(&h, big, &why), -1);
	free(why);
	assert_string_equal(h.headers, "");
	assert_int_equal(
	    webhook_add_header(&h, "Authorization:  Bearer a b ", &why), 0);
	assert_int_equal(webhook_add_header(&h, "X-A: 1:2", &why), 0);
	assert_string_equal(h.headers, "Authorization: Bearer a b\nX-A: 1:2\n");
	webhook_clear(&h);
}

static void
addresses(void **state)
{
	static const struct {
		const char *ip;
		bool is_public;
	} rows[] = {
		{ "1.1.1.1", true },
		{ "93.184.216.34", true },
		{ "0.0.0.0", false },
		{ "10.255.255.255", false },
		{ "11.0.0.0", true },
		{ "100.63.255.255", true },
		{ "100.64.0.0", false },
		{ "100.127.255.255", false },
		{ "100.128.0.0", true },
		{ "127.0.0.1", false },
		{ "169.254.169.254", false },
		{ "172.15.255.255", true },
		{ "172.16.0.0", false },
		{ "172.31.255.255", false },
		{ "172.32.0.0", true },
		{ "192.0.0.8", false },
		{ "192.167.255.255", true },
		{ "192.168.0.1", false },
		{ "198.18.0.1", false },
		{ "192.0.2.1", false },
		{ "192.0.3.0", true },
		{ "192.88.99.1", false },
		{ "198.51.100.7", false },
		{ "203.0.113.9", false },
		{ "203.0.112.255", true },
		{ "198.20.0.0", true },
		{ "223.255.255.255", true },
		{ "224.0.0.1", false },
		{ "255.255.255.255", false },
		{ "::", false },
		{ "::1", false },
		{ "::127.0.0.1", false },
		{ "::ffff:127.0.0.1", false },
		{ "::ffff:10.0.0.1", false },
		{ "::ffff:1.1.1.1", true },
		{ "64:ff9b::a00:1", false },
		{ "64:ff9b::101:101", true },
		{ "64:ff9b:1::101:101", false },
		{ "2002:7f00:1::", false },
		{ "2002:101:101::", true },
		{ "2001:0:1::", false },
		{ "2001:db8::1", false },
		{ "fc00::1", false },
		{ "fdff::1", false },
		{ "fe80::1", false },
		{ "fec0::1", false },
		{ "ff02::1", false },
		{ "100::1", false },
		{ "2606:4700::1111", true },
	};
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr local = { .sa_family = AF_UNIX };
	const struct sockaddr *sa;

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		if (inet_pton(AF_INET, rows[i].ip, &in.sin_addr) == 1)
			sa = (const struct sockaddr *)&in;
		else {
			assert_int_equal(
			    inet_pton(AF_INET6, rows[i].ip, &in6.sin6_addr), 1);
			sa = (const struct sockaddr *)&in6;
		}
		if (webhook_addr_is_public(sa) != rows[i].is_public)
			fail_msg("%s", rows[i].ip);
	}
	assert_false(webhook_addr_is_public(&local));
}

/* Each way to carry a local IPv4 address in IPv6, for each local range. */
static void
o14_no_form_of_a_local_address(void **state)
{
	static const char *const forms[] = { "::", "::ffff:", "::ffff:0:",
		"64:ff9b::", "64:ff9b:1::", "64:ff9b:1:5::", "2001:0:1:2:3:4:",
		"2606:4700::5efe:", "2606:4700::200:5efe:", "fe80::5efe:" };
	static const char *const local[] = { "0.1.2.3", "10.1.2.3",
		"100.64.0.1", "127.0.0.1", "169.254.169.254", "172.20.0.1",
		"192.0.0.1", "192.168.1.1", "198.19.255.255", "224.0.0.1",
		"240.0.0.1", "255.255.255.255" };
	static const char *const more[] = { "2002:a00:1::1",
		"2002:7f00:1::", "2002:a9fe:a9fe::1",
		"2002:6440:1::", "2001:2::1", "2001:10::1", "2001:20::1",
		"3fff::1", "5f00::1", "4000::1", "100::1", "100:0:0:1::1",
		"fd00::1", "febf::1", "feff::1", "ff0e::1", "1::1" };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	char ip[64];

	(void)state;
	for (size_t i = 0; i < nitems(forms) * nitems(local); i++) {
		snprintf(ip, sizeof(ip), "%s%s", forms[i % nitems(forms)],
		    local[i / nitems(forms)]);
		assert_int_equal(inet_pton(AF_INET6, ip, &in6.sin6_addr), 1);
		if (webhook_addr_is_public((const struct sockaddr *)&in6))
			fail_msg("%s", ip);
	}
	for (size_t i = 0; i < nitems(more); i++) {
		assert_int_equal(
		    inet_pton(AF_INET6, more[i], &in6.sin6_addr), 1);
		if (webhook_addr_is_public((const struct sockaddr *)&in6))
			fail_msg("%s", more[i]);
	}
}

static void
c10_urls_of_closed_addresses(void **state)
{
	static const char *const closed[] = { "http://127.0.0.1/",
		"http://localhost:8000/hook", "https://x.LOCALHOST./",
		"http://127.1", "http://0x7f000001/", "http://2130706433/",
		"http://[::1]:80/", "http://[fe80::1%25eth0]/",
		"http://u:p@10.0.0.1/x", "http://192.168.0.1?x=@1.1.1.1",
		"http://[::ffff:0:10.0.0.1]/", "http://127.0.0.1./" };
	static const char *const open[] = { "https://example.com/",
		"http://1.1.1.1/", "http://[2606:4700::1111]/",
		"http://u@1.1.1.1:80/127.0.0.1", "http://localhost.example/" };

	(void)state;
	for (size_t i = 0; i < nitems(closed); i++)
		if (!webhook_url_is_closed(closed[i]))
			fail_msg("%s", closed[i]);
	for (size_t i = 0; i < nitems(open); i++)
		if (webhook_url_is_closed(open[i]))
			fail_msg("%s", open[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signatures_of_the_vectors),
		cmocka_unit_test(bodies),
		cmocka_unit_test(ids),
		cmocka_unit_test(options),
		cmocka_unit_test(headers),
		cmocka_unit_test(addresses),
		cmocka_unit_test(o14_no_form_of_a_local_address),
		cmocka_unit_test(c10_urls_of_closed_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
