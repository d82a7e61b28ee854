/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CLIENT_MESSAGE_H
#define WORKER_CLIENT_MESSAGE_H

/* What the files of client_*.c share: a message, and the ways to refuse it. */

#include <stdbool.h>

#include "shared/base/str.h"
#include "shared/json/json_slice.h"
#include "shared/pusher/channel_auth.h"

struct conn;
struct pace;

/* A message from a client; views into its bytes. */
struct client_msg {
	struct str event; /* plain text */
	struct json channel, data;
};

/*
 * The object that `data` is, or that is the content of the string `data`
 * (then in *tmp, to be freed whatever happens).  False when it is neither.
 */
bool client_msg_object(const struct client_msg *, struct json *out, char **tmp);
/* pusher:error with code null, or another code; closes nothing. */
void client_errorf(struct conn *, unsigned code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for one that has guessed too often at signatures: 4100. */
void client_close_guesser(struct conn *);
/* Its buckets, made when they are missing; they go with the connection. */
struct pace *client_pace(struct conn *);
/* How the connection's app signs; auth: "key:signature", or anything. */
struct auth_app client_auth_app(const struct conn *, struct str auth);
/* For texts: the beginning of something that may be long. */
#define CLIENT_SHOWN 200

void client_subscribe(struct conn *, const struct client_msg *);
void client_unsubscribe(struct conn *, const struct client_msg *);
void client_event(struct conn *, const struct client_msg *);
void client_signin(struct conn *, const struct client_msg *);

#endif
