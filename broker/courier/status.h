/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_STATUS_H
#define BROKER_COURIER_STATUS_H

/* Reports of the courier to the broker. */

struct courier;

/* Whether the outbox works, and how much is in it. */
void status_tell(struct courier *);
/* Takes the sentence (free(3)) that says why webhooks wait; NULL: none. */
void status_trouble(struct courier *, char *why);
/*
 * There was no free descriptor for a request or for the outbox.  Nothing is
 * tried until there are some; the time until then does not count for requests.
 */
void status_starved(struct courier *);
/* Sends the counts since the last call; once a second. */
void status_count(struct courier *);

#endif
