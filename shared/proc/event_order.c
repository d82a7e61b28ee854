/* SPDX-License-Identifier: MIT */
/*
 * event_order.c: a ring of runs in shared memory.  Its writer may be killed at
 * any instruction: a run counts when `n` has been raised, and grows by one
 * store.  The run that may be half overwritten is never returned.  Owns
 * nothing: the mapping lives as long as the processes.  Must never wait, and
 * never trust the stored values to be more than numbers.
 */

#include "shared/proc/event_order.h"

#include "shared/base/base.h"
#include "shared/base/shm.h"
#include "shared/base/xmalloc.h"
#include "shared/proc/proc.h"

#define N_BITS 16
#define N_MAX ((UINT64_C(1) << N_BITS) - 1)

struct run {
	uint64_t origin;
	uint64_t span; /* the first seq, and in the low bits how many follow */
};

/* The place of now is that of `turn`; the other one may be half written. */
struct reached {
	uint64_t turn;
	struct order_place v[2];
};

struct event_order {
	uint64_t complete[PROC_MAX_WORKERS]; /* origin by slot; 0: nobody */
	bool left;                           /* the host its cluster */
	uint16_t rejoins[ORDER_REJOINS];     /* by reason */
	uint64_t n;                          /* runs that were started */
	struct run v[ORDER_MAX];
	struct reached reached[ORDER_PASSED + 1];
};

struct event_order *
event_order_map(void)
{
	return shm_map("event-order", sizeof(struct event_order));
}

void
event_order_set_complete(struct event_order *p, unsigned slot, uint64_t origin)
{
	if (p != NULL)
		__atomic_store_n(&p->complete[slot], origin, __ATOMIC_RELEASE);
}

bool
event_order_is_complete(
    const struct event_order *p, unsigned slot, uint64_t origin)
{
	return p == NULL ||
	    __atomic_load_n(&p->complete[slot], __ATOMIC_ACQUIRE) == origin;
}

void
event_order_set_left(struct event_order *p)
{
	if (p != NULL)
		__atomic_store_n(&p->left, true, __ATOMIC_RELEASE);
}

bool
event_order_has_left(const struct event_order *p)
{
	return p != NULL && __atomic_load_n(&p->left, __ATOMIC_ACQUIRE);
}

void
event_order_rejoin(struct event_order *p, enum order_rejoin why)
{
	if (p != NULL)
		__atomic_add_fetch(&p->rejoins[why], 1, __ATOMIC_RELAXED);
}

unsigned
event_order_rejoins(const struct event_order *p, enum order_rejoin why)
{
	return p == NULL ? 0
			 : __atomic_load_n(&p->rejoins[why], __ATOMIC_RELAXED);
}

void
event_order_add(struct event_order *p, uint64_t origin, uint64_t seq)
{
	struct run *r;
	uint64_t n;

	if (p == NULL)
		return;
	r = &p->v[(p->n - 1) % ORDER_MAX];
	n = r->span & N_MAX;
	if (p->n > 0 && r->origin == origin && n < N_MAX &&
	    (r->span >> N_BITS) + n + 1 == seq) {
		__atomic_store_n(&r->span, r->span + 1, __ATOMIC_RELAXED);
		return;
	}
	p->v[p->n % ORDER_MAX] = (struct run){ origin, seq << N_BITS };
	__atomic_store_n(&p->n, p->n + 1, __ATOMIC_RELEASE);
}

void
event_order_set_place(struct event_order *p, enum order_reach how,
    const struct order_place *place)
{
	struct reached *r;

	if (p == NULL)
		return;
	r = &p->reached[how];
	r->v[(r->turn + 1) % 2] = *place;
	__atomic_store_n(&r->turn, r->turn + 1, __ATOMIC_RELEASE);
}

struct order_place
event_order_place(const struct event_order *p, enum order_reach how)
{
	const struct reached *r;

	if (p == NULL)
		return (struct order_place){ 0 };
	r = &p->reached[how];
	return r->v[__atomic_load_n(&r->turn, __ATOMIC_ACQUIRE) % 2];
}

struct order_run *
event_order_get(const struct event_order *p, size_t *n)
{
	uint64_t end = p == NULL ? 0 : __atomic_load_n(&p->n, __ATOMIC_ACQUIRE);
	size_t count = MIN(end, ORDER_MAX - 1);
	struct order_run *v = xcalloc(MAX(count, 1), sizeof(*v));

	for (size_t i = 0; i < count; i++) {
		const struct run *r = &p->v[(end - count + i) % ORDER_MAX];

		v[i] = (struct order_run){ .origin = r->origin,
			.first = r->span >> N_BITS,
			.n = (uint32_t)(r->span & N_MAX) };
	}
	*n = count;
	return v;
}

uint32_t
event_order_find(const struct order_run *v, size_t n, uint32_t *at,
    uint64_t origin, uint64_t seq)
{
	for (; *at < n; ++*at) {
		const struct order_run *r = &v[*at];

		if (r->origin == origin && seq <= r->first + r->n)
			return seq < r->first ? ORDER_OLDER : *at + 1;
	}
	return ORDER_NONE;
}
