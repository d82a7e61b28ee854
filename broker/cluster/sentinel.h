/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_SENTINEL_H
#define BROKER_CLUSTER_SENTINEL_H

/* Asks Sentinels which server is the primary. */

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "broker/cluster/lookup.h"
#include "broker/cluster/wire.h"
#include "shared/conf/cluster_addr.h"
#include "shared/conf/cluster_secrets.h"

struct sentinel {
	struct ev_loop *loop;
	const struct cluster_addr *addr;
	const struct cluster_secrets *secrets;
	/* The answer; or NULL: none of them has one, why: a sentence. */
	void (*found)(void *owner, const char *host, int port, const char *why);
	void *owner;
	struct wire wire; /* to the one that answered last, or is asked */
	struct lookup lookup;
	struct sock_addr addrs[LOOKUP_MAX]; /* of the one that is asked, */
	size_t naddrs, tried_addrs;         /* and so many were tried */
	size_t at, tried; /* of the servers: which one, how many in vain */
	bool busy;
};

/* *s is zero, but for loop, addr, secrets, found and owner. */
void sentinel_init(struct sentinel *);
/* found() is called later, unless it asks already. */
void sentinel_ask(struct sentinel *);
/* Once a second: one that is silent is left for the next one. */
void sentinel_tick(struct sentinel *);
void sentinel_stop(struct sentinel *);

#endif
