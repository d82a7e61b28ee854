/* SPDX-License-Identifier: MIT */
/*
 * dotenv.c: reads files of environment variables as Laravel's and Docker's
 * tools do: one variable a line, the last one of a name counts, values may be
 * quoted.  Variables of other programs are ignored.
 */

#include "cli/import/dotenv.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/net/ws_frame.h"

char *
dotenv_finish(struct cJSON *root)
{
	char *printed = cJSON_PrintUnformatted(root), *text;

	text = xstrdup(printed == NULL ? "{}" : printed);
	if (printed != NULL)
		explicit_bzero(printed, strlen(printed));
	cJSON_free(printed);
	cJSON_Delete(root);
	return text;
}

/* Inside quotes; *why is a clause.  free(3) it. */
static char *
read_quoted(struct str s, const char **why)
{
	struct buf *b = buf_new(s.n);
	char quote = s.p[0], *text = NULL;
	size_t i;

	*why = "a string without its end";
	for (i = 1; i < s.n && s.p[i] != quote; i++) {
		if (quote == '"' && s.p[i] == '\\' && i + 1 < s.n)
			i++;
		buf_putc(&b, s.p[i]);
	}
	if (i < s.n) {
		s = str_trim(str_from(s, i + 1));
		*why = "text after the value";
		if (s.n == 0 || s.p[0] == '#')
			text = str_dup(buf_str(b));
	}
	buf_unref(b);
	return text;
}

/* The value after the '=': in quotes, or up to a comment. */
static char *
read_value(struct str value, const char **why)
{
	const char *hash;

	if (value.n > 0 && (value.p[0] == '"' || value.p[0] == '\''))
		return read_quoted(value, why);
	hash = memmem(value.p, value.n, " #", 2);
	if (hash != NULL)
		value.n = (size_t)(hash - value.p);
	return str_dup(str_trim(value));
}

/* 0, or -1 and *why, a clause. */
static int
read_line(struct str line, const char *prefix, cJSON *root, const char **why)
{
	struct str name, value;
	char *key, *s;

	if (str_ends(line, S("\r")))
		line.n--;
	value = str_trim(line);
	if (str_starts(value, S("export ")))
		value = str_trim(str_from(value, 7));
	if (value.n == 0 || value.p[0] == '#')
		return 0;
	name = str_trim(str_cut(&value, '='));
	if (!str_starts(name, str_of(prefix)))
		return 0; /* of another program */
	*why = "a name without \"=value\"";
	if (value.p == NULL || (s = read_value(str_trim(value), why)) == NULL)
		return -1;
	key = str_dup(str_from(name, strlen(prefix)));
	for (char *p = key; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	cJSON_DeleteItemFromObjectCaseSensitive(root, key);
	cJSON_AddStringToObject(root, key, s);
	explicit_bzero(s, strlen(s));
	free(s);
	free(key);
	return 0;
}

char *
dotenv_to_json(struct str text, const char *prefix, char **why)
{
	cJSON *root = cJSON_CreateObject();
	const char *what = "not UTF-8";
	unsigned line = 0;
	int r = utf8_is_valid(text) ? 0 : -1;

	*why = NULL;
	while (r == 0 && text.p != NULL) {
		line++;
		r = read_line(str_cut(&text, '\n'), prefix, root, &what);
	}
	if (r == 0)
		return dotenv_finish(root);
	*why = xasprintf("line %u: %s", line, what);
	cJSON_Delete(root);
	return NULL;
}
