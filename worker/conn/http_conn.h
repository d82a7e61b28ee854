/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_HTTP_CONN_H
#define WORKER_CONN_HTTP_CONN_H

/*
 * HTTP on a client's socket: reads requests and hands them to w->http.  Every
 * connection begins as HTTP.
 */

#include "worker/conn/conn.h"

/* The ops of every new connection. */
extern const struct conn_ops http_ops;

/* c->http, for its first request. */
struct http *http_new(struct conn *);

#endif
