/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_ROOM_H
#define BROKER_CHANNEL_ROOM_H

/* Room in the account of the broker's memory: see broker/core/budget.h. */

#include <stdbool.h>
#include <stdint.h>

struct broker;
struct buf;

/*
 * May the broker hold more for this app, perhaps after it has dropped some of
 * the app's cached events?  False: *why is the reason; the caller releases it.
 */
bool room_for(struct broker *, uint32_t app, struct buf **why);

#endif
