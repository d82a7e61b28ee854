/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_XMALLOC_H
#define SHARED_BASE_XMALLOC_H

/*
 * Allocation dies rather than fails: the master replaces a process without
 * memory.  A size from outside is checked against a limit before any of these
 * is called.  Free with free(3).
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
 * For libraries with a hook like realloc(3) whose result they do not check,
 * such as libev: size 0 frees.
 */
void *xalloc_hook(void *p, long size);

/*
 * Call at the start of a serving process: large blocks are allocated
 * separately, so that each is returned to the system when it is freed.
 */
void xheap_init(void);
/* Bytes of small blocks in use.  Looks at all free ones. */
size_t xheap_used(void);
/*
 * The next n bytes of small blocks come from pages that are in memory already,
 * until xheap_init() or xtrim().  Takes as long as it takes to touch them.
 */
void xheap_prepare(size_t n);
/* Returns freed memory to the system; takes a while. */
void xtrim(void);

#endif
