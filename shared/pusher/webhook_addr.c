/* SPDX-License-Identifier: MIT */
/*
 * webhook_addr.c: the addresses to which a webhook may be sent.  Checks the
 * address of the real connection, after every name lookup; so a name that
 * changes its address gains nothing.  The ranges are those of the IANA
 * special-purpose registries.  Pure.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "shared/base/base.h"
#include "shared/pusher/webhook.h"

static const struct {
	uint32_t net;
	unsigned bits;
} closed4[] = {
	{ 0x00000000, 8 },  /* 0.0.0.0/8 */
	{ 0x0a000000, 8 },  /* 10.0.0.0/8 */
	{ 0x64400000, 10 }, /* 100.64.0.0/10 */
	{ 0x7f000000, 8 },  /* 127.0.0.0/8 */
	{ 0xa9fe0000, 16 }, /* 169.254.0.0/16 */
	{ 0xac100000, 12 }, /* 172.16.0.0/12 */
	{ 0xc0000000, 24 }, /* 192.0.0.0/24 */
	{ 0xc0000200, 24 }, /* 192.0.2.0/24, documentation */
	{ 0xc0586300, 24 }, /* 192.88.99.0/24 */
	{ 0xc0a80000, 16 }, /* 192.168.0.0/16 */
	{ 0xc6120000, 15 }, /* 198.18.0.0/15 */
	{ 0xc6336400, 24 }, /* 198.51.100.0/24, documentation */
	{ 0xcb007100, 24 }, /* 203.0.113.0/24, documentation */
	{ 0xe0000000, 3 },  /* 224.0.0.0/3: multicast, reserved, broadcast */
};

/* Of 2000::/3, which is the routed part; the rest is closed. */
static const struct {
	unsigned char net[16];
	unsigned bits;
} closed6[] = {
	{ { 0x20, 0x01 }, 23 },             /* 2001::/23: Teredo, ORCHID, … */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* 2001:db8::/32, documentation */
	{ { 0x3f, 0xff }, 20 },             /* 3fff::/20, documentation */
};

static bool
is_public4(uint32_t a)
{
	for (size_t i = 0; i < nitems(closed4); i++)
		if ((a ^ closed4[i].net) >> (32 - closed4[i].bits) == 0)
			return false;
	return true;
}

static uint32_t
read4(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

static bool
is_in6(const unsigned char *a, const unsigned char *net, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	return memcmp(a, net, bytes) == 0 &&
	    (rest == 0 || (a[bytes] ^ net[bytes]) >> (8 - rest) == 0);
}

/* An interface identifier of ISATAP (RFC 5214) ends with an IPv4 address. */
static bool
is_isatap(const unsigned char *a)
{
	return (a[8] & 0xfd) == 0 && a[9] == 0 && a[10] == 0x5e &&
	    a[11] == 0xfe;
}

/*
 * A form that carries an IPv4 address is judged by it if the form is in use:
 * ::ffff:0:0/96 (mapped), 64:ff9b::/96 (NAT64), 2002::/16 (6to4), ISATAP.
 * Others (::/96, ::ffff:0:0:0/96, 64:ff9b:1::/48, Teredo) are closed.
 */
static bool
is_public6(const unsigned char *a)
{
	static const unsigned char mapped[16] = { [10] = 0xff, [11] = 0xff };
	static const unsigned char nat64[16] = { 0, 0x64, 0xff, 0x9b };
	static const unsigned char six_to_four[16] = { 0x20, 0x02 };
	static const unsigned char global[16] = { 0x20 };

	if (is_in6(a, mapped, 96) || is_in6(a, nat64, 96))
		return is_public4(read4(a + 12));
	if (!is_in6(a, global, 3))
		return false;
	if (is_in6(a, six_to_four, 16) && !is_public4(read4(a + 2)))
		return false;
	if (is_isatap(a) && !is_public4(read4(a + 12)))
		return false;
	for (size_t i = 0; i < nitems(closed6); i++)
		if (is_in6(a, closed6[i].net, closed6[i].bits))
			return false;
	return true;
}

bool
webhook_addr_is_public(const struct sockaddr *sa)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&in, sa, sizeof(in));
		return is_public4(ntohl(in.sin_addr.s_addr));
	case AF_INET6:
		memcpy(&in6, sa, sizeof(in6));
		return is_public6(in6.sin6_addr.s6_addr);
	default:
		return false;
	}
}

/* "http://[::1]:80/x" has the host "::1"; empty: none was found. */
static struct str
url_host(const char *url)
{
	const char *p = strstr(url, "://"), *at;
	struct str s;

	if (p == NULL)
		return S("");
	s = str_make(p + 3, strcspn(p + 3, "/?#"));
	at = memrchr(s.p, '@', s.n);
	if (at != NULL)
		s = str_from(s, (size_t)(at - s.p) + 1);
	if (s.n > 0 && s.p[0] == '[')
		return str_make(s.p + 1, strcspn(s.p + 1, "]%"));
	s.n = strcspn(s.p, ":/?#");
	if (s.n > 0 && s.p[s.n - 1] == '.')
		s.n--;
	return s;
}

bool
webhook_url_is_closed(const char *url)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_storage ss = { 0 };
	struct str host = url_host(url);
	char text[256];

	if (host.n == 0 || host.n >= sizeof(text))
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	if (strcasecmp(text, "localhost") == 0 ||
	    (host.n > 10 && strcasecmp(text + host.n - 10, ".localhost") == 0))
		return true;
	/* Not inet_pton(): 127.1, 0x7f000001 and 0177.0.0.1 are addresses. */
	if (inet_aton(text, &in.sin_addr) == 1)
		memcpy(&ss, &in, sizeof(in));
	else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		memcpy(&ss, &in6, sizeof(in6));
	else
		return false;
	return !webhook_addr_is_public((struct sockaddr *)&ss);
}
