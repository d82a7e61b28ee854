/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LOG_RESUME_ENTER_H
#define BROKER_LOG_RESUME_ENTER_H

/* The events and the status for a session that enters a channel. */

#include <stdint.h>

#include "broker/log/resume.h"

/* The answer to SUB of a connection with a session. */
struct resume_answer {
	enum resume_status status;
	enum resume_reason reason;
	uint64_t from; /* RESUME_CONTINUED: the events above it follow */
};

/*
 * Finds the events that must be sent to a client that enters this channel now.
 * The caller then calls resume_entered() with the numbers that it has sent.
 */
struct resume_answer resume_enter(const struct resumes *,
    const struct resume_session *, uint64_t hash, double now);
void resume_entered(struct resumes *, struct resume_session *, uint64_t hash,
    uint64_t from, uint64_t at);
/* The connection has left it, which the row remembers. */
void resume_left(struct resumes *, struct resume_session *, uint64_t hash);

#endif
