/* SPDX-License-Identifier: MIT */
/*
 * env_link.c: recognises the variables that a container gets for each service
 * beside it, so that a service with an option's name does not keep the server
 * from starting.  A variable is recognised only if its name and its value both
 * have the form that Kubernetes or Docker writes; all others stay unchanged,
 * typing mistakes included.  Reads the environment.  Never prints, never
 * changes it.
 */

#include "shared/conf/env_link.h"

#include <stdlib.h>
#include <unistd.h>

#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/net/ip.h"

#define NAMES_MAX 6 /* that the note lists */

static bool
is_port(struct str s)
{
	uint64_t n;

	return s.n <= 5 && str_to_u64(s, UINT16_MAX, &n) == 0 && n > 0;
}

static bool
is_address(struct str s)
{
	struct ip ip;

	return ip_parse(s, &ip) == 0;
}

static bool
is_protocol(struct str s)
{
	return str_eq_nocase(s, S("tcp")) || str_eq_nocase(s, S("udp")) ||
	    str_eq_nocase(s, S("sctp"));
}

/* tcp://10.0.0.1:6001, udp://[fd00::1]:53, also without brackets. */
static bool
is_url(struct str s)
{
	struct str rest = s, protocol = str_cut(&rest, ':');
	size_t i;

	if (!is_protocol(protocol) || !str_starts(rest, S("//")))
		return false;
	rest = str_from(rest, 2);
	for (i = rest.n; i > 0 && rest.p[i - 1] != ':'; i--)
		;
	if (i < 2 || !is_port(str_from(rest, i)))
		return false;
	rest.n = i - 1;
	if (rest.n > 2 && rest.p[0] == '[' && rest.p[rest.n - 1] == ']')
		rest = str_make(rest.p + 1, rest.n - 2);
	return is_address(rest);
}

/* "/web/pusherd": Docker's name for the container. */
static bool
is_container(struct str s)
{
	return s.n > 2 && s.p[0] == '/' && str_find(str_from(s, 1), '/') > 0;
}

/* Where the word begins in the name, not at its beginning; or -1. */
static ssize_t
find_word(struct str name, struct str word)
{
	for (size_t i = 1; i + word.n <= name.n; i++)
		if (str_starts(str_from(name, i), word))
			return (ssize_t)i;
	return -1;
}

/* The rest after X_PORT_: 6001_TCP, 6001_TCP_ADDR, _TCP_PORT or _TCP_PROTO. */
static bool
is_port_form(struct str rest, struct str value)
{
	struct str word = str_cut(&rest, '_');

	if (!is_port(word) || rest.p == NULL)
		return false;
	word = str_cut(&rest, '_');
	if (!is_protocol(word))
		return false;
	if (rest.p == NULL)
		return is_url(value);
	return (str_eq(rest, S("ADDR")) && is_address(value)) ||
	    (str_eq(rest, S("PORT")) && is_port(value)) ||
	    (str_eq(rest, S("PROTO")) && is_protocol(value));
}

/* Docker copies the variables of the other container: X_ENV_PATH. */
static bool
is_copy(struct str name)
{
	ssize_t at = find_word(name, S("_ENV_"));
	char *other;
	bool r;

	if (at == -1)
		return false;
	other = xasprintf("%.*s_NAME", (int)at, name.p);
	r = getenv(other) != NULL && is_container(str_of(getenv(other)));
	free(other);
	return r;
}

bool
env_link_is(struct str name, struct str value)
{
	ssize_t at;

	if (str_ends(name, S("_SERVICE_HOST")))
		return is_address(value);
	if (find_word(name, S("_SERVICE_PORT")) != -1 && is_port(value))
		return str_ends(name, S("_SERVICE_PORT")) ||
		    find_word(name, S("_SERVICE_PORT_")) != -1;
	if (str_ends(name, S("_PORT")) && is_url(value))
		return true;
	if (str_ends(name, S("_NAME")) && is_container(value))
		return true;
	/* A service "port-6001" has the word twice: tries each. */
	for (size_t from = 0;; from += (size_t)at + 1) {
		at = find_word(str_from(name, from), S("_PORT_"));
		if (at == -1)
			return is_copy(name);
		if (is_port_form(str_from(name, from + (size_t)at + 6), value))
			return true;
	}
}

bool
env_link_has(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && env_link_is(str_of(name), str_of(v));
}

static bool
has_prefix(struct str name, const char *const *prefixes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_starts(name, str_of(prefixes[i])))
			return true;
	return false;
}

char *
env_link_note(const char *const *prefixes, size_t n)
{
	struct buf *names = NULL;
	size_t found = 0;
	struct str rest, name;
	char *text = NULL, **e;

	for (e = environ; e != NULL && *e != NULL; e++) {
		rest = str_of(*e);
		name = str_cut(&rest, '=');
		if (rest.p == NULL || !has_prefix(name, prefixes, n) ||
		    !env_link_is(name, rest))
			continue;
		if (found++ < NAMES_MAX)
			buf_printf(&names, "%s%.*s", found > 1 ? ", " : "",
			    STR_ARG(name));
	}
	if (found > NAMES_MAX)
		buf_printf(&names, " and %zu more", found - NAMES_MAX);
	if (found > 0)
		text = xasprintf("not used from the environment: %.*s: "
				 "Kubernetes or Docker sets these for a "
				 "service of this name "
				 "(enableServiceLinks: false turns them off)",
		    STR_ARG(buf_str(names)));
	buf_unref(names);
	return text;
}
