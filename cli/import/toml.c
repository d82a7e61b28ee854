/* SPDX-License-Identifier: MIT */
/*
 * toml.c: reads configuration files of other servers into a cJSON tree and
 * writes that as JSON.  Depth and size are bounded; an unknown form is an error
 * with its line, so that nothing of a file is silently lost.
 */

#include "cli/import/toml.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cli/import/dotenv.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/net/ws_frame.h"

#define DEPTH_MAX 16

struct toml {
	struct str rest;
	unsigned line;
	char **why;
};

static int
fail(struct toml *t, const char *what)
{
	if (*t->why == NULL)
		*t->why = xasprintf("line %u: %s", t->line, what);
	return -1;
}

static char
peek(const struct toml *t)
{
	return t->rest.n > 0 ? t->rest.p[0] : '\0';
}

static char
next(struct toml *t)
{
	char c = peek(t);

	if (t->rest.n > 0)
		t->rest = str_from(t->rest, 1);
	t->line += c == '\n';
	return c;
}

/* Is this the next one?  Then takes it. */
static bool
take(struct toml *t, char c)
{
	bool is = peek(t) == c;

	if (is)
		next(t);
	return is;
}

/* Blanks and comments; with `feeds` also ends of lines. */
static void
skip(struct toml *t, bool feeds)
{
	for (;;) {
		char c = peek(t);

		if (c == '#')
			while (t->rest.n > 0 && peek(t) != '\n')
				next(t);
		else if (c == ' ' || c == '\t' || c == '\r' ||
		    (feeds && c == '\n'))
			next(t);
		else
			return;
	}
}

