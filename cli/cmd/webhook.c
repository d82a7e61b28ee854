/* SPDX-License-Identifier: MIT */
/*
 * webhook.c: `pusherctl webhook add|list|show|set|remove`.  An endpoint is a
 * row in the database of the apps; as with apps, a change is one transaction
 * and then the running daemon is told.  Headers may hold secrets: their values
 * are shown only with --reveal.  The state of an endpoint is in the outbox,
 * with or without a daemon.
 */

#include "cli/cmd/webhook.h"

#include <stdlib.h>

#include "shared/app/appdb_hooks.h"
#include "shared/app/outbox.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/xmalloc.h"

#define OWN_MAX 20 /* webhooks of an app to which this call is limited */

/* ---- printing ---- */

/* "Name, Name" or, revealed, "Name: value, Name: value". */
static void
put_headers(struct out *o, const struct webhook *h, bool reveal)
{
	struct str rest = str_of(h->headers), line;
	struct buf *b = NULL;

	while (rest.p != NULL) {
		line = str_cut(&rest, '\n');
		if (line.n == 0)
			continue;
		if (!reveal)
			line.n = (size_t)str_find(line, ':');
		buf_printf(&b, "%s%.*s", b == NULL ? "" : ", ", STR_ARG(line));
	}
	out_str(o, "headers", buf_str(b));
	buf_unref(b);
}

static void
put_fields(struct out *o, const struct webhook *h, const char *app, bool reveal)
{
	out_num(o, "webhook", h->num);
	out_text(o, "app", app);
	out_text(o, "url", h->url);
	out_text(o, "events", *h->events == '\0' ? "all" : h->events);
	out_text(o, "channel-prefix", h->prefix);
	out_text(o, "channel-suffix", h->suffix);
	out_text(o, "channel-glob", h->glob);
	put_headers(o, h, reveal);
	out_switch(o, "batch", h->batch != 0);
	out_switch(o, "enabled", h->enabled != 0);
}

static void
put_record(struct out *o, const struct webhook *h, const char *app, bool reveal)
{
	out_record_open(o, NULL);
	put_fields(o, h, app, reveal);
	out_record_close(o);
}

/* ---- what was asked for ---- */

static int
parse_number(const struct cmd *c, const char *text, uint32_t *num)
{
	uint64_t n = 0;

	*num = 0;
	if (str_to_u64(str_of(text), UINT32_MAX, &n) == -1 || n == 0)
		return cmd_usage(c,
		    "\"%s\" is not the number of a webhook; to see all: "
		    "%s webhook list",
		    text, c->self);
	*num = (uint32_t)n;
	return CMD_OK;
}

/*
 * Reads the webhook with this number, in the app to which this call may be
 * limited: CMD_OK, or another code after a message.  webhook_clear() it.
 */
static int
read_webhook(
    const struct cmd *c, struct appdb *db, uint32_t num, struct webhook *h)
{
	struct app a = { .num = 0 };
	int found, r = CMD_OK;

	*h = (struct webhook){ .num = 0 };
	if (c->scope != NULL)
		r = cmd_find_app(c, db, c->scope, &a);
	if (r != CMD_OK)
		return r;
	found = appdb_hooks_find(db, num, h);
	if (found == -1)
		r = cmd_fail("%s", appdb_error(db));
	else if (found == 0 || (c->scope != NULL && h->app != a.num))
		r = cmd_fail("there is no webhook %u%s%s; to see all: %s "
			     "webhook list",
		    num, c->scope != NULL ? " in app " : "",
		    c->scope != NULL ? c->scope : "", c->self);
	app_clear(&a);
	return r;
}

int
cmd_webhook_number(const struct cmd *c, const char *text, uint32_t *num)
{
	struct appdb *db;
	struct webhook h;
	int r = parse_number(c, text, num);

	if (r != CMD_OK)
		return r;
	if ((db = cmd_open_db(c, APPDB_READ)) == NULL)
		return CMD_FAILED;
	r = read_webhook(c, db, *num, &h);
	webhook_clear(&h);
	appdb_close(db);
	return r;
}

