/* SPDX-License-Identifier: MIT */
#ifndef CLI_BENCH_BENCH_H
#define CLI_BENCH_BENCH_H

/* The load generator: `pusherctl bench`. */

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/bench/histogram.h"
#include "shared/crypto/sign.h"
#include "shared/net/sock.h"

#define BENCH_PROCESSES_MAX 64

struct bench_scenario;
struct out;
struct peer;
struct run;

struct bench_conf {
	const struct bench_scenario *scenario;
	struct sock_addr server;
	const char *host; /* for the Host header */
	SSL_CTX *tls;     /* or NULL */
	const char *app_id, *key;
	struct sign_key *sign;
	uint32_t clients;       /* WebSocket connections */
	uint32_t channels;      /* they are spread over */
	uint32_t subscriptions; /* channels of one client */
	uint32_t publishers;    /* HTTP connections */
	uint32_t in_flight;     /* closed loop: requests under way */
	uint32_t batch;         /* events per request; 1 = POST events */
	double rate;            /* open loop: per second; 0 = closed */
	double seconds;         /* of the measured part */
	uint32_t size;          /* bytes of data */
	uint32_t at_once;       /* handshakes under way, of one process */
	uint32_t slow;          /* clients that stop reading */
	uint32_t sources;       /* addresses 127.0.0.1, .2, ... */
	uint32_t processes;     /* of the load generator */
	pid_t pid;              /* of the server's master, or 0 */
	bool resume;            /* clients name sessions of their own */
	bool progress;          /* write it to stderr */
};

/* The results of one process of the generator; bench_run() adds them up. */
struct bench_result {
	uint64_t connects, connect_ns; /* clients brought up, in which time */
	uint64_t rounds;               /* connect, stampede */
	uint64_t joins, join_ns;       /* presence: the first ones */
	uint64_t churns;               /* presence: joins and leaves */
	double seconds;                /* of the measured part */
	uint64_t published, refused;   /* answered 200, answered otherwise */
	uint64_t delivered;
	uint64_t lost, duplicate, disorder, closed;
	uint64_t slow_closed; /* of the slow ones */
	uint64_t resumed, replayed, gaps;
	uint64_t most_doubles;       /* of one client after one cut */
	double server_cpu;           /* seconds in the measured part */
	uint64_t server_switches;    /* times that a process of it slept then */
	double tool_seconds;         /* of it, without naps */
	double tool_cpu, tool_busy;  /* seconds; busy: with work to do */
	uint64_t tool_lag;           /* ns, the longest turn */
	uint64_t pss_empty, pss;     /* bytes, all processes of the server */
	struct histogram latency;    /* publish to delivery, or see report */
	struct histogram round_time; /* connect, stampede */
};

struct bench_scenario {
	const char *name, *help;
	const char *prefix; /* of channel names */
	struct bench_conf defaults;
	/* For messages to subscribed clients; NULL: none count. */
	void (*on_text)(struct run *, struct peer *, struct str);
	/* All phases, in one process of the generator. */
	void (*run)(struct run *);
};

/* Up to name == NULL. */
extern const struct bench_scenario bench_scenarios[];

/* Runs one scenario.  0, or -1 and *why (free(3) it). */
int bench_run(const struct bench_conf *, struct bench_result *, char **why);
/* Writes one record. */
void bench_report(
    struct out *, const struct bench_conf *, const struct bench_result *);

/*
 * CPU seconds, voluntary context switches and PSS bytes of a process and all
 * its descendants.
 */
double bench_cpu(pid_t pid);
uint64_t bench_switches(pid_t pid);
uint64_t bench_pss(pid_t pid);

#endif
