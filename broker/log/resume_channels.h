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
/* Up to where the client has it when it has confirmed everything up to acked.
 */
uint64_t resume_channel_has(const struct resume_channel *, uint64_t acked);
/* Nothing of them can be continued. */
void resume_channels_lose(struct hash *);
/*
 * The connection is over, and the client has confirmed everything up to acked.
 * True: some of them can be continued.
 */
bool resume_channels_settle(struct hash *, uint64_t acked);
/* Drops those that the present connection is not in. */
void resume_channels_drop_unused(struct hash *);
void resume_channels_clear(struct hash *);

#endif
