/* SPDX-License-Identifier: MIT */
#ifndef SHARED_APP_CREDENTIAL_H
#define SHARED_APP_CREDENTIAL_H

/* Ids, keys and secrets of apps: made, checked, masked. */

#include <stddef.h>

#include "shared/base/str.h"

#define CREDENTIAL_ID_MAX 16 /* with NUL */
#define CREDENTIAL_KEY_LEN 20
#define CREDENTIAL_SECRET_LEN 40

/* An id of `digits` (6 to 15) random decimal digits, the first not 0. */
void credential_make_id(char out[CREDENTIAL_ID_MAX], unsigned digits);

/*
 * May this be the id or the key of an app?  Both stand in URLs and in signed
 * texts between ':' and '/': 1 to 128 of A-Z a-z 0-9 _ - . NULL, or a static
 * sentence with the reason.
 */
const char *credential_check_name(struct str);
/*
 * The same for a secret: 1 to 256 bytes of UTF-8 without control
 * characters, and without blanks or a pair of quotes at its ends.
 */
const char *credential_check_secret(struct str);
/* For people and logs: the label of an app.  At most 128 bytes, may be "". */
const char *credential_check_label(struct str);
/*
 * The first 4 characters and "…", or only "…" if the secret is shorter than 12
 * bytes; free(3) it.
 */
char *credential_mask(const char *secret);

#endif
