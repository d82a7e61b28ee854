/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_CONTROL_H
#define BROKER_CONTROL_CONTROL_H

/*
 * The control socket: who asks, rows, end.  What the verbs do is in verb.c.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "broker/stats/totals.h"
#include "shared/base/list.h"
#include "shared/ipc/ipc.h"
#include "shared/json/json_write.h"
#include "shared/net/door.h"

struct broker;
struct name_list;
struct conn_query;
struct tail;

struct control_client;

/* Answers a question, at once or later; args: a JSON object. */
typedef void (*control_run)(
    struct control_client *, struct str verb, struct str args);

struct control {
	control_run run;
	struct list clients, gone;
	uint64_t conn_query_id, ask_id; /* the last ones given out */
	struct door door;
	unsigned n;
};

struct control_client {
	struct ipc ipc;
	struct list link; /* in control->clients or gone */
	struct broker *br;
	uid_t uid;
	pid_t pid;
	bool hello, asked, ended;
	bool over;               /* its socket is done for: drop it */
	double moved;            /* broker_now() of the last progress */
	uint64_t sent;           /* bytes that had left then */
	uint64_t ping, slots;    /* waits for these PONGs of these workers */
	uint64_t asked_master;   /* waits for this answer of the master; or 0 */
	struct name_list *names; /* a list that takes several turns */
	struct conn_query *conn_query; /* workers are asked */
	struct tail *tail;             /* it is told of events until it goes */
	struct totals_wait wait;       /* workers are asked for numbers */
	void (*then)(struct control_client *); /* they have answered */
	uint32_t app;                          /* what was asked: 0: all apps */
	uint64_t limit;                        /* rows */
};

void control_init(struct broker *, control_run);
/* Starts to accept on this descriptor; -1: there is no control socket. */
void control_start(struct broker *, int fd);
void control_clear(struct broker *);
/* Goes on with long lists, one portion each. */
void control_go_on(struct broker *);
/* Sends what is queued; true when there was something. */
bool control_flush(struct broker *);
/* The end of a turn: frees; true when something is left for the next. */
bool control_reap(struct broker *);
/* Once a second: drops clients that neither ask nor read. */
void control_tick(struct broker *);
/*
 * The worker has answered this ping, and all before it; UINT64_MAX: it is
 * gone, and nothing waits for it.
 */
void control_on_pong(struct broker *, unsigned slot, uint64_t id);

/*
 * Asks the workers for their numbers; then() goes on when they are there, or
 * late.  It ends the question.
 */
void control_ask(
    struct control_client *, void (*then)(struct control_client *));

/* For the verbs: a finished row (takes what was written), and the end. */
void control_row(struct control_client *, struct json_writer *);
void control_end(struct control_client *);
void control_fail(struct control_client *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
