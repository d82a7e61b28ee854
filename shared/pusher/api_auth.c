/* SPDX-License-Identifier: MIT */
/*
 * api_auth.c: is this request signed with the app's secret?  The checks run in
 * the order of the protocol reference (5.2), each with a sentence that gives
 * the remedy.  Libraries sign arrays in a query in three ways; the plain one is
 * tried first, the others only when a key is repeated or bracketed.  A path
 * with a '%' may be signed raw or decoded.  So there are at most six digests,
 * and usually one.  Pure.  Must never put a signature that would have been
 * right into a text.
 */

#include "shared/pusher/api_auth.h"

#include <inttypes.h>

#include "shared/base/xmalloc.h"

enum form {
	FORM_PLAIN,    /* every parameter unchanged */
	FORM_BRACKETS, /* arrays as key[]=a&key[]=b */
	FORM_COMMA,    /* arrays as key=a,b */
	FORM_END
};

/* The string to sign, of a length that is known in advance. */
struct text {
	char *p;
	size_t n;
	char few[1024];
};

static void
text_put(struct text *t, struct str s)
{
	if (s.n != 0)
		memcpy(t->p + t->n, s.p, s.n);
	t->n += s.n;
}

/* Room for every form of this request. */
static void
text_init(struct text *t, const struct api_auth *a)
{
	size_t cap = a->method.n + a->path.n + 2;

	for (size_t i = 0; i < a->params->n; i++)
		cap += a->params->v[i].key.n + a->params->v[i].value.n + 4;
	t->n = 0;
	t->p = cap > sizeof(t->few) ? xmalloc(cap) : t->few;
}

static void
text_clear(struct text *t)
{
	if (t->p != t->few)
		free(t->p);
}

static struct str
sort_key(const struct api_param *p, enum form form)
{
	return form == FORM_PLAIN ? p->key : p->base;
}

/* Stable: equal keys stay in the order of the wire. */
static void
sort_params(const struct api_params *params, enum form form,
    const struct api_param **order)
{
	size_t i, j;

	for (i = 0; i < params->n; i++) {
		const struct api_param *p = &params->v[i];

		for (j = i; j > 0; j--) {
			if (str_cmp(sort_key(order[j - 1], form),
				sort_key(p, form)) <= 0)
				break;
			order[j] = order[j - 1];
		}
		order[j] = p;
	}
}

static bool
is_same_base(const struct api_param *a, const struct api_param *b)
{
	return str_eq(a->base, b->base);
}

/* Is order[i] an element of an array: bracketed, or repeated? */
static bool
is_element(const struct api_param **order, size_t n, size_t i)
{
	return order[i]->base.n != order[i]->key.n ||
	    (i > 0 && is_same_base(order[i - 1], order[i])) ||
	    (i + 1 < n && is_same_base(order[i], order[i + 1]));
}

static void
put_path(struct text *t, struct str path, bool decoded)
{
	if (decoded)
		t->n += str_percent_decode(path, false, t->p + t->n);
	else
		text_put(t, path);
}

/* Writes the string to sign. */
static struct str
build(struct text *t, const struct api_auth *a, bool decoded, enum form form)
{
	const struct api_param *order[API_PARAMS_MAX], *last = NULL;
	size_t n = a->params->n;
	bool element;

	t->n = 0;
	text_put(t, a->method);
	text_put(t, S("\n"));
	put_path(t, a->path, decoded);
	text_put(t, S("\n"));
	sort_params(a->params, form, order);
	for (size_t i = 0; i < n; i++) {
		const struct api_param *p = order[i];

		if (str_eq(p->key, S("auth_signature")))
			continue;
		element = form != FORM_PLAIN && is_element(order, n, i);
		if (form == FORM_COMMA && last != NULL &&
		    is_same_base(last, p)) {
			text_put(t, S(","));
			text_put(t, p->value);
			continue;
		}
		if (last != NULL)
			text_put(t, S("&"));
		text_put(t, sort_key(p, form));
		if (form == FORM_BRACKETS && element)
			text_put(t, S("[]"));
		text_put(t, S("="));
		text_put(t, p->value);
		last = p;
	}
	return str_make(t->p, t->n);
}

static bool
has_arrays(const struct api_params *params)
{
	const struct api_param *order[API_PARAMS_MAX];

	sort_params(params, FORM_BRACKETS, order);
	for (size_t i = 0; i < params->n; i++)
		if (is_element(order, params->n, i))
			return true;
	return false;
}

static bool
is_auth_name(struct str s)
{
	return str_starts(s, S("auth_")) || str_eq(s, S("body_md5"));
}

/* An auth_ parameter that occurs twice is ambiguous. */
static bool
check_repeated(const struct api_auth *a, struct buf **why)
{
	const struct api_param *v = a->params->v;

	for (size_t i = 0; i < a->params->n; i++) {
		if (!is_auth_name(v[i].base))
			continue;
		for (size_t j = 0; j < i; j++) {
			if (!is_same_base(&v[i], &v[j]))
				continue;
			buf_append(why, S("the parameter "));
			buf_append(why, v[i].base);
			buf_append(why, S(" occurs more than once"));
			return false;
		}
	}
	return true;
}

