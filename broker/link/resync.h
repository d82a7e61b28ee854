/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LINK_RESYNC_H
#define BROKER_LINK_RESYNC_H

/*
 * The time after a broker's start, in which the workers report their state and
 * clients get no answers: see resync.c.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/list.h"
#include "shared/ipc/ipc_msg.h"

struct broker;
struct peer;

#define RESYNC_SECONDS 2. /* wait for a worker that sends nothing */
#define RESYNC_TICKS 20   /* that they are divided into */
/* Ticks in an upgrade: after so many a worker that stands still is replaced. */
#define RESYNC_PATIENT 60
#define RESYNC_MAX 15. /* wait for all while replays make progress */

enum resync_state {
	RESYNC_LIVE,   /* normal operation */
	RESYNC_REPLAY, /* workers replay their state */
	RESYNC_RESEND, /* workers resend unacknowledged messages */
};

struct resync {
	enum resync_state state;
	bool fresh; /* some worker has nothing to replay */
	ev_timer timer;
	unsigned ticks;         /* of it, since something moved */
	struct order_run *runs; /* the order of earlier brokers */
	size_t nruns;
	uint64_t base_us; /* places count from here: long ago */
	double began;     /* broker_now() */
};

void resync_init(struct broker *);
void resync_clear(struct broker *);
/* The replay begins. */
void resync_begin(struct broker *);
/* Does the resync still go on? */
bool resync_is_on(const struct broker *);
/* A worker has said HELLO. */
void resync_on_up(struct peer *);
/* Handler of RESYNC_DONE. */
int resync_on_done(struct peer *, const struct msg_resync_done *);
/*
 * Must this resent message wait because another worker may have an older one?
 * If so, it comes again.
 */
bool resync_must_wait(struct peer *, uint64_t seq);
/*
 * The clients of a worker may have missed an event.  Until it has read that, it
 * counts as not told: this broker may die before.
 */
void resync_tell_missed(struct peer *);
/* A message of this peer has been handled. */
void resync_step(struct peer *);
/*
 * Has every worker answered this ping, or a later one?  Then all that it sent
 * before it read the ping has been handled.  False also while one has no link.
 */
bool resync_all_passed(const struct broker *, uint64_t ping);
/* A link has come or gone: is the replay complete now? */
void resync_check(struct broker *);

#endif
