/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_INPUT_H
#define WORKER_CONN_INPUT_H

/*
 * Reads connections.  A connection has a window of questions that the broker
 * has not answered yet, a share of each turn, and half of client_buffer.
 * Beyond any of them it is not read, and TCP holds its client back, so that
 * each client pays for its own load.
 *
 * An HTTP request that asks the broker pauses its connection: its window is
 * one question.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct conn_ops;
struct worker;

#define FLOW_WINDOW 16   /* questions; the connection stops at this many */
#define FLOW_GO_ON 8     /* and continues at this many */
#define FLOW_SIGNIN 4    /* questions that a sign-in counts as */
#define FLOW_MESSAGES 64 /* of one connection in one turn */
#define FLOW_REQUESTS 16 /* likewise, HTTP */

/* Connections whose input continues in the next turn, by sid. */
struct input_queue {
	uint64_t *sids;
	size_t n, cap;
};

/* Takes over an accepted socket and starts reading. */
struct conn *input_open(struct worker *, int fd, const struct conn_ops *);

/* Stops feeding and reading until input_resume(), which feeds what waits. */
void input_pause(struct conn *);
void input_resume(struct conn *);
/* Ends the other reason not to read: the window, the share, the queue. */
void input_go(struct conn *);

/* n questions are on their way to the broker. */
void input_asked(struct conn *, unsigned n);
/* The broker has answered n questions. */
void input_answered(struct conn *, unsigned n);
/* A new broker is asked everything again: counts from 0. */
void input_forget(struct conn *);
/* Continues in the next turn if nothing stops the connection any more. */
void input_check(struct conn *);
/* Does it have so much output to read that it must not ask for more? */
bool input_is_full(const struct conn *);
/* The connection has had its share of this turn. */
void input_yield(struct conn *);
/* Once a turn.  True: some have to wait for the next one. */
bool input_run(struct worker *);
void input_clear(struct worker *);

#endif
