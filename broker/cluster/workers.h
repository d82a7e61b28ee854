/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_WORKERS_H
#define BROKER_CLUSTER_WORKERS_H

/* The workers of this host. */

#include "broker/cluster/inside.h"

/* Tells them whether messages are passed on now, if that has changed. */
void workers_set_up(struct cluster *, bool up);
/* Tells them that, and whether this host leaves. */
void workers_tell(struct cluster *);
/* The link is not read, and the present message comes again. */
void workers_pause(struct peer *);
/* The links that were held are read again. */
void workers_resume(struct cluster *);
/* The clients of the workers may lack events: they are told to reconnect. */
void workers_tell_missed(struct cluster *);
/*
 * Ends the process: the broker's successor joins with a clean state.  A young
 * one that has heard nothing else since it joined refuses this, and returns.
 */
void workers_begin_again(struct cluster *, enum order_rejoin);

/*
 * Must this message of a worker wait until those before it have been applied?
 * If so, it comes again.
 */
bool workers_must_wait(struct peer *);
/* A worker's link is up: it is told whether the cluster is. */
void workers_link_up(struct peer *);
/*
 * The end of a worker counts from here on: its clients are gone, and another
 * worker may take its slot.
 */
void workers_gone(struct cluster *, unsigned slot);

#endif
