/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_HTTP_BODY_H
#define WORKER_CONN_HTTP_BODY_H

/* Request bodies that come in pieces. */

#include "worker/conn/http_request.h"

struct conf;
struct conn;
struct http_head;

/*
 * The head is here and not all of the body: may it be stored?  False: the
 * request has been answered, and the connection ends.
 */
bool api_body_admit(struct conn *, const struct http_head *);
/*
 * The body is awaited; state: API_BODY or API_CHUNKS; received: its bytes that
 * are here.  The head's bytes are http->raw.
 */
void api_body_begin(
    struct conn *, const struct http_head *, enum api_state, size_t received);
/* Bytes of a chunked body; returns how many were used. */
size_t api_body_feed(struct conn *, char *bytes, size_t n);
/*
 * Removes path_prefix from the path, and returns how many bytes it was: doubled
 * slashes count as one.
 */
size_t api_body_strip(const struct conf *, struct http_head *);
/* Answers 413. */
void api_body_too_large(struct conn *);
/* Has the time for the body passed?  If not, checks again in a second. */
bool api_body_is_late(struct conn *);

#endif
