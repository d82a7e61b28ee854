/* SPDX-License-Identifier: MIT */
/* auth_failures.c: wrong signatures, by address; right ones always pass. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/net/ip.h"
#include "shared/net/listen_spec.h"
#include "tests/unit/worker/client/client_rig.h"
#include "worker/app/auth_failures.h"
#include "worker/app/stats.h"
#include "worker/conn/http_conn.h"

#define ERROR_4100 \
	"{\"event\":\"pusher:error\",\"data\":{\"code\":4100,\"message\":" \
	"\"more than 3 wrong signatures in a minute from this address " \
	"(max_auth_failures_per_minute)\"}}"

/* How many of `tries` failures from this address are let through. */
static unsigned
take(struct auth_failures *g, const char *text, double now, unsigned tries)
{
	struct ip ip;
	unsigned n = 0;

	if (text != NULL)
		assert_int_equal(ip_parse(str_of(text), &ip), 0);
	while (tries-- > 0)
		n += auth_failures_take(g, text == NULL ? NULL : &ip, now, 30);
	return n;
}

static void
minute(void **state)
{
	static const struct {
		double now;
		unsigned tries, want;
	} steps[] = {
		{ 1000., 40, 30 }, /* full at first */
		{ 1001., 2, 0 },   /* half a failure */
		{ 1002., 2, 1 },
		{ 1032., 40, 15 },
		{ 9000., 40, 30 },
	};
	struct auth_failures g = { NULL };

	hash_seed();
	for (size_t i = 0; i < nitems(steps); i++)
		assert_int_equal(
		    take(&g, "192.0.2.1", steps[i].now, steps[i].tries),
		    steps[i].want);
	auth_failures_clear(&g);
}

/* The address with this digit for the K in it, or NULL. */
static const char *
with_digit(char out[64], const char *text, unsigned digit)
{
	char *at;

	if (text == NULL)
		return NULL;
	snprintf(out, 64, "%s", text);
	while ((at = strchr(out, 'K')) != NULL)
		*at = (char)('0' + digit);
	return out;
}

/* Addresses whose failures are counted together. */
static void
addresses(void **state)
{
	static const struct {
		const char *spent, *other;
		bool same;
	} rows[] = {
		{ "192.0.2K.1", "192.0.2K.1", true },
		{ "192.0.2K.1", "::ffff:192.0.2K.1", true },
		{ "192.0.2K.1", "192.0.2K.2", false },
		{ "192.0.2K.1", "192.0.3K.1", false },
		{ "192.0.2K.1", NULL, false },
		{ NULL, NULL, true },
		{ "2001:dbK::1", "2001:dbK::1", true },
		{ "2001:dbK::1", "2001:dbK::ffff:ffff:ffff:ffff", true },
		{ "2001:dbK::1", "2001:dbK:0:1::1", false },
		{ "2001:dbK::1", "2001:daK::1", false },
		{ "2001:dbK::1", NULL, false },
		{ "::K", "127.0.0.K", false },
	};

	hash_seed();
	for (size_t i = 0; i < nitems(rows); i++) {
		unsigned apart = 0;

		/* Two may share a bucket by chance, but not many pairs. */
		for (unsigned k = 1; k <= 8; k++) {
			struct auth_failures g = { NULL };
			char a[64], b[64];

			take(&g, with_digit(a, rows[i].spent, k), 1000., 30);
			apart +=
			    take(&g, with_digit(b, rows[i].other, k), 1000., 1);
			auth_failures_clear(&g);
		}
		if (rows[i].same ? apart != 0 : apart < 4)
			fail_msg("row %zu: %u", i, apart);
	}
}

