/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LINK_ARRIVALS_H
#define BROKER_LINK_ARRIVALS_H

/* One order of the messages of all workers; see PLACE. */

struct broker;
struct msg_place;
struct peer;

void arrivals_init(struct broker *);
/* ipc_ops.on_input of a link (struct peer). */
void arrivals_on_input(void *peer);
/* Handler of PLACE. */
int arrivals_on_place(struct peer *, const struct msg_place *);

#endif
