/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_ENGINE_H
#define BROKER_CLUSTER_ENGINE_H

/*
 * Two connections to Redis: one for commands that are answered at once, one
 * that waits for entries.  They come and go together.
 */

#include <ev.h>
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>

#include "shared/base/buf.h"
#include "shared/conf/cluster_addr.h"

struct engine;
struct redisAsyncContext;

/* The kind of a command. */
enum engine_call {
	ENGINE_LOGIN,
	ENGINE_JOIN,
	ENGINE_SEND,
	ENGINE_BEAT,
	ENGINE_LEAVE,
	ENGINE_READ
};

struct engine_ops {
	void (*up)(void *owner);
	/* why: a sentence, or NULL if it has not been up. */
	void (*down)(void *owner, const char *why);
	/* The answer, which is no error unless `call` may have one. */
	void (*reply)(void *owner, enum engine_call call, const redisReply *);
};

struct engine_conn {
	struct engine *engine;
	struct redisAsyncContext *ac; /* NULL: there is none */
	unsigned waiting;             /* answers that are missing */
	double waiting_since;         /* of ev_now() */
	bool ready;
};

struct engine {
	struct ev_loop *loop;
	const struct engine_ops *ops;
	void *owner;
	struct cluster_addr addr;
	struct buf *user, *password; /* or NULL */
	struct engine_conn commands, entries;
	ev_timer tick;
	bool up;
	char error[256]; /* the last one, or empty */
};

/*
 * addr, user and password are set, and *e is zero otherwise; the references are
 * given back by engine_stop().
 */
void engine_start(
    struct engine *, struct ev_loop *, const struct engine_ops *, void *owner);
void engine_stop(struct engine *);
/* Closes both connections; they are made again after a while. */
void engine_drop(struct engine *, const char *why);
/* Sends a command; ENGINE_READ has a connection of its own. */
void engine_ask(struct engine *, enum engine_call, int argc, const char **argv,
    const size_t *lens);

#endif
