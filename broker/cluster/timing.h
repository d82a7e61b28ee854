/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_TIMING_H
#define BROKER_CLUSTER_TIMING_H

/* How long Redis takes, and how far its clock is from that of this host. */

#include <stdint.h>

struct cluster;

/* The entry on its way, which was sent at cl->sent_us, is read: it is cl->at.
 */
void timing_entry(struct cluster *);
/*
 * Redis gave the place with this id (MS-N) at most so many microseconds ago.
 * Nothing is learned from it if that may be more than a second.
 */
void timing_clock(struct cluster *, const char *id, uint64_t us);

#endif
