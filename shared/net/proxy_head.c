/* SPDX-License-Identifier: MIT */
/*
 * proxy_head.c: reads the head of the PROXY protocol in any split.  Strict: an
 * ambiguous head is refused.  Of the data after the addresses of a version 2
 * head (TLVs) only PP2_TYPE_SSL is read; the bounds of all are checked.  Pure,
 * owns nothing.  Must never decide which peers to trust: the caller does.
 */

#include "shared/net/proxy_head.h"

#include <string.h>

#include "shared/base/base.h"

#define V1_MAX 107 /* bytes of the line with its CRLF (2.1) */
#define V2_HEAD 16
#define V2_FAMILY_INET 1
#define V2_FAMILY_INET6 2
#define V2_FAMILY_UNIX 3
#define V2_TYPE_SSL 0x20 /* flags, 4 bytes of result, more TLVs (2.2.6) */
#define V2_SSL_MIN 5
#define V2_CLIENT_SSL 1

static const char v2_sign[12] = "\r\n\r\n\0\r\nQUIT\n";

/* Do both begin alike, up to the end of the shorter one? */
static bool
agrees(struct str in, struct str want)
{
	size_t n = MIN(in.n, want.n);

	return n == 0 || memcmp(in.p, want.p, n) == 0;
}

/* ---- version 1 ---- */

/* One number of the line: no sign, no leading zero (2.1). */
static int
read_port(struct str s, uint16_t *port)
{
	uint64_t v;

	if ((s.n > 1 && s.p[0] == '0') || s.n > 5 ||
	    str_to_u64(s, UINT16_MAX, &v) == -1)
		return -1;
	*port = (uint16_t)v;
	return 0;
}

/* "192.0.2.1 192.0.2.2 56324 443"; six: of the family TCP6. */
static int
read_addresses(struct proxy_head *h, struct str rest, bool six)
{
	struct str source = str_cut(&rest, ' ');
	struct str target = str_cut(&rest, ' ');
	struct str from = str_cut(&rest, ' ');
	struct ip ignored;
	uint16_t port;

	if ((str_find(source, ':') != -1) != six ||
	    (str_find(target, ':') != -1) != six ||
	    ip_parse(source, &h->ip) == -1 || ip_parse(target, &ignored) == -1)
		return -1;
	if (read_port(from, &h->port) == -1 || read_port(rest, &port) == -1)
		return -1;
	h->known = true;
	return 0;
}

static ssize_t
read_v1(struct proxy_head *h, struct str in)
{
	struct str line;
	ssize_t end = str_find(str_make(in.p, MIN(in.n, V1_MAX)), '\n');
	int r = 0;

	if (end == -1)
		return in.n >= V1_MAX ? -1 : 0;
	if (in.p[end - 1] != '\r') /* "PROXY " stands before it */
		return -1;
	line = str_from(str_make(in.p, (size_t)end - 1), 6);
	if (str_starts(line, S("TCP4 ")))
		r = read_addresses(h, str_from(line, 5), false);
	else if (str_starts(line, S("TCP6 ")))
		r = read_addresses(h, str_from(line, 5), true);
	else if (!str_eq(line, S("UNKNOWN")) &&
	    !str_starts(line, S("UNKNOWN ")))
		r = -1;
	return r == -1 ? -1 : end + 1;
}

/* ---- version 2 ---- */

static unsigned
u16_at(struct str in, size_t at)
{
	return (unsigned)(unsigned char)in.p[at] << 8 |
	    (unsigned char)in.p[at + 1];
}

/* The bytes of the addresses of this family, or -1. */
static int
addresses_of(unsigned family)
{
	switch (family) {
	case 0: /* unspecified: no address is given */
		return 0;
	case V2_FAMILY_INET:
		return 12;
	case V2_FAMILY_INET6:
		return 36;
	case V2_FAMILY_UNIX:
		return 216;
	default:
		return -1;
	}
}

/* type, length, value until the end: nothing may stick out. */
static bool
read_tlvs(struct proxy_head *h, struct str in)
{
	size_t n;

	while (in.n >= 3) {
		n = u16_at(in, 1);
		if (n > in.n - 3)
			return false;
		if ((unsigned char)in.p[0] == V2_TYPE_SSL) {
			if (n < V2_SSL_MIN)
				return false;
			h->tls = ((unsigned char)in.p[3] & V2_CLIENT_SSL) != 0;
		}
		in = str_from(in, 3 + n);
	}
	return in.n == 0;
}

static ssize_t
read_v2(struct proxy_head *h, struct str in)
{
	unsigned command, family;
	struct str body;
	size_t len;
	int n;

	if (in.n > 12 && (unsigned char)in.p[12] >> 4 != 2)
		return -1;
	if (in.n < V2_HEAD)
		return 0;
	command = (unsigned char)in.p[12] & 15;
	family = (unsigned char)in.p[13] >> 4;
	len = u16_at(in, 14);
	if (command > 1 || ((unsigned char)in.p[13] & 15) > 2 ||
	    len > PROXY_HEAD_MAX - V2_HEAD)
		return -1;
	if (in.n < V2_HEAD + len)
		return 0;
	body = str_make(in.p + V2_HEAD, len);
	if (command == 0) /* LOCAL: the proxy itself; the rest is ignored */
		return (ssize_t)(V2_HEAD + len);
	n = addresses_of(family);
	if (n == -1 || body.n < (size_t)n ||
	    !read_tlvs(h, str_from(body, (size_t)n)))
		return -1;
	if (family == V2_FAMILY_INET) {
		h->ip = ip_from_v4(body.p);
		h->port = (uint16_t)u16_at(body, 8);
		h->known = true;
	} else if (family == V2_FAMILY_INET6) {
		memcpy(h->ip.b, body.p, sizeof(h->ip.b));
		h->port = (uint16_t)u16_at(body, 32);
		h->known = true;
	}
	return (ssize_t)(V2_HEAD + len);
}

ssize_t
proxy_head_read(struct proxy_head *h, struct str in)
{
	const struct str v1 = S("PROXY "), v2 = { v2_sign, sizeof(v2_sign) };

	*h = (struct proxy_head){ 0 };
	if (in.n == 0)
		return 0;
	if (agrees(in, v2))
		return in.n < v2.n ? 0 : read_v2(h, in);
	if (agrees(in, v1))
		return in.n < v1.n ? 0 : read_v1(h, in);
	return -1;
}
