/* SPDX-License-Identifier: MIT */
#ifndef WORKER_LINK_FAILURE_H
#define WORKER_LINK_FAILURE_H

/* Reports refusals to the broker, for pusherctl doctor. */

#include "shared/ipc/ipc_msg.h"

struct client_app;
struct worker;

/*
 * a: the app, or NULL.  The texts of m are cut.  Does nothing for more than
 * FAILURES_PER_SECOND of one kind and app.
 */
void failure_report(
    struct worker *, struct client_app *a, struct msg_failure *m);

#endif
