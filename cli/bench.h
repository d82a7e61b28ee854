/* SPDX-License-Identifier: MIT */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

/* The load generator: `pusherctl bench`. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/histogram.h"
#include "shared/sign.h"
#include "shared/sock.h"

struct bench_conf {
	const char *scenario; /* "connect", "fanout", "publish", "idle" */
	struct sock_addr server;
	const char *host; /* for the Host header */
	const char *app_id, *key;
	struct sign_key *sign;
	uint32_t clients;    /* WebSocket connections */
	uint32_t channels;   /* they are spread over */
	uint32_t publishers; /* HTTP connections */
	uint32_t in_flight;  /* closed loop: publishes not delivered yet */
	uint32_t batch;      /* events per request; 1 = POST events */
	double rate;         /* open loop: publishes per second; 0 = closed */
	double seconds;      /* of the measured part */
	uint32_t size;       /* bytes of data */
	pid_t pid;           /* of the server's master, or 0 */
	bool progress;       /* write it to stderr */
};

struct bench_result {
	double connect_seconds;      /* until every client was subscribed */
	double seconds;              /* of the measured part */
	uint64_t published, refused; /* answered 200, answered otherwise */
	uint64_t delivered;
	uint64_t lost, duplicate, disorder, closed;
	double server_cpu, tool_cpu; /* seconds in the measured part */
	uint64_t server_pss;         /* bytes, all processes of the group */
	struct histogram latency;    /* publish to delivery, or to its answer */
};

/* Runs one scenario.  0, or -1 and *why (free(3) it). */
int bench_run(const struct bench_conf *, struct bench_result *, char **why);

/* CPU seconds and PSS bytes of a process and its children. */
double bench_cpu(pid_t pid);
uint64_t bench_pss(pid_t pid);

#endif
