/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_HTTP_CONN_H
#define WORKER_CONN_HTTP_CONN_H

/*
 * HTTP on a client's socket: reads requests (http_ops), hands them to w->http,
 * writes the answers.  A socket begins its life here.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/str.h"
#include "shared/net/http.h"
#include "worker/conn/conn.h"

/* The ops of every new connection. */
extern const struct conn_ops http_ops;

/* What stands on HTTP (w->http). */
struct http_handler {
	/* Is this request one of a WebSocket client, and then: answers it. */
	bool (*is_upgrade)(const struct http_head *);
	void (*on_upgrade)(struct conn *, const struct http_head *);
	/* A complete request; granted: it had waited for tokens. */
	void (*on_request)(struct conn *, const struct http_head *,
	    struct str body, bool granted);
	/* Only the head is here.  May the body be kept?  Else answers it. */
	bool (*on_head)(struct conn *, const struct http_head *);
	bool (*is_signed)(struct conn *, const struct http_head *);
	/* This is being answered. */
	void (*on_reply)(struct conn *, unsigned status, struct str json);
	/* c->http is freed. */
	void (*on_drop)(struct conn *);
	/* The broker has not answered in time. */
	void (*on_late)(struct conn *);
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

#endif
