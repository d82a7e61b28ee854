/* SPDX-License-Identifier: MIT */
/*
 * conf.c: the values of a struct conf: defaults and the checks of one value,
 * from the one list in conf_options.def.  conf_read.c has the sources of
 * values, conf_finish.c their combination, conf_print.c their output.  The
 * struct owns its strings.  Never prints and never exits: pusherd and pusherctl
 * both use it, and show the sentence of an error themselves.  Never asks the
 * network: the users of a socket or a database check it.
 */

#include "shared/conf/conf.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/base.h"
#include "shared/base/suggest.h"
#include "shared/base/xmalloc.h"
#include "shared/net/ws_frame.h"

#define VALUE_MAX 4000 /* bytes of one value */

enum kind { KIND_TEXT, KIND_PATH, KIND_LIST, KIND_UINT, KIND_ENUM, KIND_BOOL };

struct option {
	const char *name;
	enum kind kind;
	size_t offset;    /* of the field in struct conf */
	const char *text; /* default of texts, paths, lists and enums */
	uint64_t def, min, max;
	const char *choices;
	const char *help; /* of numbers; its first word may be the unit */
};

static const struct option options[] = {
#define OPTION(name, kind, text, def, min, max, choices) \
	{ #name, kind, offsetof(struct conf, name), text, def, min, max, \
		choices, NULL },
#define CONF_TEXT(name, def, help) OPTION(name, KIND_TEXT, def, 0, 0, 0, NULL)
#define CONF_PATH(name, def, help) OPTION(name, KIND_PATH, def, 0, 0, 0, NULL)
#define CONF_LIST(name, def, help) OPTION(name, KIND_LIST, def, 0, 0, 0, NULL)
#define CONF_UINT(name, def, min, max, help) \
	{ #name, KIND_UINT, offsetof(struct conf, name), NULL, def, min, max, \
		NULL, help },
#define CONF_ENUM(name, def, choices, help) \
	OPTION(name, KIND_ENUM, def, 0, 0, 0, choices)
#define CONF_BOOL(name, def, help) \
	OPTION(name, KIND_BOOL, NULL, def, 0, 1, NULL)
#include "shared/conf/conf_options.def"
#undef OPTION
};

/* The place of a value: source, and in a file the line (else 0). */
struct place {
	const char *source;
	unsigned line;
};

static void *
field_of(struct conf *c, const struct option *o)
{
	return (char *)c + o->offset;
}

static char *
place_text(const struct place *at)
{
	if (at->line == 0)
		return xstrdup(at->source);
	return xasprintf("%s:%u", at->source, at->line);
}

/* A value as shown in a sentence: short, and without control bytes. */
static char *
shown(struct str value)
{
	char *s = xstrndup(value.p, MIN(value.n, 80));
	char *p;

	for (p = s; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return s;
}

/* "place: " and the sentence, which it frees. */
static int
refuse(const struct place *at, char *sentence, char **why)
{
	char *where = place_text(at);

	*why = xasprintf("%s: %s", where, sentence);
	free(where);
	free(sentence);
	return -1;
}

static int
refuse_value(const struct place *at, const char *name, struct str value,
    const char *must, char **why)
{
	char *v = shown(value);
	char *sentence = xasprintf("%s is \"%s\": must be %s", name, v, must);

	free(v);
	return refuse(at, sentence, why);
}

static int
refuse_unknown(const struct place *at, struct str name, char **why)
{
	const char *names[nitems(options)];
	const char *near;
	char *n = shown(name), *sentence;
	size_t i;

	for (i = 0; i < nitems(options); i++)
		names[i] = options[i].name;
	near = suggest_nearest(name, names, nitems(names));
	if (near != NULL)
		sentence = xasprintf(
		    "there is no option \"%s\"; did you mean %s?", n, near);
	else
		sentence = xasprintf("there is no option \"%s\"; pusherd -T "
				     "shows all of them",
		    n);
	free(n);
	return refuse(at, sentence, why);
}

static void
list_clear(struct conf_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		free(l->v[i]);
		if (l->origins != NULL)
			free(l->origins[i]);
	}
	free(l->v);
	free(l->origins);
	*l = (struct conf_list){ .n = 0 };
}

/* Stores the origin; takes it. */
static void
list_add(struct conf_list *l, struct str s, char *origin)
{
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->origins = xreallocarray(l->origins, l->n + 1, sizeof(*l->origins));
	l->origins[l->n] = origin;
	l->v[l->n++] = xstrndup(s.p, s.n);
}

/* Adds the items of the value, which commas separate. */
static size_t
list_add_items(struct conf_list *l, struct str value, const struct place *at)
{
	struct str item;
	size_t n = 0;

	while (value.p != NULL) {
		item = str_trim(str_cut(&value, ','));
		if (item.n == 0)
			continue;
		list_add(l, item, place_text(at));
		n++;
	}
	return n;
}

/* Are both origins the same file, or both the command line? */
static bool
is_same_source(const char *origin, const char *source)
{
	size_t n = strlen(source);

	return strncmp(origin, source, n) == 0 &&
	    (origin[n] == '\0' || origin[n] == ':');
}

static bool
is_choice(const char *choices, struct str value)
{
	struct str rest = str_of(choices);

	while (rest.p != NULL)
		if (str_eq(str_cut(&rest, '|'), value))
			return true;
	return false;
}

