/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_TRANSPORT_H
#define WORKER_CONN_TRANSPORT_H

/*
 * What lies between a socket and its client: TLS, a proxy that says in front
 * of everything (PROXY protocol) or in each request (X-Forwarded-For) who the
 * client is.  A connection that has none of it has no struct transport.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/net/ip.h"
#include "worker/conn/tls.h"

struct conn;
struct http_head;

/* Whom a proxy has named. */
struct transport_client {
	struct ip ip;
	uint16_t port; /* 0: it is not said */
	bool known;
};

struct transport {
	struct tls_conn tls;          /* tls.ssl is NULL without TLS */
	struct transport_client head; /* by the PROXY protocol */
	struct transport_client
	    request;      /* by the request at hand: counts more */
	bool https;       /* the client speaks TLS, to the proxy */
	bool head_tls;    /* it came by TLS, says the PROXY protocol */
	bool awaits_head; /* of the PROXY protocol */
};

/* Right after conn_new().  false: TLS is not possible. */
bool transport_begin(struct conn *, bool tls, bool proxy_protocol);
void transport_free(struct conn *);

/* For connections with a via: as recv(2), outq_send(), shutdown(2). */
ssize_t transport_recv(struct conn *, char *out, size_t cap);
int transport_send(struct conn *, size_t max);
/* 1: the peer has been told; 0: the socket is full; -1: it is broken. */
int transport_finish(struct conn *);
/* Reading goes on when the socket can be written. */
bool transport_wants_write(const struct conn *);

/*
 * What the head of a request says of the client, if the peer is trusted.  If
 * it is not and speaks as a proxy does, the log names it, once for each
 * address.
 */
void transport_request(struct conn *, const struct http_head *);

/*
 * Counts a wrong signature for the client's address.  False: there were more
 * than max_auth_failures_per_minute.
 */
bool transport_auth_failed(struct conn *);
/* Does the client speak TLS, to us or to a trusted proxy? */
bool transport_is_secure(const struct conn *);
/*
 * The client's address: what a trusted proxy said, else the peer's.  False
 * for a peer on a Unix socket that is no proxy.  port may be NULL.
 */
bool transport_client(const struct conn *, struct ip *, uint16_t *port);
/*
 * "1.2.3.4:5678" for the log: the client, also behind trusted proxies (then
 * perhaps without a port); "unix" on a Unix socket.
 */
void transport_peer_text(const struct conn *, char *out, size_t cap);

#endif
