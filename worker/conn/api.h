/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_API_H
#define WORKER_CONN_API_H

/*
 * HTTP on a client's socket: reads requests (http_ops), routes them, checks
 * the API's authentication, answers.  A socket begins its life here.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/str.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/net/http.h"
#include "worker/conn/conn.h"

struct api_params;
struct client_app;

/* The ops of every new connection. */
extern const struct conn_ops http_ops;

/* A request whose authentication has been checked. */
struct api_request {
	struct conn *c;
	const struct http_head *head;
	const struct api_params *params; /* of the query */
	struct client_app *app;
	struct str body;
	struct str arg; /* {name} or {uid} of the path, percent-decoded */
	bool granted;   /* the tokens that it needs have been taken */
	/* Only the head is here: nothing is done but to judge it. */
	bool awaits_body;
};

/* Answers the request; the connection goes on with the next one. */
void api_reply(struct conn *, unsigned status, struct str json);
/* {"error":text,"code":status} */
void api_error(struct conn *, unsigned status, struct str text);
void api_errorf(struct conn *, unsigned status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* It is closed, with 503 when an answer makes sense, and all it held is freed.
 */
void api_over(struct conn *, struct str text);
/* Frees c->http. */
void api_free(struct conn *);

/* Handlers of REPLY and TAKE_DONE. */
int api_on_reply(struct worker *, const struct msg_reply *);
int api_on_take_done(struct worker *, const struct msg_take_done *);

/*
 * The broker is gone: questions get 503 with Retry-After, publishes wait for
 * the next one.
 */
void api_link_lost(struct worker *);

#endif
