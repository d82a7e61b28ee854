/* SPDX-License-Identifier: MIT */
/*
 * conf_change.c: replaces the configuration that is in force.  The master reads
 * the new one and keeps values that cannot change while the server runs; the
 * children get it as one text, a line `name TAB value TAB origin` for each
 * value, in which no control byte can stand.  Every process has one struct conf
 * that all its modules point to, and whose contents are exchanged.  Never
 * prints, never exits, opens nothing.
 */

#include "shared/conf/conf_change.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"

#define SOURCE "master" /* while a dump is read */

/* Options that are used once, when the server starts. */
static const char *const at_start[] = {
	"database",
	"runtime_dir",
	"pid_file",
	"user",
	"sandbox",
	"core_dumps",
	"outbox",
	"resume_sessions",
	"cluster",
	"cluster_auth",
	"cluster_ca_file",
	"cluster_cert",
	"cluster_wait",
	"cluster_name",
	"cluster_host",
};

/*
 * Options that name a file or make a socket.  The master has more rights than
 * the process that passes it a request, so they come from the file only.
 */
static const char *const in_file[] = {
	"listen",
	"log",
	"tls_certificate",
	"tls_key",
	"webhook_ca_file",
};

static bool
is_among(const char *const *names, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(str_of(names[i]), name))
			return true;
	return false;
}

bool
conf_needs_restart(const char *name)
{
	return is_among(at_start, nitems(at_start), str_of(name));
}

static void
keep_text(char **fresh, const char *live)
{
	free(*fresh);
	*fresh = xstrdup(live);
}

static bool
is_same_list(const struct conf_list *a, const struct conf_list *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return true;
}

static void
keep_list(struct conf_list *fresh, const struct conf_list *live)
{
	for (size_t i = 0; i < fresh->n; i++) {
		free(fresh->v[i]);
		free(fresh->origins[i]);
	}
	free(fresh->v);
	free(fresh->origins);
	fresh->n = live->n;
	fresh->v = xcalloc(live->n, sizeof(*fresh->v));
	fresh->origins = xcalloc(live->n, sizeof(*fresh->origins));
	for (size_t i = 0; i < live->n; i++) {
		fresh->v[i] = xstrdup(live->v[i]);
		fresh->origins[i] = xstrdup(live->origins[i]);
	}
}

static void
add_name(struct buf **names, const char *name)
{
	buf_printf(names, "%s%s", *names == NULL ? "" : ", ", name);
}

