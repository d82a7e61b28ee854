/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_COURIER_H
#define BROKER_COURIER_COURIER_H

/*
 * The courier role: takes webhooks from the broker, keeps them on disk, and
 * delivers them.  No message of a channel ever waits for it.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "broker/courier/outbox.h"
#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/ipc/ipc.h"
#include "shared/proc/memory.h"
#include "shared/role/leave.h"
#include "shared/role/orders.h"
#include "shared/role/pulse.h"
#include "shared/stats/stats.h"

struct conf;
struct deliver;
struct inherit;

#define COURIER_COMMIT 0.005      /* seconds that new events wait for more */
#define COURIER_COMMIT_LATER 0.05 /* that results wait */

struct courier {
	const struct inherit *inherit;
	const struct conf *conf;
	struct ev_loop *loop;
	struct ipc ipc; /* to the broker; fd -1: there is none */
	struct orders orders;
	ev_prepare prepare;
	ev_timer retry;  /* the link */
	ev_timer commit; /* the transaction */
	ev_timer tick;   /* once a second */
	struct leave leave;
	struct pulse pulse;

	struct outbox *outbox; /* NULL: it cannot be used, or nobody needs it */
	char *trouble;         /* why, or NULL */
	int claim_fd;          /* claim.h; -1: another server may have it */
	uint64_t try_at;       /* courier_now_ms(): to open it again */
	uint64_t prune_at;
	bool full;    /* takes no more for now */
	bool started; /* HOOKs count, of this origin: */
	uint64_t origin, seq;
	bool owes_ack;
	uint64_t dropped; /* for lack of room */
	/* Not told yet: */
	struct stats_hist ages;
	uint64_t cpu; /* microseconds that were told */
	struct memory memory;
	/* What of the ledger is on disk, and when to look again. */
	uint64_t saved, save_at;
	int save_errno; /* of the last try */

	bool known; /* all endpoints have been said */
	struct hash endpoints;
	struct list fresh; /* struct item, not committed */
	struct deliver *deliver;
	/* What the broker knows of us. */
	bool said_ready;
	struct outbox_counts said;
};

/* The whole life of the courier process; returns its exit code. */
int courier_main(const struct inherit *);

/* Unix milliseconds, of a clock that never steps. */
uint64_t courier_now_ms(void);
/* Some app has an endpoint, or something is left from when one had. */
bool courier_is_needed(const struct courier *);
void courier_open_outbox(struct courier *);
/* Queues everything that waits in the file: 0, or -1. */
int courier_load(struct courier *);
/* Is more in the outbox than so many percent of its bounds? */
bool courier_is_over_bound(const struct courier *, unsigned percent);
/* Writes it all, acknowledges it, and lets it go. */
void courier_commit(struct courier *);
/* Commits within so many seconds. */
void courier_commit_soon(struct courier *, double seconds);
/* Is the outbox ours (claim.h)?  Says why not. */
bool courier_has_claim(struct courier *);
/* The outbox has failed: gives it up until it can be used again. */
void courier_trouble(struct courier *);

#endif