/* \n, \", \u00e9 …  -1: no such escape. */
static int
read_escape(struct toml *t, struct buf **b)
{
	static const char names[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
	char c = next(t);
	const char *at = c == '\0' ? NULL : strchr(names, c);
	unsigned code = 0, digits = c == 'u' ? 4 : 8;

	if (at != NULL) {
		buf_putc(b, values[at - names]);
		return 0;
	}
	if (c != 'u' && c != 'U')
		return fail(t, "no such escape in a string");
	while (digits-- > 0) {
		c = next(t);
		if (c >= '0' && c <= '9')
			code = code << 4 | (unsigned)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			code = code << 4 | (unsigned)((c | 32) - 'a' + 10);
		else
			return fail(t, "\\u needs hex digits");
	}
	if (code == 0 || code > 0x7f)
		return fail(t,
		    "\\u outside of ASCII is not supported: write the "
		    "character itself");
	buf_putc(b, (char)code);
	return 0;
}

/* "basic" or 'literal'; free(3) it, or NULL. */
static char *
read_string(struct toml *t)
{
	struct buf *b = buf_new(64);
	char quote = next(t), c, *s = NULL;

	if (t->rest.n >= 2 && t->rest.p[0] == quote && t->rest.p[1] == quote) {
		fail(t, "strings of several lines are not supported");
		buf_unref(b);
		return NULL;
	}
	for (;;) {
		if (t->rest.n == 0 || peek(t) == '\n' || peek(t) == '\0') {
			fail(t, "a string without its end");
			break;
		}
		c = next(t);
		if (c == quote) {
			s = str_dup(buf_str(b));
			break;
		}
		if (c == '\\' && quote == '"') {
			if (read_escape(t, &b) == -1)
				break;
		} else {
			buf_putc(&b, c);
		}
	}
	buf_unref(b);
	return s;
}

static bool
is_bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static char *
read_key(struct toml *t)
{
	size_t n = 0;
	char *s;

	skip(t, false);
	if (peek(t) == '"' || peek(t) == '\'')
		return read_string(t);
	while (n < t->rest.n && is_bare(t->rest.p[n]))
		n++;
	if (n == 0) {
		fail(t, "a name is missing");
		return NULL;
	}
	s = str_dup(str_make(t->rest.p, n));
	t->rest = str_from(t->rest, n);
	return s;
}

/* Notes in a table that no later heading may name it. */
static cJSON *
complete(cJSON *table)
{
	table->valueint = 1;
	return table;
}

static bool
is_complete(const cJSON *table)
{
	return table->valueint == 1;
}

static cJSON *read_value(struct toml *t, int depth);
static int read_pair(struct toml *t, cJSON *table, int depth);

static cJSON *
read_array(struct toml *t, int depth)
{
	cJSON *list = cJSON_CreateArray(), *v;

	next(t);
	for (;;) {
		skip(t, true);
		if (peek(t) == ']')
			break;
		if ((v = read_value(t, depth + 1)) == NULL)
			goto bad;
		cJSON_AddItemToArray(list, v);
		skip(t, true);
		if (peek(t) == ',') {
			next(t);
		} else if (peek(t) != ']') {
			fail(t, "an array without its end");
			goto bad;
		}
	}
	next(t);
	return list;
bad:
	cJSON_Delete(list);
	return NULL;
}

static cJSON *
read_inline(struct toml *t, int depth)
{
	cJSON *table = complete(cJSON_CreateObject());

	next(t);
	skip(t, false);
	while (peek(t) != '}') {
		if (read_pair(t, table, depth + 1) == -1)
			goto bad;
		skip(t, false);
		if (peek(t) == ',') {
			next(t);
			skip(t, false);
		} else if (peek(t) != '}') {
			fail(t, "an inline table without its end");
			goto bad;
		}
	}
	next(t);
	return table;
bad:
	cJSON_Delete(table);
	return NULL;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* true, false, a number: stored unchanged. */
static cJSON *
read_word(struct toml *t)
{
	char text[40];
	size_t n = 0;
	char *end;

	for (; t->rest.n > 0 && strchr(" \t\r\n,]}#", peek(t)) == NULL;) {
		if (n + 1 == sizeof(text)) {
			fail(t,
			    "a value that is not a number and has no quotes");
			return NULL;
		}
		if (peek(t) == '_') {
			next(t);
			if (n > 0 && is_digit(text[n - 1]) && is_digit(peek(t)))
				continue;
			fail(t, "a _ that is not between two digits");
			return NULL;
		}
		text[n++] = next(t);
	}
	text[n] = '\0';
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return cJSON_CreateBool(text[0] == 't');
	strtod(text, &end);
	if (n == 0 || *end != '\0' ||
	    text[strspn(text, "0123456789.eE+-")] != '\0') {
		fail(t, "a value that is not a text, number, true or false");
		return NULL;
	}
	return cJSON_CreateRaw(text[0] == '+' ? text + 1 : text);
}

static cJSON *
read_value(struct toml *t, int depth)
{
	cJSON *v;
	char *s;

	skip(t, false);
	if (depth > DEPTH_MAX) {
		fail(t, "too deep");
		return NULL;
	}
	switch (peek(t)) {
	case '"':
	case '\'':
		if ((s = read_string(t)) == NULL)
			return NULL;
		v = cJSON_CreateString(s);
		explicit_bzero(s, strlen(s));
		free(s);
		return v;
	case '[':
		return read_array(t, depth);
	case '{':
		return read_inline(t, depth);
	default:
		return read_word(t);
	}
}

/* The table of this name in another one, made when it is missing. */
static cJSON *
enter(struct toml *t, cJSON *table, const char *key)
{
	cJSON *v = cJSON_GetObjectItemCaseSensitive(table, key);

	if (v == NULL)
		return cJSON_AddObjectToObject(table, key);
	if (cJSON_IsArray(v)) /* the last of [[name]] */
		v = cJSON_GetArrayItem(v, cJSON_GetArraySize(v) - 1);
	if (cJSON_IsObject(v))
		return v;
	fail(t, "a name that is a value and a table");
	return NULL;
}

/* a.b.c: enters a and b; *last is "c", free(3) it.  NULL after an error. */
static cJSON *
read_path(struct toml *t, cJSON *table, char **last)
{
	for (;;) {
		if ((*last = read_key(t)) == NULL)
			return NULL;
		skip(t, false);
		if (peek(t) != '.')
			return table;
		next(t);
		table = enter(t, table, *last);
		free(*last);
		*last = NULL;
		if (table == NULL)
			return NULL;
	}
}

/* a.b = value */
static int
read_pair(struct toml *t, cJSON *table, int depth)
{
	char *key = NULL;
	cJSON *v = NULL;
	int r = -1;

	table = read_path(t, table, &key);
	if (table == NULL)
		goto out;
	if (!take(t, '=')) {
		fail(t, "a name without \"= value\"");
		goto out;
	}
	if (cJSON_GetObjectItemCaseSensitive(table, key) != NULL) {
		fail(t, "the same name twice");
		goto out;
	}
	if ((v = read_value(t, depth)) == NULL)
		goto out;
	cJSON_AddItemToObject(table, key, v);
	r = 0;
out:
	free(key);
	return r;
}

/* [a.b] or [[a.b]]: the table that follows, or NULL. */
static cJSON *
read_heading(struct toml *t, cJSON *root)
{
	cJSON *table, *list, *found = NULL;
	char *key = NULL;
	bool array;

	next(t);
	array = peek(t) == '[';
	if (array)
		next(t);
	table = read_path(t, root, &key);
	if (table == NULL || !take(t, ']') || (array && !take(t, ']'))) {
		fail(t, "a heading without its ]");
	} else if (!array) {
		found = enter(t, table, key);
		if (found != NULL && is_complete(found)) {
			fail(t, "the same table twice");
			found = NULL;
		} else if (found != NULL) {
			complete(found);
		}
	} else {
		list = cJSON_GetObjectItemCaseSensitive(table, key);
		if (list == NULL)
			list = cJSON_AddArrayToObject(table, key);
		if (!cJSON_IsArray(list)) {
			fail(t, "a name that is a table and a list");
		} else {
			found = complete(cJSON_CreateObject());
			cJSON_AddItemToArray(list, found);
		}
	}
	free(key);
	return found;
}

static int
read_all(struct toml *t, cJSON *root)
{
	cJSON *table = root;

	for (;;) {
		skip(t, true);
		if (t->rest.n == 0)
			return 0;
		if (peek(t) == '[') {
			if ((table = read_heading(t, root)) == NULL)
				return -1;
		} else if (read_pair(t, table, 0) == -1) {
			return -1;
		}
		skip(t, false);
		if (t->rest.n > 0 && peek(t) != '\n')
			return fail(t, "text after the value");
	}
}

char *
toml_to_json(struct str text, char **why)
{
	struct toml t = { .rest = text, .line = 1, .why = why };
	cJSON *root = cJSON_CreateObject();

	*why = NULL;
	if (!utf8_is_valid(text))
		fail(&t, "not UTF-8");
	else if (read_all(&t, root) == 0)
		return dotenv_finish(root);
	cJSON_Delete(root);
	return NULL;
}
