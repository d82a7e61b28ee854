/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CORE_CORE_H
#define WORKER_CORE_CORE_H

/*
 * The context of a worker: its loop, its lists of connections, the buffers that
 * all modules build in, and a pointer to the state of each module.  It includes
 * none of them: worker.c makes and connects them.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/outq.h"
#include "shared/base/str.h"
#include "worker/core/coalesce.h"

struct api_retries;
struct apps;
struct compression;
struct conf;
struct drain;
struct inputs;
struct auth_failures;
struct cache_replica;
struct client_memory;
struct closings;
struct http_handler;
struct inherit;
struct link;
struct listeners;
struct master_link;
struct move;
struct heartbeat;
struct sessions;
struct stats;
struct timeouts;
struct tls;
struct subscriptions;
struct unacked;
struct conn_lists;
struct ws_handler;

#define WORKER_RECV_BYTES (64u << 10) /* the one receive buffer */

struct worker {
	const struct http_handler *http; /* of requests */
	const struct ws_handler *ws;     /* of messages */
	const struct inherit *inherit;
	const struct conf *conf;
	struct ev_loop *loop;
	ev_prepare prepare; /* end of the turn: flush, reap */
	ev_idle busy;       /* runs while a turn left work over */
	struct heartbeat *heartbeat;
	struct client_memory *client_memory;
	ev_timer tick; /* once a second: slow clients */
	struct drain *drain;
	struct master_link *master_link;
	struct move *move; /* the hand-over to another process */
	ev_signal term, quit;
	ev_io life;

	struct link *link;
	struct unacked *unacked; /* numbered messages to the broker */
	struct subscriptions *subscriptions;
	struct apps *apps;
	struct listeners *listeners;
	struct timeouts *timeouts;
	struct sessions *sessions; /* resumable ones */
	struct stats *stats;
	struct tls *tls;
	struct auth_failures *auth_failures;
	struct auth_failures *tls_refused; /* addresses told 4000 lately */
	float tls_waits;                   /* how many more may wait for that */
	double tls_waits_at;

	struct hash conns;    /* by sid, every socket */
	uint32_t nconns;      /* sockets */
	uint32_t max_conns;   /* of this worker; above it: 4100 */
	struct list clients;  /* every connection that has been greeted */
	struct list dirty;    /* has output for the end of the turn */
	struct list awaiting; /* replies that wait for the broker */
	uint64_t released;    /* replies up to this seq may leave */
	struct list blocked;  /* the socket is full */
	struct list slow;     /* over their limit; checked at the end */
	struct list closed;   /* to be freed at the end of the turn */
	struct hash topics;   /* by (app, channel) */
	struct cache_replica *cache_replica;
	struct api_retries *retries;
	struct conn_lists *conn_lists; /* queries of pusherctl */
	struct closings *closings;     /* of many clients */
	struct inputs *input;          /* clients whose input continues */
	struct compression *compression;
	uint32_t next_ref;        /* of subscriptions */
	uint32_t unanswered_cost; /* of all questions that are not answered */
	/*
	 * Bytes of messages about subscriptions and users that the broker has
	 * not acknowledged.  Above the maximum, clients that would add more
	 * are not read.
	 */
	uint64_t unacked_state, unacked_state_max;
	uint64_t answer_max; /* bytes of an answer of the console */
	uint64_t sids[32];   /* random numbers that are to be used */
	unsigned nsids;

	char *recv;               /* WORKER_RECV_BYTES */
	struct coalesce coalesce; /* of the flush at the end of a turn */
	struct buf *arena;   /* outgoing bytes for one, next to each other */
	struct buf *events;  /* and those for many: adjacent ones merge */
	struct buf *scratch; /* where one frame is built */
	/* Call before a connection is read: checks the memory in use. */
	void (*before_read)(struct worker *);
	size_t flushed; /* bytes to clients in this turn */
	/* From clients, ever, and what accepting and copying cost. */
	uint64_t bytes_in;
	/*
	 * The whole group exits: clients that came later than this get no
	 * greeting before all workers have told theirs; or 0.
	 */
	double defer_since;
	struct list cursors; /* struct conn_cursor */
	bool memory_full;    /* new clients are refused */
	bool no_broker;      /* for the moment */
	bool serving, draining;
	bool moving; /* no client is read: its slot is handed over */
};

/*
 * Seconds of the monotonic clock, to some milliseconds, cheaply.  Not
 * ev_now(): that one follows the wall clock, and its jumps.
 */
double worker_now(void);

/*
 * An empty buf to build one frame or reply in; pass it to conn_queue_scratch()
 * before the next call.
 */
struct buf **worker_scratch(struct worker *);
/*
 * Copies bytes after those of earlier calls and returns their place.  The slice
 * borrows the arena's reference: queue it before the next call.  arena:
 * &w->arena or &w->events; adjacent events are one slice in the queues of their
 * subscribers.
 */
struct slice worker_arena(struct buf **arena, struct str bytes);
/*
 * If the arena has no other reference, the next bytes go to its front, to stay
 * in the cache.
 */
void worker_rewind(struct buf *arena);

#endif
