/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_WAIT_H
#define WORKER_API_WAIT_H

/*
 * A request that waits for the broker's answer, or for a broker.  While it
 * waits the connection is paused, so that it has one question at most.
 */

#include <stdbool.h>

#include "shared/ipc/ipc_msg.h"
#include "worker/conn/http_request.h"

#define API_ASK_SECONDS 10 /* for the broker to answer in */

struct api_params;
struct client_app;

/* A request whose authentication has been checked. */
struct api_request {
	struct conn *c;
	const struct http_head *head;
	const struct api_params *params; /* of the query */
	struct client_app *app;
	struct str body;
	struct str arg;   /* {name} or {uid} of the path, percent-decoded */
	bool granted;     /* the tokens that it needs were taken */
	uint32_t wait_ms; /* of X-Pusherd-Confirm; 0: there is none */
	/* Only the head is here: checks it and does nothing else. */
	bool awaits_body;
};

/* Can the broker be asked now?  If not, the request is answered with 503. */
bool api_may_ask(const struct api_request *);
/* Stops the input until the broker has answered or the time is over. */
void api_pause(struct conn *, enum api_state);
/* Copies the request, and waits for the broker in this state. */
void api_wait(const struct api_request *, enum api_state);
/* Sends the answer (all but app and key) if it holds an idempotency key. */
void idempotency_store(struct conn *, struct msg_idem_store *);
/* Releases its idempotency key: other requests may take it. */
void idempotency_forget(struct conn *);

#endif
