/* SPDX-License-Identifier: MIT */
/*
 * Query strings and signed requests.  Any parameters that a client signs as
 * the protocol reference says are accepted, and refused with one bit of the
 * signature changed.  Input: a mode, then the path, the
 * body and the query.
 */

#include "shared/net/http.h"
#include "shared/pusher/api_auth.h"
#include "tests/fuzz/fuzz.h"
#include "worker/api/info.h"

#define KEY "k1"
#define NOW 1700000000

static void
check_params(const struct api_params *ps, struct str query)
{
	struct str value;
	uint32_t info = 0;
	size_t pos = 0;

	assert_true(ps->n <= API_PARAMS_MAX);
	for (size_t i = 0; i < ps->n; i++) {
		const struct api_param *v = &ps->v[i];

		assert_true(v->base.n <= v->key.n);
		assert_non_null(api_params_get(ps, v->key).p);
		for (size_t k = 0; k < v->key.n; k++)
			assert_true(v->key.p[k] < 'A' || v->key.p[k] > 'Z');
	}
	while (api_params_next(ps, S("info"), &pos, &value)) {
		struct str unknown;

		if (api_info_add(value, &info, &unknown) == -1)
			assert_true(unknown.n <= value.n);
	}
	http_query_get(query, S("client"));
}

static unsigned
auth(struct str path, struct str query, struct str body, struct sign_key *sign)
{
	struct api_params ps;
	struct api_auth a = { .method = S("POST"),
		.path = path,
		.params = &ps,
		.body = body,
		.key = S(KEY),
		.sign = sign,
		.now = NOW,
		.max_age = 600 };
	struct buf *why = NULL;
	unsigned ok;

	if (api_params_parse(&ps, query) == -1) {
		api_params_clear(&ps);
		return 2;
	}
	check_params(&ps, query);
	ok = api_auth_check(&a, &why);
	assert_true(ok == (why == NULL));
	buf_unref(why);
	api_params_clear(&ps);
	return ok;
}

static int
by_key(const void *a, const void *b)
{
	const struct api_param *x = a, *y = b;

	return str_cmp(x->key, y->key);
}

/* Is this name one that the signature itself needs, or given twice? */
static bool
is_usable(const struct api_params *ps)
{
	for (size_t i = 0; i < ps->n; i++) {
		if (str_starts(ps->v[i].key, S("auth_")) ||
		    str_eq(ps->v[i].base, S("body_md5")) ||
		    ps->v[i].base.n != ps->v[i].key.n)
			return false;
		for (size_t k = 0; k < i; k++)
			if (str_eq(ps->v[i].key, ps->v[k].key))
				return false;
	}
	return true;
}

/* Signs what the query means, and appends the signature to it. */
static void
check_signed(struct str path, struct str query, struct str body,
    struct sign_key *sign, uint8_t flip)
{
	struct buf *all = NULL, *text = NULL;
	char md5[SIGN_MD5_HEX_LEN + 1], hex[SIGN_HEX_LEN + 1];
	unsigned char mac[SIGN_SHA256_LEN];
	struct api_params ps;
	struct str s;

	sign_md5_hex(body, md5);
	buf_append(&all, query);
	buf_printf(&all,
	    "%sauth_key=" KEY "&auth_timestamp=%d&auth_version=1.0",
	    query.n == 0 ? "" : "&", NOW);
	if (body.n > 0)
		buf_printf(&all, "&body_md5=%s", md5);
	if (api_params_parse(&ps, query) == -1 || !is_usable(&ps))
		goto out;
	api_params_clear(&ps);
	if (api_params_parse(&ps, buf_str(all)) == -1 || ps.n == API_PARAMS_MAX)
		goto out;
	qsort(ps.v, ps.n, sizeof(ps.v[0]), by_key);
	buf_append(&text, S("POST\n"));
	buf_append(&text, path);
	for (size_t i = 0; i < ps.n; i++) {
		buf_putc(&text, i == 0 ? '\n' : '&');
		buf_append(&text, ps.v[i].key);
		buf_putc(&text, '=');
		buf_append(&text, ps.v[i].value);
	}
	s = buf_str(text);
	sign_hmac(sign, &s, 1, mac);
	str_hex(mac, sizeof(mac), hex);
	buf_printf(&all, "&auth_signature=%s", hex);
	if (auth(path, buf_str(all), body, sign) != 1)
		fail_msg("refused: %.*s", STR_ARG(buf_str(all)));
	all->data[all->len - 64 + flip % 64] ^= 1;
	assert_int_equal(auth(path, buf_str(all), body, sign), 0);
out:
	api_params_clear(&ps);
	buf_unref(all);
	buf_unref(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = { p, n };
	struct sign_key *sign = sign_key_new(S("s1"));
	uint8_t flip = input_u8(&in);
	struct str path = input_str(&in), body = input_str(&in);
	struct str query = str_make(in.p, in.n);

	auth(path, query, body, sign);
	check_signed(path, query, body, sign, flip);
	sign_key_free(sign);
	return 0;
}
