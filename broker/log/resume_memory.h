/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LOG_RESUME_MEMORY_H
#define BROKER_LOG_RESUME_MEMORY_H

/*
 * The memory of the channels of sessions, by app, and whether an app may have
 * more.
 */

#include <stdbool.h>
#include <stdint.h>

#include "broker/core/budget.h"
#include "broker/log/resume_channels.h"
#include "shared/base/shares.h"

struct resume_memory {
	struct budget *budget; /* NULL: no limit */
	struct shares apps;    /* in bytes */
};

/*
 * The channels of a session of this app have changed: books their table;
 * *booked: the bits of the one that was booked before, 0 at first.
 */
void resume_memory_book(struct resume_memory *, uint32_t app,
    const struct resume_channels *, uint8_t *booked);
/* May the session of this app keep one channel more? */
bool resume_memory_has_room(
    const struct resume_memory *, uint32_t app, const struct resume_channels *);
void resume_memory_clear(struct resume_memory *);

#endif
