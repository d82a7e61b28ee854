/* SPDX-License-Identifier: MIT */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

/* The worker role: client sockets, HTTP, WebSocket, the local fan-out. */

struct inherit;
struct worker;

/*
 * Makes the modules, lists and tables, all empty: of a worker, and of every
 * program that uses its connections.
 */
void worker_init(struct worker *);
/* Frees the memory of the modules; each has been cleared before. */
void worker_clear(struct worker *);
/* The whole life of a worker process; returns its exit code. */
int worker_main(const struct inherit *);

#endif
