/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_MAGIC_H
#define SHARED_BASE_MAGIC_H

/*
 * A number at a fixed place in structs to which lists, tables and callbacks
 * point.  A pointer from one of these is asserted to lead to a living struct,
 * also in release builds: a process that ends is replaced, but a process that
 * continues with freed memory cannot be trusted.
 */

#include <stdint.h>

#define MAGIC_CONN UINT32_C(0x4e4e4f43)
#define MAGIC_PEER UINT32_C(0x52454550)
#define MAGIC_SUBSCRIPTION 0x5553 /* 16 bits: fills its struct up */
#define MAGIC_FREED UINT32_C(0xdeadf4ee)

/*
 * Builds with sanitizers also search for pointers to the memory that is freed.
 */
#if defined(__SANITIZE_ADDRESS__)
#define MAGIC_SEARCH 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MAGIC_SEARCH 1
#endif
#endif
#ifndef MAGIC_SEARCH
#define MAGIC_SEARCH 0
#endif

/* Call right before free(): the compiler must not omit this store. */
static inline void
magic_poison(uint32_t *magic)
{
	*(volatile uint32_t *)magic = MAGIC_FREED;
}

static inline void
magic_poison16(uint16_t *magic)
{
	*(volatile uint16_t *)magic = MAGIC_FREED & UINT16_MAX;
}

#endif
