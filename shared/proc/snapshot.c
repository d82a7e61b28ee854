/* SPDX-License-Identifier: MIT */
/*
 * snapshot.c: two copies in shared memory, of which one is valid.  A new
 * snapshot goes into the other copy, and one store makes that copy valid.  Must
 * never wait, and must wipe the old copy; only a kill in between leaves it.
 */

#include "shared/proc/snapshot.h"

#include <string.h>
#include <sys/mman.h>

#include "shared/base/shm.h"

struct copy {
	size_t n;
	char bytes[SNAPSHOT_MAX];
};

struct snapshot {
	unsigned current; /* the copy that counts */
	struct copy copies[2];
};

struct snapshot *
snapshot_map(void)
{
	struct snapshot *r = shm_map("apps", sizeof(*r));

	if (r != NULL)
		madvise(r, sizeof(*r), MADV_DONTDUMP);
	return r;
}

void
snapshot_unmap(struct snapshot *r)
{
	if (r != NULL)
		munmap(r, sizeof(*r));
}

static void
wipe(struct copy *c)
{
	explicit_bzero(c->bytes, c->n);
	c->n = 0;
}

void
snapshot_put(struct snapshot *r, struct str bytes)
{
	unsigned next;

	if (r == NULL)
		return;
	next = 1 - (r->current & 1);
	wipe(&r->copies[next]); /* an earlier writer may have been killed */
	if (bytes.p != NULL && bytes.n <= SNAPSHOT_MAX) {
		r->copies[next].n = bytes.n;
		memcpy(r->copies[next].bytes, bytes.p, bytes.n);
	}
	__atomic_store_n(&r->current, next, __ATOMIC_RELEASE);
	wipe(&r->copies[1 - next]);
}

struct str
snapshot_get(const struct snapshot *r)
{
	const struct copy *c;

	if (r == NULL)
		return str_make(NULL, 0);
	c = &r->copies[__atomic_load_n(&r->current, __ATOMIC_ACQUIRE) & 1];
	return str_make(c->bytes, c->n);
}
