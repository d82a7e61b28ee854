/* SPDX-License-Identifier: MIT */
/*
 * json_say: says what shared/json/json_slice.c reads, for a comparison with
 * other readers.  Input: texts, each behind its length in four bytes, the
 * lowest first.  Output, a line for each: "-" for what is refused, else its
 * values: true, false, null, n NUMBER as written, sSTRING in hex, l a string
 * that has no UTF-8, [ ... ], { sKEY VALUE ... }.
 */

#include <stdio.h>

#include "shared/base/xmalloc.h"
#include "shared/json/json_slice.h"

#define TEXT_MAX (16u << 20)

static void
say_string(struct json v)
{
	char *out = xmalloc(v.raw.n);
	ssize_t n = json_unescape(v, out);

	fputs(n == -1 ? "l" : "s", stdout);
	for (ssize_t i = 0; i < n; i++)
		printf("%02x", (unsigned char)out[i]);
	putchar(' ');
	free(out);
}

/* At most JSON_MAX_DEPTH calls deep. */
static void
say(struct json v)
{
	struct json key, value;
	size_t pos = 0;

	switch (v.kind) {
	case JSON_STRING:
		say_string(v);
		break;
	case JSON_ARRAY:
		fputs("[ ", stdout);
		while (json_next(v, &pos, &value))
			say(value);
		fputs("] ", stdout);
		break;
	case JSON_OBJECT:
		fputs("{ ", stdout);
		while (json_next_member(v, &pos, &key, &value)) {
			say_string(key);
			say(value);
		}
		fputs("} ", stdout);
		break;
	case JSON_NUMBER:
		fputs("n ", stdout);
		/* fallthrough */
	default:
		fwrite(v.raw.p, 1, v.raw.n, stdout);
		putchar(' ');
	}
}

int
main(void)
{
	unsigned char head[4];
	const char *why;
	struct json v;
	char *text;
	size_t n;

	while (fread(head, 1, sizeof(head), stdin) == sizeof(head)) {
		n = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 |
		    (size_t)head[3] << 24;
		if (n > TEXT_MAX)
			return 2;
		text = xmalloc(n);
		if (fread(text, 1, n, stdin) != n)
			return 2;
		if (json_parse(str_make(text, n), &v, &why) == -1)
			putchar('-');
		else
			say(v);
		putchar('\n');
		free(text);
	}
	return 0;
}
