/* SPDX-License-Identifier: MIT */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

/* The broker role: channels, members, users, apps; one of it per host. */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "broker/app/apps.h"
#include "broker/app/claims.h"
#include "broker/channel/cache.h"
#include "broker/channel/registry.h"
#include "broker/control/control.h"
#include "broker/control/tail.h"
#include "broker/link/resync.h"
#include "broker/stats/history.h"
#include "broker/stats/scrape.h"
#include "broker/stats/sums.h"
#include "broker/user/users.h"
#include "broker/webhook/hooks.h"
#include "shared/base/buf.h"
#include "shared/base/list.h"
#include "shared/net/door.h"
#include "shared/proc/proc.h"
#include "shared/role/leave.h"
#include "shared/role/orders.h"
#include "shared/role/pulse.h"

struct conf;
struct peer;

struct broker {
	const struct inherit *inherit;
	const struct conf *conf;
	struct ev_loop *loop;
	ev_prepare prepare; /* end of the turn: flush, acknowledge, reap */
	ev_idle busy;       /* runs while a turn left work over */
	ev_timer tick;      /* once a second: what has expired */
	struct pulse pulse;
	ev_timer ping;    /* every 5 s: are the links alive? */
	ev_timer ack;     /* acknowledgements that found no company */
	ev_timer suspect; /* members of dead workers */
	ev_timer offline; /* users who may come back */
	struct leave leave;
	struct door door; /* the workers' and the courier's socket */
	struct orders orders;

	struct places *places; /* what the next broker has to know, or NULL */
	uint64_t id;           /* random; names this process */
	unsigned nslots; /* room for workers; conf->nworkers are expected */
	struct peer *peers[PROC_MAX_WORKERS]; /* by slot, after HELLO */
	uint64_t origins[PROC_MAX_WORKERS];   /* of the last HELLO */
	struct list links;                    /* every struct peer */
	struct peer *cause;                   /* whose message is handled */
	bool congested; /* a worker has too much to read: none is read */
	struct resync resync;
	struct list gone; /* freed at the end of the turn */
	uint64_t ping_id; /* the last one given out */
	uint64_t survey_id;
	uint64_t ask_id; /* likewise, of questions to the master */

	struct registry registry;
	struct cache cache;
	struct users users;
	struct broker_apps apps;
	struct claims claims;
	struct control control;
	struct hooks hooks;
	struct sums sums;
	struct history history;
	struct list scrapes;  /* GET /metrics, see scrape.c */
	struct list suspects; /* struct member, by the time they leave */
	struct list queries;  /* lists that take several turns */
	struct list tails;    /* who watches events pass, */
	unsigned ntails;      /* and how many */

	struct buf *scratch; /* where one answer is built */
	uint64_t stamp;      /* of the last subscription, in time order */
	uint64_t nevents;    /* that workers sent */
	double started;      /* broker_now() */
};

/* The whole life of the broker process; returns its exit code. */
int broker_main(const struct inherit *);

/*
 * The parts of broker_main() that need no socket: everything empty, with its
 * timers; and back.  conf stays the caller's.
 */
void broker_init(struct broker *, const struct conf *);
void broker_clear(struct broker *);
/* The end of a turn: everything queued leaves, the dead are freed. */
void broker_turn(struct broker *);

/* Seconds of the monotonic clock. */
double broker_now(void);
/* An empty buf to build one answer in; gone when it is asked for again. */
struct buf **broker_scratch(struct broker *);

#endif
