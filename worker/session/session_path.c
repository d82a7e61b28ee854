/* SPDX-License-Identifier: MIT */
/*
 * session_path.c: how a client names its session in the path of its upgrade.
 * Pure.  Must never accept any other path: the client chooses the text before
 * /app/KEY, but the server chooses its routes.
 */

#include "worker/session/session.h"

static const struct str app = { "/app/", 5 };
static const struct str mark = { ";resume=", 8 };

/* Where the last "/app/" begins, or -1. */
static ssize_t
last_app(struct str s)
{
	for (size_t i = s.n; i-- > 0;)
		if (str_starts(str_from(s, i), app))
			return (ssize_t)i;
	return -1;
}

bool
session_path_is_ours(struct str path)
{
	return str_starts(path, app) || str_eq(path, S("/app")) ||
	    str_starts(path, S("/resume/"));
}

/* The text before the last /app/, in a path that names a session there. */
static struct str
cut_session(struct str *path)
{
	struct str rest, id = { NULL, 0 };
	ssize_t at;

	if (str_starts(*path, S("/app/resume/")))
		rest = str_from(*path, sizeof("/app/resume/") - 1);
	else if (str_starts(*path, S("/resume/")))
		rest = str_from(*path, sizeof("/resume/") - 1);
	else
		return id;
	if ((at = last_app(rest)) == -1)
		return id;
	*path = str_from(rest, (size_t)at);
	id = str_make(rest.p, (size_t)at);
	/* A wsPath may end with a slash. */
	while (id.n > 0 && id.p[id.n - 1] == '/')
		id.n--;
	return id;
}

/* Where ";resume=" stands in a key, or -1. */
static ssize_t
find_mark(struct str key)
{
	for (size_t i = 0; i < key.n; i++)
		if (str_starts(str_from(key, i), mark))
			return (ssize_t)i;
	return -1;
}

struct session_path
session_path(struct str path, char room[2 * SESSION_KEY_MAX])
{
	struct session_path r = { .id = cut_session(&path) };
	struct str key;
	ssize_t at;

	if (!str_starts(path, app))
		return r;
	key = str_from(path, app.n);
	while (str_starts(key, S("/")))
		key = str_from(key, 1);
	if (key.n == 0 || str_find(key, '/') != -1)
		return r;
	if (key.n > 2 * (size_t)SESSION_KEY_MAX) {
		r.key = S(""); /* no app has it */
		return r;
	}
	key = str_make(room, str_percent_decode(key, false, room));
	at = find_mark(key);
	if (at != -1 && r.id.p == NULL)
		r.id = str_from(key, (size_t)at + mark.n);
	if (at != -1)
		key.n = (size_t)at;
	r.key = key.n > SESSION_KEY_MAX ? S("") : key;
	return r;
}
