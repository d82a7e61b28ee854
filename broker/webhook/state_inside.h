/* SPDX-License-Identifier: MIT */
#ifndef BROKER_WEBHOOK_STATE_INSIDE_H
#define BROKER_WEBHOOK_STATE_INSIDE_H

/* struct webhook_state; only for the files that keep the states. */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/str.h"

struct webhook_state {
	struct hash_node node;
	struct list link; /* in states->ended or line->pending, or nowhere */
	double due;       /* ended: the time of its report */
	/* webhook_queue.mark of its last change, and of the miss */
	uint64_t mark, miss_mark;
	uint32_t app;
	uint16_t channel_len, user_len; /* user_len 0: a channel */
	bool present, notified;
	bool missed;    /* a cache miss has been reported */
	bool owes_miss; /* a cache miss waits to be reported */
	char key[];     /* channel, user id */
};

static inline struct str
webhook_state_channel(const struct webhook_state *f)
{
	return str_make(f->key, f->channel_len);
}

static inline struct str
webhook_state_user(const struct webhook_state *f)
{
	return str_make(f->key + f->channel_len, f->user_len);
}

#endif
