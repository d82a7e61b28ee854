/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_EXPLAIN_H
#define CLI_CMD_EXPLAIN_H

/* Finds the mistake in the signature of an API request.  Pure. */

#include "shared/app/app.h"
#include "shared/pusher/api_auth.h"

struct explain {
	const struct api_auth *auth; /* the request, with the app's key */
	struct str query;            /* as it came */
	const struct app *app;       /* whose request it should be */
	const struct app *others;    /* every app, app too */
	size_t nothers;
};

/*
 * A sentence about why auth_signature is wrong, when it is right for another
 * secret or a text that differs in a way that is often seen; else NULL.
 * free(3) it.  No secret and no signature is in it.
 */
char *explain_signature(const struct explain *);
/* The same for body_md5: of which body it is. */
char *explain_body(const struct explain *);

#endif
