/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_REFUSED_H
#define WORKER_API_REFUSED_H

/* Refused requests, for the log. */

#include "shared/base/str.h"

struct conn;

/*
 * A request was answered with this status, 400 or more; json: the body of the
 * answer.  Only requests to the API are logged.
 */
void api_refused(struct conn *, unsigned status, struct str json);

#endif