char *
conf_keep(struct conf *fresh, const struct conf *live)
{
	struct buf *names = NULL;
	size_t i = 0;
	char *out;

#define KEEP(name, same, keep) \
	if (conf_needs_restart(#name) && !(same)) { \
		keep; \
		keep_text(&fresh->origin[i], live->origin[i]); \
		add_name(&names, #name); \
	} \
	i++;
#define CONF_TEXT(name, def, help) \
	KEEP(name, strcmp(fresh->name, live->name) == 0, \
	    keep_text(&fresh->name, live->name))
#define CONF_PATH(name, def, help) CONF_TEXT(name, def, help)
#define CONF_ENUM(name, def, choices, help) CONF_TEXT(name, def, help)
#define CONF_LIST(name, def, help) \
	KEEP(name, is_same_list(&fresh->name, &live->name), \
	    keep_list(&fresh->name, &live->name))
#define CONF_UINT(name, def, min, max, help) \
	KEEP(name, fresh->name == live->name, fresh->name = live->name)
#define CONF_BOOL(name, def, help) CONF_UINT(name, def, 0, 1, help)
#include "shared/conf/conf_options.def"
#undef KEEP
	keep_text(&fresh->broker_path, live->broker_path);
	keep_text(&fresh->control_path, live->control_path);
	if (names == NULL)
		return NULL;
	out = xstrndup(names->data, names->len);
	buf_unref(names);
	return out;
}

void
conf_replace(struct conf *live, struct conf *fresh)
{
	conf_clear(live);
	*live = *fresh;
	memset(fresh, 0, sizeof(*fresh));
}

/* ---- from process to process ---- */

/* An origin may name a file with any bytes. */
static void
put_line(
    struct buf **b, const char *name, const char *value, const char *origin)
{
	size_t from;

	buf_printf(b, "%s\t%s\t", name, value);
	from = (*b)->len;
	buf_append(b, str_of(origin));
	for (; from < (*b)->len; from++)
		if ((unsigned char)(*b)->data[from] < 0x20)
			(*b)->data[from] = '?';
	buf_putc(b, '\n');
}

static void
put_list(struct buf **b, const char *name, const struct conf_list *l,
    const char *origin)
{
	if (l->n == 0)
		put_line(b, name, "", origin);
	for (size_t i = 0; i < l->n; i++)
		put_line(b, name, l->v[i], l->origins[i]);
}

static void
put_number(struct buf **b, const char *name, uint64_t v, const char *origin)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	put_line(b, name, text, origin);
}

void
conf_dump(const struct conf *c, struct buf **b)
{
	char *const *origin = c->origin;

	put_number(b, "nworkers", c->nworkers, "");
#define CONF_TEXT(name, def, help) put_line(b, #name, c->name, *origin++);
#define CONF_PATH(name, def, help) put_line(b, #name, c->name, *origin++);
#define CONF_LIST(name, def, help) put_list(b, #name, &c->name, *origin++);
#define CONF_UINT(name, def, min, max, help) \
	put_number(b, #name, c->name, *origin++);
#define CONF_ENUM(name, def, choices, help) \
	put_line(b, #name, c->name, *origin++);
#define CONF_BOOL(name, def, help) \
	put_line(b, #name, c->name ? "on" : "off", *origin++);
#include "shared/conf/conf_options.def"
}

struct line {
	struct str name, value, origin;
};

static bool
next_line(struct str *rest, struct line *l)
{
	struct str line;

	line = str_cut(rest, '\n');
	l->name = str_cut(&line, '\t');
	l->value = str_cut(&line, '\t');
	l->origin = line;
	return l->origin.p != NULL;
}

/* The values come in order: finds the first option that still has none. */
static void
set_list_origin(struct conf_list *list, const struct line *l)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->origins[i], SOURCE) == 0) {
			free(list->origins[i]);
			list->origins[i] = xstrndup(l->origin.p, l->origin.n);
			return;
		}
}

static void
set_origin(struct conf *c, const struct line *l)
{
	char **origin = c->origin;

#define ORIGIN(which) \
	if (str_eq(l->name, S(#which))) { \
		free(*origin); \
		*origin = xstrndup(l->origin.p, l->origin.n); \
	} \
	origin++;
#define CONF_TEXT(name, def, help) ORIGIN(name)
#define CONF_PATH(name, def, help) ORIGIN(name)
#define CONF_LIST(option, def, help) \
	if (str_eq(l->name, S(#option))) \
		set_list_origin(&c->option, l); \
	ORIGIN(option)
#define CONF_UINT(name, def, min, max, help) ORIGIN(name)
#define CONF_ENUM(name, def, choices, help) ORIGIN(name)
#define CONF_BOOL(name, def, help) ORIGIN(name)
#include "shared/conf/conf_options.def"
#undef ORIGIN
}

static int
load_lines(struct conf *c, struct str text, uint64_t *nworkers, char **why)
{
	struct str rest = text;
	struct line l = { .origin = text };

	while (rest.n > 0 && next_line(&rest, &l)) {
		if (str_eq(l.name, S("nworkers"))) {
			if (str_to_u64(l.value, UINT32_MAX, nworkers) == -1)
				break;
		} else if (conf_set(c, l.name, l.value, SOURCE, 0, why) == -1) {
			return -1;
		}
	}
	if (rest.n > 0 || l.origin.p == NULL || *nworkers == 0) {
		*why = xasprintf(SOURCE ": this is not a configuration");
		return -1;
	}
	c->nworkers = (unsigned)*nworkers; /* "auto" is the master's to count */
	return conf_finish(c, why);
}

int
conf_load_dump(struct conf *c, struct str text, char **why)
{
	struct str rest = text;
	uint64_t nworkers = 0;
	struct line l;

	conf_init(c);
	if (load_lines(c, text, &nworkers, why) == -1) {
		conf_clear(c);
		return -1;
	}
	c->nworkers = (unsigned)nworkers; /* fewer may still be impossible */
	while (rest.n > 0 && next_line(&rest, &l))
		set_origin(c, &l);
	return 0;
}

/* ---- one option of the configuration in force ---- */

/* An origin that the file does not override stays visible. */
static char *
set_origin_text(const struct conf *live, const char *name)
{
	const char *was = conf_origin(live, name);

	if (str_starts(str_of(was), S(CONF_SET)))
		return xstrdup(was);
	if (strcmp(was, "command line") == 0 ||
	    str_starts(str_of(was), S("environment")))
		return xasprintf(CONF_SET_OVER "%s", was);
	return xstrdup(CONF_SET);
}

int
conf_load_changed(struct conf *c, const struct conf *live, struct str name,
    struct str value, char **why)
{
	struct buf *text = NULL;
	char *option, *origin;
	int r;

	if (is_among(at_start, nitems(at_start), name) ||
	    is_among(in_file, nitems(in_file), name)) {
		*why = xasprintf(CONF_SET
		    ": %.*s cannot be set by a command: write it into the "
		    "configuration file, and then %s",
		    STR_ARG(name),
		    is_among(in_file, nitems(in_file), name)
			? "run pusherctl reload"
			: "restart pusherd");
		return -1;
	}
	conf_dump(live, &text);
	r = conf_load_dump(c, buf_str(text), why);
	buf_unref(text);
	if (r == -1)
		return -1;
	option = str_dup(name);
	origin = set_origin_text(live, option);
	c->nworkers = 0; /* counted again */
	/* A list grows with values of one source: the first call empties it. */
	if (conf_set(c, name, value, "pusherctl config set", 0, why) == -1 ||
	    conf_set(c, name, value, origin, 0, why) == -1 ||
	    conf_finish(c, why) == -1) {
		conf_clear(c);
		r = -1;
	}
	free(origin);
	free(option);
	return r;
}
