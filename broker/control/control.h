/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_CONTROL_H
#define BROKER_CONTROL_CONTROL_H

/*
 * The control socket, on which pusherctl asks.  The verbs are in verb.c; how
 * they answer is in control_job.h.
 */

#include <stdbool.h>

#include "broker/control/control_job.h"
#include "shared/base/list.h"
#include "shared/net/acceptor.h"

struct broker;

struct control {
	struct list clients, gone;
	struct control_jobs jobs;
	struct acceptor acceptor;
	unsigned n;
};

void control_init(struct broker *);
/* Starts to accept on this descriptor; -1: there is no control socket. */
void control_start(struct broker *, int fd);
void control_clear(struct broker *);
/* Sends queued bytes; true when there were any. */
bool control_flush(struct broker *);
/* The end of a turn: frees clients; true when a job has more to write. */
bool control_reap(struct broker *);
/* Once a second: drops clients that neither ask nor read. */
void control_tick(struct broker *);

#endif
