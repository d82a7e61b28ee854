/* SPDX-License-Identifier: MIT */
#ifndef WORKER_LINK_LINK_H
#define WORKER_LINK_LINK_H

/*
 * The link to the broker: connect, HELLO, reconnect and replay after the
 * broker's death.  What is kept for it is in worker/link/kept.h.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/ipc/ipc.h"

struct worker;

#define LINK_SEEN 128 /* origins; there are 64 at most at one time */

struct ended;

struct seen {
	uint64_t origin, seq;
};

enum link_state {
	LINK_DOWN,    /* no broker; tried again soon */
	LINK_FILLING, /* said HELLO; the apps are coming */
	LINK_UP
};

struct link {
	struct ipc ipc;
	enum link_state state;
	bool high;        /* above the water mark: publishes are refused */
	const char *lost; /* why, while that has not been logged */
	ev_timer retry;
	uint64_t broker;    /* the process at the other end; 0: none yet */
	uint64_t origin;    /* random; names this process in what it sends */
	uint64_t seq;       /* of the last numbered message */
	uint64_t acked;     /* the broker has handed on everything up to it */
	uint64_t taken;     /* … and put everything up to this in its order */
	double down_at;     /* worker_now() when the last broker was lost */
	struct buf *arena;  /* where they are built */
	struct outq kept;   /* acked + 1 .. seq, for sending again */
	size_t events;      /* bytes of them that are events */
	uint32_t *kept_len; /* ring: the length of each of them */
	uint32_t kept_head, kept_cap;
	struct ended *ended, **ended_end; /* see worker/link/kept.h; by seq */
	struct hash ended_refs;           /* subscriptions of them, by ref */
	struct seen seen[LINK_SEEN];      /* newest events by origin */
	unsigned seen_at, seen_next;
	unsigned silent; /* pings during which the broker said nothing */
	uint64_t heard;  /* messages of it, at the last ping */
	uint64_t ping;   /* id of the last one */
	ev_timer pinger;
};

void link_init(struct worker *);
void link_free(struct worker *);
/* What the master has handed over: a socket to the broker, or -1. */
void link_take(struct worker *, int fd);
/* Sends to the broker what this turn queued. */
void link_flush(struct worker *);
/* Messages can be sent: there is a broker, or there will be one soon. */
bool link_is_open(const struct worker *);
/* The broker at the other end has answered: it serves. */
bool link_is_up(const struct worker *);
/*
 * May it be answered that what was sent up to this seq is published?  With one
 * worker, once the kernel has taken it: nothing can overtake it on this link.
 * With several, once the broker has given it its place before everything that
 * is published later through another one.  Without a broker for longer than
 * LINK_ANSWER_SECONDS: it is kept here and will be sent.
 */
bool link_may_answer(const struct worker *, uint64_t seq);
#define LINK_ANSWER_SECONDS 1.
/* Once a second. */
void link_tick(struct worker *);
/*
 * May an event be published now?  False above the high-water mark, for which
 * only events count.
 */
bool link_may_publish(struct worker *);
/* Is what has this number new here, or did an earlier broker send it? */
bool link_is_news(struct worker *, uint64_t origin, uint64_t seq);

/* Handlers of APPS_DONE, MISSED, PING, PONG. */
int link_on_apps_done(struct worker *, const struct msg_apps_done *);
int link_on_missed(struct worker *);
int link_on_ping(struct worker *, const struct msg_ping *);
int link_on_pong(struct worker *, const struct msg_pong *);

#endif
