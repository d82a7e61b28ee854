/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LINK_RESYNC_H
#define BROKER_LINK_RESYNC_H

/*
 * The quiet time after a broker's start, in which the workers say what they
 * have: see resync.c.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/list.h"
#include "shared/ipc/ipc_msg.h"

struct broker;
struct peer;

#define RESYNC_SECONDS 2. /* that a worker is waited for without a word */
#define RESYNC_MAX 15.    /* that all are waited for while replays move */

enum resync_state {
	RESYNC_LIVE,    /* everyday */
	RESYNC_QUIET,   /* workers replay their state */
	RESYNC_BACKLOG, /* workers send again what was not acknowledged */
};

struct resync {
	enum resync_state state;
	bool fresh; /* some worker has nothing to replay */
	ev_timer timer;
	struct list answers;    /* that were put off, in their order */
	struct order_run *runs; /* what brokers before had taken */
	size_t nruns;
	uint32_t base_us; /* what EVENT.read_us is counted from: long ago */
	double began;     /* broker_now() */
};

void resync_init(struct broker *);
void resync_clear(struct broker *);
/* The quiet time begins. */
void resync_begin(struct broker *);
/* Nobody may be told or asked anything yet. */
bool resync_is_on(const struct broker *);
/* A worker has said HELLO. */
void resync_on_up(struct peer *);
/* Handler of RESYNC_DONE. */
int resync_on_done(struct peer *, const struct msg_resync_done *);
/*
 * Does this message of the backlog have to wait, because another worker may
 * have an older one in its own?  Then it will come again.  read_us: of an
 * EVENT, else 0.
 */
bool resync_must_wait(struct peer *, uint64_t seq, uint32_t read_us);
/* Gives answers that were put off.  True: more can go in the next turn. */
bool resync_go_on(struct broker *);
/* A message of this peer has been handled. */
void resync_step(struct peer *);
/* A link has come or gone: is everything there now? */
void resync_check(struct broker *);
/*
 * SUB and SIGNIN of the backlog are answered when all of it is in: then
 * answer() is called with app, sid, ref and channel of m.
 */
typedef void (*resync_answer)(
    struct peer *, const struct msg_sub *m, uint64_t stamp);
void resync_put_off(struct peer *, resync_answer answer,
    const struct msg_sub *m, uint64_t stamp);

#endif
