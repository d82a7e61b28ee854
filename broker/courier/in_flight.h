/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_IN_FLIGHT_H
#define BROKER_COURIER_IN_FLIGHT_H

/* How many requests are in progress: those of an app, and all. */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/list.h"
#include "shared/base/shares.h"

/*
 * Each may need a thread for its name lookup, and a few descriptors: TasksMax
 * in etc/pusherd.service has room for twice as many.
 */
#define IN_FLIGHT_MAX 256u

struct in_flight {
	struct shares by_app; /* requests, not bytes */
	uint32_t n;
	struct list held; /* endpoints that wait for room, oldest first */
};

void in_flight_init(struct in_flight *);
/*
 * May one more of this app start?  An endpoint that fails leaves half of the
 * room to those that work.
 */
bool in_flight_has_room(const struct in_flight *, uint32_t app, bool fails);
void in_flight_begin(struct in_flight *, uint32_t app);
void in_flight_end(struct in_flight *, uint32_t app);
void in_flight_clear(struct in_flight *);

#endif
