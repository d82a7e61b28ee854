/* SPDX-License-Identifier: MIT */
/*
 * timing: does sign_verify() take longer for a signature whose beginning is
 * right?  Two classes, in an order by lot: wrong from the first digit, and
 * wrong in the last digit only.  Prints Welch's t of the two, without the slow
 * tenth; above 10 in all ROUNDS rounds there is something to learn, and the
 * exit code is 1.  A statistic on a noisy machine: by hand, not in `make
 * check`.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/base/hash.h"
#include "shared/base/xmalloc.h"
#include "shared/crypto/sign.h"
#include "shared/proc/proc.h"

#define SAMPLES 400000
#define ROUNDS 3
#define TELLING 10. /* |t|; chance alone stays below 5 */

static double
ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int
by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

struct sums {
	double n, sum, squares;
};

static void
add(struct sums *s, double v)
{
	s->n++;
	s->sum += v;
	s->squares += v * v;
}

static double
variance(const struct sums *s)
{
	return (s->squares - s->sum * s->sum / s->n) / (s->n - 1);
}

static double
one_round(struct sign_key *key, char sig[2][SIGN_HEX_LEN + 1])
{
	static double took[SAMPLES], order[SAMPLES];
	static unsigned char class[SAMPLES];
	struct str text = S("GET\n/apps/1/events\nauth_key=key");
	char same[SIGN_HEX_LEN]; /* place and alignment */
	struct sums c[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	uint64_t bits = 0;
	double from, most;

	for (int i = 0; i < SAMPLES; i++) {
		if (i % 64 == 0)
			bits = proc_random();
		class[i] = (unsigned char)(bits >> (i % 64) & 1);
		memcpy(same, sig[class[i]], sizeof(same));
		from = ns();
		if (sign_verify(key, &text, 1, str_make(same, sizeof(same))))
			exit(2);
		took[i] = order[i] = ns() - from;
	}
	qsort(order, SAMPLES, sizeof(order[0]), by_value);
	most = order[SAMPLES / 10 * 9];
	for (int i = 0; i < SAMPLES; i++)
		if (took[i] <= most)
			add(&c[class[i]], took[i]);
	printf("wrong at once %.2f ns, at the end %.2f ns", c[0].sum / c[0].n,
	    c[1].sum / c[1].n);
	return (c[0].sum / c[0].n - c[1].sum / c[1].n) /
	    sqrt(variance(&c[0]) / c[0].n + variance(&c[1]) / c[1].n);
}

/*
 * Another hex digit of the same kind: how long it takes to read what the other
 * side sent may well depend on what that is.
 */
static char
other(char c)
{
	static const char from[] = "0123456789abcdef",
			  to[] = "1032547698badcfe";

	return to[strchr(from, c) - from];
}

int
main(void)
{
	struct sign_key *key = sign_key_new(S("secret"));
	struct str text = S("GET\n/apps/1/events\nauth_key=key");
	unsigned char mac[SIGN_SHA256_LEN];
	char sig[2][SIGN_HEX_LEN + 1];
	int telling = 0;
	double t;

	sign_hmac(key, &text, 1, mac);
	for (int k = 0; k < 2; k++) {
		for (int i = 0; i < SIGN_SHA256_LEN; i++)
			snprintf(sig[k] + 2 * i, 3, "%02x", mac[i]);
	}
	sig[0][0] = other(sig[0][0]);
	sig[1][SIGN_HEX_LEN - 1] = other(sig[1][SIGN_HEX_LEN - 1]);
	for (int i = 0; i < ROUNDS; i++) {
		t = one_round(key, sig);
		printf(", t = %.2f\n", t);
		telling += fabs(t) > TELLING;
	}
	sign_key_free(key);
	sign_cleanup();
	return telling == ROUNDS;
}
