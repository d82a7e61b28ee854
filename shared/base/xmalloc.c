/* SPDX-License-Identifier: MIT */
/*
 * xmalloc.c: the only home of the malloc family.  Every allocation of the
 * project goes through here and dies rather than fails: a daemon that continues
 * without the memory it needed is harder to trust than one that its master
 * replaces.  Owns nothing.  Must never return NULL.
 */

#include "shared/base/xmalloc.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/base.h"
#include "shared/base/log.h"

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

void
xtrim(void)
{
	malloc_trim(0);
}
