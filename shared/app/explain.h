/* SPDX-License-Identifier: MIT */
#ifndef SHARED_APP_EXPLAIN_H
#define SHARED_APP_EXPLAIN_H

/* Finds the mistake in the signature of an API request.  Pure. */

#include "shared/app/app.h"
#include "shared/pusher/api_auth.h"

struct explain {
	const struct api_auth *auth; /* the request, with the app's key */
	struct str query;            /* unchanged */
	const struct app *app;       /* the app that the request is for */
	const struct app *others;    /* every app, app too */
	size_t nothers;
};

/*
 * A sentence about why auth_signature is wrong, if it is right for another
 * secret or for a text with a common mistake; else NULL.  free(3) it.  It holds
 * no secret and no signature.
 */
char *explain_signature(const struct explain *);
/* The same for body_md5: the body that it belongs to. */
char *explain_body(const struct explain *);

#endif
