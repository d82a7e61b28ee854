/* SPDX-License-Identifier: MIT */
/*
 * channel_auth.c and what is read from the signed JSON: every channel_auth and
 * user_auth vector.  Run from the root of the tree.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/pusher/channel_auth.h"
#include "shared/pusher/channel_name.h"
#include "tests/unit/shared/vectors.h"
#include "worker/client/identity.h"

static const struct identity_limits limits = { 128, 100 };

#define NCHANNEL 46
#define NUSER 17

/* Texts of one vector; views stay valid until clear(). */
struct vector {
	struct json input, expect;
	struct str id, key, secret, sid, auth, verdict;
	char *mem[8];
	struct auth_app app;
};

static void
vector_read(struct vector *v, struct json row)
{
	v->input = json_get(row, S("input"));
	v->expect = json_get(row, S("expect"));
	v->id = vector_text(row, "id", &v->mem[0]);
	v->key = vector_text(v->input, "key", &v->mem[1]);
	v->secret = vector_text(v->input, "secret", &v->mem[2]);
	v->sid = vector_text(v->input, "socket_id", &v->mem[3]);
	v->verdict = vector_text(v->expect, "verdict", &v->mem[4]);
	v->auth = vector_text(json_get(v->input, S("auth")).kind == JSON_NONE
		? v->expect
		: v->input,
	    "auth", &v->mem[5]);
	v->mem[6] = v->mem[7] = NULL;
	v->app.key = v->key;
	v->app.sign = sign_key_new(v->secret);
}

static void
vector_clear(struct vector *v)
{
	sign_key_free(v->app.sign);
	for (size_t i = 0; i < nitems(v->mem); i++)
		free(v->mem[i]);
}

/*
 * Whether the whole subscription would be accepted.  One vector (ca-20) is
 * about the signature alone: it is right, but there is no user_id.
 */
static bool
channel_accepted(const struct vector *v, struct str channel, struct str data)
{
	struct identity who;
	const char *why;
	bool ok;

	if (auth_channel(&v->app, v->auth, v->sid, channel, data) != AUTH_OK)
		return false;
	if (!(channel_flags(channel) & CHANNEL_PRESENCE) || data.p == NULL ||
	    str_eq(v->id, S("ca-20")))
		return true;
	ok = identity_of_channel_data(&who, data, limits, &why) == IDENTITY_OK;
	identity_clear(&who);
	return ok;
}

static void
channel_vectors(void **state)
{
	struct vectors all;
	struct vector v;
	struct json row;
	unsigned n = 0;

	vectors_open(&all);
	while (vectors_next(&all, "channel_auth", &row)) {
		struct str channel, data = { NULL, 0 };
		bool want;

		vector_read(&v, row);
		channel = vector_text(v.input, "channel", &v.mem[6]);
		if (json_get(v.input, S("channel_data")).kind != JSON_NONE)
			data = vector_text(v.input, "channel_data", &v.mem[7]);
		want = str_eq(v.verdict, S("accept"));
		if (channel_accepted(&v, channel, data) != want)
			fail_msg("%.*s: not the verdict", STR_ARG(v.id));
		n++;
		vector_clear(&v);
	}
	vectors_close(&all);
	assert_int_equal(n, NCHANNEL);
}

static bool
user_accepted(const struct vector *v, struct str data)
{
	struct identity who;
	const char *why;
	bool ok;

	if (auth_user(&v->app, v->auth, v->sid, data) != AUTH_OK)
		return false;
	ok = identity_of_user_data(&who, data, limits, &why) == IDENTITY_OK;
	identity_clear(&who);
	return ok;
}

static void
user_vectors(void **state)
{
	struct vectors all;
	struct vector v;
	struct json row;
	unsigned n = 0;

	vectors_open(&all);
	while (vectors_next(&all, "user_auth", &row)) {
		struct str data;
		bool want;

		vector_read(&v, row);
		data = vector_text(v.input, "user_data", &v.mem[6]);
		want = str_eq(v.verdict, S("accept"));
		if (user_accepted(&v, data) != want)
			fail_msg("%.*s: not the verdict", STR_ARG(v.id));
		n++;
		vector_clear(&v);
	}
	vectors_close(&all);
	assert_int_equal(n, NUSER);
}

static void
results(void **state)
{
	static const struct {
		const char *auth;
		enum auth_result want;
	} rows[] = {
		{ "", AUTH_MISSING },
		{ ":", AUTH_KEY },
		{ "demo-app-key-01", AUTH_FORMAT },
		{ "demo-app-key-01:", AUTH_FORMAT },
		{ "demo-app-key-02:"
		  "eb7b354c5e6b44adb7d5fa6126f838c3d267cbff0f78da682be63456"
		  "61cd3f08",
		    AUTH_KEY },
		{ "demo-app-key-01:"
		  "eb7b354c5e6b44adb7d5fa6126f838c3d267cbff0f78da682be63456"
		  "61cd3f08 ",
		    AUTH_FORMAT },
		{ "demo-app-key-01:"
		  "eb7b354c5e6b44adb7d5fa6126f838c3d267cbff0f78da682be63456"
		  "61cd3f09",
		    AUTH_SIGNATURE },
		{ "demo-app-key-01:"
		  "xb7b354c5e6b44adb7d5fa6126f838c3d267cbff0f78da682be63456"
		  "61cd3f08",
		    AUTH_SIGNATURE },
		{ "demo-app-key-01:"
		  "eb7b354c5e6b44adb7d5fa6126f838c3d267cbff0f78da682be63456"
		  "61cd3f08",
		    AUTH_OK },
	};
	struct auth_app app = { sign_key_new(S("demo-app-secret-01")),
		S("demo-app-key-01") };

	for (size_t i = 0; i < nitems(rows); i++)
		assert_int_equal(auth_channel(&app, str_of(rows[i].auth),
				     S("219049.5823310"),
				     S("private-orders.42"), str_make(NULL, 0)),
		    rows[i].want);
	for (int r = AUTH_OK; r <= AUTH_SIGNATURE; r++)
		assert_true(auth_text((enum auth_result)r).n > 0);
	/* Empty channel_data is signed too: another string. */
	assert_int_equal(
	    auth_channel(&app, str_of(rows[nitems(rows) - 1].auth),
		S("219049.5823310"), S("private-orders.42"), S("")),
	    AUTH_SIGNATURE);
	sign_key_free(app.sign);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(channel_vectors),
		cmocka_unit_test(user_vectors),
		cmocka_unit_test(results),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	sign_cleanup();
	return r;
}
