/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_SHARED_APPS_H
#define BROKER_CLUSTER_SHARED_APPS_H

/*
 * The apps of a cluster: records in Redis, which a process beside the broker
 * writes into the database of each host.
 */

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/str.h"

struct app_records;
struct buf;
struct cluster;
struct host;
struct msg_host_apps_done;

/* This host has joined: reads all records. */
void shared_apps_join(struct cluster *);
/* True if the entry says that a record has changed; it is of any host. */
bool shared_apps_take(struct cluster *, struct buf *);
void shared_apps_on_done(struct host *, const struct msg_host_apps_done *);
/* The answers of Redis. */
void shared_apps_on_records(struct cluster *, const redisReply *);
void shared_apps_on_answer(struct cluster *, const redisReply *);
/* At each beat: asks once more for a process that has not come. */
void shared_apps_beat(struct cluster *);

/* ---- for pusherctl ---- */

/*
 * Gives a record to the cluster; empty: the app is deleted; absent: only if
 * there is none.  Returns a ticket, or 0: this host is not in its cluster.
 */
uint64_t shared_apps_set(
    struct cluster *, struct str id, struct str record, bool absent);
enum shared_apps_state { SHARED_APPS_WAIT, SHARED_APPS_DONE, SHARED_APPS_LOST };
/*
 * Has every host the change with this ticket?  *missing: the name of one that
 * has not, or NULL.
 */
enum shared_apps_state shared_apps_ask(
    const struct cluster *, uint64_t ticket, const char **missing);
/* The records up to this version are in the database, and workers know. */
void shared_apps_written(struct cluster *, uint64_t version);
const struct app_records *shared_apps_records(const struct cluster *);

#endif
