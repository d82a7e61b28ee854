/* SPDX-License-Identifier: MIT */
/*
 * Every http_request vector of tests/vectors.json with the vector's clock,
 * and what the vectors leave out: repeated parameters, odd timestamps, what
 * the refusals say.  Run from the root of the tree.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <stdio.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/pusher/api_auth.h"

#define NVECTORS 100

/*
 * Vectors of level `may`: accepting is useful, refusing is conformant.  Here
 * is what we do.
 */
static const struct {
	const char *id;
	bool accept;
	const char *why;
} may[] = {
	{ "hr-34", true, "array as info[0]=, signed as one comma list (PHP)" },
	{ "hr-35", true, "array as info=&info=, signed with [] (Ruby)" },
	{ "hr-36", true, "repeated key, signed literally" },
	{ "hr-39", true, "path encoded on the wire, signed decoded" },
	{ "hc-09", true, "the same, by the Node library" },
	{ "hc-23", true, "array as hr-35, captured" },
	{ "hc-33", true, "array as hr-34, captured" },
	{ "hp-01", false, "a prefix before /apps: there is no such option" },
	{ "hp-02", false, "a prefix before /apps: there is no such option" },
};

static char *
read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text;
	long n;

	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	assert_true((n = ftell(f)) > 0);
	rewind(f);
	text = xcalloc(1, (size_t)n + 1);
	assert_int_equal(fread(text, 1, (size_t)n, f), n);
	fclose(f);
	return text;
}

static struct str
text_of(const cJSON *obj, const char *key)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);

	return cJSON_IsString(v) ? str_of(v->valuestring)
				 : (struct str){ NULL, 0 };
}

struct request {
	struct str method, target, body;
	struct str key, secret; /* of the app */
	uint64_t now;
};

/* The verdict of the authenticator. */
static unsigned
check(struct request r, struct buf **why)
{
	struct sign_key *sign = sign_key_new(r.secret);
	struct api_params params;
	struct api_auth a = { .method = r.method,
		.params = &params,
		.body = r.body,
		.key = r.key,
		.sign = sign,
		.now = r.now,
		.max_age = 600 };
	unsigned status;

	a.path = str_cut(&r.target, '?');
	assert_int_equal(api_params_parse(&params, r.target), 0);
	status = api_auth_check(&a, why) ? 200 : 401;
	api_params_clear(&params);
	sign_key_free(sign);
	return status;
}

static bool
expected(const char *id, const cJSON *vector)
{
	struct str level = text_of(vector, "level");
	struct str verdict = text_of(
	    cJSON_GetObjectItemCaseSensitive(vector, "expect"), "verdict");

	if (str_eq(level, S("must")))
		return str_eq(verdict, S("accept"));
	for (size_t i = 0; i < nitems(may); i++)
		if (str_eq(str_of(may[i].id), str_of(id)))
			return may[i].accept;
	fail_msg("%s is not in the table", id);
	return false;
}

/* The text of a 401 contains the string that the vector gives. */
static void
assert_says_string(const char *id, const cJSON *vector, struct buf *why)
{
	struct str want = text_of(vector, "string_to_sign");
	struct str got = buf_str(why);

	if (want.p == NULL || !str_starts(got, S("Invalid signature")) ||
	    !str_eq(text_of(vector, "level"), S("must")))
		return;
	if (memmem(got.p, got.n, want.p, want.n) == NULL)
		fail_msg("%s: the text differs from the vector's", id);
}

static void
run_vector(const cJSON *vector)
{
	const char *id = text_of(vector, "id").p;
	const cJSON *in = cJSON_GetObjectItemCaseSensitive(vector, "input");
	const cJSON *now = cJSON_GetObjectItemCaseSensitive(in, "server_time");
	struct str key = text_of(in, "key");
	struct buf *why = NULL;
	unsigned status;
	bool accept = expected(id, vector);

	/* The key is that of another app than the one in the path. */
	if (text_of(in, "key_belongs_to_app").p != NULL)
		key = S("key-of-the-app-in-the-path");
	status = check((struct request){ text_of(in, "method"),
			   text_of(in, "target"), text_of(in, "body"), key,
			   text_of(in, "secret"), (uint64_t)now->valuedouble },
	    &why);
	if ((status == 200) != accept)
		fail_msg(
		    "%s: status %u: %.*s", id, status, STR_ARG(buf_str(why)));
	if (!accept) {
		assert_int_equal(status, 401);
		assert_true(buf_str(why).n > 0);
		assert_says_string(id, vector, why);
	} else
		assert_null(why);
	buf_unref(why);
}

