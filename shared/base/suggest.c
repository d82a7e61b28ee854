/* SPDX-License-Identifier: MIT */
/*
 * suggest.c: finds the known name nearest to a mistyped word.  The distance is
 * that of Damerau and Levenshtein in its simple form (each pair of neighbours
 * is swapped at most once); words are short, so a full table on the stack is
 * enough.  Pure: never prints, never decides whether a word is an error.
 */

#include "shared/base/suggest.h"

#include "shared/base/base.h"

#define WORD_MAX 48 /* longer words and names are no typing mistakes */

static unsigned
min3(unsigned a, unsigned b, unsigned c)
{
	return MIN(MIN(a, b), c);
}

/* Both at most WORD_MAX bytes. */
static unsigned
distance(struct str a, struct str b)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];
	unsigned cost;
	size_t i, j;

	for (i = 0; i <= a.n; i++)
		d[i][0] = (unsigned)i;
	for (j = 0; j <= b.n; j++)
		d[0][j] = (unsigned)j;
	for (i = 1; i <= a.n; i++) {
		for (j = 1; j <= b.n; j++) {
			cost = a.p[i - 1] == b.p[j - 1] ? 0 : 1;
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
			    d[i - 1][j - 1] + cost);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1])
				d[i][j] = MIN(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[a.n][b.n];
}

const char *
suggest_nearest(struct str word, const char *const *names, size_t n)
{
	const char *best = NULL;
	unsigned best_d, dist;
	struct str name;
	size_t i;

	if (word.n == 0 || word.n > WORD_MAX)
		return NULL;
	best_d = (unsigned)MAX(word.n / 3, 1) + 1;
	for (i = 0; i < n; i++) {
		name = str_of(names[i]);
		if (name.n > WORD_MAX)
			continue;
		dist = distance(word, name);
		if (dist < best_d) {
			best_d = dist;
			best = names[i];
		}
	}
	return best;
}
