/* SPDX-License-Identifier: MIT */
#ifndef SHARED_NET_IP_H
#define SHARED_NET_IP_H

/*
 * IP addresses as 16 bytes, IPv4 ones as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2), so
 * that one comparison is enough for both.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#include "shared/base/str.h"

#define IP_TEXT_MAX 46 /* with its NUL */

struct sock_addr;

struct ip {
	unsigned char b[16];
};

struct ip_net {
	struct ip ip;
	unsigned bits; /* 0 .. 128 */
};

/* "1.2.3.4", "2001:db8::1"; no brackets, no zone.  0, or -1. */
int ip_parse(struct str, struct ip *);
/* Shortest form; IPv4 in dotted form. */
void ip_text(const struct ip *, char out[IP_TEXT_MAX]);
/* From four bytes in network order. */
struct ip ip_from_v4(const void *bytes);
/* Of an Internet socket; false for any other. */
bool ip_of_sock(const struct sock_addr *, struct ip *);
/* The bytes that distinguish owners: of an IPv6 address its /64. */
struct str ip_owner(const struct ip *);
bool ip_eq(const struct ip *, const struct ip *);

/* "10.0.0.0/8", "fd00::/8", or one address.  0, or -1. */
int ip_net_parse(struct str, struct ip_net *);
bool ip_net_has(const struct ip_net *, const struct ip *);
/* Is the address in one of the networks? */
bool ip_nets_have(const struct ip_net *, size_t n, const struct ip *);

#endif
