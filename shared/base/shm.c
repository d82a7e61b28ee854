/* SPDX-License-Identifier: MIT */
/*
 * shm.c: memory that a process and its later children share.  It lives as
 * long as one of them.  Owns nothing.
 */

#include "shared/base/shm.h"

#include <sys/mman.h>

void *
shm_map(size_t n)
{
	void *p = mmap(
	    NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}
