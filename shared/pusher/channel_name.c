/* SPDX-License-Identifier: MIT */
/*
 * channel_name.c: the meaning of a channel's name, and the other small names of
 * the protocol: user ids and socket ids.
 *
 * Every comparison is anchored at the start, case-sensitive and counts bytes (a
 * name may come with a NUL inside).  Must never conclude one property from
 * another: "needs a signature" and "keeps its last event" are two questions
 * with two answers.
 */

#include "shared/pusher/channel_name.h"

#include <stdio.h>

#include "shared/net/ws_frame.h"

/* A-Z a-z 0-9 _ - = @ , . ; */
static bool
is_name_char(unsigned char c)
{
	static const uint64_t set[4] = {
		UINT64_C(0x2bff700000000000), /* , - . 0-9 ; = */
		UINT64_C(0x07fffffe87ffffff), /* @ A-Z _ a-z */
		0,
		0,
	};

	return (set[c >> 6] >> (c & 63) & 1) != 0;
}

static bool
all_name_chars(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!is_name_char((unsigned char)s.p[i]))
			return false;
	return true;
}

unsigned
channel_flags(struct str name)
{
	static const struct {
		struct str prefix;
		unsigned flags;
	} kinds[] = {
		/* The longer prefix first. */
		{ { "private-encrypted-cache-", 24 },
		    CHANNEL_PRIVATE | CHANNEL_ENCRYPTED | CHANNEL_CACHE },
		{ { "private-encrypted-", 18 },
		    CHANNEL_PRIVATE | CHANNEL_ENCRYPTED },
		{ { "private-cache-", 14 }, CHANNEL_PRIVATE | CHANNEL_CACHE },
		{ { "private-", 8 }, CHANNEL_PRIVATE },
		{ { "presence-cache-", 15 },
		    CHANNEL_PRIVATE | CHANNEL_PRESENCE | CHANNEL_CACHE },
		{ { "presence-", 9 }, CHANNEL_PRIVATE | CHANNEL_PRESENCE },
		{ { "cache-", 6 }, CHANNEL_CACHE },
		{ { CHANNEL_USER_PREFIX, sizeof(CHANNEL_USER_PREFIX) - 1 },
		    CHANNEL_USER },
	};
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (str_starts(name, kinds[i].prefix))
			return kinds[i].flags;
	return 0;
}

bool
channel_name_is_valid(struct str name, size_t max)
{
	return name.n >= 1 && name.n <= max && all_name_chars(name);
}

struct str
channel_user_id(struct str name)
{
	return str_from(name, sizeof(CHANNEL_USER_PREFIX) - 1);
}

/* U+0000 to U+001F and U+007F to U+009F; id is valid UTF-8. */
static bool
has_control(struct str id)
{
	const unsigned char *p = (const unsigned char *)id.p;

	for (size_t i = 0; i < id.n; i++)
		if (p[i] < 0x20 || p[i] == 0x7f ||
		    (p[i] == 0xc2 && p[i + 1] < 0xa0))
			return true;
	return false;
}

enum user_id_fault
user_id_check(struct str id, size_t max)
{
	if (id.n == 0)
		return USER_ID_EMPTY;
	if (!utf8_is_valid(id))
		return USER_ID_NOT_UTF8;
	if (has_control(id))
		return USER_ID_CONTROL;
	return id.n > max && str_characters(id) > max ? USER_ID_LONG
						      : USER_ID_GOOD;
}

bool
user_id_is_valid(struct str id, size_t max)
{
	return user_id_check(id, max) == USER_ID_GOOD;
}

const char *
user_id_text(enum user_id_fault fault)
{
	static const char *const texts[] = {
		[USER_ID_GOOD] = "is right",
		[USER_ID_EMPTY] = "is empty",
		[USER_ID_NOT_UTF8] = "is not valid UTF-8",
		[USER_ID_CONTROL] = "has a control character",
		[USER_ID_LONG] = "is too long",
	};

	return texts[fault];
}

/* Digits at the start of s. */
static size_t
count_digits(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	return n;
}

bool
socket_id_is_valid(struct str s)
{
	size_t high = count_digits(s), low;

	if (high == 0 || high == s.n || s.p[high] != '.')
		return false;
	low = count_digits(str_from(s, high + 1));
	return low != 0 && high + 1 + low == s.n;
}

void
socket_id_text(uint64_t sid, char out[SOCKET_ID_MAX])
{
	(void)snprintf(out, SOCKET_ID_MAX, "%u.%u", (unsigned)(sid >> 32),
	    (unsigned)(sid & UINT32_MAX));
}

/* One half as socket_id_text() writes it: no leading zero. */
static bool
half_parse(struct str s, uint64_t *out)
{
	return (s.n == 1 || (s.n > 1 && s.p[0] != '0')) &&
	    str_to_u64(s, UINT32_MAX, out) == 0;
}

uint64_t
socket_id_parse(struct str s)
{
	size_t high = count_digits(s);
	uint64_t hi, lo;

	if (high == s.n || s.p[high] != '.')
		return 0;
	if (!half_parse(str_make(s.p, high), &hi) ||
	    !half_parse(str_from(s, high + 1), &lo))
		return 0;
	return hi << 32 | lo;
}
