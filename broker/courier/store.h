/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_STORE_H
#define BROKER_COURIER_STORE_H

/* When the outbox is opened, read, committed and closed. */

#include <stdbool.h>

struct courier;

/* Called before anything else. */
void store_start(struct courier *);
/* Writes the remaining rows. */
void store_stop(struct courier *);
void store_free(struct courier *);

/* Opens the file and queues its waiting rows. */
void store_open(struct courier *);
/* Replaces the queues by the waiting rows of the open file. */
void store_load(struct courier *);
/* An app has an endpoint, or an earlier one left a file. */
bool store_is_needed(const struct courier *);
/* Does the outbox hold more than this percentage of its bounds? */
bool store_is_over_bound(const struct courier *, unsigned percent);
/* Writes everything, acknowledges it, and lets it be sent. */
void store_commit(struct courier *);
/* Once a second. */
void store_tick(struct courier *);
/* Closes an outbox that has failed in this turn; it is opened again later. */
void store_on_turn_end(struct courier *);

#endif
