/* SPDX-License-Identifier: MIT */
#ifndef BROKER_STATS_FAILURES_H
#define BROKER_STATS_FAILURES_H

/*
 * The latest failures, for pusherctl doctor.  Each app has a ring of its own,
 * and so have failures that belong to no app, so that strangers push out
 * nothing of an app's.  Everything begins with the broker process.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/str.h"
#include "shared/ipc/ipc_msg.h"

struct broker;
struct channel;
struct peer;

#define FAILURES_MAX 256  /* of one app */
#define FAILURE_NAME 165  /* bytes of a name; the rest is cut */
#define FAILURE_REASONS 4 /* sentences of one kind */
#define FAILURE_REASON 165
#define FAILURE_SIDS 64 /* APP_SIDS */

/* One name that failed in one way, perhaps often: 184 bytes. */
struct failure {
	uint64_t time_ms; /* the last time, of the wall clock */
	uint32_t count;
	uint32_t after_ms; /* FAILURE_LATE: after the event */
	uint8_t kind, reason, len;
	char name[FAILURE_NAME];
};

/* The last wrong signature with this reason, and its sockets. */
struct failure_sample {
	uint64_t sid;
	char *name, *proof, *data;
	size_t ndata; /* data may hold any bytes */
	uint64_t sids[FAILURE_SIDS];
};

struct failure_reason {
	uint64_t time_ms;
	uint64_t count;  /* since it is here */
	uint32_t status; /* of a request */
	char text[FAILURE_REASON];
	struct failure_sample *sample; /* or NULL */
};

struct failures {
	struct failure *v;
	uint32_t n, cap;
	uint64_t unheard; /* a bit for each hash of such a name */
	struct failure_reason reasons[FAILURE_KINDS][FAILURE_REASONS];
};

struct all_failures {
	struct failures *none; /* of no app; NULL until there is one */
	uint8_t unheard[256];  /* events of this second, by app */
	uint8_t refused[256];  /* subscriptions, likewise */
	uint64_t since_ms;
};

void failures_init(struct broker *);
void failures_clear(struct broker *);
/* NULL is allowed. */
void failures_free(struct failures *);
/* Once a second. */
void failures_tick(struct broker *);
/* Handler of FAILURE. */
int failures_on_failure(struct peer *, const struct msg_failure *);
/* An event for a channel without subscribers. */
void failures_unheard(struct broker *, uint32_t app, struct str channel);
/* A subscription that this process has refused. */
void failures_refused(
    struct broker *, uint32_t app, struct str channel, struct str why);
/* The first subscription of a channel. */
void failures_occupied(struct broker *, const struct channel *);

static inline struct str
failure_name(const struct failure *f)
{
	return str_make(f->name, f->len);
}

#endif
