/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_SLOW_H
#define WORKER_CONN_SLOW_H

/*
 * Clients that read too slowly.  The limit (conf->client_buffer) judges what
 * a socket refuses, not what one turn produced, and does not count what the
 * client has asked for: passing it is no reason to close a client that reads.
 */

struct conn;
struct worker;

/* End of the turn: each client that is over the limit reads, or is closed. */
void slow_judge(struct worker *);
/* Something has been tried to be written to it. */
void slow_written(struct conn *);
/* Closes clients whose bytes have waited too long (once a second). */
void slow_tick(struct worker *);

#endif
