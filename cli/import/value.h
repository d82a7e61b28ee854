/* SPDX-License-Identifier: MIT */
#ifndef CLI_IMPORT_VALUE_H
#define CLI_IMPORT_VALUE_H

/* Values of other servers' configurations.  Pure; free(3) the texts. */

#include "shared/json/json_slice.h"

/* A value for people: a string without quotes and escapes, shortened. */
char *import_value_text(struct json v);
/*
 * The text of a string or a number, NUL-terminated; NULL when it is neither
 * or has a NUL or a lone surrogate in it.
 */
char *import_scalar(struct json v);
/* true, false, 1, 0 and the same as text: 1, 0, or -1. */
int import_truth(struct json v);
/*
 * A decimal number of kilobytes, perhaps with a fraction, as whole bytes in
 * decimal; NULL when it is no such number.
 */
char *import_kilobytes(const char *s);

#endif
