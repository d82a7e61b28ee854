/* SPDX-License-Identifier: MIT */
#ifndef WORKER_LINK_LINK_H
#define WORKER_LINK_LINK_H

/*
 * The link to the broker: connects, says HELLO, watches that the broker
 * lives, and connects again after its death.  It knows no messages except
 * its own: link_handler reacts when a broker comes or goes.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/ipc/ipc.h"

struct worker;

#define LINK_SEEN 128 /* origins; there are 64 at most at one time */

struct seen {
	uint64_t origin, seq;
};

enum link_state {
	LINK_DOWN,    /* no broker; tried again soon */
	LINK_FILLING, /* said HELLO; the apps are coming */
	LINK_UP
};

struct link_handler {
	const ipc_handler *handlers; /* of the broker's messages */
	/* A broker is connected: before HELLO and behind it. */
	void (*hello)(struct worker *);
	void (*replay)(struct worker *);
	/*
	 * The broker has named every app and serves.  dropped: it is the one
	 * of before, and has thrown away what was queued for this worker.
	 */
	void (*up)(struct worker *, bool dropped);
	/* The link is gone. */
	void (*lost)(struct worker *);
};

struct link {
	struct ipc ipc;
	const struct link_handler *ops;
	struct ipc_ops ipc_ops; /* made of them */
	enum link_state state;
	const char *lost; /* why, while that has not been logged */
	ev_timer retry;
	uint64_t broker; /* the process at the other end; 0: none yet */
	uint64_t origin; /* random; names this process in what it sends */
	double down_at;  /* worker_now() when the last broker was lost */
	struct seen seen[LINK_SEEN]; /* newest events by origin */
	unsigned seen_at, seen_next;
	unsigned silent; /* pings during which the broker said nothing */
	uint64_t heard;  /* messages of it, at the last ping */
	uint64_t ping;   /* id of the last one */
	ev_timer pinger;
};

/* Connects, or tries it until there is a broker. */
void link_init(struct worker *);
void link_free(struct worker *);
/* A socket to the broker that the master has passed, or -1. */
void link_take(void *worker, int fd);
/* Sends to the broker what this turn queued. */
void link_flush(struct worker *);
/* Messages can be sent: there is a broker, or there will be one soon. */
bool link_is_open(const struct worker *);
/* The broker at the other end has answered: it serves. */
bool link_is_up(const struct worker *);
/* Bytes that are queued for the broker. */
size_t link_queued(const struct worker *);
/* Is what has this number new here, or did an earlier broker send it? */
bool link_is_news(struct worker *, uint64_t origin, uint64_t seq);

/* Handlers of APPS_DONE, PING, PONG. */
int link_on_apps_done(struct worker *, const struct msg_apps_done *);
int link_on_ping(struct worker *, const struct msg_ping *);
int link_on_pong(struct worker *, const struct msg_pong *);

struct ipc *link_ipc(struct worker *); /* NULL: the link is down */

/*
 * link_send_query(w, &msg): queues a copy; does nothing while the link is
 * down.  Numbered messages go through worker/link/unacked.h.
 */
#define MSG(name, NAME, sender) \
	static inline void link_send_##name( \
	    struct worker *w, const struct msg_##name *m) \
	{ \
		struct ipc *ipc = link_ipc(w); \
		if (ipc != NULL) \
			ipc_send_##name(ipc, m); \
	}
#include "shared/ipc/ipc_msgs.def"

#endif
