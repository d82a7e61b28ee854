/* SPDX-License-Identifier: MIT */
/*
 * json_slice.c: walks one JSON text in place, and unescapes its strings.  Runs
 * over bytes that json_parse() has accepted and only finds borders; it still
 * never reads past the end of its input.  Owns nothing.  Must never build a
 * tree, never allocate (json_string's tmp and json_dup excepted), never change
 * or reprint a value.
 */

#include "shared/json/json_slice.h"

#include <stdlib.h>

#include "shared/base/xmalloc.h"
#include "shared/json/json_bytes.h"

/* To the next quote or backslash. */
static const uint8_t *
skip_text(const uint8_t *p, const uint8_t *end)
{
	while (end - p >= 8) {
		uint64_t w = load8(p),
			 hit = has_byte(w, '"') | has_byte(w, '\\');

		if (hit != 0)
			return p + first_byte(hit);
		p += 8;
	}
	while (p < end && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* From the opening quote to the byte after the closing one. */
static const uint8_t *
skip_string(const uint8_t *p, const uint8_t *end, bool *escaped)
{
	*escaped = false;
	for (p++; p < end;) {
		p = skip_text(p, end);
		if (p == end || *p == '"')
			break;
		*escaped = true;
		p = end - p >= 2 ? p + 2 : end;
	}
	return p < end ? p + 1 : end;
}

static const uint8_t *
skip_container(const uint8_t *p, const uint8_t *end)
{
	unsigned depth = 0;
	bool escaped;

	while (p < end) {
		switch (*p) {
		case '"':
			p = skip_string(p, end, &escaped);
			continue;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (--depth == 0)
				return p + 1;
			break;
		default:
			break;
		}
		p++;
	}
	return p;
}

static const uint8_t *
skip_value(const uint8_t *p, const uint8_t *end, struct json *out)
{
	const uint8_t *from = p;
	bool escaped;

	out->kind = json_kind_of(*p);
	switch (out->kind) {
	case JSON_STRING:
		p = skip_string(p, end, &escaped);
		break;
	case JSON_OBJECT:
	case JSON_ARRAY:
		p = skip_container(p, end);
		break;
	default:
		while (
		    p < end && *p != ',' && *p != ']' && *p != '}' && *p > ' ')
			p++;
	}
	out->raw = str_make(from, (size_t)(p - from));
	return p;
}

/*
 * To the next element of the container that ends with `close`; NULL at its
 * end.  *pos is 0 at the start.
 */
static const uint8_t *
next_element(struct str raw, size_t *pos, unsigned char close)
{
	const uint8_t *p = (const uint8_t *)raw.p, *end = p + raw.n;

	p = skip_ws(p + (*pos == 0 ? 1 : *pos), end);
	if (p < end && *p == ',')
		p = skip_ws(p + 1, end);
	*pos = (size_t)(p - (const uint8_t *)raw.p);
	return p < end && *p != close ? p : NULL;
}

bool
json_next(struct json arr, size_t *pos, struct json *out)
{
	const uint8_t *p, *end;

	*out = (struct json){ 0 };
	if (arr.kind != JSON_ARRAY || *pos >= arr.raw.n)
		return false;
	if ((p = next_element(arr.raw, pos, ']')) == NULL)
		return false;
	end = (const uint8_t *)arr.raw.p + arr.raw.n;
	*pos = (size_t)(skip_value(p, end, out) - (const uint8_t *)arr.raw.p);
	return true;
}

/* json_next_member(), which also reports whether the key has escapes. */
static bool
next_member(struct json obj, size_t *pos, struct json *key, struct json *out,
    bool *escaped)
{
	const uint8_t *p, *q, *end;

	*key = *out = (struct json){ 0 };
	if (obj.kind != JSON_OBJECT || *pos >= obj.raw.n)
		return false;
	if ((p = next_element(obj.raw, pos, '}')) == NULL)
		return false;
	end = (const uint8_t *)obj.raw.p + obj.raw.n;
	q = skip_string(p, end, escaped);
	key->kind = JSON_STRING;
	key->raw = str_make(p, (size_t)(q - p));
	q = skip_ws(q, end);
	if (q < end && *q == ':')
		q = skip_ws(q + 1, end);
	if (q == end)
		return false;
	*pos = (size_t)(skip_value(q, end, out) - (const uint8_t *)obj.raw.p);
	return true;
}

bool
json_next_member(
    struct json obj, size_t *pos, struct json *key, struct json *out)
{
	bool escaped;

	return next_member(obj, pos, key, out, &escaped);
}

static size_t
utf8_put(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* The number after "\u" at p, or -1. */
static int32_t
hex4(const uint8_t *p, const uint8_t *end)
{
	int32_t v = 0;
	int i, d;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (i = 2; i < 6; i++) {
		if ((d = str_hex_digit(p[i])) == -1)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

/* Writes the escape at *p to out[4]: its bytes, or -1 for a lone surrogate. */
static int
unescape_one(const uint8_t **p, const uint8_t *end, char *out)
{
	int32_t hi, lo;

	if (end - *p < 2)
		return -1;
	if ((*p)[1] != 'u') {
		switch ((*p)[1]) {
		case 'b':
			out[0] = '\b';
			break;
		case 'f':
			out[0] = '\f';
			break;
		case 'n':
			out[0] = '\n';
			break;
		case 'r':
			out[0] = '\r';
			break;
		case 't':
			out[0] = '\t';
			break;
		default:
			out[0] = (char)(*p)[1];
		}
		*p += 2;
		return 1;
	}
	if ((hi = hex4(*p, end)) == -1 || (hi >= 0xdc00 && hi <= 0xdfff))
		return -1;
	*p += 6;
	if (hi < 0xd800 || hi > 0xdbff)
		return (int)utf8_put((uint32_t)hi, out);
	if ((lo = hex4(*p, end)) < 0xdc00 || lo > 0xdfff)
		return -1;
	*p += 6;
	return (int)utf8_put(0x10000u + ((uint32_t)(hi - 0xd800) << 10) +
		(uint32_t)(lo - 0xdc00),
	    out);
}

/* Without the quotes. */
static struct str
inside(struct json s)
{
	if (s.kind != JSON_STRING || s.raw.n < 2)
		return (struct str){ "", 0 };
	return str_make(s.raw.p + 1, s.raw.n - 2);
}

ssize_t
json_unescape(struct json s, char *out)
{
	struct str in = inside(s);
	const uint8_t *p = (const uint8_t *)in.p, *end = p + in.n, *q;
	char *o = out;
	int n;

	while (p < end) {
		if ((q = memchr(p, '\\', (size_t)(end - p))) == NULL)
			q = end;
		memcpy(o, p, (size_t)(q - p));
		o += q - p;
		p = q;
		if (p == end)
			break;
		if ((n = unescape_one(&p, end, o)) == -1)
			return -1;
		o += n;
	}
	return o - out;
}

/* Each escape is shorter when it is resolved: sums up by how much. */
ssize_t
json_length(struct json s)
{
	struct str in = inside(s);
	const uint8_t *p = (const uint8_t *)in.p, *end = p + in.n, *from;
	size_t saved = 0;
	char out[4];
	int n;

	while (p < end && (p = memchr(p, '\\', (size_t)(end - p))) != NULL) {
		from = p;
		if ((n = unescape_one(&p, end, out)) == -1)
			return -1;
		saved += (size_t)(p - from) - (size_t)n;
	}
	return (ssize_t)(in.n - saved);
}

int
json_string(struct json s, struct str *out, char **tmp)
{
	struct str in = inside(s);
	ssize_t n;

	*out = in;
	if (in.n == 0 || memchr(in.p, '\\', in.n) == NULL)
		return 0;
	*tmp = xreallocarray(*tmp, in.n, 1);
	if ((n = json_unescape(s, *tmp)) == -1)
		return -1;
	*out = str_make(*tmp, (size_t)n);
	return 0;
}

char *
json_dup(struct json v)
{
	char *tmp = NULL, *text = NULL;
	struct str s;

	if (v.kind == JSON_STRING && json_string(v, &s, &tmp) == 0)
		text = str_dup(s);
	free(tmp);
	return text;
}

bool
json_escaped_eq(struct str key, struct str want)
{
	const uint8_t *p = (const uint8_t *)key.p, *end = p + key.n;
	size_t at = 0;
	char one[4];
	int n;

	while (p < end) {
		if (*p != '\\') {
			one[0] = (char)*p++;
			n = 1;
		} else if ((n = unescape_one(&p, end, one)) == -1) {
			return false;
		}
		if (want.n - at < (size_t)n ||
		    memcmp(want.p + at, one, (size_t)n) != 0)
			return false;
		at += (size_t)n;
	}
	return at == want.n;
}

void
json_get_many(
    struct json obj, const struct str *keys, struct json *out, size_t n)
{
	struct json key, value;
	size_t i, pos = 0;
	bool escaped = false;

	for (i = 0; i < n; i++)
		out[i] = (struct json){ 0 };
	while (next_member(obj, &pos, &key, &value, &escaped)) {
		struct str plain = inside(key);

		for (i = 0; i < n; i++)
			if (escaped ? json_escaped_eq(plain, keys[i])
				    : str_eq(plain, keys[i]))
				out[i] = value;
	}
}

struct json
json_get(struct json obj, struct str key)
{
	struct json out;

	json_get_many(obj, &key, &out, 1);
	return out;
}

int
json_u64(struct json v, uint64_t max, uint64_t *out)
{
	if (v.kind != JSON_NUMBER)
		return -1;
	return str_to_u64(v.raw, max, out);
}
