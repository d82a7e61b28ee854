/* SPDX-License-Identifier: MIT */
/*
 * env_names.c: reads the environment variables of other servers, from the list
 * in env_names.def: some set an option, some describe the first app, and for
 * each of the others a note tells the operator how it was handled, once for
 * each reason.  An empty value counts as unset.  Never prints, never exits.  A
 * value is only shown when it cannot be a secret.
 */

#include "shared/conf/env_names.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/app/app.h"
#include "shared/app/credential.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/str.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/conf/env_link.h"

enum unit {
	UNIT_TEXT,
	UNIT_ONE,
	UNIT_UNLIMITED, /* -1: no limit, which is 0 here */
	UNIT_KB,        /* the option is in bytes */
	UNIT_MS,        /* the option is in seconds */
	UNIT_BOOL,
	UNIT_DEBUG, /* true: the level debug */
	UNIT_HOST,  /* the two halves of an address */
	UNIT_PORT,
	UNIT_SWITCH /* false: no address at all */
};

const struct env_name env_names[] = {
#define ENV_SET(name, option, unit) \
	{ #name, #option, NULL, NULL, ENV_SETS, unit },
#define ENV_APP(name, setting, unit) \
	{ #name, #setting, NULL, NULL, ENV_MAKES, unit },
#define ENV_ONLY(name, choices, why) { #name, NULL, choices, why, ENV_ASKS, 0 },
#define ENV_KEEP(name) { #name, NULL, NULL, NULL, ENV_KEEPS, 0 },
#define ENV_SKIP(name, why) { #name, NULL, NULL, why, ENV_SKIPS, 0 },
#define ENV_REFUSE(name, why) { #name, NULL, NULL, why, ENV_ENDS, 0 },
#include "shared/conf/env_names.def"
};

const size_t env_names_n = nitems(env_names);

/* The value in the environment; NULL: none that is meant for pusherd. */
static const char *
value_of(const struct env_name *e)
{
	const char *v = getenv(e->name);

	return v == NULL || v[0] == '\0' || env_link_has(e->name) ? NULL : v;
}

static int
refuse_value(const struct env_name *e, const char *must, char **why)
{
	*why = xasprintf("environment variable %s: must be %s", e->name, must);
	return -1;
}

static int
read_bool(const struct env_name *e, const char *v, bool *out, char **why)
{
	*out = strcmp(v, "true") == 0 || strcmp(v, "1") == 0;
	if (*out || strcmp(v, "false") == 0 || strcmp(v, "0") == 0)
		return 0;
	return refuse_value(e, "true or false", why);
}

/* The value in the option's unit, as text; NULL and *why.  free(3) it. */
static char *
convert(const struct env_name *e, const char *v, char **why)
{
	uint64_t n;
	bool b;

	switch ((enum unit)e->unit) {
	case UNIT_BOOL:
		if (read_bool(e, v, &b, why) == -1)
			return NULL;
		return xstrdup(b ? "on" : "off");
	case UNIT_UNLIMITED:
		if (strcmp(v, "-1") == 0)
			return xstrdup("0");
		return xstrdup(v);
	case UNIT_KB:
	case UNIT_MS:
		if (str_to_u64(str_of(v), UINT32_MAX, &n) == -1) {
			refuse_value(e, "a number", why);
			return NULL;
		}
		n = e->unit == UNIT_KB ? n * 1024 : (n + 999) / 1000;
		return xasprintf("%llu", (unsigned long long)n);
	default:
		return xstrdup(v);
	}
}

/* ---- options ---- */

/* An address whose two halves may come from different names. */
struct halves {
	const char *option;
	const char *host, *port;
	const char *from; /* the name that was seen last */
	bool off;
};

static int
note_half(struct halves *h, const struct env_name *e, const char *v, char **why)
{
	bool on = true;

	h->from = e->name;
	if (e->unit == UNIT_HOST)
		h->host = v;
	else if (e->unit == UNIT_PORT)
		h->port = v;
	else if (read_bool(e, v, &on, why) == -1)
		return -1;
	h->off = h->off || !on;
	return 0;
}

static int
set_option(struct conf *c, const struct env_name *e, const char *v, char **why)
{
	char *source, *text;
	int r;

	if (conf_origin(c, e->target)[0] == '\0') {
		*why = xasprintf("environment variable %s: this pusherd has no "
				 "option %s",
		    e->name, e->target);
		return -1;
	}
	if ((text = convert(e, v, why)) == NULL)
		return -1;
	source = xasprintf("environment variable %s", e->name);
	r = conf_set(c, str_of(e->target), str_of(text), source, 0, why);
	free(source);
	free(text);
	return r;
}

static int
set_address(struct conf *c, const struct halves *h, const char *host,
    const char *port, const char *flags, char **why)
{
	char *text, *source;
	int r;

	if (h->from == NULL)
		return 0;
	host = h->host != NULL ? h->host : host;
	port = h->port != NULL ? h->port : port;
	if (h->off)
		text = xstrdup("");
	else if (strchr(host, ':') != NULL && host[0] != '[')
		text = xasprintf("[%s]:%s%s", host, port, flags);
	else
		text = xasprintf("%s:%s%s", host, port, flags);
	source = xasprintf("environment variable %s", h->from);
	r = conf_set(c, str_of(h->option), str_of(text), source, 0, why);
	free(source);
	free(text);
	return r;
}

/* ---- what the operator should know ---- */

static void
add_note(struct conf *c, char *text)
{
	c->notes.v =
	    xreallocarray(c->notes.v, c->notes.n + 1, sizeof(*c->notes.v));
	c->notes.v[c->notes.n++] = text;
}

/* One line for all names with the reason of the i-th. */
static void
note_skipped(struct conf *c, size_t i)
{
	struct buf *names = NULL;
	size_t k;

	for (k = 0; k < nitems(env_names); k++) {
		const struct env_name *e = &env_names[k];

		if (e->kind != ENV_SKIPS || value_of(e) == NULL ||
		    strcmp(e->why, env_names[i].why) != 0)
			continue;
		if (k < i) {
			buf_unref(names); /* has been said */
			return;
		}
		buf_printf(&names, "%s%s", names == NULL ? "" : ", ", e->name);
	}
	add_note(c,
	    xasprintf("not used from the environment: %.*s: %s",
		STR_ARG(buf_str(names)), env_names[i].why));
	buf_unref(names);
}

static bool
is_known(struct str name)
{
	for (size_t i = 0; i < nitems(env_names); i++)
		if (str_eq(str_of(env_names[i].name), name))
			return true;
	return false;
}

/* Names that resemble those of the list and are not in it. */
static void
note_unknown(struct conf *c)
{
	struct str rest, name;
	char **e;

	for (e = environ; e != NULL && *e != NULL; e++) {
		rest = str_of(*e);
		name = str_cut(&rest, '=');
		if (name.n <= 100 && !is_known(name) &&
		    !env_link_is(name, rest) &&
		    (str_starts(name, S("SOKETI_")) ||
			str_starts(name, S("REVERB_")) ||
			str_starts(name, S("PUSHER_APP_"))))
			add_note(c,
			    xasprintf("not used from the environment: "
				      "%.*s: the name is not known",
				STR_ARG(name)));
	}
}

/* Variables of services with a name like pusherd's. */
static void
note_links(struct conf *c)
{
	static const char *const prefixes[] = { "PUSHERD_", "SOKETI_",
		"REVERB_", "PUSHER_" };
	char *note = env_link_note(prefixes, nitems(prefixes));

	if (note != NULL)
		add_note(c, note);
}

static int
check(const struct env_name *e, const char *v, char **why)
{
	struct str rest = str_of(e->choices);

	if (e->kind == ENV_ASKS) {
		while (rest.p != NULL)
			if (str_eq(str_cut(&rest, '|'), str_of(v)))
				return 0;
	}
	*why = xasprintf("environment variable %s cannot be %s: %s", e->name,
	    e->kind == ENV_ASKS ? "followed" : "used", e->why);
	return -1;
}

static int
apply_one(struct conf *c, size_t i, struct halves h[2], char **why)
{
	const struct env_name *e = &env_names[i];
	const char *v = value_of(e);

	if (v == NULL)
		return 0;
	switch (e->kind) {
	case ENV_SETS:
		if (e->unit >= UNIT_HOST)
			return note_half(
			    &h[strcmp(e->target, "listen") != 0], e, v, why);
		if (e->unit == UNIT_DEBUG) {
			bool on;

			if (read_bool(e, v, &on, why) == -1)
				return -1;
			return on ? set_option(c, e, "debug", why) : 0;
		}
		return set_option(c, e, v, why);
	case ENV_ASKS:
	case ENV_ENDS:
		return check(e, v, why);
	case ENV_SKIPS:
		note_skipped(c, i);
		return 0;
	default:
		return 0;
	}
}

int
env_names_apply(struct conf *c, char **why)
{
	struct halves h[2] = { { .option = "listen" },
		{ .option = "metrics_listen" } };
	const char *tls = getenv("SOKETI_SSL_CERT");

	for (size_t i = 0; i < nitems(env_names); i++)
		if (apply_one(c, i, h, why) == -1)
			return -1;
	tls = tls != NULL && tls[0] != '\0' ? " tls" : "";
	if (tls[0] != '\0' && h[0].from == NULL)
		h[0].from = "SOKETI_SSL_CERT";
	if (set_address(c, &h[0], "0.0.0.0", "6001", tls, why) == -1 ||
	    set_address(c, &h[1], "127.0.0.1", "9601", "", why) == -1)
		return -1;
	note_unknown(c);
	note_links(c);
	return 0;
}

/* ---- the first app ---- */

static const char *const families[] = { "SOKETI_", "PUSHER_", "REVERB_" };

static bool
is_of(const struct env_name *e, const char *family)
{
	return e->kind == ENV_MAKES &&
	    strncmp(e->name, family, strlen(family)) == 0;
}

/* Fields that app_set() does not know; NULL: another one. */
static char **
text_field(struct app *a, const char *target)
{
	if (strcmp(target, "id") == 0)
		return &a->id;
	if (strcmp(target, "key") == 0)
		return &a->key;
	return strcmp(target, "secret") == 0 ? &a->secret : NULL;
}

static int
set_field(struct app *a, const struct env_name *e, const char *v, char **why)
{
	char **field = text_field(a, e->target), *text, *sentence;
	bool on;
	int r;

	assert(a != NULL);
	if (field != NULL) {
		free(*field);
		*field = xstrdup(v);
		return 0;
	}
	if (strcmp(e->target, "enabled") == 0) {
		if (read_bool(e, v, &on, why) == -1)
			return -1;
		a->enabled = on;
		return 0;
	}
	if ((text = convert(e, v, why)) == NULL)
		return -1;
	r = app_set(a, e->target, text, &sentence);
	free(text);
	if (r == -1) {
		*why =
		    xasprintf("environment variable %s: %s", e->name, sentence);
		free(sentence);
	}
	return r;
}

/*
 * The rules of `pusherctl app create` and `app import` for id, key and secret.
 */
static int
check_family(struct app *a, const char *family, char **why)
{
	const char *bad;

	for (size_t i = 0; i < nitems(env_names); i++) {
		const struct env_name *e = &env_names[i];
		char **field;

		if (!is_of(e, family) ||
		    (field = text_field(a, e->target)) == NULL)
			continue;
		bad = *field == a->secret
		    ? credential_check_secret(str_of(*field))
		    : credential_check_name(str_of(*field));
		if (bad == NULL)
			continue;
		*why = xasprintf("environment variable %s: the %s %s", e->name,
		    e->target, bad);
		return -1;
	}
	return 1;
}

static int
read_family(struct app *a, const char *family, char **why)
{
	const char *v;

	app_init(a);
	for (size_t i = 0; i < nitems(env_names); i++) {
		const struct env_name *e = &env_names[i];

		if (!is_of(e, family) || (v = value_of(e)) == NULL)
			continue;
		if (set_field(a, e, v, why) == -1)
			return -1;
	}
	if (a->id == NULL || a->key == NULL || a->secret == NULL)
		return 0;
	return check_family(a, family, why);
}

int
env_names_app(struct app *a, char **why)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < nitems(families); i++) {
		r = read_family(a, families[i], why);
		if (r != 1)
			app_clear(a);
	}
	return r;
}

void
env_names_wipe(void)
{
	char *v;

	for (size_t i = 0; i < nitems(env_names); i++) {
		if (env_names[i].kind != ENV_MAKES ||
		    strcmp(env_names[i].target, "secret") != 0)
			continue;
		v = getenv(env_names[i].name);
		if (v == NULL)
			continue;
		OPENSSL_cleanse(v, strlen(v));
		unsetenv(env_names[i].name);
	}
}