/* The parameter, or p == NULL and a sentence. */
static struct str
need(const struct api_auth *a, const char *name, struct buf **why)
{
	struct str v = api_params_get(a->params, str_of(name));

	if (v.p == NULL)
		buf_printf(why, "the parameter %s is missing", name);
	return v;
}

static bool
check_key(const struct api_auth *a, struct buf **why)
{
	struct str v = need(a, "auth_key", why);

	if (v.p == NULL)
		return false;
	if (str_eq(v, a->key))
		return true;
	buf_append(why, S("auth_key "));
	buf_append(why, v);
	buf_append(why, S(" is not the key of the app in the path"));
	return false;
}

static bool
check_version(const struct api_auth *a, struct buf **why)
{
	struct str v = need(a, "auth_version", why);

	if (v.p == NULL)
		return false;
	if (str_eq(v, S("1.0")))
		return true;
	buf_append(why, S("auth_version "));
	buf_append(why, v);
	buf_append(why, S(" is not supported: it has to be 1.0"));
	return false;
}

static bool
check_timestamp(const struct api_auth *a, struct buf **why)
{
	struct str v = need(a, "auth_timestamp", why);
	uint64_t ts, off;

	if (v.p == NULL)
		return false;
	if (str_to_u64(v, INT64_MAX, &ts) == -1) {
		buf_append(why, S("auth_timestamp "));
		buf_append(why, v);
		buf_append(why, S(" is not a number of Unix seconds"));
		return false;
	}
	off = ts > a->now ? ts - a->now : a->now - ts;
	if (off < a->max_age)
		return true;
	buf_printf(why,
	    "Timestamp expired: Given timestamp (%" PRIu64
	    ") not within %us (max_timestamp_age) of server time (%" PRIu64
	    "): the sender's clock is %" PRIu64
	    " s %s, or the request is that old",
	    ts, a->max_age, a->now, off, ts > a->now ? "ahead" : "behind");
	return false;
}

static bool
check_body(const struct api_auth *a, struct buf **why)
{
	struct str v = api_params_get(a->params, S("body_md5"));
	char md5[SIGN_MD5_HEX_LEN + 1];

	if (v.p == NULL && a->body.n == 0 && !a->has_body)
		return true;
	if (v.p == NULL) {
		buf_append(why,
		    S("the parameter body_md5 is missing: it is required when "
		      "the body is not empty"));
		return false;
	}
	if (a->awaits_body)
		return true;
	sign_md5_hex(a->body, md5);
	if (str_eq(v, str_of(md5)))
		return true;
	buf_append(why, S("body_md5 "));
	buf_append(why, v);
	buf_printf(why,
	    " does not match: the body that arrived has %zu bytes and the "
	    "MD5 %s",
	    a->body.n, md5);
	return false;
}

static bool
verify(const struct api_auth *a, struct text *t, struct str signature)
{
	unsigned paths = str_find(a->path, '%') == -1 ? 1 : 2;
	enum form end = FORM_BRACKETS;
	struct str s;

	for (enum form form = FORM_PLAIN; form < end; form++) {
		for (unsigned i = 0; i < paths; i++) {
			s = build(t, a, i == 1, form);
			if (sign_verify(a->sign, &s, 1, signature))
				return true;
		}
		if (form == FORM_PLAIN && has_arrays(a->params))
			end = FORM_END;
	}
	return false;
}

static bool
check_signature(const struct api_auth *a, struct buf **why)
{
	struct str v = need(a, "auth_signature", why);
	struct text t;
	bool ok;

	if (v.p == NULL)
		return false;
	text_init(&t, a);
	ok = verify(a, &t, v);
	if (!ok) {
		buf_append(why,
		    S("Invalid signature: auth_signature has to be the "
		      "HMAC-SHA256, in 64 lower-case hex digits, with the "
		      "app's secret, of this text: "));
		buf_append(why, build(&t, a, false, FORM_PLAIN));
	}
	text_clear(&t);
	return ok;
}

static bool (*const parts[API_AUTH_PARTS])(
    const struct api_auth *, struct buf **) = {
	[API_AUTH_REPEATED] = check_repeated,
	[API_AUTH_KEY] = check_key,
	[API_AUTH_VERSION] = check_version,
	[API_AUTH_TIMESTAMP] = check_timestamp,
	[API_AUTH_BODY] = check_body,
	[API_AUTH_SIGNATURE] = check_signature,
};

bool
api_auth_check_part(
    const struct api_auth *a, enum api_auth_part part, struct buf **why)
{
	return parts[part](a, why);
}

bool
api_auth_check(const struct api_auth *a, struct buf **why)
{
	for (enum api_auth_part part = 0; part < API_AUTH_PARTS; part++)
		if (!parts[part](a, why))
			return false;
	return true;
}

void
api_auth_put_text(const struct api_auth *a, struct buf **text)
{
	struct text t;

	text_init(&t, a);
	buf_append(text, build(&t, a, false, FORM_PLAIN));
	text_clear(&t);
}
