/* SPDX-License-Identifier: MIT */
/*
 * utf8.c: characters of UTF-8.  Pure.
 */

#include "shared/base/utf8.h"

size_t
utf8_printable(struct str s)
{
	const uint8_t *p = (const uint8_t *)s.p;

	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f;
	if (s.n > 1 && p[0] == 0xc2 && p[1] < 0xa0)
		return 0;
	return utf8_char(p, p + s.n);
}

struct str
utf8_cut(struct str s, size_t max)
{
	if (s.n <= max)
		return s;
	while (max > 0 && ((unsigned char)s.p[max] & 0xc0) == 0x80)
		max--;
	return str_make(s.p, max);
}
