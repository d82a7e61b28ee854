/* SPDX-License-Identifier: MIT */
#ifndef SHARED_APP_H
#define SHARED_APP_H

/* An app: its credentials and settings, as every process knows it. */

#include <stdbool.h>
#include <stdint.h>

struct app {
	uint32_t num; /* row in the database; never used again */
	char *id, *key, *secret, *name;
	uint32_t enabled;
#define APP_UINT(field, def, min, max, help) uint32_t field;
#define APP_BOOL(field, def, help) uint32_t field;
#define APP_TEXT(field, def, help) char *field;
#include "shared/app_settings.def"
#undef APP_UINT
#undef APP_BOOL
#undef APP_TEXT
};

/* Every setting at its default, no credentials. */
void app_init(struct app *);
/* Frees the strings and wipes the secret. */
void app_clear(struct app *);
/*
 * Sets one setting from text ("on"/"off" for booleans).  0, or -1 and *why:
 * a sentence that names the setting, the value and the range; free(3) it.
 */
int app_set(struct app *, const char *setting, const char *value, char **why);

#endif
