/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LOG_RESUME_CHANNELS_H
#define BROKER_LOG_RESUME_CHANNELS_H

/*
 * The channels of one resumable session, found by the hash that the app's log
 * gives them (app_log_hash()).
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/hash.h"

struct resume_channel {
	struct hash_node node;
	/* The client has the channel up to here; 0: see resume_session.lost */
	uint64_t from;
	/* … and, once it has confirmed this, up to what it has confirmed. */
	uint64_t at;
	bool now; /* in the present connection */
};

/* NULL: the session has no such channel. */
struct resume_channel *resume_channel_find(const struct hash *, uint64_t hash);
struct resume_channel *resume_channel_get(struct hash *, uint64_t hash);
void resume_channel_remove(struct hash *, struct resume_channel *);
/* fn may remove its channel. */
void resume_channels_each(struct hash *,
    void (*fn)(struct hash *, struct resume_channel *, uint64_t arg),
    uint64_t arg);
void resume_channels_clear(struct hash *);

#endif
