/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_IDEMPOTENCY_H
#define WORKER_API_IDEMPOTENCY_H

/*
 * X-Idempotency-Key on a POST: the same key of the same app gets the same
 * answer for two minutes, and nothing is sent twice.  The keys are in the
 * broker, so that this holds over all workers.
 */

#include <stdbool.h>

#include "shared/ipc/ipc_msg.h"
#include "worker/conn/http_request.h"

struct api_request;
struct worker;

#define IDEMPOTENCY_KEY_MAX 255 /* bytes of a key */

/*
 * True: continue (there is no key, or this request holds it).  False: the
 * request was answered or will be, or it runs again from its beginning.
 */
bool idempotency_begin(const struct api_request *);
/*
 * The request is done, and its answer is a 200 with this body unless a later
 * one replaces it.  This holds even if the connection or the process ends now.
 */
void idempotency_provisional(struct conn *, struct str body);
/* The request is answered; only a successful answer is stored. */
void idempotency_answer(struct conn *, unsigned status, struct str body);
/* Handler of IDEM_RESULT. */
int idempotency_on_result(struct worker *, const struct msg_idem_result *);

#endif
