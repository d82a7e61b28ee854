/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_TRANSPORT_H
#define WORKER_CONN_TRANSPORT_H

/*
 * TLS and proxies between a socket and its client.  A connection without both
 * has no struct transport.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/net/ip.h"
#include "worker/conn/tls.h"

struct buf;
struct outq;
struct worker;

/* The client that a proxy has named. */
struct transport_client {
	struct ip ip;
	uint16_t port; /* 0: the proxy does not give it */
	bool known;
};

struct transport {
	struct tls_conn tls;          /* tls.ssl is NULL without TLS */
	struct transport_client head; /* by the PROXY protocol */
	/* By the current request; overrides head. */
	struct transport_client request;
	int fd;
	double until;     /* another process ends its TLS then; 0: none */
	bool https;       /* the client speaks TLS to the proxy */
	bool head_tls;    /* the PROXY header reports TLS */
	bool awaits_head; /* the PROXY header is incomplete */
	bool trusted;     /* the client in head is a trusted proxy itself */
};

struct transport *transport_new(int fd);
/* False: TLS is not possible. */
bool transport_begin(
    struct worker *, struct transport *, bool tls, bool proxy_protocol);
/* NULL is allowed. */
void transport_free(struct worker *, struct transport *);

/* As recv(2); *in keeps the bytes of an incomplete PROXY header. */
ssize_t transport_recv(struct worker *, struct transport *, struct buf **in,
    char *out, size_t cap);
/* As outq_send(). */
int transport_send(
    struct worker *, struct transport *, struct outq *, size_t max);
/* 1: the peer has been told; 0: the socket is full; -1: it is broken. */
int transport_finish(struct transport *);
/* Reading continues when the socket can be written. */
static inline bool
transport_wants_write(const struct transport *v)
{
	return v != NULL && v->tls.wants_write;
}

#endif
