/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CLIENT_MESSAGE_H
#define WORKER_CLIENT_MESSAGE_H

/* A message from a client, and the handlers of the events in it. */

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
/* Its buckets, made when they are missing; they go with the connection. */
struct pace *client_pace(struct conn *);
/* How the connection's app signs; auth: "key:signature", or anything. */
struct auth_app client_auth_app(const struct conn *, struct str auth);

void client_subscribe(struct conn *, const struct client_msg *);
void client_unsubscribe(struct conn *, const struct client_msg *);
void client_event(struct conn *, const struct client_msg *);
void client_signin(struct conn *, const struct client_msg *);

#endif
