/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_STATUS_H
#define BROKER_COURIER_STATUS_H

/* Reports of the courier to the broker. */

struct courier;

/* Whether the outbox works, and how much is in it. */
void status_tell(struct courier *);
/* Sets the reason why webhooks wait (free(3)); NULL: they do not.  Takes it. */
void status_trouble(struct courier *, char *why);
/*
 * No free descriptor was left for a request or for the outbox.  Nothing is
 * tried until there are some; the time until then does not count for requests.
 */
void status_starved(struct courier *);
/* Once a second: sends the counts since the last call. */
void status_count(struct courier *);

#endif