static int
find_app_id(void *arg, const struct app *a)
{
	struct webhook_owner *w = arg;

	if (a->num != w->num)
		return 0;
	w->id = xstrdup(a->id);
	w->allow_private = a->webhook_allow_private;
	return 1;
}

/* CMD_OK with both filled, or another code after a message: clear both. */
static int
find_webhook(const struct cmd *c, struct appdb *db, const char *text,
    struct webhook *h, struct webhook_owner *owner)
{
	uint32_t num;
	int r = parse_number(c, text, &num);

	*owner = (struct webhook_owner){ .id = NULL };
	if (r != CMD_OK || (r = read_webhook(c, db, num, h)) != CMD_OK)
		return r;
	*owner = (struct webhook_owner){ .num = h->app };
	if (appdb_each(db, find_app_id, owner) == 0 && owner->id != NULL)
		return CMD_OK;
	return cmd_fail("the app of webhook %u: %s", num, appdb_error(db));
}

/* --header may be given several times; together they replace the old ones. */
static int
set_headers(const struct cmd *c, struct webhook *h, char **why)
{
	if (cmd_has(c, "header") || cmd_has(c, "no-headers")) {
		free(h->headers);
		h->headers = xstrdup("");
	}
	for (size_t i = 0; i < c->nvalues; i++)
		if (str_eq(str_of(c->values[i].option->name), S("header")) &&
		    webhook_add_header(h, c->values[i].value, why) == -1)
			return -1;
	return 0;
}

void
cmd_webhook_warn(const struct cmd *c, const struct webhook *h, bool allowed)
{
	if (allowed || c->conf->webhook_allow_private ||
	    !webhook_url_is_closed(h->url))
		return;
	cmd_note("warning: webhook %u will never be delivered: its address is "
		 "private, and neither the app's setting nor the option "
		 "webhook_allow_private allows that",
	    h->num);
}

/* ---- add ---- */

static int
set_from_options(const struct cmd *c, struct webhook *h, char **why)
{
	static const char *const names[] = { "events", "channel-prefix",
		"channel-suffix", "channel-glob" };
	const char *value;

	for (size_t i = 0; i < nitems(names); i++) {
		value = cmd_value(c, names[i]);
		if (value != NULL && webhook_set(h, names[i], value, why) == -1)
			return -1;
	}
	h->batch = cmd_has(c, "batch");
	return set_headers(c, h, why);
}

static int
count_hook(void *arg, const struct webhook *h)
{
	++*(unsigned *)arg;
	return 0;
}

/*
 * Each event of the app is compared with all its webhooks in the broker, which
 * serves other apps, too: a session for one app makes few of them.
 */
static int
check_number(const struct cmd *c, struct appdb *db, const struct app *a)
{
	unsigned n = 0;

	if (c->scope == NULL)
		return CMD_OK;
	if (appdb_hooks_each(db, a->num, count_hook, &n) == -1)
		return cmd_fail("%s", appdb_error(db));
	return n < OWN_MAX
	    ? CMD_OK
	    : cmd_fail("app %s has %u webhooks, and a session of the console "
		       "for one app makes at most %d: remove one, or let the "
		       "operator add it (pusherctl webhook add)",
		  a->id, n, OWN_MAX);
}

