/* SPDX-License-Identifier: MIT */
/* sign.c: all digests of tests/vectors.json, and what has to be refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/crypto/sign.h"
#include "tests/unit/shared/vectors.h"

/*
 * One channel or user signature: the digest of the parts has to be accepted
 * exactly when the vector says so.  The caller checks vectors that are refused
 * for another reason (key, form, JSON); `signed_right` counts them.
 */
static void
check_auth(struct json v, struct json input, const struct str *parts, size_t n,
    unsigned *accepted, unsigned *signed_right)
{
	struct json expect = json_get(v, S("expect"));
	char *m1, *m2, *m3, hex[SIGN_HEX_LEN + 1];
	struct str secret = vector_text(input, "secret", &m1);
	struct str verdict = vector_text(expect, "verdict", &m2), auth, rest;
	struct sign_key *k = sign_key_new(secret);
	unsigned char md[SIGN_SHA256_LEN];
	bool good = str_eq(verdict, S("accept"));

	auth = vector_text(good ? expect : input, "auth", &m3);
	rest = auth;
	str_cut(&rest, ':');
	if (sign_verify(k, parts, n, rest))
		*signed_right += 1;
	else
		assert_false(good);
	*accepted += good;
	if (good) {
		sign_hmac(k, parts, n, md);
		str_hex(md, sizeof(md), hex);
		assert_true(str_eq(str_of(hex), rest));
	}
	sign_key_free(k);
	free(m1);
	free(m2);
	free(m3);
}

static void
channel_vectors(void **state)
{
	unsigned accepted = 0, signed_right = 0, all = 0;
	struct json v, input;
	struct vectors vs;
	struct str p[5];
	char *m1, *m2, *m3;
	size_t n;

	(void)state;
	for (vectors_open(&vs); vectors_next(&vs, "channel_auth", &v); all++) {
		input = json_get(v, S("input"));
		p[0] = vector_text(input, "socket_id", &m1);
		p[1] = S(":");
		p[2] = vector_text(input, "channel", &m2);
		m3 = NULL;
		n = 3;
		if (json_get(input, S("channel_data")).kind == JSON_STRING) {
			p[3] = S(":");
			p[4] = vector_text(input, "channel_data", &m3);
			n = 5;
		}
		check_auth(v, input, p, n, &accepted, &signed_right);
		free(m1);
		free(m2);
		free(m3);
	}
	vectors_close(&vs);
	assert_int_equal(all, 46);
	assert_int_equal(accepted, 32);
	/* a foreign key, no user_id, no JSON: signed, refused elsewhere */
	assert_int_equal(signed_right, 32 + 3);
}

static void
user_vectors(void **state)
{
	unsigned accepted = 0, signed_right = 0, all = 0;
	struct json v, input;
	struct vectors vs;
	struct str p[3];
	char *m1, *m2;

	(void)state;
	for (vectors_open(&vs); vectors_next(&vs, "user_auth", &v); all++) {
		input = json_get(v, S("input"));
		p[0] = vector_text(input, "socket_id", &m1);
		p[1] = S("::user::");
		p[2] = vector_text(input, "user_data", &m2);
		check_auth(v, input, p, nitems(p), &accepted, &signed_right);
		free(m1);
		free(m2);
	}
	vectors_close(&vs);
	assert_int_equal(all, 17);
	assert_int_equal(accepted, 11);
	assert_int_equal(signed_right, 11 + 3); /* bad ids, signed right */
}

static void
webhook_vectors(void **state)
{
	struct json v, input, headers;
	struct str body, secret, want;
	struct vectors vs;
	struct sign_key *k;
	char *m1, *m2, *m3;
	unsigned all = 0;

	(void)state;
	for (vectors_open(&vs); vectors_next(&vs, "webhook", &v); all++) {
		input = json_get(v, S("input"));
		headers = json_get(json_get(v, S("expect")), S("headers"));
		secret = vector_text(input, "secret", &m1);
		body = vector_text(input, "body", &m2);
		want = vector_text(headers, "X-Pusher-Signature", &m3);
		k = sign_key_new(secret);
		assert_true(sign_verify(k, &body, 1, want));
		sign_key_free(k);
		free(m1);
		free(m2);
		free(m3);
	}
	vectors_close(&vs);
	assert_int_equal(all, 15);
}

static void
md5_vectors(void **state)
{
	char *m1, *m2, out[SIGN_MD5_HEX_LEN + 1];
	struct str text, want;
	struct vectors vs;
	struct json v;
	unsigned all = 0;

	(void)state;
	for (vectors_open(&vs); vectors_next(&vs, "md5", &v); all++) {
		text = vector_text(json_get(v, S("input")), "text", &m1);
		want = vector_text(json_get(v, S("expect")), "md5", &m2);
		sign_md5_hex(text, out);
		assert_true(str_eq(str_of(out), want));
		free(m1);
		free(m2);
	}
	vectors_close(&vs);
	assert_int_equal(all, 5);
	sign_md5_hex((struct str){ NULL, 0 }, out);
	assert_string_equal(out, "d41d8cd98f00b204e9800998ecf8427e");
}

