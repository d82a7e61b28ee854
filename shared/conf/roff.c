/* SPDX-License-Identifier: MIT */
/*
 * roff.c: text inside a manual page.  man(7) and groff_char(7) give the forms
 * of a minus sign, a backslash and a quote that can be copied from the page.
 * Writes only to the given stream.
 */

#include "shared/conf/roff.h"

#include <stdbool.h>

static void
put(FILE *f, const char *text, bool begins)
{
	for (; *text != '\0'; text++) {
		if (begins && (*text == '.' || *text == '\''))
			fputs("\\&", f);
		begins = *text == '\n';
		switch (*text) {
		case '\\':
			fputs("\\e", f);
			break;
		case '-':
			fputs("\\-", f);
			break;
		case '\'':
			fputs("\\(aq", f);
			break;
		case '`':
			fputs("\\(ga", f);
			break;
		case '^':
			fputs("\\(ha", f);
			break;
		case '~':
			fputs("\\(ti", f);
			break;
		default:
			fputc(*text, f);
			break;
		}
	}
}

void
roff_text(FILE *f, const char *text)
{
	put(f, text, true);
}

void
roff_inline(FILE *f, const char *text)
{
	put(f, text, false);
}
