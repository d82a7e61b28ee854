/* SPDX-License-Identifier: MIT */
/*
 * budget.c: one account of the bytes that the broker holds, by app.  Owns the
 * shares and the two marks.  Every module books what it allocates for an app
 * and takes it off when it frees it; the cost includes what the allocator and
 * the tables add, so that the sum is close to the resident memory.  Above the
 * first mark the app that holds most gets no more; the others do not notice.
 * Above the second mark this holds for each app that has more than an equal
 * part.  Replays after a broker's death are never refused: their clients were
 * admitted before.  Must never free anything of another module, and never
 * allocate for a refused app.
 */

#include "broker/core/budget.h"

#include <stdlib.h>
#include <time.h>

#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/log.h"
#include "shared/base/shares.h"
#include "shared/base/xmalloc.h"
#include "shared/proc/memory.h"

#define LOG_SECONDS 60 /* seconds between two lines about one app */

struct budget {
	struct shares shares;
	uint64_t available; /* bytes of the machine or the cgroup */
	uint64_t reserved;  /* bytes of the share that are for no app */
	uint64_t max;       /* the second mark; 0: none */
};

struct budget *
budget_new(uint64_t memory_limit)
{
	struct budget *b = xcalloc(1, sizeof(*b));

	b->available = memory_available();
	budget_set(b, memory_limit);
	return b;
}

void
budget_free(struct budget *b)
{
	if (b != NULL)
		shares_clear(&b->shares);
	free(b);
}

/* A quarter of the share is for the process itself and its queues. */
void
budget_set(struct budget *b, uint64_t memory_limit)
{
	uint64_t share =
	    memory_share(memory_limit, b->available, MEMORY_BROKER);

	b->max = (share - MIN(b->reserved, share / 2)) / 4 * 3;
}

void
budget_reserve(struct budget *b, size_t bytes, uint64_t memory_limit)
{
	b->reserved = bytes;
	budget_set(b, memory_limit);
}

uint64_t
budget_max(const struct budget *b)
{
	return b->max;
}

void
budget_add(struct budget *b, uint32_t app, size_t bytes)
{
	if (b == NULL)
		return;
	shares_add_app(&b->shares, app, bytes);
}

void
budget_sub(struct budget *b, uint32_t app, size_t bytes)
{
	if (b == NULL)
		return;
	shares_sub_app(&b->shares, app, bytes);
}

/* The first mark. */
static bool
is_much(const struct budget *b)
{
	return b->max != 0 && b->shares.held >= b->max / 4 * 3;
}

bool
budget_payer(struct budget *b, uint32_t *app)
{
	if (!is_much(b))
		return false;
	*app = shares_largest(&b->shares)->app;
	return true;
}

bool
budget_has_room(struct budget *b, uint32_t app)
{
	if (!is_much(b))
		return true;
	if (shares_largest(&b->shares)->app == app)
		return false;
	return b->shares.held < b->max ||
	    shares_held(&b->shares, app) < b->max / b->shares.by_app.n;
}

void
budget_refuse(const struct budget *b, struct budget_refusals *r, uint32_t app,
    const char *id, struct buf **text)
{
	unsigned long long n = shares_held(&b->shares, app), max = b->max;
	time_t now = time(NULL);

	buf_printf(text,
	    "the server holds %llu bytes for this app, more than its part of "
	    "the %llu that memory_limit leaves for apps: subscribe to "
	    "fewer channels, sign in with shorter watchlists, or raise "
	    "memory_limit",
	    n, max);
	r->n++;
	/* A clock that went back must not suppress the line. */
	if (now >= r->logged && now < r->logged + LOG_SECONDS)
		return;
	log_warnx(
	    "app over its part of memory_limit: new channels, members and "
	    "sign-ins are refused app=%s held=%llu max=%llu refused=%llu",
	    id, n, max, (unsigned long long)r->n);
	r->logged = now;
	r->n = 0;
}
