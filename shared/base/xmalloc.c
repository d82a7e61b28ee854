/* SPDX-License-Identifier: MIT */
/*
 * xmalloc.c: the only home of the malloc family.  Every allocation of the
 * project goes through here and dies rather than fails: a daemon that continues
 * without the memory it needed is harder to trust than one that its master
 * replaces.  Owns nothing.  Must never return NULL.
 */

#include "shared/base/xmalloc.h"

#include <limits.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/base.h"
#include "shared/base/log.h"

#define PREPARE_BYTES 4000 /* a page holds most of each */

static void *
must(void *p, size_t size)
{
	if (p == NULL)
		fatalx("out of memory: cannot allocate %zu bytes", size);
	return p;
}

void *
xmalloc(size_t size)
{
	return must(malloc(MAX(size, 1)), size);
}

void *
xcalloc(size_t n, size_t size)
{
	if (size != 0 && n > SIZE_MAX / size)
		fatalx("xcalloc: %zu * %zu overflows", n, size);
	return must(calloc(MAX(n, 1), MAX(size, 1)), n * size);
}

void *
xreallocarray(void *p, size_t n, size_t size)
{
	if (size != 0 && n > SIZE_MAX / size)
		fatalx("xreallocarray: %zu * %zu overflows", n, size);
	return must(realloc(p, MAX(n * size, 1)), n * size);
}

void *
xalloc_hook(void *p, long size)
{
	if (size <= 0) {
		free(p);
		return NULL;
	}
	return xreallocarray(p, 1, (size_t)size);
}

char *
xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *
xstrndup(const char *s, size_t n)
{
	char *p;

	if (n == SIZE_MAX)
		fatalx("xstrndup: %zu + 1 overflows", n);
	p = xmalloc(n + 1);
	if (n != 0)
		memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

char *
str_dup(struct str s)
{
	return xstrndup(s.p, s.n);
}

char *
xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&p, fmt, ap);
	va_end(ap);
	if (n == -1)
		fatalx("out of memory: cannot format a text");
	return p;
}

void
xheap_init(void)
{
	/* Above what links read at once, below what clients may send. */
	mallopt(M_MMAP_THRESHOLD, 512 << 10);
	mallopt(M_TRIM_THRESHOLD, 4 << 20);
}

size_t
xheap_used(void)
{
	return mallinfo2().uordblks;
}

/* Blocks that lie next to each other become one when they are free. */
void
xheap_prepare(size_t n)
{
	size_t blocks = (n + PREPARE_BYTES - 1) / PREPARE_BYTES;
	void **v = xcalloc(blocks, sizeof(*v));

	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	for (size_t i = 0; i < blocks; i++) {
		v[i] = xmalloc(PREPARE_BYTES);
		memset(v[i], 0, PREPARE_BYTES);
	}
	while (blocks > 0)
		free(v[--blocks]);
	free(v);
}

void
xtrim(void)
{
	malloc_trim(0);
}
