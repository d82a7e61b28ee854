/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_RECEIPT_H
#define BROKER_CHANNEL_RECEIPT_H

/*
 * How many subscribers confirm an event: the workers with subscribers say who
 * got it, and the table of sessions says how far each client has come.
 */

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/list.h"
#include "shared/base/shares.h"
#include "shared/ipc/ipc_msg.h"

struct broker;
struct peer;

/* An event that has just been published. */
struct receipt_event {
	struct str channel;
	uint64_t pos;    /* its number in the log of the app; 0: none */
	uint64_t except; /* the sid that does not get it; 0: none */
};

struct receipt_channel {
	uint64_t pos, hash; /* hash: of the channel in the app's log */
	uint64_t waits;     /* bit per worker that has not said who got it */
	uint32_t total;     /* subscriptions at the publish */
	/* Clients with a session that have confirmed, that have not, others. */
	uint32_t confirmed, open, without_session;
	bool lost; /* a worker has ended before it said who got it */
};

/* A client with a session that has not confirmed. */
struct receipt_entry {
	uint64_t sid;
	uint32_t row; /* of the table of sessions */
	uint32_t channel;
};

/*
 * A request that waits; its owner embeds it, zeroes it at first, and sets br,
 * done and bytes.
 */
struct receipt {
	struct list link; /* in br->receipts->all */
	struct broker *br;
	struct share *requests; /* NULL: it has not begun, or is over */
	/* All have confirmed, or time is up; the owner ends it. */
	void (*done)(struct receipt *);
	uint64_t id;
	size_t bytes;  /* of the owner, for the account of the app's memory */
	size_t booked; /* all bytes in that account */
	double began, due;         /* broker_now() */
	struct receipt_channel *v; /* in the order of the events */
	size_t n;
	uint32_t waits;             /* answers of workers that are missing */
	uint32_t nopen, cap, at;    /* at: the entry to look at next */
	struct receipt_entry *open; /* without those that have confirmed */
};

struct receipts {
	struct list all; /* struct receipt */
	/* How many of them, and of their subscribers, are of each app. */
	struct shares by_requests, by_subscribers;
	ev_timer timer; /* runs while one waits */
	uint64_t last_id;
};

void receipts_init(struct broker *);
/* None waits any more. */
void receipts_clear(struct broker *);
/*
 * Behind the events themselves, on the same links.  False: too many wait, of
 * this app or together, or the app holds too much memory; *why says so.
 */
bool receipt_begin(struct receipt *, uint32_t app, const struct receipt_event *,
    size_t n, uint64_t ms, const char **why);
/* Frees what it holds; may be called twice. */
void receipt_end(struct receipt *);
/* Milliseconds since the publish. */
uint64_t receipt_ms(const struct receipt *);
/* The worker is gone: its subscribers stay open. */
void receipts_lost(struct broker *, unsigned slot);
/* Handler of RECEIPT_ROWS. */
int receipt_on_rows(struct peer *, const struct msg_receipt_rows *);

#endif
