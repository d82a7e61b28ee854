/* SPDX-License-Identifier: MIT */
/*
 * str.c: views of bytes: comparing, cutting, numbers, hex, percent-decoding.
 * Pure: no clock, no descriptor, no state.  Owns nothing.  Must never look
 * beyond s.n, take a NUL for an end, or depend on the locale.
 */

#include "shared/base/str.h"

#include "shared/base/base.h"

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/*
 * The value of a lower-case hex digit, or -1.  A table, because the digits of a
 * signature are random and their branches cannot be predicted.
 */
static int
hex_value(char c)
{
	static const signed char above[256] = { /* the value and one */
		['0'] = 1,
		['1'] = 2,
		['2'] = 3,
		['3'] = 4,
		['4'] = 5,
		['5'] = 6,
		['6'] = 7,
		['7'] = 8,
		['8'] = 9,
		['9'] = 10,
		['a'] = 11,
		['b'] = 12,
		['c'] = 13,
		['d'] = 14,
		['e'] = 15,
		['f'] = 16
	};

	return above[(unsigned char)c] - 1;
}

bool
str_eq_nocase(struct str a, struct str b)
{
	size_t i;

	if (a.n != b.n)
		return false;
	for (i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

bool
str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n &&
	    (suffix.n == 0 ||
		memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

int
str_cmp(struct str a, struct str b)
{
	size_t n = MIN(a.n, b.n);
	int r = n == 0 ? 0 : memcmp(a.p, b.p, n);

	if (r != 0)
		return r;
	return (a.n > b.n) - (a.n < b.n);
}

ssize_t
str_find(struct str s, char c)
{
	const char *p;

	if (s.n == 0 || (p = memchr(s.p, c, s.n)) == NULL)
		return -1;
	return p - s.p;
}

struct str
str_trim(struct str s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = str_from(s, 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

struct str
str_cut(struct str *rest, char sep)
{
	struct str part = *rest;
	ssize_t at = str_find(part, sep);

	if (at == -1) {
		*rest = (struct str){ NULL, 0 };
		return part;
	}
	part.n = (size_t)at;
	*rest = str_from(*rest, (size_t)at + 1);
	return part;
}

int
str_to_u64(struct str s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0, digit;
	size_t i;

	if (s.n == 0)
		return -1;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		digit = (uint64_t)(s.p[i] - '0');
		if (digit > max || v > max / 10 || v * 10 > max - digit)
			return -1;
		v = v * 10 + digit;
	}
	*out = v;
	return 0;
}

int
str_to_ms(struct str s, uint64_t max, uint64_t *ms)
{
	uint64_t unit = 1000, n;

	if (str_ends(s, S("ms")))
		unit = 1;
	else if (!str_ends(s, S("s")))
		return -1;
	s.n -= unit == 1 ? 2 : 1;
	if (str_to_u64(s, max / unit, &n) == -1 || n == 0)
		return -1;
	*ms = n * unit;
	return 0;
}

size_t
str_characters(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

struct str
str_skip_bom(struct str s)
{
	return str_starts(s, S("\xef\xbb\xbf")) ? str_from(s, 3) : s;
}

void
str_hex(const void *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *b = bytes;
	size_t i;

	for (i = 0; i < n; i++) {
		*out++ = digits[b[i] >> 4];
		*out++ = digits[b[i] & 15];
	}
	*out = '\0';
}

int
str_unhex(struct str s, unsigned char *out, size_t n)
{
	int high, low, bad = 0;
	size_t i;

	if (s.n % 2 != 0 || s.n / 2 != n)
		return -1;
	for (i = 0; i < n; i++) {
		high = hex_value(s.p[2 * i]);
		low = hex_value(s.p[2 * i + 1]);
		bad |= high | low; /* negative when one of them is */
		out[i] = (unsigned char)((unsigned)high << 4 | (unsigned)low);
	}
	return bad < 0 ? -1 : 0;
}

size_t
str_percent_decode(struct str s, bool form, char *out)
{
	size_t i, n = 0;
	int high, low;

	for (i = 0; i < s.n; i++) {
		out[n++] = form && s.p[i] == '+' ? ' ' : s.p[i];
		if (s.p[i] != '%' || s.n - i < 3)
			continue;
		high = str_hex_digit((unsigned char)s.p[i + 1]);
		low = str_hex_digit((unsigned char)s.p[i + 2]);
		if (high == -1 || low == -1)
			continue;
		out[n - 1] = (char)(high << 4 | low);
		i += 2;
	}
	return n;
}