/* However many addresses there are, nobody's bucket is filled anew. */
static void
crowd(void **state)
{
	struct auth_failures g = { NULL };
	struct ip ip;
	unsigned n = 0;

	hash_seed();
	for (unsigned i = 0; i < 100000; i++) {
		uint32_t v4 = i;

		ip = ip_from_v4(&v4);
		for (unsigned k = 0; k < 4; k++)
			n += auth_failures_take(&g, &ip, 1000., 30);
	}
	assert_true(n <= AUTH_FAILURES_BUCKETS * 30u);
	auth_failures_clear(&g);
}

static void
wrong(const char *what)
{
	char text[300];

	snprintf(text, sizeof(text),
	    "{\"event\":\"%s\",\"data\":{\"channel\":\"private-a\","
	    "\"user_data\":\"{}\",\"auth\":\"" RIG_KEY ":%064d\"}}",
	    what, 0);
	say(text);
}

static void
client_again(void)
{
	rig_greeted(&rig);
	rig.n = 0;
}

static void
clients(void **state)
{
	struct stats_app *stats = stats_of(rig_app(&rig));

	rig.conf.max_auth_failures_per_minute = 3;
	wrong("pusher:subscribe");
	refused("AuthError", 401);
	wrong("pusher:signin");
	rig_expect_text(&rig, ERROR_4009);
	wrong("pusher:subscribe");
	refused("AuthError", 401);
	assert_int_equal(stats->limited_auth, 0);
	join("private-b", NULL); /* right ones pass */
	wrong("pusher:subscribe");
	rig_expect_text(&rig, ERROR_4100);
	assert_true(conn_is_ending(rig.c));
	assert_int_equal(rig.c->close_code, 4100);
	/* The one who comes next, too, and by a sign-in. */
	client_again();
	wrong("pusher:signin");
	rig_expect_text(&rig, ERROR_4100);
	assert_int_equal(stats->limited_auth, 2);
	client_again();
	rig.conf.max_auth_failures_per_minute = 0;
	for (unsigned i = 0; i < 10; i++) {
		wrong("pusher:subscribe");
		rig_expect_text(
		    &rig, "{\"event\":\"pusher:subscription_error\",*");
		rig_expect_text(&rig, NULL_ERROR);
	}
	assert_int_equal(stats->auth_subscribe + stats->auth_signin, 15);
}

/* The status of the answer to a request with a wrong signature. */
static void
ask(const char *id, const char *want)
{
	char text[300], *got;

	rig.n = 0;
	snprintf(text, sizeof(text),
	    "GET /apps/%s/channels?auth_key=" RIG_KEY "&auth_version=1.0"
	    "&auth_timestamp=1&auth_signature=%064d HTTP/1.1\r\n"
	    "Host: x\r\n\r\n",
	    id, 0);
	rig_send(&rig, text, strlen(text));
	got = xstrndup(rig.in, rig.n);
	if (strstr(got, want) == NULL)
		fail_msg("%s is not %s", got, want);
	free(got);
}

static void
requests(void **state)
{
	struct stats_app *stats = stats_of(rig_app(&rig));

	rig.conf.max_auth_failures_per_minute = 3;
	rig_connect(&rig, &http_ops);
	rig.c->serves = LISTEN_API;
	ask("77", "HTTP/1.1 401 ");
	ask("78", "HTTP/1.1 404 ");
	ask("77", "HTTP/1.1 401 ");
	ask("77", "HTTP/1.1 429 ");
	assert_int_equal(stats->limited_auth, 1);
	ask("77", "\r\nRetry-After: 20\r\n");
	ask("78", "HTTP/1.1 429 ");
	ask("78",
	    "{\"error\":\"more than 3 refused requests in a "
	    "minute from this address (max_auth_failures_per_minute): "
	    "try again in 20 s\",\"code\":429}");
	assert_int_equal(stats->limited_auth, 2);
	rig.conf.max_auth_failures_per_minute = 0;
	ask("77", "HTTP/1.1 401 ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(minute),
		cmocka_unit_test(addresses),
		cmocka_unit_test(crowd),
		TEST(clients),
		TEST(requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