static void
test_vectors(void **state)
{
	char *text = read_file("tests/vectors.json");
	cJSON *root = cJSON_Parse(text);
	const cJSON *vector;
	size_t n = 0;

	assert_non_null(root);
	cJSON_ArrayForEach(
	    vector, cJSON_GetObjectItemCaseSensitive(root, "vectors"))
	{
		if (!str_eq(text_of(vector, "kind"), S("http_request")))
			continue;
		run_vector(vector);
		n++;
	}
	assert_int_equal(n, NVECTORS);
	cJSON_Delete(root);
	free(text);
}

#define BASE "/apps/77/channels?auth_key=demo-app-key-01"
#define TIME "&auth_timestamp=1700000000"
#define VERSION "&auth_version=1.0"
#define SIGNATURE \
	"&auth_signature=" \
	"9f145bf56832cc4eb9b8128f7c5c80d2efc08e5a8c7215d1fac54dbe59c5755d"

static const struct {
	const char *target;
	const char *body;
	uint64_t now;
	unsigned status;
	const char *says; /* in the sentence, or NULL */
} rows[] = {
	{ BASE TIME VERSION SIGNATURE, "", 1700000000, 200, NULL },
	{ BASE TIME VERSION SIGNATURE "&&", "", 1700000000, 200, NULL },
	{ "/apps/77/channels?AUTH_KEY=demo-app-key-01" TIME VERSION SIGNATURE,
	    "", 1700000000, 200, NULL },
	/* Duplicates: in any spelling, whatever their values. */
	{ BASE "&auth_key=demo-app-key-01" TIME VERSION SIGNATURE, "",
	    1700000000, 401, "auth_key occurs more than once" },
	{ BASE TIME TIME VERSION SIGNATURE, "", 1700000000, 401,
	    "auth_timestamp occurs" },
	{ BASE TIME VERSION VERSION SIGNATURE, "", 1700000000, 401,
	    "auth_version occurs" },
	{ BASE TIME VERSION SIGNATURE SIGNATURE, "", 1700000000, 401,
	    "auth_signature occurs" },
	{ BASE TIME VERSION SIGNATURE "&body_md5=a&body_md5=a", "", 1700000000,
	    401, "body_md5 occurs" },
	{ BASE "&Auth_Key[]=x" TIME VERSION SIGNATURE, "", 1700000000, 401,
	    "auth_key occurs" },
	/* The order of the checks. */
	{ "/apps/77/channels", "", 1700000000, 401, "auth_key is missing" },
	{ "/apps/77/channels?auth_key=other", "", 1700000000, 401,
	    "auth_key other is not the key of the app" },
	{ BASE, "", 1700000000, 401, "auth_version is missing" },
	{ BASE "&auth_version=2", "", 1700000000, 401,
	    "auth_version 2 is not supported" },
	{ BASE VERSION, "", 1700000000, 401, "auth_timestamp is missing" },
	{ BASE VERSION TIME, "x", 1700000000, 401, "body_md5 is missing" },
	{ BASE VERSION TIME "&body_md5=x", "x", 1700000000, 401,
	    "body_md5 x does not match: the body that arrived has 1 bytes" },
	{ BASE VERSION TIME "&body_md5=x", "", 1700000000, 401,
	    "has 0 bytes and the MD5 d41d8cd98f00b204e9800998ecf8427e" },
	{ BASE VERSION TIME, "", 1700000000, 401, "auth_signature is missing" },
	/* Timestamps. */
	{ BASE VERSION TIME SIGNATURE, "", 1700000599, 200, NULL },
	{ BASE VERSION TIME SIGNATURE, "", 1700000600, 401,
	    "Timestamp expired: Given timestamp (1700000000) not within 600s "
	    "(max_timestamp_age) of server time (1700000600): the sender's "
	    "clock is 600 s behind" },
	{ BASE VERSION TIME SIGNATURE, "", 1699999400, 401, "600 s ahead" },
	{ BASE VERSION "&auth_timestamp=-1", "", 1, 401, "-1 is not a number" },
	{ BASE VERSION "&auth_timestamp=%2B1", "", 1, 401, "+1 is not" },
	{ BASE VERSION "&auth_timestamp=+1", "", 1, 401, " 1 is not" },
	{ BASE VERSION "&auth_timestamp=1.5", "", 1, 401, "1.5 is not" },
	{ BASE VERSION "&auth_timestamp=", "", 1, 401, "is not a number" },
	{ BASE VERSION "&auth_timestamp=99999999999999999999", "", 1, 401,
	    "is not a number" },
	{ BASE VERSION "&auth_timestamp=9223372036854775807", "", 1, 401,
	    "9223372036854775806 s ahead" },
	/* Signatures. */
	{ BASE TIME VERSION "&auth_signature=", "", 1700000000, 401,
	    "Invalid signature" },
	{ BASE TIME VERSION SIGNATURE "0", "", 1700000000, 401,
	    "of this text: GET\n/apps/77/channels\nauth_key=demo-app-key-01"
	    "&auth_timestamp=1700000000&auth_version=1.0" },
	{ BASE TIME VERSION SIGNATURE "&info=a&info=b", "", 1700000000, 401,
	    "&auth_version=1.0&info=a&info=b" },
	{ BASE TIME VERSION SIGNATURE "&x[=1&[]=2&]=3&a[]b=4", "", 1700000000,
	    401, "/apps/77/channels\n[]=2&]=3&a[]b=4&auth_key=" },
};

