/* SPDX-License-Identifier: MIT */
#ifndef SHARED_CONF_ROFF_H
#define SHARED_CONF_ROFF_H

/* Text inside a manual page (man(7)), for the pages that are generated. */

#include <stdio.h>

/*
 * Writes the text so that roff prints it unchanged: minus signs, backslashes,
 * and lines that would otherwise be requests.  It must begin a line.
 */
void roff_text(FILE *, const char *);
/* The same after other text of the line. */
void roff_inline(FILE *, const char *);

#endif
