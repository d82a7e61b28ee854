/* SPDX-License-Identifier: MIT */
/*
 * listen_spec.c: one listener of the configuration: text to struct and back.
 * Pure: the user of the address finds out whether it can be used.
 */

#include "shared/net/listen_spec.h"

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define DEFAULT_MODE 0660

static const struct {
	const char *name;
	enum listen_role role;
} roles[] = {
	{ "public", LISTEN_PUBLIC },
	{ "api", LISTEN_API },
	{ "metrics", LISTEN_METRICS },
	{ "admin", LISTEN_ADMIN },
	{ "console", LISTEN_CONSOLE },
};

const char *
listen_role_text(enum listen_role role)
{
	for (size_t i = 0; i < nitems(roles); i++)
		if (roles[i].role == role)
			return roles[i].name;
	return "?";
}

/* Octal, at most 0777. */
static int
read_mode(struct str s, mode_t *mode)
{
	unsigned v = 0;

	if (s.n == 0 || s.n > 4)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '7')
			return -1;
		v = v * 8 + (unsigned)(s.p[i] - '0');
	}
	*mode = (mode_t)v;
	return v > 0777 ? -1 : 0;
}

static int
read_role(struct str s, enum listen_role *role)
{
	for (size_t i = 0; i < nitems(roles); i++) {
		if (str_eq(s, str_of(roles[i].name))) {
			*role = roles[i].role;
			return 0;
		}
	}
	return -1;
}

/* One word after the address: NULL, or the allowed values. */
static const char *
read_word(struct listen_spec *l, struct str word)
{
	if (str_eq(word, S("tls"))) {
		l->tls = true;
	} else if (str_eq(word, S("proxy_protocol"))) {
		l->proxy_protocol = true;
	} else if (str_starts(word, S("role="))) {
		if (read_role(str_from(word, 5), &l->role) == -1)
			return "role= must be public, api, metrics, admin or "
			       "console";
	} else if (str_starts(word, S("mode="))) {
		if (!listen_spec_is_unix(l))
			return "mode= is only for unix:/path";
		if (read_mode(str_from(word, 5), &l->mode) == -1)
			return "mode= must be an octal number, as in 0660";
	} else {
		return "only tls, role=, mode= and proxy_protocol may follow "
		       "the address; write each listener on its own line, or "
		       "separate them by commas";
	}
	return NULL;
}

static const char *
read_address(struct listen_spec *l, struct str word)
{
	char *path;
	int r;

	if (str_starts(word, S("unix:"))) {
		if (word.n < 7 || word.p[5] != '/' ||
		    str_find(word, '\0') != -1)
			return "unix: must be followed by a full path";
		path = str_dup(str_from(word, 5));
		r = sock_addr_unix(path, &l->addr);
		free(path);
		if (r == -1)
			return "the path after unix: is too long";
	} else if (sock_addr_parse(word, &l->addr) == -1) {
		return "must be an address and a port, as in 0.0.0.0:6001, "
		       "[::]:6001 or *:6001, or unix:/path";
	}
	return NULL;
}

int
listen_spec_parse(struct listen_spec *l, struct str text, char **why)
{
	struct str rest = str_trim(text), word;
	const char *wrong;

	*l =
	    (struct listen_spec){ .role = LISTEN_PUBLIC, .mode = DEFAULT_MODE };
	wrong = read_address(l, str_cut(&rest, ' '));
	while (wrong == NULL && rest.p != NULL) {
		word = str_trim(str_cut(&rest, ' '));
		if (word.n > 0)
			wrong = read_word(l, word);
	}
	if (wrong == NULL)
		return 0;
	*why = xstrdup(wrong);
	return -1;
}

bool
listen_spec_is_unix(const struct listen_spec *l)
{
	return l->addr.ss.ss_family == AF_UNIX;
}
