/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LINK_ALIVE_H
#define BROKER_LINK_ALIVE_H

/*
 * Finds dead links: silence ends a link, and so does a long queue that does not
 * shrink.  A queue over its bound that shrinks stops the reading of workers,
 * which fill it.
 */

struct broker;

/* Every 5 seconds: drops each worker that shows no life. */
void alive_init(struct broker *);
void alive_start(struct broker *);
/* Once a second: drops a worker that has too much to read and does not read. */
void alive_tick(struct broker *);
/* Sets br->links->congested if some worker has too much to read. */
void alive_check_queues(struct broker *);

#endif
