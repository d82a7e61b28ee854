/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_PLACES_H
#define BROKER_CLUSTER_PLACES_H

/* max_connections of an app over all hosts. */

#include <stdbool.h>
#include <stdint.h>

struct broker_app;
struct cluster;
struct entry;
struct host;
struct msg_host_places;
struct peer;

void places_init(struct cluster *);
void places_clear(struct cluster *);
/*
 * May the connection have a place of this host's share?  False: it waits, and
 * quota_answer() follows, at the latest after two seconds.
 */
bool places_take(struct peer *, struct broker_app *, uint64_t sid);
/*
 * Handler of HOST_PLACES, in the order of the stream; m->app is that of this
 * host.  host NULL: of this one.  state: it only says what the host has.
 */
void places_on_message(struct cluster *, struct host *, bool state,
    const struct msg_host_places *);
/* This host joins: its share is what its connections need. */
void places_join(struct cluster *);
/* Writes the share of this host. */
void places_write(struct cluster *, struct entry *);
/* At each beat: connections that were there before the limit are counted. */
void places_beat(struct cluster *);

#endif
