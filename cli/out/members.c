/* SPDX-License-Identifier: MIT */
/*
 * members.c: columns of a table and members of a record from one text, and
 * their values from a row of the daemon.  It owns the keys of the open table.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "cli/out/private.h"
#include "shared/base/xmalloc.h"

struct member {
	struct str key, kind, names; /* names: "a", or "a+b+c" */
};

/* The next of "key:kind=name"; false after the last one. */
static bool
next_member(struct str *rest, struct member *m)
{
	struct str word, name;

	do
		word = str_cut(rest, ' ');
	while (word.n == 0 && rest->p != NULL);
	if (word.n == 0)
		return false;
	name = word;
	m->kind = str_cut(&name, '=');
	m->key = str_cut(&m->kind, ':');
	m->names = name.p != NULL ? name : m->key;
	return true;
}

void
out_forget_keys(struct out *o)
{
	for (size_t i = 0; i < o->nkeys; i++)
		free(o->keys[i]);
	free(o->keys);
	o->keys = NULL;
	o->nkeys = 0;
}

void
out_learn_keys(struct out *o, const char *columns)
{
	struct str rest = str_of(columns);
	struct member m;

	out_forget_keys(o);
	while (next_member(&rest, &m)) {
		o->keys =
		    xreallocarray(o->keys, o->nkeys + 1, sizeof(*o->keys));
		o->keys[o->nkeys++] = str_dup(m.key);
	}
	o->columns = columns;
	o->ncols = o->nkeys;
}

void
out_time(struct out *o, const char *key, uint64_t ms, bool fine)
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;
	char text[48];
	size_t n;

	if (out_is_json(o) || localtime_r(&t, &tm) == NULL) {
		out_num(o, key, ms / 1000);
		return;
	}
	n = strftime(text, sizeof(text),
	    fine ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d %H:%M", &tm);
	if (fine)
		snprintf(
		    text + n, sizeof(text) - n, ".%03u", (unsigned)(ms % 1000));
	out_text(o, key, text);
}

uint64_t
row_u64(struct json row, const char *key)
{
	uint64_t n = 0;

	json_u64(json_get(row, str_of(key)), UINT64_MAX, &n);
	return n;
}

static void
put_sum(struct out *o, const char *key, struct json row, struct str names)
{
	uint64_t sum = 0, n;

	while (names.p != NULL)
		if (json_u64(json_get(row, str_cut(&names, '+')), UINT64_MAX,
			&n) == 0)
			sum += n;
	out_num(o, key, sum);
}

static void
put_member(struct out *o, const char *key, struct json v, struct str kind)
{
	uint64_t n;

	if (kind.n == 0 || json_u64(v, UINT64_MAX, &n) == -1)
		out_json(o, key, v);
	else if (str_eq(kind, S("bytes")))
		out_bytes(o, key, n);
	else if (str_eq(kind, S("seconds")))
		out_seconds(o, key, n);
	else if (str_eq(kind, S("ms")))
		out_seconds(o, key, n / 1000);
	else if (str_eq(kind, S("clock")))
		out_time(o, key, n, true);
	else
		out_time(o, key, n * 1000, false);
}

void
out_members(struct out *o, struct json row, const char *members)
{
	struct str rest = str_of(members);
	struct member m;
	char key[64];

	while (next_member(&rest, &m)) {
		snprintf(key, sizeof(key), "%.*s", STR_ARG(m.key));
		if (str_find(m.names, '+') != -1)
			put_sum(o, key, row, m.names);
		else
			put_member(o, key, json_get(row, m.names), m.kind);
	}
}

void
out_row(void *arg, struct json row)
{
	struct out *o = arg;

	if (o->columns == NULL) /* nothing has said what comes */
		return;
	out_row_open(o);
	out_members(o, row, o->columns);
	out_row_close(o);
}

void
out_record(
    struct out *o, const char *name, struct json row, const char *members)
{
	out_record_open(o, name);
	out_members(o, row, members);
	out_record_close(o);
}
