/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_CLUSTER_H
#define BROKER_CLUSTER_CLUSTER_H

/*
 * Several hosts serve the same apps: what workers say is not applied when it is
 * read, but appended to a stream in Redis, and every broker applies all of it
 * in the order of the stream.  br->cluster is NULL without the option
 * `cluster`.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/ipc/ipc.h"

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

/* The end of a turn: what was taken in it leaves. */
void cluster_turn(struct cluster *);

/*
 * The server stops: the other hosts need not wait until they find it out.
 * True while Redis has not answered; the caller runs the loop.
 */
bool cluster_leave(struct cluster *);

/* Appends the state as JSON members, for pusherctl and the metrics. */
struct cluster_status {
	const char *state;      /* "up", "joining", "away" */
	const char *error;      /* or empty */
	size_t hosts;           /* others */
	size_t waiting;         /* bytes that are not applied yet */
	uint64_t sent, applied; /* entries */
};
void cluster_status(const struct cluster *, struct cluster_status *);
/* The name of the i-th other host, or NULL. */
const char *cluster_host_name(const struct cluster *, size_t i);

#endif
