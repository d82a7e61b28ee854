/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_ROUTE_H
#define WORKER_API_ROUTE_H

/* Method and path of a request -> its handler. */

#include <stdbool.h>
#include <stddef.h>

#include "shared/base/str.h"
#include "shared/net/http.h"

struct conn;

/* A whole request: answers it, or leaves it waiting for the broker. */
void api_route(
    struct conn *, const struct http_head *, struct str body, bool granted);

/*
 * The head is here and its body is not.  True: the request is signed, so the
 * body may be stored.  False: it has been answered, and the body is discarded.
 */
bool api_route_admit(struct conn *, const struct http_head *);
/* Would api_route_admit() return true?  Answers nothing. */
bool api_route_is_signed(struct conn *, const struct http_head *);

/* A request is being answered: logs a refusal, stores an idempotent answer. */
void api_answered(struct conn *, unsigned status, struct str json);
/* The request ends, answered or not. */
void api_on_drop(struct conn *);

#endif
