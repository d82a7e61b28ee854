/* SPDX-License-Identifier: MIT */
/*
 * app.c: makes, clears and changes a struct app by the list of settings in
 * app_settings.def.  Owns nothing: the strings belong to the struct.  Knows
 * neither database nor network; never prints.
 */

#include "shared/app/app.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/base.h"
#include "shared/base/str.h"
#include "shared/base/suggest.h"
#include "shared/base/xmalloc.h"

#define TEXT_MAX 8192 /* bytes of a text setting */

enum kind { KIND_UINT, KIND_BOOL, KIND_TEXT };

struct setting {
	const char *name;
	enum kind kind;
	size_t offset; /* of the field in struct app */
	uint64_t def, min, max;
	const char *text; /* default of KIND_TEXT */
};

static const struct setting settings[] = {
#define APP_UINT(field, def, min, max, help) \
	{ #field, KIND_UINT, offsetof(struct app, field), def, min, max, NULL },
#define APP_BOOL(field, def, help) \
	{ #field, KIND_BOOL, offsetof(struct app, field), def, 0, 1, NULL },
#define APP_TEXT(field, def, help) \
	{ #field, KIND_TEXT, offsetof(struct app, field), 0, 0, 0, def },
#include "shared/app/app_settings.def"
};

static uint32_t *
number_of(struct app *a, const struct setting *s)
{
	return (uint32_t *)(void *)((char *)a + s->offset);
}

static char **
text_of(struct app *a, const struct setting *s)
{
	return (char **)(void *)((char *)a + s->offset);
}

void
app_init(struct app *a)
{
	const struct setting *s;
	size_t i;

	memset(a, 0, sizeof(*a));
	a->enabled = 1;
	for (i = 0; i < nitems(settings); i++) {
		s = &settings[i];
		if (s->kind == KIND_TEXT)
			*text_of(a, s) = xstrdup(s->text);
		else
			*number_of(a, s) = (uint32_t)s->def;
	}
}

void
app_end_old_key(struct app *a)
{
	if (a->old_secret != NULL)
		explicit_bzero(a->old_secret, strlen(a->old_secret));
	free(a->old_secret);
	a->old_secret = NULL;
}

void
app_drop_old_key(struct app *a)
{
	app_end_old_key(a);
	free(a->old_key);
	a->old_key = NULL;
	a->old_until = 0;
}

void
app_clear(struct app *a)
{
	size_t i;

	app_drop_old_key(a);
	if (a->secret != NULL)
		explicit_bzero(a->secret, strlen(a->secret));
	free(a->id);
	free(a->key);
	free(a->secret);
	free(a->name);
	for (i = 0; i < nitems(settings); i++)
		if (settings[i].kind == KIND_TEXT)
			free(*text_of(a, &settings[i]));
	memset(a, 0, sizeof(*a));
}

static const struct setting *
find_setting(const char *name)
{
	size_t i;

	for (i = 0; i < nitems(settings); i++)
		if (strcmp(settings[i].name, name) == 0)
			return &settings[i];
	return NULL;
}

static int
unknown_setting(const char *name, char **why)
{
	const char *names[nitems(settings)];
	const char *near;
	size_t i;

	for (i = 0; i < nitems(settings); i++)
		names[i] = settings[i].name;
	near = suggest_nearest(str_of(name), names, nitems(names));
	if (near != NULL)
		*why = xasprintf(
		    "there is no app setting \"%.64s\"; did you mean %s?", name,
		    near);
	else
		*why = xasprintf("there is no app setting \"%.64s\": "
				 "pusherctl help app set lists them",
		    name);
	return -1;
}

static int
set_text(char **field, const char *setting, const char *value, char **why)
{
	const char *p;

	if (strlen(value) > TEXT_MAX) {
		*why = xasprintf("%s is too long: %zu bytes of at most %d",
		    setting, strlen(value), TEXT_MAX);
		return -1;
	}
	for (p = value; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			*why = xasprintf(
			    "%s must not have control characters", setting);
			return -1;
		}
	}
	free(*field);
	*field = xstrdup(value);
	return 0;
}

int
app_set(struct app *a, const char *setting, const char *value, char **why)
{
	const struct setting *s = find_setting(setting);
	uint64_t n;

	if (s == NULL)
		return unknown_setting(setting, why);
	switch (s->kind) {
	case KIND_TEXT:
		return set_text(text_of(a, s), setting, value, why);
	case KIND_BOOL:
		if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0) {
			*why = xasprintf("%s is \"%.64s\": must be on or off",
			    setting, value);
			return -1;
		}
		*number_of(a, s) = strcmp(value, "on") == 0;
		return 0;
	case KIND_UINT:
		break;
	}
	if (str_to_u64(str_of(value), s->max, &n) == -1 || n < s->min) {
		*why = xasprintf(
		    "%s is \"%.64s\": must be a number from %llu to %llu",
		    setting, value, (unsigned long long)s->min,
		    (unsigned long long)s->max);
		return -1;
	}
	*number_of(a, s) = (uint32_t)n;
	return 0;
}

static char *
copy_text(const char *s)
{
	return s == NULL ? NULL : xstrdup(s);
}

void
app_copy(struct app *out, const struct app *a)
{
	*out = *a;
	out->id = copy_text(a->id);
	out->key = copy_text(a->key);
	out->secret = copy_text(a->secret);
	out->name = copy_text(a->name);
	out->old_key = copy_text(a->old_key);
	out->old_secret = copy_text(a->old_secret);
#define APP_UINT(field, def, min, max, help)
#define APP_BOOL(field, def, help)
#define APP_TEXT(field, def, help) out->field = copy_text(a->field);
#include "shared/app/app_settings.def"
}

static bool
is_same_text(const char *a, const char *b)
{
	return str_eq(str_of(a), str_of(b));
}

bool
app_is_same(const struct app *a, const struct app *b)
{
	bool same = is_same_text(a->id, b->id) &&
	    is_same_text(a->key, b->key) &&
	    is_same_text(a->secret, b->secret) &&
	    is_same_text(a->name, b->name) && a->enabled == b->enabled &&
	    is_same_text(a->old_key, b->old_key) &&
	    is_same_text(a->old_secret, b->old_secret) &&
	    a->old_until == b->old_until;

#define APP_UINT(field, def, min, max, help) \
	same = same && a->field == b->field;
#define APP_BOOL(field, def, help) same = same && a->field == b->field;
#define APP_TEXT(field, def, help) \
	same = same && is_same_text(a->field, b->field);
#include "shared/app/app_settings.def"
	return same;
}
