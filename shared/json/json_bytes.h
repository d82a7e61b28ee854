/* SPDX-License-Identifier: MIT */
#ifndef SHARED_JSON_JSON_BYTES_H
#define SHARED_JSON_JSON_BYTES_H

/*
 * Shared by the files of JSON: tests eight bytes at a time.  Private to them.
 */

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "shared/base/str.h"

#define JSON_ONES (~(uint64_t)0 / 255)
#define JSON_TOPS (JSON_ONES * 128)

/* Eight bytes, the first one lowest. */
static inline uint64_t
load8(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return le64toh(w);
}

/* The first of eight bytes that a test below has found; hit is not 0. */
static inline unsigned
first_byte(uint64_t hit)
{
	return (unsigned)__builtin_ctzll(hit) / 8;
}

/*
 * The tests: not 0 when some byte is one, and then the lowest bit that is set
 * is the top bit of the first such byte (higher bits may be wrong).
 */

/* A byte that is c. */
static inline uint64_t
has_byte(uint64_t w, unsigned char c)
{
	uint64_t x = w ^ (JSON_ONES * c);

	return (x - JSON_ONES) & ~x & JSON_TOPS;
}

/* A byte below 0x20. */
static inline uint64_t
has_control(uint64_t w)
{
	return (w - JSON_ONES * 0x20) & ~w & JSON_TOPS;
}

static inline const uint8_t *
skip_ws(const uint8_t *p, const uint8_t *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

#endif
