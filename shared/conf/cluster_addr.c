/* SPDX-License-Identifier: MIT */
/*
 * cluster_addr.c: the address of the Redis server of a cluster.  Must never
 * look a name up: the broker that connects to it waits for nobody.
 */

#include "shared/conf/cluster_addr.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#define REDIS_PORT 6379

static bool
cut_prefix(struct str *s, struct str prefix)
{
	if (s->n < prefix.n || memcmp(s->p, prefix.p, prefix.n) != 0)
		return false;
	*s = str_make(s->p + prefix.n, s->n - prefix.n);
	return true;
}

/* Copies the bytes up to the first of these characters. */
static int
cut_until(struct str *s, const char *ends, char *to, size_t room)
{
	size_t n = 0;

	while (n < s->n && strchr(ends, s->p[n]) == NULL)
		n++;
	if (n == 0 || n >= room)
		return -1;
	memcpy(to, s->p, n);
	to[n] = '\0';
	*s = str_make(s->p + n, s->n - n);
	return 0;
}

static int
cut_number(struct str *s, char before, int max, int *out)
{
	size_t i = 1;
	int n = 0;

	if (s->n == 0 || s->p[0] != before)
		return 0; /* the default */
	for (; i < s->n && s->p[i] >= '0' && s->p[i] <= '9' && n <= max; i++)
		n = n * 10 + s->p[i] - '0';
	if (i == 1 || n > max)
		return -1;
	*out = n;
	*s = str_make(s->p + i, s->n - i);
	return 0;
}

static int
parse_host(struct cluster_addr *a, struct str *s)
{
	struct in6_addr address;
	bool v6 = cut_prefix(s, S("["));

	if (cut_until(s, v6 ? "]" : ":/", a->host, sizeof(a->host)) == -1 ||
	    (v6 && !cut_prefix(s, S("]"))))
		return -1;
	if (strcmp(a->host, "localhost") == 0)
		strcpy(a->host, "127.0.0.1");
	return inet_pton(v6 ? AF_INET6 : AF_INET, a->host, &address) == 1 ? 0
									  : -1;
}

int
cluster_addr_parse(struct cluster_addr *a, struct str text, const char **why)
{
	struct str s = text;

	*a = (struct cluster_addr){ .port = REDIS_PORT };
	*why = "redis://ADDRESS:PORT/DB or unix:/PATH";
	if (cut_prefix(&s, S("rediss:")) || cut_prefix(&s, S("sentinel:"))) {
		*why =
		    "redis://ADDRESS:PORT/DB or unix:/PATH: TLS and Sentinel "
		    "are not supported; use a tunnel such as stunnel, or a "
		    "proxy that leads to the primary";
		return -1;
	}
	if (cut_prefix(&s, S("unix:"))) {
		if (s.n == 0 || s.p[0] != '/' ||
		    cut_until(&s, "?", a->path, sizeof(a->path)) == -1)
			return -1;
		return s.n == 0 ? 0 : -1;
	}
	if (!cut_prefix(&s, S("redis://")))
		return -1;
	if (memchr(s.p, '@', s.n) != NULL) {
		*why = "without a password, which belongs into the file of "
		       "cluster_auth";
		return -1;
	}
	if (parse_host(a, &s) == -1) {
		*why =
		    "redis://ADDRESS:PORT/DB with an IP address, because the "
		    "broker looks no names up";
		return -1;
	}
	if (cut_number(&s, ':', 65535, &a->port) == -1 || a->port == 0 ||
	    cut_number(&s, '/', 1000000, &a->db) == -1 || s.n != 0)
		return -1;
	return 0;
}

bool
cluster_name_is_valid(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '-' || c == '_' ||
			c == '.'))
			return false;
	}
	return name.n > 0 && name.n <= CLUSTER_HOST_MAX;
}
