/* SPDX-License-Identifier: MIT */
/*
 * value.c: values of other servers' configurations, which may be numbers, or
 * text as from SQL drivers and environments.  An invalid value is detected and
 * never changed to fit.
 */

#include "cli/import/value.h"

#include <math.h>
#include <stdlib.h>

#include "shared/base/utf8.h"
#include "shared/base/xmalloc.h"

#define VALUE_SHOWN 60 /* bytes of a value in a note */

char *
import_value_text(struct json v)
{
	struct str s = v.raw, shown;
	char *tmp = NULL, *text;

	/* A webhook may have passwords in it. */
	if (v.kind == JSON_ARRAY || v.kind == JSON_OBJECT)
		return xstrdup(
		    v.kind == JSON_ARRAY ? "[\xe2\x80\xa6]" : "{\xe2\x80\xa6}");
	if (v.kind == JSON_STRING && json_string(v, &s, &tmp) == -1)
		s = v.raw;
	shown = utf8_cut(s, VALUE_SHOWN);
	text = xasprintf(
	    "%.*s%s", STR_ARG(shown), shown.n < s.n ? "\xe2\x80\xa6" : "");
	free(tmp);
	return text;
}

char *
import_scalar(struct json v)
{
	struct str s = v.raw;
	char *tmp = NULL, *text = NULL;

	if (v.kind != JSON_STRING && v.kind != JSON_NUMBER)
		return NULL;
	if (v.kind == JSON_NUMBER || json_string(v, &s, &tmp) == 0)
		if (str_find(s, '\0') == -1)
			text = str_dup(s);
	free(tmp);
	return text;
}

int
import_truth(struct json v)
{
	char *s = import_scalar(v);
	int r = -1;

	if (v.kind == JSON_TRUE || v.kind == JSON_FALSE)
		r = v.kind == JSON_TRUE;
	else if (s != NULL && (strcmp(s, "1") == 0 || strcmp(s, "true") == 0))
		r = 1;
	else if (s != NULL && (strcmp(s, "0") == 0 || strcmp(s, "false") == 0))
		r = 0;
	free(s);
	return r;
}

char *
import_kilobytes(const char *s)
{
	double bytes;
	char *end;

	/* strtod(3) takes more than decimals: blanks, hex, inf, nan. */
	if (*s == '\0' || s[strspn(s, "0123456789.eE+-")] != '\0')
		return NULL;
	bytes = ceil(strtod(s, &end) * 1024);
	if (*end != '\0' || !(bytes >= 0) || bytes > 1e15)
		return NULL;
	return xasprintf("%.0f", bytes);
}
