/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_LEADER_H
#define BROKER_CLUSTER_LEADER_H

/* One host of the cluster sends the webhooks of all. */

#include <stdbool.h>

struct cluster;
struct host;
struct msg_host_notified;

/* Until this host has joined it sends none. */
void leader_init(struct cluster *);
/*
 * It has joined; the others may know of notifications that its outbox has not.
 */
void leader_join(struct cluster *);
/* The hosts have changed: is this one the leader now? */
void leader_elect(struct cluster *);
/* Is this host, or another one, the leader? */
bool leader_is_here(const struct cluster *);
bool leader_is(const struct cluster *, const struct host *);
/* Redis has answered: this host may send webhooks until its lease ends. */
void leader_set_lease(struct cluster *);
/* Redis is away. */
void leader_drop_lease(struct cluster *);
/* This host leaves: the next leader sends what its courier does not have. */
void leader_end(struct cluster *);
/* Another entry is applied. */
void leader_step(struct cluster *);
/* Writes the states that applications know, for a host that joins. */
void leader_write_state(struct cluster *);
/* Handler of HOST_NOTIFIED; m->app is that of this host. */
void leader_on_notified(struct cluster *, const struct msg_host_notified *);

#endif
