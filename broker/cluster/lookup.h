/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_LOOKUP_H
#define BROKER_CLUSTER_LOOKUP_H

/*
 * Looks up a host name without keeping the loop waiting: getaddrinfo(3) waits
 * for name servers, so a thread calls it.
 */

#include <ev.h>
#include <stdbool.h>

#include "shared/net/sock.h"

#define LOOKUP_MAX 8 /* addresses of a name that are kept */

struct lookup_job;

struct lookup {
	struct ev_loop *loop;
	/* The outcome: n addresses; 0: there is none, why: a sentence. */
	void (*found)(
	    void *owner, const struct sock_addr *, size_t n, const char *why);
	void *owner;
	ev_io io;
	struct lookup_job *job; /* NULL: nothing is looked up */
};

/*
 * *l is zero, but for loop, found and owner.  Calls found() later, or, if host
 * is an address, at once.  port: 1 to 65535.
 */
void lookup_begin(struct lookup *, const char *host, int port);
/* found() is not called any more. */
void lookup_cancel(struct lookup *);
static inline bool
lookup_is_on(const struct lookup *l)
{
	return l->job != NULL;
}

#endif
