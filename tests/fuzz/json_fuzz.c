/* SPDX-License-Identifier: MIT */
/*
 * json_parse() accepts what RFC 8259 has and nothing else, as a second,
 * naive reader below decides; json_slice gives what cJSON reads.  Input: the
 * text.
 */

#include <cjson/cJSON.h>
#include <math.h>

#include "shared/base/buf.h"
#include "shared/json/json_slice.h"
#include "shared/json/json_write.h"
#include "shared/net/ws_frame.h"
#include "tests/fuzz/fuzz.h"

/* ---- the naive reader: by recursion, from the grammar ---- */

struct naive {
	const char *p, *end;
	unsigned depth;
};

static bool naive_value(struct naive *);

static int
peek(const struct naive *s)
{
	return s->p < s->end ? (unsigned char)*s->p : -1;
}

static void
blanks(struct naive *s)
{
	while (peek(s) == ' ' || peek(s) == '\t' || peek(s) == '\n' ||
	    peek(s) == '\r')
		s->p++;
}

static bool
take(struct naive *s, char c)
{
	if (peek(s) != c)
		return false;
	s->p++;
	return true;
}

static bool
digits(struct naive *s)
{
	const char *from = s->p;

	while (peek(s) >= '0' && peek(s) <= '9')
		s->p++;
	return s->p > from;
}

static bool
naive_number(struct naive *s)
{
	take(s, '-');
	if (!take(s, '0') && !digits(s))
		return false;
	if (take(s, '.') && !digits(s))
		return false;
	if (take(s, 'e') || take(s, 'E')) {
		if (!take(s, '+'))
			take(s, '-');
		return digits(s);
	}
	return true;
}

static bool
naive_string(struct naive *s)
{
	const char *from;

	if (!take(s, '"'))
		return false;
	from = s->p;
	while (peek(s) != '"') {
		if (peek(s) < 0x20)
			return false;
		if (!take(s, '\\')) {
			s->p++;
			continue;
		}
		if (peek(s) == -1 || strchr("\"\\/bfnrtu", peek(s)) == NULL ||
		    peek(s) == 0)
			return false;
		if (!take(s, 'u')) {
			s->p++;
			continue;
		}
		for (int i = 0; i < 4; i++, s->p++)
			if (peek(s) <= 0 ||
			    strchr("0123456789abcdefABCDEF", peek(s)) == NULL)
				return false;
	}
	s->p++;
	return utf8_is_valid(str_make(from, (size_t)(s->p - from)));
}

static bool
naive_list(struct naive *s, char end, bool object)
{
	s->p++;
	if (++s->depth > JSON_MAX_DEPTH)
		return false;
	blanks(s);
	if (!take(s, end)) {
		do {
			blanks(s);
			if (object &&
			    (!naive_string(s) || (blanks(s), !take(s, ':'))))
				return false;
			if (!naive_value(s))
				return false;
		} while (take(s, ','));
		if (!take(s, end))
			return false;
	}
	s->depth--;
	return true;
}

static bool
naive_word(struct naive *s, const char *word)
{
	while (*word != '\0')
		if (!take(s, *word++))
			return false;
	return true;
}

static bool
naive_value(struct naive *s)
{
	bool ok;

	blanks(s);
	switch (peek(s)) {
	case '{':
		ok = naive_list(s, '}', true);
		break;
	case '[':
		ok = naive_list(s, ']', false);
		break;
	case '"':
		ok = naive_string(s);
		break;
	case 't':
		ok = naive_word(s, "true");
		break;
	case 'f':
		ok = naive_word(s, "false");
		break;
	case 'n':
		ok = naive_word(s, "null");
		break;
	default:
		ok = naive_number(s);
	}
	blanks(s);
	return ok;
}

/* ---- the tree of cJSON against the slices ---- */

static void
same_string(struct json v, const char *want)
{
	struct str s, again;
	char *tmp = NULL, *tmp2 = NULL;
	struct buf *b = NULL;
	struct json q;
	const char *err;

	if (json_string(v, &s, &tmp) == -1)
		return; /* half a surrogate pair has no text */
	assert_true(utf8_is_valid(s));
	if (memchr(s.p, '\0', s.n) == NULL && want != NULL &&
	    !str_eq(s, str_of(want)))
		fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s), want);
	/* Written again it means the same. */
	json_quote(&b, s);
	assert_int_equal(json_parse(buf_str(b), &q, &err), 0);
	assert_int_equal(json_string(q, &again, &tmp2), 0);
	assert_true(str_eq(s, again));
	buf_unref(b);
	free(tmp);
	free(tmp2);
}

