/* SPDX-License-Identifier: MIT */
/*
 * glob.c: patterns with * and ?.  Pure.  Owns nothing.  The quick way tries one
 * place after the other for what stands behind the last *.  A pattern like
 * *aaaab* makes it compare all of itself at each place of aaaaaa: after some
 * steps the sure way takes over, which keeps all places in bits and reads the
 * text once.
 */

#include "shared/base/glob.h"

#include <string.h>

#include "shared/base/base.h"

#define STEPS 3       /* of the quick way, for each byte of the text */
#define TEXT_MAX 255u /* longer names have only the quick way */
#define PATTERN_MAX (2 * TEXT_MAX + 1)
#define WORDS ((PATTERN_MAX + 1 + 63) / 64)

/* Bit i: what stands before byte i of the pattern has matched. */
struct places {
	size_t words;
	uint64_t now[WORDS], star[WORDS], any[WORDS];
	uint64_t byte[256][WORDS]; /* only those that the text has */
};

static void
set(uint64_t *bits, size_t i)
{
	bits[i / 64] |= UINT64_C(1) << i % 64;
}

/* Without the second of two *; false: it has more bytes than the text. */
static bool
collapse(struct str pattern, size_t max, char out[PATTERN_MAX], size_t *n)
{
	size_t bytes = 0;

	*n = 0;
	for (size_t i = 0; i < pattern.n; i++) {
		bool star = pattern.p[i] == '*';

		if (star && *n > 0 && out[*n - 1] == '*')
			continue;
		if (!star && ++bytes > max)
			return false;
		out[(*n)++] = pattern.p[i];
	}
	return true;
}

static void
prepare(struct places *x, struct str pattern, struct str text)
{
	bool has[256] = { false };

	x->words = pattern.n / 64 + 1;
	memset(x->now, 0, sizeof(x->now));
	memset(x->star, 0, sizeof(x->star));
	memset(x->any, 0, sizeof(x->any));
	for (size_t i = 0; i < text.n; i++) {
		unsigned char ch = (unsigned char)text.p[i];

		if (!has[ch])
			memset(x->byte[ch], 0, sizeof(x->byte[ch]));
		has[ch] = true;
	}
	for (size_t i = 0; i < pattern.n; i++) {
		unsigned char ch = (unsigned char)pattern.p[i];

		if (ch == '*')
			set(x->star, i);
		else if (ch == '?')
			set(x->any, i);
		else if (has[ch])
			set(x->byte[ch], i);
	}
	set(x->now, 0);
	if (pattern.n > 0 && pattern.p[0] == '*')
		set(x->now, 1);
}

/* Reads one byte of the text.  Then a * may stand for nothing. */
static void
step(struct places *x, const uint64_t *byte)
{
	uint64_t carry = 0, skips = 0;

	for (size_t w = 0; w < x->words; w++) {
		uint64_t goes = x->now[w] & (byte[w] | x->any[w]);
		uint64_t at = (x->now[w] & x->star[w]) | goes << 1 | carry;
		uint64_t skip = at & x->star[w];

		x->now[w] = at | skip << 1 | skips;
		carry = goes >> 63;
		skips = skip >> 63;
	}
}

static bool
matches_surely(struct str pattern, struct str text)
{
	char bytes[PATTERN_MAX];
	struct places x;
	size_t n;

	if (!collapse(pattern, text.n, bytes, &n))
		return false;
	prepare(&x, str_make(bytes, n), text);
	for (size_t i = 0; i < text.n; i++)
		step(&x, x.byte[(unsigned char)text.p[i]]);
	return (x.now[n / 64] >> n % 64 & 1) != 0;
}

/* After a mismatch only the last * is extended by one character. */
bool
glob_matches(struct str pattern, struct str text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;
	size_t left = text.n > TEXT_MAX ? SIZE_MAX : STEPS * (text.n + 1);

	while (t < text.n) {
		if (left-- == 0)
			return matches_surely(pattern, text);
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			mark = t;
		} else if (p < pattern.n &&
		    (pattern.p[p] == '?' || pattern.p[p] == text.p[t])) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}
