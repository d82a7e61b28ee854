/* SPDX-License-Identifier: MIT */
/*
 * relic.c: two copies in shared memory, of which one counts.  The other one is
 * written, and then made the one that counts by one store.  Must never wait,
 * and never leave bytes behind that do not count any more, unless it is killed
 * in between.
 */

#include "shared/proc/relic.h"

#include <string.h>
#include <sys/mman.h>

#include "shared/base/base.h"
#include "shared/base/shm.h"

struct copy {
	size_t n;
	char bytes[RELIC_MAX];
};

struct relic {
	unsigned current; /* the copy that counts */
	struct copy copies[2];
};

struct relic *
relic_map(void)
{
	struct relic *r = shm_map(sizeof(*r));

	if (r != NULL)
		madvise(r, sizeof(*r), MADV_DONTDUMP);
	return r;
}

void
relic_unmap(struct relic *r)
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
relic_put(struct relic *r, struct str bytes)
{
	unsigned next;

	if (r == NULL)
		return;
	next = 1 - (r->current & 1);
	wipe(&r->copies[next]); /* one before us may have been killed */
	if (bytes.p != NULL && bytes.n <= RELIC_MAX) {
		r->copies[next].n = bytes.n;
		memcpy(r->copies[next].bytes, bytes.p, bytes.n);
	}
	__atomic_store_n(&r->current, next, __ATOMIC_RELEASE);
	wipe(&r->copies[1 - next]);
}

struct str
relic_get(const struct relic *r)
{
	const struct copy *c;

	if (r == NULL)
		return str_make(NULL, 0);
	c = &r->copies[__atomic_load_n(&r->current, __ATOMIC_ACQUIRE) & 1];
	return str_make(c->bytes, c->n);
}
