/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_WIRE_H
#define BROKER_CLUSTER_WIRE_H

/*
 * One connection to a Redis server or a Sentinel: commands go out, answers come
 * back in their order.
 */

#include <ev.h>
#include <hiredis/hiredis.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "shared/base/outq.h"
#include "shared/conf/cluster_secrets.h"
#include "shared/net/sock.h"

struct wire;

struct wire_ops {
	/* It is connected; with TLS the certificate has been checked. */
	void (*up)(void *owner, struct wire *);
	/* An answer; what: as given to wire_ask(). */
	void (*reply)(
	    void *owner, struct wire *, unsigned what, const redisReply *);
	/* It has ended by itself, and is closed; why: a sentence. */
	void (*down)(void *owner, struct wire *, const char *why);
};

/* Where to, and how. */
struct wire_to {
	struct sock_addr addr;
	SSL_CTX *tls;     /* NULL: none */
	const char *name; /* which the certificate must have */
};

struct wire {
	struct ev_loop *loop;
	const struct wire_ops *ops;
	void *owner;
	ev_io io;
	SSL *ssl;
	redisReader *reader; /* NULL: closed */
	struct outq out;
	bool up;
	double asked; /* ev_now() of the last sign of life while one is owed */
	size_t since; /* bytes that have come since then */
	unsigned first, n, cap;
	unsigned char *what; /* a ring: what was asked, and has no answer */
};

/* *w is zero, but for loop, ops and owner.  -1 and errno: it is closed. */
int wire_open(struct wire *, const struct wire_to *);
/* Harmless when it is closed. */
void wire_close(struct wire *);
/* Sends a command.  what: below 256. */
void wire_ask(struct wire *, unsigned what, int argc, const char **argv,
    const size_t *lens);
/* Sends AUTH, if there is a password (redis.io/commands/auth). */
void wire_log_in(struct wire *, unsigned what, const struct cluster_login *);

static inline bool
wire_is_open(const struct wire *w)
{
	return w->reader != NULL;
}
/* Seconds for which the other end has owed something; 0: it owes nothing. */
double wire_silence(const struct wire *);

#endif
