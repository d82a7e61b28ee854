/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_INSIDE_H
#define BROKER_CLUSTER_INSIDE_H

/* struct cluster; only for the files of this room. */

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/cluster/engine.h"
#include "broker/cluster/entry.h"
#include "broker/cluster/hosts.h"
#include "broker/cluster/records.h"
#include "broker/cluster/stream_length.h"
#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/newest.h"
#include "shared/base/shares.h"
#include "shared/ipc/ipc.h"
#include "shared/proc/event_order.h"
#include "shared/proc/proc.h"
#include "shared/proc/stats.h"

#define LEASE_MS "6000"
#define QUEUE_BYTES (8u << 20) /* then no worker is read */

struct part {
	struct list link;
	struct buf *b;
};

enum cluster_state {
	CLUSTER_LEFT,    /* the server stops, or pusherctl has said so */
	CLUSTER_LEAVING, /* ... and Redis has not answered */
	CLUSTER_OUT,
	CLUSTER_JOINING, /* JOIN is on its way */
	CLUSTER_CATCHING_UP,
	CLUSTER_COLLECTING,
	CLUSTER_LIVE
};

/* See session_moves.c. */
struct session_moves {
	struct hash by_id, by_sid;
	struct list waiting;
	ev_timer timer;
	uint64_t asked; /* the last entry with a SESSION of another host, */
	uint64_t
	    answered;   /* and the last one to which this host has said so, */
	uint64_t heard; /* and of which the stream has brought the answer */
};

/* See session_store.c. */
struct session_store {
	struct stored_session *v; /* by row; NULL until there are sessions */
	uint32_t next;            /* row */
	unsigned unanswered;
	struct shares apps; /* bytes of keys that may stand there */
	double leaked;      /* ... as of this broker_now() */
	ev_timer timer;
};

struct cluster {
	struct broker *br;
	const ipc_handler *handlers;
	struct engine engine;
	struct hosts hosts;
	struct newest seen; /* events of workers in the stream */
	ev_timer beat;
	enum cluster_state state;
	bool started, up; /* up: as the workers know it */
	double leave_by;  /* broker_now(): pusherctl has said so; 0: not */
	bool closed;      /* ... and no event is taken any more */
	uint64_t epoch;
	char epoch_text[24], instance[160], prefix[80];

	struct entry entry; /* being written */
	struct list parts; /* finished ones: struct part; the first is on ... */
	bool sending;      /* ... its way, ... */
	uint64_t sent;     /* ... and has this number */
	size_t queued;     /* bytes of the parts and of the entry */
	uint64_t origins[PROC_MAX_WORKERS]; /* of the own workers, as applied */
	unsigned ends[PROC_MAX_WORKERS]; /* of them that are not applied yet */

	struct order_place at, joined; /* read up to here; the own JOIN */
	bool reading, starved; /* starved: an error, tried again at a beat */
	bool checked;          /* Redis has what was read before it was up */
	bool logs_only; /* what it catches up with is for the logs alone */
	/* The last two that were logged: the errors of tries can alternate. */
	char complaints[2][512];
	uint64_t passed_n; /* entries that were passed on to all workers */
	uint64_t beat_n;   /* entries read when the beat was sent */
	uint64_t newest;   /* entries of the stream at the last beat */
	double sent_at;    /* broker_now() when it, or JOIN, was sent */
	double beaten;     /* broker_now() then; 0: none yet */
	struct app_records apps;
	struct session_moves moves;
	struct session_store store;
	struct stream_length length;
	struct hash conn_shares;    /* struct conn_share: apps with a limit */
	ev_timer conn_shares_timer; /* while connections wait for a place */
	uint64_t napplied, nconnects, ndowns, nerrors;
	uint64_t sent_us; /* when the entry on its way was sent first */
	struct stats_hist append;
	uint64_t ngone;         /* other hosts that left or fell silent */
	int64_t clock_error;    /* ms that this clock is ahead of Redis' */
	bool slow, wrong_clock; /* it has been logged */
};

/* While it collects, the workers are sent nothing behind its JOIN. */
static inline const struct order_place *
cluster_applied(const struct cluster *cl)
{
	return cl->state == CLUSTER_COLLECTING ? &cl->joined : &cl->at;
}
/* Logs an error of Redis, unless it is one of the last two complaints. */
void cluster_complain(struct cluster *, const char *why);

#endif
