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
#define SENTINEL_PORT 26379

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

/* Letters, digits, '-', '_' and '.'; or an address of IPv6 in brackets. */
static bool
host_is_valid(const char *host, bool v6)
{
	struct in6_addr address;

	if (v6)
		return inet_pton(AF_INET6, host, &address) == 1;
	for (; *host != '\0'; host++)
		if (!((*host >= 'a' && *host <= 'z') ||
			(*host >= 'A' && *host <= 'Z') ||
			(*host >= '0' && *host <= '9') || *host == '-' ||
			*host == '_' || *host == '.'))
			return false;
	return true;
}

/* HOST or HOST:PORT */
static int
parse_server(struct cluster_addr *a, struct str *s, int port)
{
	struct cluster_server *to = &a->servers[a->nservers];
	bool v6 = cut_prefix(s, S("["));

	if (a->nservers == CLUSTER_SERVERS ||
	    cut_until(s, v6 ? "]" : ":/,", to->host, sizeof(to->host)) == -1 ||
	    (v6 && !cut_prefix(s, S("]"))) || !host_is_valid(to->host, v6))
		return -1;
	to->port = port;
	a->nservers++;
	return cut_number(s, ':', 65535, &to->port) == -1 || to->port == 0 ? -1
									   : 0;
}

/* The rest behind sentinel:// */
static int
parse_sentinels(struct cluster_addr *a, struct str *s)
{
	do {
		if (parse_server(a, s, SENTINEL_PORT) == -1)
			return -1;
	} while (cut_prefix(s, S(",")));
	if (!cut_prefix(s, S("/")) ||
	    cut_until(s, "/", a->master, sizeof(a->master)) == -1)
		return -1;
	return cluster_name_is_valid(str_of(a->master)) ? 0 : -1;
}

static int
parse_unix(struct cluster_addr *a, struct str s)
{
	if (s.n == 0 || s.p[0] != '/' ||
	    cut_until(&s, "?", a->path, sizeof(a->path)) == -1)
		return -1;
	return s.n == 0 ? 0 : -1;
}

int
cluster_addr_parse(struct cluster_addr *a, struct str text, const char **why)
{
	struct str s = text;
	int r;

	*a = (struct cluster_addr){ .nservers = 0 };
	*why = "redis://HOST:PORT/DB, rediss:// for TLS, "
	       "sentinel://HOST:PORT,HOST:PORT/NAME/DB, sentinels:// for TLS, "
	       "or unix:/PATH";
	if (memchr(s.p, '@', s.n) != NULL) {
		*why = "without a password, which belongs into the file of "
		       "cluster_auth";
		return -1;
	}
	if (cut_prefix(&s, S("unix:")))
		return parse_unix(a, s);
	a->tls = cut_prefix(&s, S("rediss://"));
	if (a->tls || cut_prefix(&s, S("redis://"))) {
		r = parse_server(a, &s, REDIS_PORT);
	} else {
		a->tls = cut_prefix(&s, S("sentinels://"));
		if (!a->tls && !cut_prefix(&s, S("sentinel://")))
			return -1;
		r = parse_sentinels(a, &s);
	}
	if (r == -1 || cut_number(&s, '/', 1000000, &a->db) == -1 || s.n != 0)
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
