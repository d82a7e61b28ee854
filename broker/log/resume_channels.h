/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LOG_RESUME_CHANNELS_H
#define BROKER_LOG_RESUME_CHANNELS_H

/*
 * The channels of one resumable session, found by the hash that the app's log
 * gives them (app_log_hash()).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESUME_POS_MAX (UINT64_MAX >> 1)

struct resume_channel {
	uint64_t hash; /* 0: there is none here */
	/* the client has the channel up to here; 0: see resume_session.lost */
	uint64_t from;
	/* ... and, when it has confirmed this, up to its confirmation. */
	uint64_t at : 63;
	uint64_t now : 1; /* in the present connection */
};

/* All zero: empty.  One channel needs no table. */
struct resume_channels {
	union {
		struct resume_channel one;
		struct resume_channel *table;
	};
	uint32_t n;
	uint32_t cap; /* of the table, a power of two; 0: none */
};

/* NULL: the session has no such channel.  Valid until the next change. */
struct resume_channel *resume_channel_find(
    const struct resume_channels *, uint64_t hash);
struct resume_channel *resume_channel_get(
    struct resume_channels *, uint64_t hash);
void resume_channel_remove(struct resume_channels *, struct resume_channel *);
/* The one at *i or after it, which then stands behind it; NULL: no more. */
struct resume_channel *resume_channels_next(
    const struct resume_channels *, uint32_t *i);
/* Up to where the client has the channel when it has confirmed acked. */
uint64_t resume_channel_has(const struct resume_channel *, uint64_t acked);
/* None of the channels can be continued. */
void resume_channels_lose(struct resume_channels *);
/*
 * The connection has ended, and the client has confirmed acked.  True: some of
 * the channels can be continued.
 */
bool resume_channels_settle(struct resume_channels *, uint64_t acked);
/* Drops the channels that the present connection has not entered. */
void resume_channels_drop_unused(struct resume_channels *);
void resume_channels_clear(struct resume_channels *);

#endif
