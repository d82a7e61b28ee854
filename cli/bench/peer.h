/* SPDX-License-Identifier: MIT */
#ifndef CLI_BENCH_PEER_H
#define CLI_BENCH_PEER_H

/*
 * One connection of the load generator, and what a run keeps of all of them.
 *
 *   run.c       the processes, the loop, bringing clients up
 *   peer.c      bytes in and out
 *   sent_event.c events under way, and whether they arrive
 *   publish.c   scenarios over HTTP: fanout, publish, slow, idle
 *   event.c     client events
 *   presence.c  members that come and go
 *   connect.c   connect, stampede
 *   resume.c    clients that are cut off and come back
 *   server_cost.c what the server's processes cost
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/bench/bench.h"
#include "shared/base/buf.h"

#define BENCH_RECV_BYTES (256u << 10)
#define BENCH_SENT_EVENTS (1u << 16) /* under way, at most */
#define BENCH_DATA_MIN 20            /* bytes of an event's data, at least */

enum peer_state {
	PEER_CONNECTING,
	PEER_GREETING,    /* upgraded; the greeting is to come */
	PEER_GREETED,     /* and nothing asked for yet */
	PEER_SUBSCRIBING, /* confirmations are to come */
	PEER_ON
};

struct peer {
	int fd;   /* -1: not open */
	SSL *ssl; /* or NULL */
	bool publisher;
	bool slow;    /* will stop reading */
	bool watched; /* for the socket to take more */
	bool busy;    /* publisher: waits for an answer */
	bool ends;    /* publisher: the server closes after the answer */
	bool churns;  /* presence: is the one that comes and goes */
	enum peer_state state;
	uint32_t index;   /* client: number in the whole run */
	uint32_t channel; /* the first of its channels */
	uint32_t left;    /* confirmations to come */
	uint32_t doubles; /* since its connection began */
	uint32_t out_off;
	uint64_t *last;   /* sequence numbers seen last, by sender */
	struct buf *in;   /* half a frame or reply */
	struct buf *out;  /* not yet written */
	uint64_t started; /* ns: the present request, or the connect */
	uint64_t *view;   /* presence: a bit for each present member */
	uint32_t nview;   /* how many */
	char socket_id[44];
};

struct sent_event { /* one event that has not reached all receivers */
	uint64_t seq, start;
	uint32_t sender; /* index into peer.last */
	struct peer *by; /* its sender; of this process */
	_Atomic uint32_t left;
};

/* Shared by the processes of the generator. */
struct shared {
	_Atomic uint32_t arrived; /* at barriers, of all processes */
	_Atomic uint32_t failed;
	_Atomic uint32_t over; /* process 0 has measured enough */
	_Atomic uint32_t nsent;
	char why[200];
	uint64_t session; /* its clients' sessions have names with this */
	struct bench_result results[BENCH_PROCESSES_MAX];
	struct sent_event sent[BENCH_SENT_EVENTS];
	_Atomic uint32_t subs[]; /* readers of each channel */
};

struct run {
	const struct bench_conf *conf;
	struct bench_result *r; /* of this process */
	struct shared *shared;
	uint32_t process; /* number of this one */
	uint32_t barriers;
	int ep;
	struct peer *clients, *publishers;
	uint32_t nclients; /* of this process */
	uint32_t nlast;    /* senders that a client tells apart */
	uint32_t opened, ready;
	struct sent_event *sent; /* shared, or of this process */
	uint64_t next_seq, intended;
	uint32_t next_channel;
	uint64_t now, start; /* ns: end of the last turn; of the part */
	uint64_t moved;      /* ns: when something was read last */
	uint64_t busy, lag;  /* ns: with work; the longest turn */
	uint64_t napped;     /* ns: asleep on purpose */
	double cpu0, server_cpu0;
	uint64_t switches0; /* of the server */
	bool worked;        /* has sent something in this turn */
	bool count_ready;   /* clients that come up go into the histogram */
	ssize_t data_at;    /* where data began in the last delivery */
	char *recv;
	struct buf *text;   /* where one message is built */
	struct peer **free; /* client events: clients that may send */
	uint32_t nfree;
	uint32_t members, churning, full; /* presence */
};

/* ---- run.c ---- */

/* Nanoseconds of the monotonic clock. */
uint64_t bench_now(void);
/* Ends the run with this sentence as the reason; the first one counts. */
void bench_fail(struct run *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
bool bench_is_ok(const struct run *);
/* One look at all sockets, without waiting. */
void bench_turn(struct run *);
/* The same, and fails when nothing has moved for long. */
void bench_wait_turn(struct run *, const char *what, uint64_t n, uint64_t of);
/* Returns when all processes have called it. */
void bench_barrier(struct run *);
/*
 * Opens all closed clients, `at_once` of them at a time, until each has reached
 * its state.
 */
void bench_bring_up(struct run *);
/* Sleeps while nothing can arrive. */
void bench_nap(struct run *, long ns);
/* The measured part. */
void bench_begin(struct run *);
bool bench_may_go_on(struct run *, const char *what);
void bench_end(struct run *);

/* ---- peer.c ---- */

void peer_open(struct run *, struct peer *);
/* hard: with a reset, so that the port is free at once. */
void peer_close(struct peer *, bool hard);
/* Queues a masked text frame; peer_write() sends it. */
void peer_text(struct peer *, struct str text);
/* Sends what is queued in p->out. */
void peer_write(struct run *, struct peer *);
/* Reads once and takes every whole frame or reply. */
void peer_read(struct run *, struct peer *);
/* Queues pusher:subscribe, signed if the channel needs it. */
void peer_subscribe(struct run *, struct peer *, uint32_t channel);
/* Is this within the first bytes of a message, where its event stands? */
bool peer_is_event(struct str text, struct str event);

/* ---- sent_event.c ---- */

/* A new event for `left` readers is sent. */
struct sent_event *sent_event_new(
    struct run *, uint64_t start, uint32_t sender, uint32_t left);
/* Its data: fixed width, so that it can be read in place. */
void sent_event_put_data(struct run *, struct buf **, uint64_t seq);
/* on_text: a delivery, checked for order and duplicates. */
void sent_event_on_text(struct run *, struct peer *, struct str);
/* Waits for the messages under way; the others are lost. */
void sent_event_wait(struct run *);

/* ---- the scenarios ---- */

void publish_run(struct run *);
/* Connects all clients and begins to measure; false: something went wrong. */
bool publish_begin(struct run *);
/* Starts the events that are due by now. */
void publish_feed(struct run *);
void publish_run_slow(struct run *);
void idle_run(struct run *);
void event_run(struct run *);
void presence_run(struct run *);
void presence_on_text(struct run *, struct peer *, struct str);
void connect_run(struct run *);
void connect_run_stampede(struct run *);
void resume_run(struct run *);
/* Handles a pusher:resume. */
void resume_on_word(struct run *, struct str text);

#endif
