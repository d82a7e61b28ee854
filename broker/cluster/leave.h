/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_LEAVE_H
#define BROKER_CLUSTER_LEAVE_H

/* This host leaves the cluster: the server stops, or pusherctl says so. */

#include <stdbool.h>

struct cluster;

/*
 * The broker ends, and no worker is left: the other hosts need not wait until
 * they find it out.  True while Redis has not answered; the caller runs the
 * loop.
 */
bool leave_at_stop(struct cluster *);
/* The time for that is over: logs what others have not been given. */
void leave_late(const struct cluster *);
/*
 * pusherctl: the clients are told to reconnect, within drain_time; then this
 * host leaves, and stays out until the server is started again.  May be called
 * again meanwhile.  False: it is not in its cluster.
 */
bool leave_for_good(struct cluster *);
/* Has Redis answered to that? */
bool leave_is_over(const struct cluster *);

/* ---- for cluster.c ---- */

/* Tells Redis when all clients are gone; once a turn. */
void leave_step(struct cluster *);
/* Tells Redis now, and again after a connection that has ended meanwhile. */
void leave_send(struct cluster *);
/* Redis has answered. */
void leave_on_answer(struct cluster *);
/* The broker begins: has an earlier one left for good? */
void leave_recall(struct cluster *);

#endif