static void
ws_accept_vectors(void **state)
{
	struct str key, want;
	struct vectors vs;
	struct json v;
	char *m1, *m2, out[29];
	unsigned all = 0;

	(void)state;
	for (vectors_open(&vs); vectors_next(&vs, "ws_accept", &v); all++) {
		key = vector_text(
		    json_get(v, S("input")), "sec_websocket_key", &m1);
		want = vector_text(
		    json_get(v, S("expect")), "sec_websocket_accept", &m2);
		sign_ws_accept(key, out);
		assert_true(str_eq(str_of(out), want));
		free(m1);
		free(m2);
	}
	vectors_close(&vs);
	assert_int_equal(all, 6);
}

#define GOOD "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"

/* Every byte counts, and nothing but 64 lower-case digits is a signature. */
static void
only_the_exact_digest(void **state)
{
	static const struct str bad[] = {
		{ "", 0 },
		{ NULL, 0 },
		{ GOOD, 63 },
		{ GOOD "0", 65 },
		{ GOOD, 65 }, /* with its NUL */
		{ " " GOOD, 65 },
		{ "58DF8B0C36D6982B82C3ECF6B4662E34"
		  "FE8C25BBA48F5369F135BF843651C3A4",
		    64 },
		{ "g8df8b0c36d6982b82c3ecf6b4662e34"
		  "fe8c25bba48f5369f135bf843651c3a4",
		    64 },
	};
	struct sign_key *k = sign_key_new(S("7ad3773142a6692b25b8"));
	struct str text = S("1234.1234:private-foobar"), parts[3];
	char hex[] = GOOD;
	size_t i, cut;

	(void)state;
	for (i = 0; i < nitems(bad); i++)
		assert_false(sign_verify(k, &text, 1, bad[i]));
	for (i = 0; i < SIGN_HEX_LEN; i++) {
		hex[i] = hex[i] == '0' ? '1' : '0';
		assert_false(sign_verify(k, &text, 1, str_of(hex)));
		hex[i] = GOOD[i];
	}
	/* however the text is cut into parts, also with empty ones */
	for (cut = 0; cut <= text.n; cut++) {
		parts[0] = str_make(text.p, cut);
		parts[1] = (struct str){ NULL, 0 };
		parts[2] = str_from(text, cut);
		assert_true(sign_verify(k, parts, 3, S(GOOD)));
		assert_false(sign_verify(k, parts, 1, S(GOOD)) && cut < text.n);
	}
	sign_key_free(k);
	sign_key_free(NULL);
}

/* Keys do not disturb each other; odd lengths of keys (RFC 4231 case 6). */
static void
keys(void **state)
{
	char longer[131], hex[SIGN_HEX_LEN + 1];
	struct sign_key *a = sign_key_new(S("a")), *b = sign_key_new(S("b"));
	struct sign_key *none = sign_key_new((struct str){ NULL, 0 });
	struct sign_key *big;
	unsigned char ma[SIGN_SHA256_LEN], mb[SIGN_SHA256_LEN];
	struct str text =
	    S("Test Using Larger Than Block-Size Key - Hash Key First");
	unsigned i;

	(void)state;
	memset(longer, 0xaa, sizeof(longer));
	big = sign_key_new(str_make(longer, sizeof(longer)));
	sign_hmac(big, &text, 1, ma);
	str_hex(ma, sizeof(ma), hex);
	assert_string_equal(hex,
	    "60e431591ee0b67f0d8a26aacbf5b77f"
	    "8e0bc6213728c5140546040f0ee37f54");
	for (i = 0; i < 3; i++) {
		sign_hmac(a, &text, 1, ma);
		sign_hmac(b, &text, 1, mb);
		assert_memory_not_equal(ma, mb, sizeof(ma));
		str_hex(ma, sizeof(ma), hex);
		assert_true(sign_verify(a, &text, 1, str_of(hex)));
		assert_false(sign_verify(b, &text, 1, str_of(hex)));
	}
	/* HMAC-SHA256 with no key of no text */
	sign_hmac(none, NULL, 0, ma);
	str_hex(ma, sizeof(ma), hex);
	assert_string_equal(hex,
	    "b613679a0814d9ec772f95d778c35fc5"
	    "ff1697c493715653c6c712144292c5ad");
	sign_key_free(a);
	sign_key_free(b);
	sign_key_free(none);
	sign_key_free(big);
}

static void
random_digits(void **state)
{
	char a[41], b[41];
	size_t n;

	(void)state;
	for (n = 0; n <= 40; n++) {
		memset(a, 'X', sizeof(a));
		sign_random_hex(a, n);
		assert_int_equal(strspn(a, "0123456789abcdef"), n);
		assert_int_equal(a[n], '\0');
	}
	sign_random_hex(b, 40);
	assert_string_not_equal(a, b);
}

static void
cleanup_may_be_followed_by_use(void **state)
{
	char out[SIGN_MD5_HEX_LEN + 1];

	(void)state;
	sign_cleanup();
	sign_cleanup();
	sign_md5_hex(S("Hello!"), out);
	assert_string_equal(out, "952d2c56d0485958336747bcdd98590d");
	sign_cleanup();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(channel_vectors),
		cmocka_unit_test(user_vectors),
		cmocka_unit_test(webhook_vectors),
		cmocka_unit_test(md5_vectors),
		cmocka_unit_test(ws_accept_vectors),
		cmocka_unit_test(only_the_exact_digest),
		cmocka_unit_test(keys),
		cmocka_unit_test(random_digits),
		cmocka_unit_test(cleanup_may_be_followed_by_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
