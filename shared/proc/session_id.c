/* SPDX-License-Identifier: MIT */
/*
 * session_id.c: ids of sessions, as text and packed.  Pure.  UUIDs take least,
 * since pages make them (crypto.randomUUID()).
 */

#include "shared/proc/session_id.h"

#include <string.h>

static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

bool
session_id_is_valid(struct str id)
{
	if (id.n < SESSION_ID_MIN || id.n > SESSION_ID_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (memchr(letters, id.p[i], sizeof(letters) - 1) == NULL)
			return false;
	return true;
}

bool
session_id_len_is_valid(unsigned len)
{
	return len <= SESSION_ID_MAX || len == SESSION_UUID ||
	    len == SESSION_UUID_UPPER;
}

/* A UUID has a dash before these of its bytes. */
static bool
is_after_dash(size_t byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

#define UUID_BYTES 16
#define UUID_CHARS 36

static const char lower[] = "0123456789abcdef";
static const char upper[] = "0123456789ABCDEF";

/* Is it a UUID of these digits? */
static bool
pack_uuid(struct str id, const char *digits, uint8_t out[UUID_BYTES])
{
	const char *p = id.p;

	for (size_t i = 0; id.n == UUID_CHARS && i < UUID_BYTES; i++, p += 2) {
		const char *high, *low;

		if (is_after_dash(i) && *p++ != '-')
			return false;
		high = memchr(digits, p[0], 16);
		low = memchr(digits, p[1], 16);
		if (high == NULL || low == NULL)
			return false;
		out[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return id.n == UUID_CHARS;
}

static struct str
uuid_text(const struct session_id *id, char *text)
{
	const char *digits = id->len == SESSION_UUID ? lower : upper;
	char *p = text;

	for (size_t i = 0; i < UUID_BYTES; i++) {
		if (is_after_dash(i))
			*p++ = '-';
		*p++ = digits[id->bits[i] >> 4];
		*p++ = digits[id->bits[i] & 15];
	}
	return str_make(text, UUID_CHARS);
}

/* The six bits of character i are in two bytes, or in one. */
struct session_id
session_id_pack(struct str id)
{
	struct session_id out = { .len = SESSION_UUID };

	if (pack_uuid(id, lower, out.bits))
		return out;
	out = (struct session_id){ .len = SESSION_UUID_UPPER };
	if (pack_uuid(id, upper, out.bits))
		return out;
	out = (struct session_id){ .len = (uint8_t)id.n };
	for (size_t i = 0; i < id.n; i++) {
		const char *at = memchr(letters, id.p[i], sizeof(letters) - 1);
		unsigned v = (unsigned)(at - letters) << (10 - i * 6 % 8);

		out.bits[i * 6 / 8] |= (uint8_t)(v >> 8);
		if ((v & 255) != 0)
			out.bits[i * 6 / 8 + 1] |= (uint8_t)v;
	}
	return out;
}

struct str
session_id_text(const struct session_id *id, char text[SESSION_ID_MAX])
{
	if (id->len > SESSION_ID_MAX)
		return uuid_text(id, text);
	for (size_t i = 0; i < id->len; i++) {
		size_t at = i * 6 / 8;
		unsigned v = (unsigned)id->bits[at] << 8;

		if (at + 1 < sizeof(id->bits))
			v |= id->bits[at + 1];
		text[i] = letters[v >> (10 - i * 6 % 8) & 63];
	}
	return str_make(text, id->len);
}
