/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_STATE_H
#define BROKER_CLUSTER_STATE_H

/* The state of this host's workers, for hosts that join. */

#include "broker/cluster/entry.h"

struct broker;
struct peer;

/*
 * Writes the subscriptions, members, sign-ins and cached events of the workers
 * in the slots below `room`; origins by slot.
 */
void state_write(
    struct broker *, struct entry *, unsigned room, const uint64_t *origins);
/* Handler of HOST_SUBS; m->app is that of this host. */
void state_on_subs(struct peer *, const struct msg_host_subs *);

#endif
