/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LOG_REPLAY_H
#define BROKER_LOG_REPLAY_H

/*
 * The answer to a resumed subscription: the events that the client has missed,
 * and pusher:resume, which says whether they are complete.
 */

#include <stdbool.h>
#include <stdint.h>

#include "broker/log/app_log.h"
#include "broker/log/resume.h"
#include "broker/log/resume_enter.h"
#include "shared/base/buf.h"
#include "shared/ipc/ipc_msg.h"

struct conf;
struct resume_channel;

struct replay {
	const struct conf *conf;
	struct app_logs logs;
	struct resumes sessions;
};

/* The answer to one subscription, before it is written. */
struct replay_sub {
	struct app_log *log; /* NULL: the app has none */
	struct resume_answer answer;
	struct app_log_part part;
	uint64_t pos;  /* the log's newest number */
	uint32_t back; /* see resume_channel.back */
	struct str channel;
};

void replay_init(struct replay *, const struct conf *);
void replay_clear(struct replay *);
/* The event's number in its app's log, given now or before; 0: none. */
uint64_t replay_log(struct replay *, const struct msg_event *);

/*
 * The connection has entered the channel: finds the events that it missed.
 * now: seconds of the monotonic clock.  The caller then writes the cached
 * event, if replay_wants_cached(), and calls replay_write(), which ends it.
 */
void replay_begin(struct replay *, struct replay_sub *, uint32_t app,
    uint64_t sid, struct str channel, double now);
/* On `continued` the cached event is among the replayed ones, or known. */
static inline bool
replay_wants_cached(const struct replay_sub *r)
{
	return r->answer.status != RESUME_CONTINUED;
}
/* The answer that a session would get if it entered a channel now. */
struct resume_forecast {
	const char *word; /* a status, or the reason of a gap */
	size_t missed;    /* number of events, on "continued" */
};
/* channel.p == NULL: no event of the channel is in the log. */
struct resume_forecast replay_forecast(const struct replay *,
    const struct app_log *, const struct resume_session *,
    const struct resume_channel *, struct str channel);
void replay_write(
    struct replay *, struct replay_sub *, uint64_t sid, struct buf **);
/* A connection reports to a new broker that it is in the channel. */
void replay_recall(struct replay *, uint32_t app, uint64_t sid,
    struct str channel, uint64_t pos, uint32_t back);
/* The connection has left the channel. */
void replay_left(
    struct replay *, uint32_t app, uint64_t sid, struct str channel);

#endif
