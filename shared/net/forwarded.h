/* SPDX-License-Identifier: MIT */
#ifndef SHARED_NET_FORWARDED_H
#define SHARED_NET_FORWARDED_H

/*
 * Header fields written by proxies: the client's address and whether it uses
 * TLS (RFC 7239, and the older X-Forwarded-For and X-Forwarded-Proto).  Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#include "shared/net/ip.h"

struct http_head;

struct forwarded {
	bool known;   /* ip is that of the client */
	bool https;   /* the client speaks TLS (https or wss) */
	struct ip ip; /* when known */
};

/*
 * The hops stand in the header from left to right; each proxy appends its peer.
 * From the right, hops in `trusted` are skipped: the first other one is the
 * client; if all are trusted, the left-most.  A hop that is no address
 * (unknown, _hidden, damaged) ends the search: the one to its right counts.
 * standard: read Forwarded, and nothing else; else X-Forwarded-For and
 * X-Forwarded-Proto, and nothing else, because a proxy that writes one of them
 * may pass on the other one from the client.
 */
void forwarded_read(struct forwarded *, const struct http_head *, bool standard,
    const struct ip_net *trusted, size_t ntrusted);

#endif
