/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_DEAD_SLOT_H
#define BROKER_CHANNEL_DEAD_SLOT_H

/*
 * Removes the counts, members and signed-in connections of a dead worker, in
 * portions; or moves them.
 */

#include <stdbool.h>

struct broker;

void dead_slot_init(struct broker *);
/*
 * The worker of this slot is gone: its subscriptions have ended.  Users without
 * a connection to another worker have conf->crash_grace seconds to come back.
 */
void dead_slot_begin(struct broker *, unsigned slot);
/* The receiver of the slot that is moving has all its clients. */
void dead_slot_move(struct broker *, unsigned slot);
/* Once a turn.  True: work is left. */
bool dead_slot_go_on(struct broker *);

#endif
