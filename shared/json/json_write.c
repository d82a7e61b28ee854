/* SPDX-License-Identifier: MIT */
/*
 * json_write.c: writes JSON into a buf.  Escaping follows the rule of the wire:
 * ", \ and U+0000 to U+001F are escaped, all other UTF-8 is written unchanged.
 * The size is counted first, so each text costs one reservation and no second
 * copy.  Owns nothing but the writer's buf.  Must never check its input: the
 * caller guarantees that text is UTF-8 and that raw parts are JSON.
 */

#include "shared/json/json_write.h"

#include <assert.h>

#include "shared/json/json_bytes.h"

/* The letter after the backslash; 'u' for the long form. */
static char
escape_letter(unsigned char c)
{
	switch (c) {
	case '"':
		return '"';
	case '\\':
		return '\\';
	case '\b':
		return 'b';
	case '\t':
		return 't';
	case '\n':
		return 'n';
	case '\f':
		return 'f';
	case '\r':
		return 'r';
	default:
		return 'u';
	}
}

/* To the next byte that must be escaped. */
static const uint8_t *
skip_unescaped(const uint8_t *p, const uint8_t *end)
{
	while (end - p >= 8) {
		uint64_t w = load8(p);
		uint64_t hit =
		    has_control(w) | has_byte(w, '"') | has_byte(w, '\\');

		if (hit != 0)
			return p + first_byte(hit);
		p += 8;
	}
	while (p < end && *p >= 0x20 && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* The number of bytes that the escapes of this text add. */
static size_t
escape_extra(struct str text)
{
	const uint8_t *p = (const uint8_t *)text.p, *end = p + text.n;
	size_t extra = 0;

	while ((p = skip_unescaped(p, end)) < end)
		extra += escape_letter(*p++) == 'u' ? 5 : 1;
	return extra;
}

static char *
escape_into(char *o, struct str text)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *p = (const uint8_t *)text.p, *end = p + text.n, *plain;

	for (;;) {
		plain = p;
		p = skip_unescaped(p, end);
		memcpy(o, plain, (size_t)(p - plain));
		o += p - plain;
		if (p == end)
			return o;
		*o++ = '\\';
		*o++ = escape_letter(*p);
		if (o[-1] == 'u') {
			*o++ = '0';
			*o++ = '0';
			*o++ = hex[*p >> 4];
			*o++ = hex[*p & 15];
		}
		p++;
	}
}

/* quotes is 0 or 1: how many of them stand on each side. */
static void
escape(struct buf **b, struct str text, size_t quotes)
{
	size_t extra = escape_extra(text);
	size_t n = text.n + extra + 2 * quotes;
	char *o = buf_reserve(b, n);

	if (quotes != 0)
		*o++ = '"';
	if (extra != 0) {
		o = escape_into(o, text);
	} else if (text.n != 0) {
		memcpy(o, text.p, text.n);
		o += text.n;
	}
	if (quotes != 0)
		*o = '"';
	(*b)->len += (uint32_t)n;
}

void
json_raw(struct buf **b, struct str bytes)
{
	buf_append(b, bytes);
}

void
json_quote(struct buf **b, struct str text)
{
	escape(b, text, 1);
}

void
json_escape(struct buf **b, struct str text)
{
	escape(b, text, 0);
}

void
json_writer_init(struct json_writer *w)
{
	*w = (struct json_writer){ 0 };
}

/* The comma before a value, unless a key or an opening stands there. */
static void
before_value(struct json_writer *w)
{
	uint32_t bit = (uint32_t)1 << w->depth;

	if ((w->comma & bit) != 0)
		buf_putc(&w->b, ',');
	w->comma |= bit;
}

static void
open_with(struct json_writer *w, char c)
{
	assert(w->depth < 31);
	before_value(w);
	buf_putc(&w->b, c);
	w->depth++;
	w->comma &= ~((uint32_t)1 << w->depth);
}

static void
close_with(struct json_writer *w, char c)
{
	assert(w->depth > 0);
	buf_putc(&w->b, c);
	w->depth--;
}

void
json_object_open(struct json_writer *w)
{
	open_with(w, '{');
}

void
json_object_close(struct json_writer *w)
{
	close_with(w, '}');
}

void
json_array_open(struct json_writer *w)
{
	open_with(w, '[');
}

void
json_array_close(struct json_writer *w)
{
	close_with(w, ']');
}

void
json_key(struct json_writer *w, const char *key)
{
	json_key_str(w, str_of(key));
}

void
json_key_str(struct json_writer *w, struct str key)
{
	before_value(w);
	json_quote(&w->b, key);
	buf_putc(&w->b, ':');
	/* The value after the colon takes no comma, but sets the bit again. */
	w->comma &= ~((uint32_t)1 << w->depth);
}

void
json_put_str(struct json_writer *w, struct str s)
{
	before_value(w);
	json_quote(&w->b, s);
}

/* Digits of v, from the end of a buffer backwards. */
static void
put_digits(struct json_writer *w, uint64_t v, bool minus)
{
	char text[24];
	size_t at = sizeof(text);

	do {
		text[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	if (minus)
		text[--at] = '-';
	before_value(w);
	buf_append(&w->b, str_make(text + at, sizeof(text) - at));
}

void
json_put_u64(struct json_writer *w, uint64_t v)
{
	put_digits(w, v, false);
}

void
json_put_i64(struct json_writer *w, int64_t v)
{
	if (v < 0)
		put_digits(w, 0 - (uint64_t)v, true);
	else
		put_digits(w, (uint64_t)v, false);
}

void
json_put_bool(struct json_writer *w, bool v)
{
	json_put_raw(w, v ? S("true") : S("false"));
}

void
json_put_null(struct json_writer *w)
{
	json_put_raw(w, S("null"));
}

void
json_put_raw(struct json_writer *w, struct str text)
{
	before_value(w);
	buf_append(&w->b, text);
}

#define MEMBER(kind, type) \
	void json_member_##kind( \
	    struct json_writer *w, const char *key, type v) \
	{ \
		json_key(w, key); \
		json_put_##kind(w, v); \
	}
MEMBER(str, struct str)
MEMBER(u64, uint64_t)
MEMBER(i64, int64_t)
MEMBER(bool, bool)
MEMBER(raw, struct str)
#undef MEMBER

struct buf *
json_writer_take(struct json_writer *w)
{
	struct buf *b = w->b;

	assert(w->depth == 0);
	json_writer_init(w);
	return b;
}

void
json_writer_drop(struct json_writer *w)
{
	buf_unref(w->b);
	json_writer_init(w);
}
