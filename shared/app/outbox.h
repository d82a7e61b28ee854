/* SPDX-License-Identifier: MIT */
#ifndef SHARED_APP_OUTBOX_H
#define SHARED_APP_OUTBOX_H

/*
 * Webhooks on disk (SQLite, WAL): requests that wait, that have failed for
 * good, and the last delivered ones; the states of which applications were
 * notified; the last event received from each broker.  A change begins a
 * transaction if there is none; outbox_commit() ends it.
 *
 * Unless stated otherwise, functions return 0, or -1 with outbox_error(): then
 * the whole transaction is void, and the caller calls outbox_close().
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/str.h"

struct outbox;

enum outbox_state { OUTBOX_WAITING, OUTBOX_DEAD, OUTBOX_DONE };
/* The queue of a request: that of its channel, of batches, or of tests. */
enum outbox_queue { OUTBOX_CHANNEL, OUTBOX_BATCHES, OUTBOX_TESTS };

/* Number of delivered requests that are remembered. */
#define OUTBOX_DONE_KEPT 1000

/* One request. */
struct outbox_row {
	uint64_t id; /* never used again */
	uint32_t endpoint, app;
	uint32_t kind;  /* enum webhook_kind, of the first event */
	uint32_t queue; /* enum outbox_queue */
	uint32_t count; /* events */
	uint32_t state;
	uint32_t attempts;
	uint32_t status;     /* HTTP status of the last answer, or 0 */
	uint64_t time_ms;    /* of the first event */
	uint64_t next_ms;    /* earliest time of the next attempt */
	uint64_t until_ms;   /* no more attempts after it; 0: not set yet */
	uint64_t changed_ms; /* when it entered its state */
	struct str owner;    /* "UUID/ID" of database and app; "": unknown */
	struct str channel;  /* of the first event */
	struct str answer;   /* the last one, in words */
	struct str events;   /* JSON, with commas between them */
	size_t bytes;        /* of events on disk; 0 when it has arrived */
};

struct outbox_counts {
	uint64_t waiting, dead, done;
	uint64_t bytes; /* of events that are kept */
};

/*
 * Opens the file; makes it (mode 0600) if it is missing and create is set.
 * NULL and *why (free(3) it); without a *why: it does not exist yet.
 */
struct outbox *outbox_open(const char *path, bool create, char **why);
/*
 * NULL: the path still names the open file, and it looks undamaged; else what
 * has happened to it: "was deleted ...".
 */
const char *outbox_is_lost(struct outbox *);
/*
 * Writes all committed rows to <path>.saved; no other process can be using it.
 * beat is called meanwhile.  After outbox_close(), outbox_bring_back() moves it
 * to path, and renames a file that is there already to <path>.found.
 */
int outbox_save(
    struct outbox *, const char *path, void (*beat)(void *), void *arg);
void outbox_bring_back(const char *path);
/* Rolls back what is not committed. */
void outbox_close(struct outbox *);
const char *outbox_error(const struct outbox *);
/* Writes something, so that a full disk is noticed. */
int outbox_probe(struct outbox *);
int outbox_commit(struct outbox *);
bool outbox_is_dirty(const struct outbox *);
/* Has another process written since the last call? */
bool outbox_has_changed(struct outbox *);
void outbox_count(const struct outbox *, struct outbox_counts *);
/* X-Pusherd-Delivery of a row: the same for every try. */
#define OUTBOX_NAME_MAX 40
void outbox_name(const struct outbox *, uint64_t id, char out[OUTBOX_NAME_MAX]);

/*
 * A courier's clock says now_ms: if an earlier courier's said something else,
 * moves all times to it.
 */
int outbox_set_clock(struct outbox *, uint64_t now_ms);

/* Inserts and sets row->id and row->bytes. */
int outbox_put(struct outbox *, struct outbox_row *);
/* The same row with more events: id, count, events; sets bytes. */
int outbox_extend(struct outbox *, struct outbox_row *);
/* The request was delivered. */
int outbox_done(struct outbox *, const struct outbox_row *);
/*
 * It was not delivered: attempts, next_ms, until_ms, status, answer (empty: the
 * last answer and status stay); with state DEAD it is given up.
 */
