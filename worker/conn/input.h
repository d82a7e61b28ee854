/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_INPUT_H
#define WORKER_CONN_INPUT_H

/*
 * Reads connections.  A connection has a window of questions that the broker
 * has not answered yet, a share of each turn, and half of client_buffer.
 * Beyond any of them it is not read, and TCP slows its client down, so that
 * each client pays for its own load.
 *
 * All connections together have a bound for each turn, and one for the
 * questions at the broker, with what their answers and events will cost.  Each
 * connection has a credit, from which the cost of its messages is taken (the
 * unit is about a microsecond).  Connections without credit wait in a line, and
 * those with credit pass them: a client that sends little never waits for those
 * that send much, however many they are.  Credit grows with each round, in
 * which each that waits has one turn.
 *
 * An HTTP request that asks the broker pauses its connection: its window is
 * one question.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/str.h"

struct buf;
struct conn;
struct conn_ops;
struct worker;

#define FLOW_WINDOW 16     /* questions; the connection stops at this many */
#define FLOW_GO_ON 8       /* and continues at this many */
#define FLOW_SIGNIN 4      /* questions that a sign-in counts as */
#define FLOW_SHARE 256     /* cost of one connection in one turn */
#define FLOW_TURN 16384    /* cost of all connections in one turn */
#define FLOW_ASKED 32768   /* cost of all questions that are not answered */
#define COST_MESSAGE 4     /* of a message, without its bytes */
#define COST_REQUEST 16    /* of an HTTP request */
#define COST_QUESTION 16   /* in the broker, too */
#define COST_BYTES 256     /* input that costs 1 */
#define COST_BODY 64       /* bytes of a body, when its request runs */
#define COST_ANSWER 1024   /* bytes of answers, or events, that cost 1 */
#define COST_DEFLATE 64    /* bytes that are compressed, likewise */
#define COST_DELIVERIES 10 /* events to one client each that cost 1 */
#define COST_WATCHED 1     /* of each user in a watchlist */
#define CREDIT_MAX 1024    /* of a new client, and of one that was quiet */
#define CREDIT_MIN (-256)  /* debts above this are forgiven */
#define CREDIT_ROUND 8     /* less than a question */

/* The reason why a connection waits; it is in one line at a time. */
enum input_line {
	LINE_FIRST,  /* the next turn, with credit */
	LINE_NEXT,   /* likewise, without */
	LINE_ASK,    /* likewise, and for the broker */
	LINE_UNPACK, /* its message is unpacked, if that is small */
	LINE_UNPACK_LARGE,
	LINES
};

/* A line: connections by sid, in the order in which they came. */
struct input_queue {
	uint64_t *sids;
	size_t first, end, cap;
};

struct inputs {
	struct input_queue lines[LINES];
	size_t in_round[LINES]; /* entries that wait since before the round */
	uint32_t spent;         /* cost of this turn */
	uint32_t share_end;     /* of the connection that is fed */
	uint16_t round;
};

/* Takes over an accepted socket and starts reading. */
struct conn *input_open(struct worker *, int fd, const struct conn_ops *);
/*
 * The same without reading it: conn_set_events() begins with that.  sid: its
 * socket id, or 0 for a new one.
 */
struct conn *input_make(
    struct worker *, int fd, const struct conn_ops *, uint64_t sid);
/* The bytes that wait are used in the next turn. */
void input_continue(struct conn *);

/*
 * Keeps bytes that wait for more of their message, in *b, which is made or
 * grows.  A larger buffer counts as input when memory is checked: for a moment
 * it is there beside the one before.
 */
void input_store(struct conn *, struct buf **b, struct str);

/*
 * Stops feeding and reading until input_resume(), which feeds the waiting
 * bytes.
 */
void input_pause(struct conn *);
void input_resume(struct conn *);
/* Ends the other reason not to read: the window, the share, the queue. */
void input_go(struct conn *);

/* n questions are on their way to the broker; their answers cost more. */
void input_asked(struct conn *, unsigned n, size_t cost);
/* The broker has answered n questions. */
void input_answered(struct conn *, unsigned n);
/* A new broker is asked everything again: counts from 0. */
void input_forget(struct conn *);
/* Continues in the next turn if nothing stops the connection any more. */
void input_check(struct conn *);
/* Does it have so much unread output that it must not request more? */
bool input_is_full(const struct conn *);
/* The connection has had its share of this turn. */
void input_yield(struct conn *);
/* The work that was done for it has cost this much. */
void input_charge(struct conn *, size_t cost);
/* Has the connection that is fed had its share? */
bool input_had_share(const struct conn *);
/* The same, until input_next() gives it back for this line. */
void input_wait(struct conn *, enum input_line);
/* Removes the first living connection from the line; NULL: there is none. */
struct conn *input_next(struct worker *, enum input_line);
size_t input_waiting(const struct worker *, enum input_line);
/* Once a turn: continues the connections that waited for it. */
void input_run(struct worker *);
/* Does any connection wait? */
bool input_is_left(const struct worker *);
void input_clear(struct worker *);

#endif
