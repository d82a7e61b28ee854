/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CLIENT_MESSAGE_H
#define WORKER_CLIENT_MESSAGE_H

/* A message from a client, and the handlers of the events in it. */

#include <stdbool.h>

#include "shared/base/str.h"
#include "shared/json/json_slice.h"
#include "shared/pusher/channel_auth.h"

struct conn;

/* A message from a client; views into its bytes. */
struct client_msg {
	struct str event; /* plain text */
	struct json channel, data;
};

/* The token buckets of one connection. */
struct conn_rates {
	double events_at, messages_at; /* see token_bucket_fill() */
	float events;                  /* client events */
	float messages;                /* all messages, */
	float flood;                   /* and those before it is closed */
	float bad;                     /* invalid messages */
	double bad_at;
};

/*
 * The object in `data`, or in the string `data` (then in *tmp, which the caller
 * frees in any case).  False when it is neither.
 */
bool client_msg_object(const struct client_msg *, struct json *out, char **tmp);
/*
 * The connection's buckets, made when they are missing; they are freed with it.
 */
struct conn_rates *client_rates(struct conn *);
/* The signing app of the connection; auth: "key:signature", or anything. */
struct auth_app client_auth_app(const struct conn *, struct str auth);

void client_subscribe(struct conn *, const struct client_msg *);
void client_unsubscribe(struct conn *, const struct client_msg *);
void client_event(struct conn *, const struct client_msg *);
void client_signin(struct conn *, const struct client_msg *);
/*
 * The client asks for the channel of its user.  True: a sign-in waits for the
 * broker, and the answer follows that of the sign-in.
 */
bool client_signin_defer(struct conn *);

#endif
