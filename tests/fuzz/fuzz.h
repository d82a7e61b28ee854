/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

/*
 * Shared by the fuzz targets: a reader of the input, and the assertions that
 * the rigs of the unit tests use, without cmocka.  Each target is one file
 * with LLVMFuzzerTestOneInput(); libFuzzer or corpus.c has the main().
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/hash.h"
#include "shared/base/log.h"
#include "shared/base/str.h"
#include "shared/base/xmalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define fail_msg(...) \
	do { \
		fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
		fprintf(stderr, __VA_ARGS__); \
		fputc('\n', stderr); \
		abort(); \
	} while (0)
#define assert_true(c) \
	do { \
		if (!(c)) \
			fail_msg("%s", #c); \
	} while (0)
#define assert_false(c) assert_true(!(c))
#define assert_null(p) assert_true((p) == NULL)
#define assert_non_null(p) assert_true((p) != NULL)
#define assert_int_equal(a, b) assert_true((uintmax_t)(a) == (uintmax_t)(b))
#define assert_int_not_equal(a, b) assert_true((uintmax_t)(a) != (uintmax_t)(b))
#define assert_string_equal(a, b) assert_true(strcmp(a, b) == 0)

/* The bytes of the input that have not been used. */
struct input {
	const uint8_t *p;
	size_t n;
};

static inline uint8_t
input_u8(struct input *in)
{
	if (in->n == 0)
		return 0;
	in->n--;
	return *in->p++;
}

static inline uint32_t
input_u16(struct input *in)
{
	uint32_t high = input_u8(in);

	return high << 8 | input_u8(in);
}

/* A number, in one byte if it is small. */
static inline uint64_t
input_number(struct input *in)
{
	uint64_t v = input_u8(in);

	if (v < 0xf0)
		return v;
	if (v < 0xf8)
		return input_u16(in);
	for (int i = 0; i < 8; i++)
		v = v << 8 | input_u8(in);
	return v;
}

/* At most n bytes. */
static inline struct str
input_bytes(struct input *in, size_t n)
{
	struct str s = { (const char *)in->p, MIN(n, in->n) };

	in->p += s.n;
	in->n -= s.n;
	return s;
}

/* Behind a byte with their number (255: two more bytes have it). */
static inline struct str
input_str(struct input *in)
{
	size_t n = input_u8(in);

	if (n == 255)
		n = input_u16(in);
	return input_bytes(in, n);
}

/* Once for the process: no time, no noise. */
static inline void
fuzz_start(void)
{
	static bool started;

	if (started)
		return;
	started = true;
	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
}

/* Numbers that follow from a seed. */
static inline uint32_t
fuzz_draw(uint64_t *rng, uint32_t n)
{
	*rng = *rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*rng >> 33) % (n == 0 ? 1 : n);
}

/*
 * The length of the next piece of `left` bytes: mostly short ones, sometimes
 * the rest.
 */
static inline size_t
fuzz_piece(uint64_t *rng, size_t left)
{
	static const uint32_t sizes[] = { 1, 1, 2, 3, 7, 64, 4096 };
	size_t n = 1 + fuzz_draw(rng, sizes[fuzz_draw(rng, nitems(sizes))]);

	return MIN(n, left);
}

/* The lowest free descriptor: the same as long as nothing leaks. */
static inline int
next_fd(void)
{
	int fd = dup(STDERR_FILENO);

	assert_int_not_equal(fd, -1);
	close(fd);
	return fd;
}

#endif
