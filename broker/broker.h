/* SPDX-License-Identifier: MIT */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

/* The broker role: channels, members, users, apps; one of it per host. */

#include <stdbool.h>

struct broker;
struct conf;
struct inherit;

/* The whole life of the broker process; returns its exit code. */
int broker_main(const struct inherit *);

/*
 * The parts of broker_main() that need no socket: makes an empty broker with
 * its timers, and frees it. conf stays the caller's.
 */
void broker_init(struct broker *, const struct conf *);
void broker_clear(struct broker *);
/* The end of a turn: everything queued leaves, the dead are freed. */
void broker_turn(struct broker *);
/* Is work left for the next turn? */
bool broker_is_busy(const struct broker *);

#endif
