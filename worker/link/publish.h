/* SPDX-License-Identifier: MIT */
#ifndef WORKER_LINK_PUBLISH_H
#define WORKER_LINK_PUBLISH_H

/* Makes the finished EVENT from name, channel and data, and sends it. */

#include <stdint.h>

#include "shared/base/str.h"
#include "shared/ipc/ipc_msg.h"

struct app;
struct worker;

struct publish {
	struct str channel;
	struct str event;    /* plain text */
	struct str data_raw; /* a raw JSON string, quotes included, or none */
	struct str user_id;  /* p == NULL: none */
	uint64_t except;     /* sid, or 0 */
	uint32_t flags;      /* enum event_flags */
};

/*
 * The caller has checked everything, also unacked_may_publish().  Returns what
 * was sent; its texts are valid until the next worker_scratch().  A client
 * event may have EVENT_DELIVERED: then the caller delivers it, in this turn.
 */
struct msg_event publish_event(
    struct worker *, const struct app *, const struct publish *);

#endif
