/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_CONN_SHARE_H
#define BROKER_CLUSTER_CONN_SHARE_H

/* max_connections of an app over all hosts. */

#include <stdbool.h>
#include <stdint.h>

struct broker_app;
struct cluster;
struct entry;
struct host;
struct msg_host_share;
struct peer;

void conn_share_init(struct cluster *);
void conn_share_clear(struct cluster *);
/*
 * May the connection have a place of this host's share?  False: it waits, and
 * quota_answer() follows, at the latest after two seconds.
 */
bool conn_share_take(struct peer *, struct broker_app *, uint64_t sid);
/*
 * Handler of HOST_SHARE, in the order of the stream; m->app is that of this
 * host.  host NULL: of this one.  state: it only says what the host has.
 */
void conn_share_on_message(
    struct cluster *, struct host *, bool state, const struct msg_host_share *);
/* This host joins: its share is what its connections need. */
void conn_share_join(struct cluster *);
/* Writes the share of this host. */
void conn_share_write(struct cluster *, struct entry *);
/* At each beat: connections that were there before the limit are counted. */
void conn_share_beat(struct cluster *);

#endif
