/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_ENGINE_H
#define BROKER_CLUSTER_ENGINE_H

/*
 * Two connections to the Redis server that is the primary: one for commands
 * that are answered at once, one that waits for entries.  They come and go
 * together.
 */

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "broker/cluster/lookup.h"
#include "broker/cluster/sentinel.h"
#include "broker/cluster/wire.h"
#include "shared/conf/cluster_addr.h"
#include "shared/conf/cluster_secrets.h"

struct conf;

/* The kind of a command. */
enum engine_call {
	ENGINE_LOGIN,
	ENGINE_INFO,
	ENGINE_JOIN,
	ENGINE_SEND,
	ENGINE_WAIT,
	ENGINE_BEAT,
	ENGINE_LEAVE,
	ENGINE_APPS,
	ENGINE_APP_SET,
	ENGINE_STORE,
	ENGINE_STORED,
	ENGINE_READ
};

struct engine_ops {
	void (*up)(void *owner);
	/* was_up: the connection has ended; else none could be made. */
	void (*down)(void *owner, bool was_up, const char *why);
	/* The answer, which may be an error. */
	void (*reply)(void *owner, enum engine_call call, const redisReply *);
};

struct engine_conn {
	struct wire wire;
	bool ready; /* logged in */
};

struct engine {
	struct ev_loop *loop;
	const struct conf *conf;
	const struct engine_ops *ops;
	void *owner;
	struct cluster_addr addr;
	struct cluster_secrets secrets; /* as they were at the last try */
	struct cluster_server server;   /* of the last try */
	struct engine_conn commands, entries;
	struct lookup lookup;
	struct sentinel sentinel;
	ev_timer tick;
	struct sock_addr addrs[LOOKUP_MAX]; /* of the server, */
	size_t naddrs, at;                  /* and the one that is tried */
	double asked_at;                    /* the Sentinels, ev_now() */
	bool reached; /* a connection was made, whatever became of it */
	bool up;
	double pause, again_at; /* after a refusal: seconds, ev_now() */
	char error[512];        /* the last one, or empty */
};

/* loop, conf, ops and owner are set, and *e is zero otherwise. */
void engine_start(struct engine *);
void engine_stop(struct engine *);
/* Closes both connections; they are made again after a while. */
void engine_drop(struct engine *, const char *why);
/* The same, and each time later: what it says cannot be used. */
void engine_refuse(struct engine *, const char *why);
/* Sends a command; ENGINE_READ has a connection of its own. */
void engine_ask(struct engine *, enum engine_call, int argc, const char **argv,
    const size_t *lens);
/* The server refuses: the Sentinels are asked within a second if it is still
 * the primary. */
void engine_doubt(struct engine *);
/* The i-th text of an answer, or "". */
const char *reply_text(const redisReply *, size_t i);

#endif
