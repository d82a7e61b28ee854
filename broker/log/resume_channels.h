/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LOG_RESUME_CHANNELS_H
#define BROKER_LOG_RESUME_CHANNELS_H

/*
 * The channels of one resumable session, found by the hash that the app's log
 * gives them (app_log_hash()).
 */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESUME_POS_MAX (UINT64_MAX >> 1)
#define RESUME_CHANNELS_MAX 20000 /* of one session */
/* Of a channel or of the rest; see resume_session.lost. */
#define RESUME_NOTHING UINT32_MAX

/* Packed, so that a session with one channel takes 32 bytes. */
struct resume_channel {
	uint64_t hash; /* 0: there is none here */
	/*
	 * The client has the channel up to at - back; and, when it has
	 * confirmed `at`, up to its confirmation.  RESUME_NOTHING: it has
	 * nothing until then.
	 */
	uint64_t at : 63;
	uint64_t now : 1; /* in the present connection */
	uint32_t back;
} __attribute__((packed, aligned(4)));

/* All zero: empty.  One channel needs no table, if there is no rest. */
struct resume_channels {
	union {
		struct resume_channel one;
		struct {
			struct resume_channel *table;
			uint64_t rest; /* see has_rest */
		} __attribute__((packed, aligned(4))) many;
	};
	uint32_t n : 15;
	uint32_t bits : 4; /* the table has 1 << bits places; 0: none */
	/*
	 * The client may have channels that are not listed, all up to
	 * many.rest; 0: see resume_session.lost.
	 */
	uint32_t has_rest : 1;
};
static_assert(sizeof(struct resume_channels) == 24, "struct resume_channels");

/* NULL: the session has no such channel.  Valid until the next change. */
struct resume_channel *resume_channel_find(
    const struct resume_channels *, uint64_t hash);
struct resume_channel *resume_channel_get(
    struct resume_channels *, uint64_t hash);
void resume_channel_remove(struct resume_channels *, struct resume_channel *);
/* The one at *i or after it, which then stands behind it; NULL: no more. */
struct resume_channel *resume_channels_next(
    const struct resume_channels *, uint32_t *i);
/* The client has it up to from (0: nothing); see resume_channel.at. */
void resume_channel_set(struct resume_channel *, uint64_t from, uint64_t at);
/* Up to where the client has it without a confirmation; 0: nothing. */
uint64_t resume_channel_from(const struct resume_channel *);
/* Up to where the client has the channel when it has confirmed acked. */
uint64_t resume_channel_has(const struct resume_channel *, uint64_t acked);
/* It may have channels that are not listed, all up to pos. */
void resume_channels_add_rest(struct resume_channels *, uint64_t pos);
/* Up to where it has those that are not listed; 0: nothing. */
uint64_t resume_channels_rest(const struct resume_channels *);
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
