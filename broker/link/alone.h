/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LINK_ALONE_H
#define BROKER_LINK_ALONE_H

/* The word to a lone worker that it may deliver client events itself. */

#include <stdbool.h>

#include "broker/link/peer.h"

struct broker;

/* Gives the word, if there is a lone worker; once a second, too. */
void alone_give(struct broker *);
/*
 * Must this HELLO of another worker wait?  Takes the word back from the one
 * that has it; when that is done, the HELLO comes again.
 */
bool alone_must_wait(struct peer *);
/* Another process goes on with this link, and does not know the word. */
void alone_say_again(struct peer *);
/* The worker has answered this ping, and all earlier ones. */
void alone_on_pong(struct peer *, uint64_t id);
/* The link has ended, and with it the word. */
void alone_on_down(struct peer *);

#endif
