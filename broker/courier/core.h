/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_CORE_H
#define BROKER_COURIER_CORE_H

/*
 * State that all files of the courier share: the connection to the broker, the
 * outbox, the endpoints, and the moment of the next commit.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "broker/courier/outbox_lock.h"
#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/shares.h"
#include "shared/ipc/heartbeat.h"
#include "shared/ipc/ipc.h"
#include "shared/proc/memory.h"
#include "shared/proc/stats.h"

struct buf;
struct conf;
struct deliver;
struct inherit;
struct outbox;
struct stats_db;

#define COURIER_COMMIT 0.005      /* seconds that new events wait for others */
#define COURIER_COMMIT_LATER 0.05 /* the same for results */

struct courier {
	const struct inherit *inherit;
	const struct conf *conf;
	struct ev_loop *loop;
	struct ipc ipc; /* to the broker; fd -1: not connected */
	struct heartbeat heartbeat;
	struct memory memory;

	/* The file (store.h). */
	struct outbox *outbox; /* NULL: it cannot be used, or nobody needs it */
	char *outbox_failed;   /* why it is closed at the end of this turn */
	ev_timer commit;       /* the transaction */
	int save_errno;        /* of the last attempt to write minutes */
	struct outbox_lock lock;
	uint64_t try_at; /* courier_now_ms() at which it is opened again */
	uint64_t prune_at;
	uint64_t saved, save_at; /* minutes on disk; when to write the next */

	/* Statistics (minutes.h). */
	struct stats_db *stats; /* NULL: none have come lately */
	char *stats_trouble;    /* why they are not kept, or NULL */
	uint64_t stats_try_at;  /* courier_now_ms() of the next attempt */
	uint64_t stats_seq;     /* the last that came; 0: all are answered */
	struct stats_db *stats_read; /* NULL: nobody has asked lately */
	struct list stats_asked;     /* struct minutes_question */
	ev_idle stats_more;          /* runs while there are any */

	/* Events from the broker (from_broker.h). */
	bool known;    /* all endpoints have arrived */
	bool full;     /* takes no more events for now */
	bool ends;     /* no request starts any more */
	bool owes_ack; /* of seq */
	bool started;  /* hooks are counted, of this origin: */
	uint64_t origin, seq;
	char *database;   /* the UUID of the database the endpoints are from */
	uint64_t dropped; /* dropped for lack of room */

	struct hash endpoints; /* struct endpoint */
	struct list fresh;     /* struct delivery, not committed */
	struct deliver *deliver;
	struct shares in_flight; /* requests */
	struct list held; /* endpoints that wait for room, oldest first */
	/* Since when there is no free descriptor; 0: there is (status.h). */
	uint64_t starved_at;
	void (*on_ready)(struct courier *, uint32_t endpoint);

	/* The last state that the broker received (status.h). */
	char *trouble; /* why webhooks wait, or NULL */
	bool reported_ready;
	uint64_t reported_waiting, reported_dead;
	uint64_t reported_cpu; /* microseconds */
	struct stats_hist ages;
	struct buf *attempts; /* rows of the report that is being made */
};

/* Unix milliseconds of a clock that is never set. */
uint64_t courier_now_ms(void);
/* Commits within this number of seconds. */
void courier_commit_soon(struct courier *, double seconds);
/* The outbox is open and has not failed in this turn. */
bool courier_has_outbox(const struct courier *);
/*
 * The outbox has just failed: stores its error.  Nothing is written any more,
 * and at the end of the turn store_on_turn_end() closes it.
 */
void courier_outbox_failed(struct courier *);

#endif
