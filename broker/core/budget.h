/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CORE_BUDGET_H
#define BROKER_CORE_BUDGET_H

/*
 * The account of the broker's memory: the bytes that it holds for each app in
 * channels, members, cached events, users, idempotency keys, webhook events and
 * sessions, and whether an app may hold more.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct budget;
struct buf;

/* The allocator and a hash table add about this to one block. */
#define BUDGET_BLOCK 32

struct budget *budget_new(uint64_t memory_limit);
void budget_free(struct budget *);
/* memory_limit may have changed. */
void budget_set(struct budget *, uint64_t memory_limit);
/* So many bytes of the share, half of it at most, are for something else. */
void budget_reserve(struct budget *, size_t bytes, uint64_t memory_limit);
/* Bytes that all apps may hold without refusals; 0: there is no limit. */
uint64_t budget_max(const struct budget *);

/* Books n bytes more, or less, for this app.  NULL is allowed. */
void budget_add(struct budget *, uint32_t app, size_t bytes);
void budget_sub(struct budget *, uint32_t app, size_t bytes);

/*
 * May this app hold more?  No if all apps together hold much and this one holds
 * most, or if all hold too much and this one more than its part.
 */
bool budget_has_room(struct budget *, uint32_t app);
/* The app that must give back what it can spare; false: there is none. */
bool budget_payer(struct budget *, uint32_t *app);
/*
 * The app was refused: appends a sentence with the reason, and logs it, once a
 * minute for each app.
 */
struct budget_refusals {
	time_t logged;
	uint64_t n; /* since then */
};
void budget_refuse(const struct budget *, struct budget_refusals *,
    uint32_t app, const char *id, struct buf **);

#endif