int
cmd_webhook_add(struct cmd *c)
{
	struct appdb *db = cmd_open_db(c, APPDB_WRITE);
	struct webhook h;
	struct app a = { .num = 0 };
	char *why = NULL;
	int r;

	if (db == NULL)
		return CMD_FAILED;
	r = cmd_find_app(c, db, c->args[0], &a);
	if (r == CMD_OK)
		r = check_number(c, db, &a);
	if (r != CMD_OK) {
		app_clear(&a);
		appdb_close(db);
		return r;
	}
	webhook_init(&h);
	h.app = a.num;
	if (webhook_set(&h, "url", c->args[1], &why) == -1 ||
	    set_from_options(c, &h, &why) == -1)
		r = cmd_usage(c, "%s", why);
	else if (appdb_hooks_insert(db, &h) == -1)
		r = cmd_fail("%s", appdb_error(db));
	appdb_close(db);
	if (r == CMD_OK) {
		cmd_webhook_warn(c, &h, a.webhook_allow_private);
		put_record(c->out, &h, a.id, false);
		r = cmd_tell_apps_changed(c);
	}
	free(why);
	webhook_clear(&h);
	app_clear(&a);
	return r;
}

/* ---- list, show ---- */

struct listing {
	struct cmd *c;
	struct appdb *db;
	struct app *apps;
	size_t n;
	bool known; /* the state of all */
	struct outbox_health *health;
	size_t nhealth;
};

/* Since this time of the courier's clock, or nothing. */
static void
put_age(struct out *o, const char *key, uint64_t since_ms)
{
	uint64_t now = clock_ms(CLOCK_REALTIME);

	if (since_ms == 0)
		out_null(o, key);
	else
		out_seconds(
		    o, key, now > since_ms ? (now - since_ms) / 1000 : 0);
}

static void
put_health(const struct listing *l, const struct webhook *h)
{
	struct outbox_health now = { .endpoint = h->num };
	struct out *o = l->c->out;

	if (!l->known) {
		out_members(o, (struct json){ .kind = JSON_NONE },
		    "state failing waiting oldest dropped");
		return;
	}
	for (size_t i = 0; i < l->nhealth; i++)
		if (l->health[i].endpoint == h->num)
			now = l->health[i];
	out_state(o, "state",
	    !h->enabled               ? "disabled"
		: now.failing_ms != 0 ? "failing"
				      : "up",
	    h->enabled && now.failing_ms == 0);
	put_age(o, "failing", now.failing_ms);
	out_num(o, "waiting", now.waiting);
	put_age(o, "oldest", now.oldest_ms);
	out_num(o, "dropped", now.dropped);
}

static int
put_row(void *arg, const struct webhook *h)
{
	struct listing *l = arg;
	struct webhook_owner owner = { .num = h->app };

	for (size_t i = 0; i < l->n; i++)
		if (l->apps[i].num == h->app)
			owner.id = l->apps[i].id;
	out_row_open(l->c->out);
	put_fields(l->c->out, h, owner.id == NULL ? "" : owner.id, false);
	put_health(l, h);
	out_row_close(l->c->out);
	return 0;
}

static void
collect_health(void *arg, const struct outbox_health *h)
{
	struct listing *l = arg;

	l->health =
	    xreallocarray(l->health, l->nhealth + 1, sizeof(*l->health));
	l->health[l->nhealth++] = *h;
}

/* A broken outbox must not hide the endpoints. */
static void
look_at_outbox(struct listing *l)
{
	struct outbox *o;

	if (cmd_webhook_outbox(l->c, &o) != CMD_OK)
		return;
	l->known = o == NULL ||
	    outbox_each_health(o, appdb_uuid(l->db), collect_health, l) == 0;
	if (!l->known)
		cmd_note("%s: %s", l->c->conf->outbox, outbox_error(o));
	outbox_close(o);
}

/* Only number and id. */
static int
collect_app(void *arg, const struct app *a)
{
	struct listing *l = arg;

	l->apps = xreallocarray(l->apps, l->n + 1, sizeof(*l->apps));
	l->apps[l->n++] = (struct app){ .num = a->num, .id = xstrdup(a->id) };
	return 0;
}

