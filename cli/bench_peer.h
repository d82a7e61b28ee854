/* SPDX-License-Identifier: MIT */
#ifndef CLI_BENCH_PEER_H
#define CLI_BENCH_PEER_H

/*
 * One connection of the load generator, and what a run keeps of all of them.
 * Shared by bench_run.c (the phases) and bench_peer.c (bytes in and out).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/bench.h"
#include "shared/buf.h"

#define BENCH_RECV_BYTES (256u << 10)

enum peer_state { PEER_CONNECTING, PEER_GREETING, PEER_SUBSCRIBING, PEER_ON };

struct peer {
	int fd;
	bool publisher;
	enum peer_state state;
	uint32_t channel;
	uint64_t *last;  /* sequence numbers seen last, by publisher */
	struct buf *in;  /* half a frame or reply */
	struct buf *out; /* request not yet written */
	uint32_t out_off;
	bool busy;        /* publisher: waits for an answer */
	uint64_t started; /* publisher: when, ns */
};

struct flight { /* one publish that has not reached everybody */
	uint64_t seq, start;
	uint32_t publisher;
	uint32_t left; /* deliveries */
};

struct run {
	const struct bench_conf *conf;
	struct bench_result *r;
	int ep;
	struct peer *clients, *publishers;
	uint32_t started, ready; /* clients */
	uint32_t *subs;          /* clients on each channel */
	struct flight *flights;  /* ring by seq */
	uint32_t nflights, mask;
	uint64_t next_seq, intended; /* open loop: when, ns */
	uint32_t next_channel;
	uint64_t start, moved; /* ns: of the part; last delivery */
	ssize_t data_at;       /* where data began in the last delivery */
	char *recv;
	char *why;
};

/* Nanoseconds of the monotonic clock. */
uint64_t bench_now(void);
/* The run is over, and this sentence says why; the first one counts. */
void bench_fail(struct run *, const char *why);
/* Asks for readable, and writable too, or not. */
void peer_watch(struct run *, struct peer *, bool write);
/* Sends what is queued in p->out. */
void peer_write(struct run *, struct peer *);
/* Reads once and takes every whole frame or reply. */
void peer_read(struct run *, struct peer *);

#endif
