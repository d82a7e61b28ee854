/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PUSHER_CHANNEL_AUTH_H
#define SHARED_PUSHER_CHANNEL_AUTH_H

/*
 * The signatures of clients: "<app key>:<64 lower-case hex digits>" for a
 * channel or for a sign-in (Pusher documentation, "Generating authentication
 * strings").  Pure.
 */

#include "shared/base/str.h"
#include "shared/crypto/sign.h"

enum auth_result {
	AUTH_OK,
	AUTH_MISSING,  /* empty */
	AUTH_FORMAT,   /* not key:signature */
	AUTH_KEY,      /* the key of another app */
	AUTH_SIGNATURE /* does not match */
};

/* The signed text. */
struct auth_app {
	struct sign_key *sign; /* keyed with the app's secret */
	struct str key;
};

/*
 * HMAC-SHA256 over socket_id:channel, or socket_id:channel:data when there
 * is channel_data (data.p != NULL; then it may also be empty).
 */
enum auth_result auth_channel(const struct auth_app *, struct str auth,
    struct str socket_id, struct str channel, struct str data);
/* HMAC-SHA256 over socket_id::user::user_data. */
enum auth_result auth_user(const struct auth_app *, struct str auth,
    struct str socket_id, struct str user_data);
/* A short clause for the error text, without a full stop. */
struct str auth_text(enum auth_result);

#endif
