/* SPDX-License-Identifier: MIT */
#ifndef SHARED_APP_APP_H
#define SHARED_APP_APP_H

/* An app: its credentials and settings, as every process knows it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/str.h"

struct app {
	uint32_t num; /* row in the database; never used again */
	char *id, *key, *secret, *name;
	/*
	 * After a rotation the previous key is valid until this Unix second.
	 * After that the secret is NULL; the key stays, for pusherctl doctor.
	 * NULL, NULL and 0: there is none.
	 */
	char *old_key, *old_secret;
	uint64_t old_until;
	uint32_t enabled;
#define APP_UINT(field, def, min, max, help) uint32_t field;
#define APP_BOOL(field, def, help) uint32_t field;
#define APP_TEXT(field, def, help) char *field;
#include "shared/app/app_settings.def"
};

/* Every setting at its default, no credentials. */
void app_init(struct app *);
/* Frees the strings and wipes the secrets. */
void app_clear(struct app *);
/* Copies every string; out is empty or cleared. */
void app_copy(struct app *out, const struct app *);
/* True if both have the same credentials and settings; num may differ. */
bool app_is_same(const struct app *, const struct app *);
/* Is the old key valid at this Unix second? */
static inline bool
app_has_old_key(const struct app *a, uint64_t now)
{
	return a->old_key != NULL && a->old_secret != NULL &&
	    a->old_until > now;
}
/* Is this the old key, and has it ended? */
static inline bool
app_key_has_ended(const struct app *a, struct str key, uint64_t now)
{
	return a->old_key != NULL && a->old_until <= now &&
	    str_eq(key, str_of(a->old_key));
}
/* Wipes the secret of the old key; key and time stay. */
void app_end_old_key(struct app *);
/* Forgets the old key and wipes its secret. */
void app_drop_old_key(struct app *);
/*
 * Sets one setting from text ("on"/"off" for booleans).  0, or -1 and *why:
 * a sentence that names the setting, the value and the range; free(3) it.
 */
int app_set(struct app *, const char *setting, const char *value, char **why);

#endif
