/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CLIENT_ORIGIN_H
#define WORKER_CLIENT_ORIGIN_H

/* The web pages that may connect: the app's allowed_origins.  Pure. */

#include <stdbool.h>

#include "shared/base/str.h"

/*
 * patterns: separated by blanks or commas; none: every origin may.  In a
 * pattern `*` stands for any characters of a host or scheme.  A pattern with
 * "://" is compared with the whole origin, one with a port with host:port, any
 * other with the host alone; letters in any case.  origin.p == NULL (no Origin
 * header: not a browser) is allowed.
 */
bool origin_is_allowed(struct str patterns, struct str origin);

#endif
