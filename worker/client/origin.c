/* SPDX-License-Identifier: MIT */
/*
 * origin.c: the allow-list of origins (RFC 6454, 6.2: scheme "://" host
 * [":" port], or "null").
 *
 * Pure.  A pattern matches as a whole, never a part of the origin; a `*`
 * stands for what a host may consist of, so that no pattern for a host is
 * met by a path or by another scheme.
 */

#include "worker/client/origin.h"

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Characters that a `*` matches: those of schemes, hosts and ports. */
static bool
is_origin_char(char c)
{
	c = lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr("-._+:[]", c) != NULL);
}

/*
 * Does the pattern match all of s?  At a mismatch only the last star is
 * extended by one character, so the time is at most s.n * p.n.
 */
static bool
glob(struct str p, struct str s)
{
	size_t i = 0, j = 0, star = SIZE_MAX, mark = 0;

	while (j < s.n) {
		if (i < p.n && p.p[i] == '*') {
			star = i++;
			mark = j;
		} else if (i < p.n && lower(p.p[i]) == lower(s.p[j])) {
			i++;
			j++;
		} else if (star != SIZE_MAX && is_origin_char(s.p[mark])) {
			i = star + 1;
			j = ++mark;
		} else {
			return false;
		}
	}
	while (i < p.n && p.p[i] == '*')
		i++;
	return i == p.n;
}

/* Where "://" begins, or -1. */
static ssize_t
scheme_end(struct str s)
{
	for (size_t i = 0; i + 3 <= s.n; i++)
		if (memcmp(s.p + i, "://", 3) == 0)
			return (ssize_t)i;
	return -1;
}

/* May the character stand in a port, or in a pattern for one? */
static bool
is_port_char(char c)
{
	return (c >= '0' && c <= '9') || c == '*';
}

/* The ":port" of a host, or an empty str at its end; [::1]:80 has one. */
static struct str
port_of(struct str host)
{
	size_t i = host.n;

	while (i > 0 && is_port_char(host.p[i - 1]))
		i--;
	if (i == 0 || i == host.n || host.p[i - 1] != ':')
		return str_from(host, host.n);
	return str_from(host, i - 1);
}

static bool
matches(struct str pattern, struct str origin)
{
	ssize_t scheme = scheme_end(origin);
	struct str host;

	if (str_eq(pattern, S("*")))
		return true;
	if (scheme_end(pattern) != -1 || scheme == -1)
		return glob(pattern, origin);
	host = str_from(origin, (size_t)scheme + 3);
	if (port_of(pattern).n == 0)
		host.n -= port_of(host).n;
	return glob(pattern, host);
}

bool
origin_is_allowed(struct str patterns, struct str origin)
{
	size_t i = 0, from;
	bool any = false;

	if (origin.p == NULL)
		return true;
	while (i < patterns.n) {
		from = i;
		while (i < patterns.n && strchr(" \t,", patterns.p[i]) == NULL)
			i++;
		if (i > from) {
			any = true;
			if (matches(
				str_make(patterns.p + from, i - from), origin))
				return true;
		}
		i++;
	}
	return !any;
}
