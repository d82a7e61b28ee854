/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CLIENT_IDENTITY_H
#define WORKER_CLIENT_IDENTITY_H

/*
 * The identity of a user, read from the JSON that the application signed: the
 * channel_data of a presence channel, the user_data of a sign-in.  Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/str.h"

/* The limits of an app. */
struct identity_limits {
	uint32_t id;    /* characters of an id */
	uint32_t watch; /* ids of a watchlist that are used */
};

struct identity {
	struct str id;     /* plain text */
	struct str info;   /* raw user_info; empty: none or null */
	struct buf *watch; /* JSON array of the first ids, or NULL */
	size_t nwatch;     /* ids that were given */
	char *tmp;         /* memory of the id, perhaps */
};

enum identity_result {
	IDENTITY_OK,
	IDENTITY_BAD,  /* why has the reason */
	IDENTITY_LIMIT /* the id has more characters than limits.id */
};

/*
 * channel_data: user_id (a string, or a number, which becomes its text) and an
 * optional user_info of any kind.  The views point into data or into the
 * identity.  identity_clear() must be called after any result.  *why is static.
 */
enum identity_result identity_of_channel_data(struct identity *,
    struct str data, struct identity_limits, const char **why);
/* user_data: id (a string), and an optional user_info and watchlist. */
enum identity_result identity_of_user_data(struct identity *, struct str data,
    struct identity_limits, const char **why);
void identity_clear(struct identity *);

#endif
