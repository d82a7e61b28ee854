/* SPDX-License-Identifier: MIT */
#ifndef WORKER_APP_AUTH_FAILURES_H
#define WORKER_APP_AUTH_FAILURES_H

/*
 * Clients that guess at signatures. Each wrong signature is counted for the
 * client's address (an IPv4 address, or the /64 of an IPv6 address, which
 * usually belongs to one owner). Over max_auth_failures_per_minute the
 * connection is closed, or its request gets 429. A right signature is never
 * looked up here, so that clients who share an address with an attacker lose
 * nothing.
 *
 * The table has a fixed size and does not store addresses: two addresses with
 * the same hash share a bucket, and no client gets a fresh bucket by evicting
 * another one. Each worker counts for itself.
 */

#include <stdbool.h>
#include <stdint.h>

struct ip;

#define AUTH_FAILURES_BUCKETS 4096 /* a power of two; 16 bytes each */

struct auth_failures_bucket {
	double at;    /* minutes, when the tokens were right; 0: never used */
	float tokens; /* failures that are left */
};

struct auth_failures {
	struct auth_failures_bucket
	    *v; /* AUTH_FAILURES_BUCKETS, NULL until the first */
};

/*
 * Counts one failure from this address; NULL: a peer that has none (a Unix
 * socket), all of whom share a bucket.  False when there were more than
 * per_minute, which is not 0.  now: seconds of a monotonic clock.
 */
bool auth_failures_take(
    struct auth_failures *, const struct ip *, double now, uint32_t per_minute);
void auth_failures_clear(struct auth_failures *);

#endif
