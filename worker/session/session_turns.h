/* SPDX-License-Identifier: MIT */
#ifndef WORKER_SESSION_SESSION_TURNS_H
#define WORKER_SESSION_SESSION_TURNS_H

/*
 * The sessions whose clients are asked later, by app: a worker asks so many
 * clients in a second, and an app with many of them must not delay the
 * confirmations of the others.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/list.h"

/* The sessions of one app. */
struct session_line {
	struct hash_node node; /* in by_app */
	struct list turn;      /* in apps */
	struct list waiting;   /* open_session.asking, longest waiting first */
};

struct session_turns {
	struct hash by_app;
	struct list apps; /* whose turn comes first */
};

void session_turns_init(struct session_turns *);
void session_turns_clear(struct session_turns *);
/* After those of its app that wait already; asking is in no list. */
void session_turns_add(
    struct session_turns *, uint32_t app, struct list *asking);
bool session_turns_has(const struct session_turns *, uint32_t app);
/* The app whose turn it is; its next one comes after all others'. */
struct session_line *session_turns_next(struct session_turns *);

#endif
