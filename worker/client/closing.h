/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CLIENT_CLOSING_H
#define WORKER_CLIENT_CLOSING_H

/*
 * Closes all clients of an app or of a user, a portion in each turn, so that
 * others do not wait.  The clients that are there at the order are closed;
 * those that come later are not.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/list.h"
#include "shared/base/str.h"

struct client_app;
struct conn;
struct topic;
struct worker;

struct closings {
	struct list all; /* struct closing */
	unsigned budget; /* what is left of this turn's */
};

void closings_init(struct worker *);
/*
 * Closes the clients of the app; text: a literal.  apps_ops.on_closed follows
 * when none of them is left, perhaps before this returns.
 */
void closing_app(
    struct worker *, struct client_app *, unsigned code, struct str text);
/* Closes the clients in the channel of a user, likewise.  topic: or NULL. */
void closing_user(
    struct worker *, const struct topic *, unsigned code, struct str text);
/* Closes the client now if an order waits for it; true: it is closed. */
bool closing_hasten(struct conn *);
/* The portion of this turn; true: there is more. */
bool closing_turn(struct worker *);
/* Closes all that is left, of the app with this number, or (0) of any. */
void closing_finish(struct worker *, uint32_t app);
bool closing_is_over(const struct worker *);

#endif