static void
test_rows(void **state)
{
	for (size_t i = 0; i < nitems(rows); i++) {
		struct buf *why = NULL;
		unsigned status =
		    check((struct request){ S("GET"), str_of(rows[i].target),
			      str_of(rows[i].body), S("demo-app-key-01"),
			      S("demo-app-secret-01"), rows[i].now },
			&why);
		struct str got = buf_str(why);

		if (status != rows[i].status)
			fail_msg("row %zu: %u %.*s", i, status, STR_ARG(got));
		if (rows[i].says != NULL &&
		    memmem(got.p, got.n, rows[i].says, strlen(rows[i].says)) ==
			NULL)
			fail_msg("row %zu: %.*s", i, STR_ARG(got));
		buf_unref(why);
	}
}

/* Hex digits of the right signature must not be in what is said. */
static void
test_never_tells(void **state)
{
	struct buf *why = NULL;
	const char *right = SIGNATURE + strlen("&auth_signature=");
	unsigned status = check(
	    (struct request){ S("GET"),
		S(BASE TIME VERSION "&auth_signature=00"), S(""),
		S("demo-app-key-01"), S("demo-app-secret-01"), 1700000000 },
	    &why);

	assert_int_equal(status, 401);
	assert_null(memmem(why->data, why->len, right, 16));
	assert_null(memmem(why->data, why->len, "demo-app-secret", 15));
	buf_unref(why);
}

/* A string to sign that is longer than the room on the stack. */
static void
test_long(void **state)
{
	struct sign_key *sign = sign_key_new(S("secret"));
	unsigned char mac[SIGN_SHA256_LEN];
	char value[4001], hex[SIGN_HEX_LEN + 1];
	struct buf *target = buf_new(64), *why = NULL;
	struct str parts[3] = {
		S("GET\n/x\nauth_key=k&auth_timestamp=5&auth_version=1.0&v="),
		{ value, 4000 }, S("")
	};

	memset(value, 'v', 4000);
	sign_hmac(sign, parts, 3, mac);
	str_hex(mac, sizeof(mac), hex);
	buf_append(&target, S("/x?auth_key=k&v="));
	buf_append(&target, parts[1]);
	buf_append(&target, S("&auth_version=1.0&auth_timestamp=5&"));
	buf_printf(&target, "auth_signature=%s", hex);
	assert_int_equal(check((struct request){ S("GET"), buf_str(target),
				   S(""), S("k"), S("secret"), 5 },
			     &why),
	    200);
	assert_null(why);
	buf_unref(target);
	sign_key_free(sign);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_never_tells),
		cmocka_unit_test(test_long),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	sign_cleanup();
	return failed;
}
