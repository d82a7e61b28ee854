/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_ENTRY_H
#define BROKER_CLUSTER_ENTRY_H

/*
 * Entries of the stream: rows of internal messages, as they stand on a link
 * (see "between the hosts" in shared/ipc/ipc_msgs.def).
 */

#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/ipc/ipc.h"

/* An entry that is being written; zeroed at first. */
struct entry {
	struct buf *b;   /* NULL: it is empty */
	uint32_t app;    /* the last HOST_APP; 0: none */
	uint32_t slot;   /* the last HOST_FROM, */
	uint64_t origin; /* 0: none */
};

/* The messages that follow are of this worker. origin: not 0. */
void entry_from(struct entry *, uint32_t slot, uint64_t origin);
/* The messages that follow are of this app. num: not 0. */
void entry_app(struct entry *, uint32_t num, struct str id);
/* Appends a finished message, head included. */
void entry_add(struct entry *, struct str message);

/* entry_put_sub(entry, &msg): writes a message. */
#define MSG(name, NAME, sender) \
	static inline void entry_put_##name( \
	    struct entry *e, const struct msg_##name *m) \
	{ \
		size_t n = msg_##name##_size(m); \
\
		msg_##name##_put(buf_reserve(&e->b, n), m); \
		e->b->len += (uint32_t)n; \
	}
#include "shared/ipc/ipc_msgs.def"

/*
 * The message at *at, and *at behind it. 1, 0 at the end, or -1: the bytes are
 * no entry.  Only the frame of a message is checked, not its fields.
 */
int entry_next(struct buf *, uint32_t *at, struct ipc_in *);
/*
 * Gives a message of a worker the number that its app has on this host.  -1: it
 * is none of the messages that have one, or too short.
 */
int entry_set_app(const struct ipc_in *, uint32_t num);

#endif
