/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_TELLER_H
#define BROKER_CLUSTER_TELLER_H

/* One host of the cluster sends the webhooks of all. */

#include <stdbool.h>

struct cluster;
struct host;
struct msg_host_told;

/* Until this host has joined it sends none. */
void teller_init(struct cluster *);
/* It has joined; others may know better than its outbox what was told. */
void teller_join(struct cluster *);
/* The hosts have changed: is it this one now? */
void teller_elect(struct cluster *);
/* Has this host, or another one, joined before all others? */
bool teller_is_here(const struct cluster *);
bool teller_is(const struct cluster *, const struct host *);
/* Redis has answered: this host may tell until its lease ends. */
void teller_set_lease(struct cluster *);
/* This host leaves: the others tell what its courier does not have yet. */
void teller_end(struct cluster *);
/* Another entry is applied. */
void teller_step(struct cluster *);
/* Writes the states that applications know, for a host that joins. */
void teller_write_state(struct cluster *);
/* Handler of HOST_TOLD; m->app is that of this host. */
void teller_on_told(struct cluster *, const struct msg_host_told *);

#endif
