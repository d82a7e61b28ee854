/* SPDX-License-Identifier: MIT */
/*
 * ip.c: addresses and networks: text to bytes, bytes to text, membership.  An
 * IPv4 address and its IPv4-mapped IPv6 form are the same address, so that the
 * other notation cannot bypass a list of networks.  Pure, owns nothing.  Must
 * never resolve a name.
 */

#include "shared/net/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "shared/net/sock.h"

#define V6_NET 8 /* bytes: a /64 */

static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
	0xff };

static bool
is_v4(const struct ip *ip)
{
	return memcmp(ip->b, mapped, sizeof(mapped)) == 0;
}

struct ip
ip_from_v4(const void *bytes)
{
	struct ip ip;

	memcpy(ip.b, mapped, sizeof(mapped));
	memcpy(ip.b + sizeof(mapped), bytes, 4);
	return ip;
}

int
ip_parse(struct str s, struct ip *ip)
{
	char text[IP_TEXT_MAX];
	struct in_addr four;
	struct in6_addr six;

	if (s.n == 0 || s.n >= sizeof(text) || str_find(s, '\0') != -1)
		return -1;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET, text, &four) == 1) {
		*ip = ip_from_v4(&four);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &six) != 1)
		return -1;
	memcpy(ip->b, &six, sizeof(ip->b));
	return 0;
}

void
ip_text(const struct ip *ip, char out[IP_TEXT_MAX])
{
	if (is_v4(ip))
		inet_ntop(AF_INET, ip->b + sizeof(mapped), out, IP_TEXT_MAX);
	else
		inet_ntop(AF_INET6, ip->b, out, IP_TEXT_MAX);
}

bool
ip_of_sock(const struct sock_addr *a, struct ip *ip)
{
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	if (a->ss.ss_family == AF_INET && a->len >= sizeof(sin)) {
		memcpy(&sin, &a->ss, sizeof(sin));
		*ip = ip_from_v4(&sin.sin_addr);
		return true;
	}
	if (a->ss.ss_family == AF_INET6 && a->len >= sizeof(sin6)) {
		memcpy(&sin6, &a->ss, sizeof(sin6));
		memcpy(ip->b, &sin6.sin6_addr, sizeof(ip->b));
		return true;
	}
	return false;
}

struct str
ip_owner(const struct ip *ip)
{
	return str_make(
	    (const char *)ip->b, is_v4(ip) ? sizeof(ip->b) : V6_NET);
}

bool
ip_eq(const struct ip *a, const struct ip *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

int
ip_net_parse(struct str s, struct ip_net *net)
{
	struct str rest = s, address = str_cut(&rest, '/');
	unsigned base = 0;
	uint64_t bits;

	if (ip_parse(address, &net->ip) == -1)
		return -1;
	net->bits = 128;
	if (rest.p == NULL)
		return 0;
	/* ::ffff:1.2.3.4/120 is compared in the notation of its text. */
	if (is_v4(&net->ip) && str_find(address, ':') == -1)
		base = 96;
	if (str_to_u64(rest, 128 - base, &bits) == -1)
		return -1;
	net->bits = base + (unsigned)bits;
	return 0;
}

bool
ip_net_has(const struct ip_net *net, const struct ip *ip)
{
	size_t whole = net->bits / 8;
	unsigned rest = net->bits % 8, mask = 0xff00u >> rest & 0xffu;

	if (memcmp(net->ip.b, ip->b, whole) != 0)
		return false;
	return rest == 0 || ((net->ip.b[whole] ^ ip->b[whole]) & mask) == 0;
}

bool
ip_nets_have(const struct ip_net *nets, size_t n, const struct ip *ip)
{
	for (size_t i = 0; i < n; i++)
		if (ip_net_has(&nets[i], ip))
			return true;
	return false;
}
