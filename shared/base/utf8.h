/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_UTF8_H
#define SHARED_BASE_UTF8_H

/* UTF-8 (RFC 3629), one character at a time. */

#include <stddef.h>
#include <stdint.h>

#include "shared/base/str.h"

/* Bytes of the character at p, which is not ASCII; 0: malformed. */
static inline size_t
utf8_char(const uint8_t *p, const uint8_t *end)
{
	unsigned char lo = 0x80, hi = 0xbf;
	size_t i, n;

	if (*p >= 0xc2 && *p <= 0xdf)
		n = 2;
	else if (*p >= 0xe0 && *p <= 0xef)
		n = 3;
	else if (*p >= 0xf0 && *p <= 0xf4)
		n = 4;
	else
		return 0;
	if (*p == 0xe0)
		lo = 0xa0; /* overlong */
	else if (*p == 0xed)
		hi = 0x9f; /* surrogates */
	else if (*p == 0xf0)
		lo = 0x90; /* overlong */
	else if (*p == 0xf4)
		hi = 0x8f; /* above U+10FFFF */
	if ((size_t)(end - p) < n || p[1] < lo || p[1] > hi)
		return 0;
	for (i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/*
 * Bytes of the printable character at the front of s, which is not empty; 0:
 * malformed, or a control character (also one of U+0080 to U+009F).
 */
size_t utf8_printable(struct str s);
/* The longest beginning of valid UTF-8 that has at most max bytes. */
struct str utf8_cut(struct str, size_t max);

#endif
