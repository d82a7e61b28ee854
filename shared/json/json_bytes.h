/* SPDX-License-Identifier: MIT */
#ifndef SHARED_JSON_JSON_BYTES_H
#define SHARED_JSON_JSON_BYTES_H

/*
 * Shared by the files of JSON: tests eight bytes at a time.  Private to them.
 */

#include <stdint.h>
#include <string.h>

#include "shared/base/str.h"

#define JSON_ONES (~(uint64_t)0 / 255)
#define JSON_TOPS (JSON_ONES * 128)

static inline uint64_t
load8(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/* The top bit of some byte is set when some byte of w is c. */
static inline uint64_t
has_byte(uint64_t w, unsigned char c)
{
	uint64_t x = w ^ (JSON_ONES * c);

	return (x - JSON_ONES) & ~x & JSON_TOPS;
}

/* The top bit of some byte is set when some byte of w is below 0x20. */
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
