/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PUSHER_API_AUTH_H
#define SHARED_PUSHER_API_AUTH_H

/*
 * Authentication of a request to the HTTP API (protocol reference, 5.2;
 * Pusher documentation, "Generating authentication strings").  Pure: the
 * clock is given.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/str.h"
#include "shared/crypto/sign.h"
#include "shared/pusher/api_params.h"

struct api_auth {
	struct str method;
	struct str path; /* unchanged, without the query */
	const struct api_params *params;
	struct str body;
	bool has_body;         /* though body is empty: it is still to come */
	bool awaits_body;      /* likewise; its digest is not checked yet */
	struct str key;        /* of the app in the path */
	struct sign_key *sign; /* keyed with its secret */
	uint64_t now;          /* Unix seconds */
	uint32_t max_age;      /* seconds that a timestamp may be off */
};

/*
 * True when the request is the app's.  Else it is refused with 401 and *why
 * gets a sentence for the developer: for a wrong signature with the string to
 * sign, never with its signature.
 */
bool api_auth_check(const struct api_auth *, struct buf **why);

/* For pusherctl explain-auth: one check of those above, in their order. */
enum api_auth_part {
	API_AUTH_REPEATED,
	API_AUTH_KEY,
	API_AUTH_VERSION,
	API_AUTH_TIMESTAMP,
	API_AUTH_BODY,
	API_AUTH_SIGNATURE,
	API_AUTH_PARTS
};
bool api_auth_check_part(
    const struct api_auth *, enum api_auth_part, struct buf **why);
/* Appends the string to sign. */
void api_auth_put_text(const struct api_auth *, struct buf **text);

#endif
