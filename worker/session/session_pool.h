/* SPDX-License-Identifier: MIT */
#ifndef WORKER_SESSION_SESSION_POOL_H
#define WORKER_SESSION_SESSION_POOL_H

/*
 * The sessions that wait for something: for a row, or for a confirmation of
 * their client.  The others need none of this.
 */

#include <stdint.h>

#include "shared/base/list.h"

struct client_session;
struct conn;
struct session_name;

struct open_session {
	struct list asking; /* in sessions.fresh, .turns or .parting */
	uint64_t sent;      /* the newest number that was queued */
	struct client_session *s;
	struct conn *c;
	union {
		struct session_name *name; /* until it has a row */
		const char *part_text;     /* then: see part_code */
	};
	uint64_t acked;     /* the client has everything up to here */
	uint64_t ping_pos;  /* in the ping that was sent; 0: none is open */
	double ping_at;     /* when the last one left */
	uint16_t part_code; /* it is closed with this when it has answered */
	uint8_t unanswered;
};

/* Large enough to be allocated separately: see xheap_init(). */
#define SESSION_BLOCK 8192

struct session_block {
	uint32_t n;       /* in use */
	uint32_t touched; /* v[] up to here has been in use */
	struct list free; /* of these, by asking */
	struct open_session v[SESSION_BLOCK];
};

/* All zero: empty. */
struct session_pool {
	struct session_block **v; /* NULL: this block is not in memory */
	uint32_t n;
	uint32_t room; /* the blocks before this one are full */
};

#define SESSION_POOL_BITS 24 /* of the numbers that it gives */
#define SESSION_OPEN_MAX ((1u << SESSION_POOL_BITS) - 1)

/* Gives a number above 0; the session is all zero but for its empty list. */
uint32_t session_pool_add(struct session_pool *);
/* It must be in no list. */
void session_pool_remove(struct session_pool *, uint32_t number);
void session_pool_clear(struct session_pool *);
/* Valid until it is removed. */
static inline struct open_session *
session_pool_at(const struct session_pool *p, uint32_t number)
{
	return &p->v[(number - 1) / SESSION_BLOCK]
		    ->v[(number - 1) % SESSION_BLOCK];
}

#endif