static void
same_number(struct json v, double want)
{
	char text[64];
	uint64_t n;

	if (v.raw.n < sizeof(text)) {
		memcpy(text, v.raw.p, v.raw.n);
		text[v.raw.n] = '\0';
		assert_true(strtod(text, NULL) == want);
	}
	if (json_u64(v, UINT64_MAX, &n) == 0)
		assert_true((double)n == want);
}

static void same(struct json, const cJSON *);

static void
same_object(struct json v, const cJSON *tree)
{
	const cJSON *item = tree->child;
	struct json key, value, got;
	struct str name;
	size_t pos = 0;
	char *tmp;

	while (json_next_member(v, &pos, &key, &value)) {
		assert_non_null(item);
		same_string(key, item->string);
		same(value, item);
		item = item->next;
		tmp = NULL;
		if (json_string(key, &name, &tmp) == 0) {
			got = json_get(v, name);
			assert_int_not_equal(got.kind, JSON_NONE);
			assert_true(got.raw.p >= value.raw.p);
		}
		free(tmp);
	}
	assert_null(item);
	assert_int_equal(json_get(v, S("\x01 no such key")).kind, JSON_NONE);
}

static void
same(struct json v, const cJSON *tree)
{
	const cJSON *item = tree->child;
	struct json e;
	size_t pos = 0;

	switch (v.kind) {
	case JSON_NULL:
		assert_true(cJSON_IsNull(tree));
		break;
	case JSON_FALSE:
		assert_true(cJSON_IsFalse(tree));
		break;
	case JSON_TRUE:
		assert_true(cJSON_IsTrue(tree));
		break;
	case JSON_NUMBER:
		assert_true(cJSON_IsNumber(tree));
		same_number(v, tree->valuedouble);
		break;
	case JSON_STRING:
		assert_true(cJSON_IsString(tree));
		same_string(v, tree->valuestring);
		break;
	case JSON_ARRAY:
		assert_true(cJSON_IsArray(tree));
		for (; json_next(v, &pos, &e); item = item->next) {
			assert_non_null(item);
			same(e, item);
		}
		assert_null(item);
		break;
	case JSON_OBJECT:
		assert_true(cJSON_IsObject(tree));
		same_object(v, tree);
		break;
	default:
		fail_msg("no kind");
	}
}

/* cJSON has no half surrogates, no U+0000, and numbers of 63 bytes. */
static bool
cjson_differs(struct str s)
{
	size_t digit = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n && s.p[i + 1] == 'u')
			return true;
		digit =
		    strchr("+-.eE0123456789", s.p[i]) != NULL && s.p[i] != '\0'
		    ? digit + 1
		    : 0;
		if (digit > 60)
			return true;
	}
	return false;
}

/* ---- rows against walks ---- */

static void
same_value(struct json a, struct json b)
{
	assert_int_equal(a.kind, b.kind);
	assert_true(a.raw.p == b.raw.p && a.raw.n == b.raw.n);
}

static void
same_row(const struct json_rows *r, struct json element)
{
	struct json v;

	same_value(r->cells[0], element);
	for (size_t i = 0; i < r->nkeys; i++) {
		v = json_get(element, r->keys[i]);
		same_value(r->cells[1 + i], v);
	}
}

/* The root as a row, and the first row of an array in it. */
static void
same_rows(struct str text, struct json root)
{
	static const struct str keys[] = { { "a", 1 }, { "data", 4 } };
	struct json cells[1 + nitems(keys)], array, first, v;
	struct json_rows r = {
		.keys = keys, .nkeys = nitems(keys), .cells = cells, .max = 1
	};
	size_t pos = 0;
	const char *err;

	assert_int_equal(json_parse_rows(text, &v, &r, &err), 0);
	same_value(v, root);
	same_row(&r, root);
	r.array = S("batch");
	assert_int_equal(json_parse_rows(text, &v, &r, &err), 0);
	array = json_get(root, r.array);
	assert_int_equal(r.kind, array.kind);
	assert_true(json_next(array, &pos, &first) == (r.n > 0));
	if (r.n > 0)
		same_row(&r, first);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str text = { (const char *)p, n };
	struct naive s = { text.p, text.p + n, 0 };
	const char *err = NULL;
	struct json v;
	cJSON *tree;
	bool ok = json_parse(text, &v, &err) == 0;
	bool want = naive_value(&s) && s.p == s.end;

	if (ok != want)
		fail_msg("json_parse %d, naive %d: %s", ok, want,
		    err == NULL ? "" : err);
	assert_true(ok == (err == NULL));
	if (!ok)
		return 0;
	assert_true(v.raw.p >= text.p && v.raw.p + v.raw.n <= text.p + n);
	same_rows(text, v);
	tree = cJSON_ParseWithLength(text.p, n);
	if (tree == NULL)
		assert_true(cjson_differs(text));
	else
		same(v, tree);
	cJSON_Delete(tree);
	return 0;
}