int
cmd_webhook_list(struct cmd *c)
{
	struct listing l = { .c = c, .db = cmd_open_db(c, APPDB_READ) };
	struct app a = { .num = 0 };
	int r = CMD_OK;

	if (l.db == NULL)
		return CMD_FAILED;
	if (c->nargs > 0)
		r = cmd_find_app(c, l.db, c->args[0], &a);
	if (r == CMD_OK) {
		look_at_outbox(&l);
		out_table_order(c->out,
		    "webhook app state failing waiting oldest dropped url "
		    "events enabled batch channel-prefix channel-glob "
		    "channel-suffix headers");
		out_table_open(c->out, NULL,
		    "webhook app url events channel-prefix channel-suffix "
		    "channel-glob headers batch enabled state failing waiting "
		    "oldest dropped");
		if (appdb_each(l.db, collect_app, &l) == -1 ||
		    appdb_hooks_each(l.db, a.num, put_row, &l) == -1) {
			r = cmd_fail("%s", appdb_error(l.db));
			out_drop(c->out);
		}
		out_table_close(c->out);
	}
	appdb_close(l.db);
	for (size_t i = 0; i < l.n; i++)
		free(l.apps[i].id);
	free(l.apps);
	free(l.health);
	app_clear(&a);
	return r;
}

int
cmd_webhook_show(struct cmd *c)
{
	struct appdb *db = cmd_open_db(c, APPDB_READ);
	struct webhook_owner owner = { .id = NULL };
	struct webhook h = { .num = 0 };
	int r;

	if (db == NULL)
		return CMD_FAILED;
	r = find_webhook(c, db, c->args[0], &h, &owner);
	appdb_close(db);
	if (r == CMD_OK)
		put_record(c->out, &h, owner.id, cmd_has(c, "reveal"));
	free(owner.id);
	webhook_clear(&h);
	return r;
}

/* ---- set, remove ---- */

static int
assign(const struct cmd *c, struct webhook *h)
{
	char *option, *why = NULL;
	const char *eq;
	int r = CMD_OK;

	for (size_t i = 1; i < c->nargs && r == CMD_OK; i++) {
		eq = strchr(c->args[i], '=');
		if (eq == NULL)
			return cmd_usage(c,
			    "\"%s\" is not of the form option=value",
			    c->args[i]);
		option = xstrndup(c->args[i], (size_t)(eq - c->args[i]));
		if (webhook_set(h, option, eq + 1, &why) == -1)
			r = cmd_fail("%s", why);
		free(option);
	}
	if (r == CMD_OK && set_headers(c, h, &why) == -1)
		r = cmd_fail("%s", why);
	free(why);
	return r;
}

int
cmd_webhook_set(struct cmd *c)
{
	struct appdb *db = cmd_open_db(c, APPDB_WRITE);
	struct webhook_owner owner = { .id = NULL };
	struct webhook h = { .num = 0 };
	int r;

	if (db == NULL)
		return CMD_FAILED;
	r = find_webhook(c, db, c->args[0], &h, &owner);
	if (r == CMD_OK)
		r = assign(c, &h);
	if (r == CMD_OK && appdb_hooks_update(db, &h) == -1)
		r = cmd_fail("%s", appdb_error(db));
	appdb_close(db);
	if (r == CMD_OK) {
		cmd_webhook_warn(c, &h, owner.allow_private);
		put_record(c->out, &h, owner.id, false);
		r = cmd_tell_apps_changed(c);
	}
	free(owner.id);
	webhook_clear(&h);
	return r;
}

int
cmd_webhook_remove(struct cmd *c)
{
	struct appdb *db;
	uint32_t num;
	int r = cmd_webhook_number(c, c->args[0], &num);

	if (r != CMD_OK)
		return r;
	db = cmd_open_db(c, APPDB_WRITE);
	if (db == NULL)
		return CMD_FAILED;
	if (appdb_hooks_delete(db, num) == -1)
		r = cmd_fail("%s", appdb_error(db));
	appdb_close(db);
	if (r == CMD_OK) {
		cmd_webhook_put_number(c, "removed", num);
		r = cmd_tell_apps_changed(c);
	}
	return r;
}
