/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LINK_ALIVE_H
#define BROKER_LINK_ALIVE_H

/*
 * Which links are alive: silence ends one, and so does a long queue that does
 * not move.  A queue over its bound that moves stops what fills it.
 */

struct broker;

/* Every 5 seconds drops each worker that shows no life. */
void alive_init(struct broker *);
void alive_start(struct broker *);
/* Once a second: drops who has too much to read and does not read. */
void alive_tick(struct broker *);
/* Has some worker too much to read?  Then br->links->congested is set. */
void alive_check_queues(struct broker *);

#endif
