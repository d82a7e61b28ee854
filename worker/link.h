/* SPDX-License-Identifier: MIT */
#ifndef WORKER_LINK_H
#define WORKER_LINK_H

/*
 * The link to the broker: connect, HELLO, reconnect and replay after the
 * broker's death, numbering of events, and the events that the broker has
 * not acknowledged yet.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/ipc.h"

struct worker;

#define LINK_HOLD_SECONDS 1.0 /* publishes wait for a new broker so long */

enum link_state {
	LINK_DOWN,    /* no broker; tried again soon */
	LINK_FILLING, /* said HELLO; the apps are coming */
	LINK_UP
};

struct link {
	struct ipc ipc;
	enum link_state state;
	bool high; /* above the water mark: publishes are refused */
	ev_timer retry;
	double down_since;  /* loop time, while LINK_DOWN */
	uint64_t origin;    /* random; names this process in its events */
	uint64_t seq;       /* of the last event sent */
	uint64_t acked;     /* the broker has handed on everything up to it */
	struct buf *arena;  /* where events are built */
	struct outq kept;   /* events acked + 1 .. seq, for sending again */
	uint32_t *kept_len; /* ring: the length of each of them */
	uint32_t kept_head, kept_cap;
};

void link_init(struct worker *);
void link_free(struct worker *);
/* Sends to the broker what this turn queued. */
void link_flush(struct worker *);
/* Messages can be sent: there is a broker, or there will be one soon. */
bool link_is_open(const struct worker *);
/* The kernel has taken everything that was queued. */
bool link_is_drained(const struct worker *);
/* May an event be published now?  False above the high-water mark. */
bool link_may_publish(struct worker *);
/* Numbers the event (m->origin, m->seq) and sends it. */
void link_send_event(struct worker *, struct msg_event *m);

/* Handlers of ACK, APPS_DONE, PING. */
int link_on_ack(struct worker *, const struct msg_ack *);
int link_on_apps_done(struct worker *);
int link_on_ping(struct worker *, const struct msg_ping *);

#endif
