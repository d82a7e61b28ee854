/* SPDX-License-Identifier: MIT */
#ifndef SHARED_NET_PROXY_HEAD_H
#define SHARED_NET_PROXY_HEAD_H

/*
 * The head of the PROXY protocol, version 1 (a line of text) and 2 (binary), as
 * in HAProxy's doc/proxy-protocol.txt: a proxy writes it before the first byte
 * of the connection that it passes on.  Pure.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/base/str.h"
#include "shared/net/ip.h"

/* Bytes of a head with its TLVs; longer ones are refused. */
#define PROXY_HEAD_MAX 16384

struct proxy_head {
	bool known;    /* it names a client; else the peer is the client */
	struct ip ip;  /* of the client, when known */
	uint16_t port; /* likewise */
	bool tls;      /* it came by TLS, which the proxy has ended */
};

/*
 * Reads the head at the beginning of a connection.  > 0: its bytes; 0: more
 * bytes are needed, and all present ones belong to it; -1: it is none.
 */
ssize_t proxy_head_read(struct proxy_head *, struct str in);

#endif
