/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_VIA_H
#define WORKER_CONN_VIA_H

/*
 * What lies between a socket and its client: TLS, a proxy that says in front
 * of everything (PROXY protocol) or in each request (X-Forwarded-For) who the
 * client is.  A connection that has none of it has no struct via.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/net/ip.h"
#include "worker/conn/tls.h"

struct conn;
struct http_head;

/* Whom a proxy has named. */
struct via_client {
	struct ip ip;
	uint16_t port; /* 0: it is not said */
	bool known;
};

struct via {
	struct tls_conn tls;       /* tls.ssl is NULL without TLS */
	struct via_client head;    /* by the PROXY protocol */
	struct via_client request; /* by the request at hand: counts more */
	bool https;                /* the client speaks TLS, to the proxy */
	bool head_tls;             /* it came by TLS, says the PROXY protocol */
	bool awaits_head;          /* of the PROXY protocol */
};

/* Right after conn_new().  false: TLS is not possible. */
bool via_begin(struct conn *, bool tls, bool proxy_protocol);
void via_free(struct conn *);

/* For connections with a via: as recv(2), outq_send(), shutdown(2). */
ssize_t via_recv(struct conn *, char *out, size_t cap);
int via_send(struct conn *, size_t max);
/* 1: the peer has been told; 0: the socket is full; -1: it is broken. */
int via_finish(struct conn *);
/* Reading goes on when the socket can be written. */
bool via_wants_write(const struct conn *);

/*
 * What the head of a request says of the client, if the peer is trusted.  If
 * it is not and speaks as a proxy does, the log names it, once for each
 * address.
 */
void via_request(struct conn *, const struct http_head *);

/*
 * Counts a wrong signature for the client's address.  False: there were more
 * than max_auth_failures_per_minute.
 */
bool via_auth_failed(struct conn *);
/* Does the client speak TLS, to us or to a trusted proxy? */
bool via_is_secure(const struct conn *);
/*
 * The client's address: what a trusted proxy said, else the peer's.  False
 * for a peer on a Unix socket that is no proxy.  port may be NULL.
 */
bool via_client(const struct conn *, struct ip *, uint16_t *port);
/*
 * "1.2.3.4:5678" for the log: the client, also behind trusted proxies (then
 * perhaps without a port); "unix" on a Unix socket.
 */
void via_peer_text(const struct conn *, char *out, size_t cap);

#endif
