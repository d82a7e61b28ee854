/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_OUTPUT_H
#define WORKER_CONN_OUTPUT_H

/*
 * Writes the clients' output at the end of the turn.  The limit
 * (conf->client_buffer) applies to bytes that a socket refuses, not to the
 * output of one turn, and excludes output that the client has requested: a
 * client that reads is not closed for exceeding it.
 */

#include <stdbool.h>

struct worker;

/* End of the turn.  True when sockets are left over for the next turn. */
bool output_flush(struct worker *);
/* Once a second: closes clients whose bytes have waited too long. */
void output_tick(struct worker *);

#endif
