/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_COURIER_H
#define BROKER_COURIER_COURIER_H

/*
 * The courier role: takes webhooks from the broker, keeps them on disk, and
 * delivers them.  No message of a channel ever waits for it.
 */

struct inherit;

/* The whole life of the courier process; returns its exit code. */
int courier_main(const struct inherit *);

#endif
