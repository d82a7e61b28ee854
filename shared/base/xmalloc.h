/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_XMALLOC_H
#define SHARED_BASE_XMALLOC_H

/*
 * Allocation dies rather than fails: the master replaces a process that ran
 * out of memory.  A size that comes from outside is checked against a limit
 * before any of these is called.  Free with free(3).
 */

#include <stddef.h>
#include <stdlib.h>

#include "shared/base/str.h"

void *xmalloc(size_t size);
/* Zeroed; dies when n * size overflows. */
void *xcalloc(size_t n, size_t size);
/* Resizes to n * size bytes; dies on overflow. */
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
/* A NUL-terminated copy of n bytes. */
char *xstrndup(const char *s, size_t n);
/* A NUL-terminated copy of a view. */
char *str_dup(struct str);
/* sprintf into fresh memory. */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * For libraries with a hook like realloc(3) that do not check what it returns,
 * as libev: size 0 frees.
 */
void *xalloc_hook(void *p, long size);

/*
 * At the start of a process that serves: large blocks lie apart from others,
 * so that each goes back to the system when it is freed.
 */
void xheap_init(void);
/* Gives what was freed back to the system; takes a while. */
void xtrim(void);

#endif
