/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_SENDER_H
#define BROKER_COURIER_SENDER_H

/* Sends the requests of an endpoint and records the results. */

#include <stdint.h>

struct courier;
struct deliver_result;
struct endpoint;

/* Starts all requests that may start now. */
void sender_kick(struct endpoint *);
void sender_kick_all(struct courier *);
/* courier->on_ready */
void sender_on_ready(struct courier *, uint32_t endpoint);
/* A request has ended; owner is its struct delivery. */
void sender_on_done(void *owner, const struct deliver_result *);

#endif
