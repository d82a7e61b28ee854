/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_ASK_H
#define WORKER_API_ASK_H

/*
 * Questions of a request to the broker.  While it waits the connection is
 * paused, so that it never has more than one question open.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/ipc/ipc_msg.h"
#include "worker/api/wait.h"

struct worker;

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
/*
 * Asks the broker; its REPLY answers the request.  Call api_may_ask() before,
 * in the same call chain.  channel: see QUERY.
 */
void api_ask(const struct api_request *, enum query_kind, uint32_t info,
    struct str channel, enum api_answer);
/*
 * Takes n tokens if the app has a limit.  True: continue.  False: the request
 * was answered, or it runs again when the broker has granted them.  So call it
 * before any effect that may not happen twice.
 */
bool api_take(const struct api_request *, enum take_kind, uint32_t n);
/*
 * The broker has not answered for API_ASK_SECONDS: answers the request without
 * it.
 */
void api_ask_late(struct conn *);

/* Handlers of REPLY and TAKE_DONE. */
int api_on_reply(struct worker *, const struct msg_reply *);
int api_on_take_done(struct worker *, const struct msg_take_done *);

/*
 * The broker is gone: questions get 503 with Retry-After; publishes wait for
 * the next broker.
 */
void api_link_lost(struct worker *);

#endif
