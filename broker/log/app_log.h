/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LOG_APP_LOG_H
#define BROKER_LOG_APP_LOG_H

/*
 * The log of one app: its ring, and the place of the newest record of each
 * channel.  All logs are in one table by the number of the app.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/log/ring.h"
#include "shared/base/hash.h"
#include "shared/base/str.h"

/* The events that were sent to subscribers with a session. */
struct app_log_counts {
	uint64_t news, continued, gaps, replayed;
	uint64_t reasons[6]; /* of gaps; by enum resume_reason */
};

struct app_log {
	struct hash_node node; /* in the table; the hash is that of the app */
	uint32_t app;
	struct ring *ring;
	/*
	 * struct head: by channel, the newest record, which may have left the
	 * ring
	 */
	struct hash heads;
	struct hash_cursor walked;
	/* Events that an earlier broker logged, sorted by (origin, seq). */
	struct logged *logged;
	size_t nlogged;
	unsigned appended; /* records, by this broker */
	char *path;
	struct app_log_counts counts;
};

struct app_logs {
	struct hash by_app;
	char *dir;    /* the directory of their files */
	char *copies; /* prefix of the paths of their copies; NULL: no copies */
	bool alone;   /* the logs are of this host, and of no cluster */
	/*
	 * In a cluster all hosts give an event the same number: the place of
	 * its message in the stream; see app_logs_set_place().
	 */
	uint64_t shared; /* see ring_restart(); 0: not joined yet */
	uint64_t place;  /* of what was applied last, or is being applied */
	bool between;    /* all of its entry has been applied */
};

/* Of a place: the message in its entry, from 1 on. */
#define APP_LOG_PLACE_BITS 15
#define APP_LOG_PLACE_MAX ((UINT64_C(1) << APP_LOG_PLACE_BITS) - 1)

/* The records of a channel after a position; see app_log_since(). */
struct app_log_part {
	uint64_t *offs; /* of its records, newest first; free(3) them */
	size_t n, cap;
	size_t bytes; /* of their frames */
};

enum app_log_result {
	APP_LOG_OK,
	APP_LOG_EVICTED, /* the log does not reach back that far */
	APP_LOG_TOO_MANY
};

/* Which records of a channel are wanted, and how many. */
struct app_log_limits {
	size_t events, bytes; /* at most this many */
	const uint64_t *own;  /* excludes events that these sockets have sent */
	size_t nown;
};

void app_logs_init(struct app_logs *, const char *dir, const char *copies);
/*
 * At a graceful stop: makes the copies, from which app_logs_open() restores
 * lost files.
 */
void app_logs_keep(const struct app_logs *);
/* Closes all logs; the files stay. */
void app_logs_clear(struct app_logs *);
/* The i-th message of the n-th entry is applied now; its number is given once.
 */
static inline void
app_logs_set_place(struct app_logs *s, uint64_t n, uint64_t i)
{
	s->place = n << APP_LOG_PLACE_BITS |
	    (i < APP_LOG_PLACE_MAX ? i : APP_LOG_PLACE_MAX);
	s->between = false;
}
/* All of the n-th entry has been applied. */
static inline void
app_logs_end_entry(struct app_logs *s, uint64_t n)
{
	if (s->place >> APP_LOG_PLACE_BITS != n)
		app_logs_set_place(s, n, APP_LOG_PLACE_MAX);
	s->between = true;
}
/*
 * The cluster's logs have this number (not 0): those that have not begin at the
 * present place.  missed: the others do, too, since events before are missing.
 */
void app_logs_share(struct app_logs *, uint64_t shared, bool missed);
/* The newest entry of the stream from which a log has an event; 0: none. */
uint64_t app_logs_newest(const struct app_logs *);
/* A number for an answer in the log. */
uint64_t app_logs_number(struct app_logs *, struct app_log *);
/* NULL: this app has no log. */
struct app_log *app_logs_find(const struct app_logs *, uint32_t app);
/* Opens or changes the log; NULL: no memory.  Logs what was lost. */
struct app_log *app_logs_open(
    struct app_logs *, uint32_t app, struct str id, uint64_t bytes);
/* Forgets the log, and removes its file. */
void app_logs_remove(struct app_logs *, uint32_t app);
/*
 * Removes the files of apps that no longer have a log: an old log that is
 * opened later would lack the events in between.
 */
void app_logs_sweep(const struct app_logs *);

/*
 * Gives the event its number, see ring_append(); r has everything but off, hash
 * and the chain.
 */
uint64_t app_log_append(struct app_log *, struct ring_record *r);
/* The number that an earlier broker has given the event; 0: none. */
uint64_t app_log_logged(const struct app_log *, uint64_t origin, uint64_t seq);
/* No worker will resend events of the earlier broker any more. */
void app_logs_forget(struct app_logs *);
/* The hash by which the log knows a channel. */
uint64_t app_log_hash(const struct app_log *, struct str channel);
/*
 * The records of a channel with a number above pos, within these limits.  The
 * caller frees part->offs in any case.
 */
enum app_log_result app_log_since(const struct app_log *, struct str channel,
    uint64_t pos, const struct app_log_limits *, struct app_log_part *);
/* Seconds since its oldest record; 0: it has none. */
uint64_t app_log_age(const struct app_log *);
/* The newest record of a channel; false: none is there. */
bool app_log_newest(
    const struct app_log *, struct str channel, struct ring_record *);
/* The newest record with this hash of a channel; false: none is there. */
bool app_log_head(const struct app_log *, uint64_t hash, struct ring_record *);
/* The one before it in its channel; false: none is there. */
bool app_log_before(
    const struct app_log *, struct str channel, struct ring_record *);

#endif
