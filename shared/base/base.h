/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_BASE_H
#define SHARED_BASE_BASE_H

/* Small helpers that every file may use. */

#include <stddef.h>
#include <stdint.h>

#define nitems(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) \
	((type *)((uintptr_t)(ptr)-offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
/* The value of a macro as a string literal. */
#define TEXT_OF(macro) TEXT_OF_TOKEN(macro)
#define TEXT_OF_TOKEN(token) #token
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

#define PUSHERD_VERSION "0.1.0"

#endif