/* " of bytes", or nothing for what has no unit. */
static const char *
unit_of(const struct option *o)
{
	static const char *const units[][2] = { { "Bytes ", " of bytes" },
		{ "Seconds ", " of seconds" }, { "Days ", " of days" },
		{ "Milliseconds ", " of milliseconds" } };

	for (size_t i = 0; i < nitems(units); i++)
		if (str_starts(str_of(o->help), str_of(units[i][0])))
			return units[i][1];
	return "";
}

static int
set_number(uint64_t *out, const struct option *o, struct str value,
    const struct place *at, char **why)
{
	char must[80];
	uint64_t n;

	if (str_to_u64(value, o->max, &n) == 0 && n >= o->min) {
		*out = n;
		return 0;
	}
	snprintf(must, sizeof(must), "a number%s from %llu to %llu", unit_of(o),
	    (unsigned long long)o->min, (unsigned long long)o->max);
	return refuse_value(at, o->name, value, must, why);
}

static int
set_enum(char **out, const struct option *o, struct str value,
    const struct place *at, char **why)
{
	char must[80];

	if (!is_choice(o->choices, value)) {
		snprintf(must, sizeof(must), "one of %s", o->choices);
		return refuse_value(at, o->name, value, must, why);
	}
	free(*out);
	*out = xstrndup(value.p, value.n);
	return 0;
}

static int
set_list(struct conf *c, size_t index, struct str value, const struct place *at,
    char **why)
{
	struct conf_list *l = field_of(c, &options[index]);

	/* A source replaces the values of lower sources, and then adds. */
	if (!is_same_source(c->origin[index], at->source))
		list_clear(l);
	if (list_add_items(l, value, at) == 0 && options[index].text[0] != '\0')
		return refuse_value(
		    at, options[index].name, value, "at least one", why);
	return 0;
}

static int
set_typed(struct conf *c, size_t index, struct str value,
    const struct place *at, char **why)
{
	const struct option *o = &options[index];
	void *field = field_of(c, o);

	switch (o->kind) {
	case KIND_TEXT:
	case KIND_PATH:
		free(*(char **)field);
		*(char **)field = xstrndup(value.p, value.n);
		return 0;
	case KIND_LIST:
		return set_list(c, index, value, at, why);
	case KIND_UINT:
		return set_number(field, o, value, at, why);
	case KIND_ENUM:
		return set_enum(field, o, value, at, why);
	case KIND_BOOL:
		break;
	}
	if (!is_choice("on|off", value))
		return refuse_value(at, o->name, value, "on or off", why);
	*(bool *)field = str_eq(value, S("on"));
	return 0;
}

int
conf_set(struct conf *c, struct str name, struct str value, const char *source,
    unsigned line, char **why)
{
	const struct place place = { source, line }, *at = &place;
	size_t i, k;

	for (i = 0; i < nitems(options); i++)
		if (str_eq(str_of(options[i].name), name))
			break;
	if (i == nitems(options))
		return refuse_unknown(at, name, why);
	if (value.n > VALUE_MAX)
		return refuse(at,
		    xasprintf("the value of %s is too long: %zu bytes of at "
			      "most %d",
			options[i].name, value.n, VALUE_MAX),
		    why);
	if (!utf8_is_valid(value))
		return refuse(at,
		    xasprintf("the value of %s is not UTF-8", options[i].name),
		    why);
	for (k = 0; k < value.n; k++)
		if ((unsigned char)value.p[k] < 0x20 || value.p[k] == 0x7f)
			return refuse_value(at, options[i].name, value,
			    "without control characters", why);
	if (at->line != 0 && options[i].kind != KIND_LIST &&
	    is_same_source(c->origin[i], at->source))
		return refuse(at,
		    xasprintf("%s has been set already, at %s", options[i].name,
			c->origin[i]),
		    why);
	if (set_typed(c, i, value, at, why) == -1)
		return -1;
	free(c->origin[i]);
	c->origin[i] = place_text(at);
	return 0;
}

const char *
conf_origin(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < nitems(options); i++)
		if (strcmp(options[i].name, name) == 0)
			return c->origin[i];
	return "";
}

void
conf_init(struct conf *c)
{
	const struct option *o;
	size_t i;

	memset(c, 0, sizeof(*c));
	c->origin = xcalloc(nitems(options), sizeof(*c->origin));
	for (i = 0; i < nitems(options); i++) {
		o = &options[i];
		c->origin[i] = xstrdup("default");
		switch (o->kind) {
		case KIND_LIST:
			list_add_items(field_of(c, o), str_of(o->text),
			    &(const struct place){ .source = "default" });
			break;
		case KIND_UINT:
			*(uint64_t *)field_of(c, o) = o->def;
			break;
		case KIND_BOOL:
			*(bool *)field_of(c, o) = o->def != 0;
			break;
		case KIND_TEXT:
		case KIND_PATH:
		case KIND_ENUM:
			*(char **)field_of(c, o) = xstrdup(o->text);
			break;
		}
	}
}

void
conf_clear(struct conf *c)
{
	const struct option *o;
	size_t i;

	for (i = 0; i < nitems(options); i++) {
		o = &options[i];
		if (c->origin != NULL)
			free(c->origin[i]);
		if (o->kind == KIND_LIST)
			list_clear(field_of(c, o));
		else if (o->kind != KIND_UINT && o->kind != KIND_BOOL)
			free(*(char **)field_of(c, o));
	}
	free(c->origin);
	free(c->broker_path);
	free(c->control_path);
	free(c->base);
	list_clear(&c->notes);
	conf_unfinish(c);
	memset(c, 0, sizeof(*c));
}
