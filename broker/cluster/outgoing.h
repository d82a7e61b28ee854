/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_OUTGOING_H
#define BROKER_CLUSTER_OUTGOING_H

/* The entries that this host appends to the stream. */

#include "broker/cluster/inside.h"

/* The entry that is being written is complete. */
void outgoing_end_entry(struct cluster *);
/* Its bytes so far. */
size_t outgoing_entry_size(const struct cluster *);
/* Something was written to it, when it had `before` bytes. */
void outgoing_added(struct cluster *, size_t before);
/* The oldest complete entry; there must be one. */
struct part *outgoing_first(struct cluster *);
/* Sends it, once more if need be. */
void outgoing_send_first(struct cluster *);
/* Asks how many replicas have what was sent. */
void outgoing_wait(struct cluster *);
/* Runs a script of scripts.h with n arguments behind the first three. */
void outgoing_script(struct cluster *, enum engine_call, const char *script,
    const char **argv, const size_t *lens, int n);

/*
 * Takes a worker's message for the stream.  False: there is no cluster, or it
 * is a replay before this host has joined: it is applied now.  seq: its number;
 * 0: a replay.
 */
bool outgoing_take(
    struct peer *, const struct ipc_in *, uint32_t app, uint64_t seq);
/*
 * Notes only the number of a message that was refused or is of this host alone:
 * the messages before it count as handled when the stream has brought them.
 */
void outgoing_void(struct peer *, uint32_t app, uint64_t seq);
/*
 * Takes a session for the stream: all hosts learn in one order which of them
 * has it.  False: there is no cluster, or it is a replay.
 */
bool outgoing_session(struct peer *, const struct msg_session *);
/* The same for its end, if messages of the worker are in the stream already. */
bool outgoing_session_end(struct peer *, const struct msg_session_end *);
/* Is too much on its way?  If so, the present message comes again. */
bool outgoing_must_wait(struct peer *, uint64_t seq);
/* Publishes an event of pusherctl; false: there is no cluster. */
bool outgoing_publish(struct broker *, const struct msg_event *);
/* A worker's link has ended: it counts when the stream says so; after the host
 * has left, at once. */
void outgoing_worker_gone(struct cluster *, unsigned slot, uint64_t origin);

#endif
