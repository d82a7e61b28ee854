/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_FLOW_H
#define WORKER_CONN_FLOW_H

/*
 * How much of a client's input is used: a connection has a window of
 * questions that the broker has not answered yet, a share of each turn, and
 * half of client_buffer.  Over any of them it is not read, and TCP holds its
 * client back.  So one
 * connection's cost is paid by that connection.
 *
 * An HTTP request that asks the broker pauses its connection: its window is
 * one question.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct worker;

#define FLOW_WINDOW 16   /* questions; at so many the connection waits */
#define FLOW_GO_ON 8     /* … and goes on */
#define FLOW_SIGNIN 4    /* a sign-in counts as so many */
#define FLOW_MESSAGES 64 /* of one connection in one turn */
#define FLOW_REQUESTS 16 /* likewise, HTTP */

/* Connections whose input goes on in the next turn, by sid. */
struct flow {
	uint64_t *sids;
	size_t n, cap;
};

/* n questions are on their way to the broker, were answered. */
void flow_asked(struct conn *, unsigned n);
void flow_answered(struct conn *, unsigned n);
/* A new broker is told everything once more: counts anew from 0. */
void flow_forget(struct conn *);
/* Reads on, from the next turn on, unless something is in the way. */
void flow_check(struct conn *);
/* Has it so much to read that it shall not ask for more? */
bool flow_is_full(const struct conn *);
/* It has had its share of this turn. */
void flow_yield(struct conn *);
/* Once a turn.  True: some have to wait for the next one. */
bool flow_run(struct worker *);
void flow_clear(struct worker *);

#endif
