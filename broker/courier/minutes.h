/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_MINUTES_H
#define BROKER_COURIER_MINUTES_H

/* The minutes of statistics from the broker, into stats.db. */

struct courier;
struct msg_minute;
struct msg_minutes_ask;

/* Handler of MINUTE. */
int minutes_take(struct courier *, const struct msg_minute *);
/* At the end of a turn: its minutes are written, or dropped. */
void minutes_commit(struct courier *);
/* Once a second: closes the file. */
void minutes_rest(struct courier *);

void minutes_start(struct courier *);
/* Handler of MINUTES_ASK. */
int minutes_on_ask(struct courier *, const struct msg_minutes_ask *);
/* Once in a turn: answers a question, if one waits. */
void minutes_answer(struct courier *);
/* The broker that asked is gone. */
void minutes_forget(struct courier *);

#endif
