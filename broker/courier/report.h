/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_REPORT_H
#define BROKER_COURIER_REPORT_H

/* What the courier says of itself to the broker. */

struct courier;

/* Whether and how the outbox works. */
void report_state(struct courier *);
/* Takes the sentence; NULL: all is well. */
void report_trouble(struct courier *, char *why);
/* What was counted since the last time; once a second. */
void report_stats(struct courier *);
/* Writes the minutes of the last day to disk, as far as they are new. */
void report_save(struct courier *);

#endif