int outbox_failed(struct outbox *, const struct outbox_row *);
/* Appends the events of a waiting row: 1; 0: it no longer waits. */
int outbox_events(struct outbox *, uint64_t id, struct buf **events);

/*
 * Calls back for rows by id, without their events; state -1: all; endpoint
 * 0: all; id: only that one, 0: all.  Texts are valid during the call.  Stops
 * when fn returns non-zero.
 */
struct outbox_query {
	int state;
	uint32_t endpoint, app;
	uint64_t id, after; /* after: only larger ids */
};
typedef int (*outbox_fn)(void *arg, const struct outbox_row *);
int outbox_each(
    struct outbox *, const struct outbox_query *, outbox_fn, void *);
/*
 * Dead requests wait again, until a time that the courier sets when it reads
 * them: how many, or -1.
 */
int outbox_revive(struct outbox *, const struct outbox_query *);
/* Extends the time of waiting rows by the time in which none could be tried. */
int outbox_postpone(struct outbox *, uint64_t since_ms, uint64_t now_ms);
/* Deletes rows: how many, or -1. */
int outbox_delete(struct outbox *, const struct outbox_query *);
/*
 * Deletes up to n of the oldest dead rows, or else of waiting client events and
 * counts: how many, or -1.  They count as dropped.
 */
int outbox_shrink(struct outbox *, unsigned n);
/*
 * The endpoint that holds most of the waiting and dead rows, by rows or by
 * bytes: 0, or -1.  *endpoint 0: there is none.
 */
struct outbox_holder {
	uint32_t endpoint;
	uint64_t rows, bytes;
};
int outbox_largest(struct outbox *, bool by_bytes, struct outbox_holder *);
/*
 * Deletes up to n of the oldest rows of an endpoint, dead ones and client
 * events first: how many, with their ids (room for n), or -1.  They count as
 * dropped.
 */
int outbox_yield(struct outbox *, uint32_t endpoint, unsigned n, uint64_t *ids);

/* The state of an endpoint of a database (UUID). */
struct outbox_health {
	uint32_t endpoint;
	uint64_t waiting;    /* events */
	uint64_t oldest_ms;  /* Unix ms of the oldest waiting one; 0: none */
	uint64_t dropped;    /* events, for lack of room */
	uint64_t failing_ms; /* no attempt has succeeded since; 0: one has */
};
/* Calls back for each known endpoint, by number. */
int outbox_each_health(struct outbox *, const char *database,
    void (*fn)(void *arg, const struct outbox_health *), void *arg);
int outbox_set_failing(
    struct outbox *, uint32_t endpoint, const char *database, uint64_t ms);
/*
 * This endpoint no longer exists: deletes its rows and its state.  Waiting rows
 * of another database are kept as dead letters: how many, or -1.
 */
int outbox_disown(
    struct outbox *, uint32_t endpoint, const char *database, uint64_t now_ms);
/* Gives rows of this endpoint from an earlier version their owner. */
int outbox_adopt(
    struct outbox *, uint32_t endpoint, uint32_t app, const char *owner);
/* Deletes all delivered requests but the last ones. */
int outbox_forget_done(struct outbox *);
/* Deletes dead requests and origins from before this time. */
int outbox_prune(struct outbox *, uint64_t before_ms);

/* The state that applications were notified of; user is empty for a channel. */
struct outbox_hook_state {
	uint32_t app;
	struct str owner; /* as in a row */
	struct str channel, user;
	bool missed; /* a cache miss */
};
int outbox_set_hook_state(struct outbox *, const struct outbox_hook_state *);
int outbox_delete_hook_state(struct outbox *, const struct outbox_hook_state *);
int outbox_each_hook_state(struct outbox *,
    int (*fn)(void *arg, const struct outbox_hook_state *), void *arg);

/* The last seq that came from this origin; 0: none. */
int outbox_get_seq(struct outbox *, uint64_t origin, uint64_t *seq);
int outbox_set_seq(
    struct outbox *, uint64_t origin, uint64_t seq, uint64_t now_ms);

#endif
