/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_CLUSTER_H
#define BROKER_CLUSTER_CLUSTER_H

/*
 * Several hosts serve the same apps: a message of a worker is not applied when
 * it is read, but appended to a stream in Redis, and every broker applies all
 * messages in the order of the stream.  br->cluster is NULL without the option
 * `cluster`.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/ipc/ipc.h"
#include "shared/proc/event_order.h"
#include "shared/proc/stats.h"

struct broker;
struct cluster;
struct conf;

/* Is this host to be in a cluster? */
bool cluster_is_wanted(const struct conf *);
/*
 * handlers: of the messages of entries; the owner is the peer.  room: slots of
 * this host's workers.
 */
struct cluster *cluster_new(
    struct broker *, const ipc_handler *handlers, unsigned room);
void cluster_free(struct cluster *);
/* The workers have replayed their state: connects. */
void cluster_start(struct cluster *);

/* The end of a turn: sends to Redis what the workers have sent in it. */
void cluster_turn(struct cluster *);
/*
 * Call it when the links have been written: remembers how far the workers have
 * been sent the stream, unless one of them is blocked.
 */
void cluster_turn_ends(struct cluster *);

/* Are events passed on now?  Without a cluster (NULL) they are. */
bool cluster_takes_events(const struct cluster *);

/* For pusherctl and the metrics; the texts are valid until the end of a turn.
 */
struct cluster_status {
	/* "up", "joining", "refused", "away", "leaving", "left"; or "off" */
	const char *state;
	const char *error;   /* why it is not up, or empty */
	const char *place;   /* in the stream, or empty */
	bool connected;      /* to Redis */
	bool sends_webhooks; /* this host sends the webhooks of all */
	bool up;             /* events are passed on */
	size_t hosts;        /* with this one; 0: it is in no cluster */
	size_t waiting;      /* bytes of this host that are not applied yet */
	uint64_t entry;      /* number of the one that was read last */
	uint64_t behind; /* entries that were not read, as of the last beat */
	/* since the broker began: entries, and connections to Redis */
	uint64_t appended, applied, connects;
	uint64_t downs, errors; /* connections that ended, refusals of Redis */
	struct stats_hist append; /* sent until read back; stats_bounds_short */
	uint64_t hosts_gone;      /* others, since the broker began */
	uint64_t rejoins[ORDER_REJOINS]; /* since the server began */
	uint64_t clock_error; /* seconds to the clock of Redis, either way */
};
/* Without a cluster (NULL) all is 0 or empty, and the state "off". */
void cluster_status(const struct cluster *, struct cluster_status *);

struct cluster_host {
	const char *name;
	unsigned workers;
	uint64_t subscriptions;
	double beat; /* broker_now() at its last one; 0: not known yet */
	bool sends_webhooks; /* it sends the webhooks of all hosts */
};
/* The i-th host, 0: this one; false: there is no such host. */
bool cluster_host(const struct cluster *, size_t i, struct cluster_host *);

#endif
