/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LINK_ALONE_H
#define BROKER_LINK_ALONE_H

/* The permission for an only worker to deliver client events itself. */

#include <stdbool.h>

#include "broker/link/peer.h"

struct broker;

/* Gives it, if there is only one worker; called once a second, too. */
void alone_give(struct broker *);
/*
 * Must this HELLO of another worker wait?  Takes the permission back from the
 * worker that has it; when that is done, the HELLO comes again.
 */
bool alone_must_wait(struct peer *);
/* Another process has taken this link over: tells it what the old one had. */
void alone_say_again(struct peer *);
/* The worker has answered this ping, and all earlier ones. */
void alone_on_pong(struct peer *, uint64_t id);
/* The link has ended, and with it the permission. */
void alone_on_down(struct peer *);

#endif
