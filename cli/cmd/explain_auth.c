/* SPDX-License-Identifier: MIT */
/*
 * explain_auth.c: `pusherctl explain-auth`: checks a request to the HTTP API as
 * a worker does, with every check and not only the first that fails, and names
 * the probable mistake.  Needs the database, not the daemon.
 */

#include "cli/cmd/explain_auth.h"

#include <stdlib.h>
#include <time.h>

#include "shared/app/explain.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define BODY_MAX (16u << 20)

const struct cmd_option cmd_explain_options[] = {
	{ "at", "SECONDS", "when it arrived, as Unix time (default: now)" },
	{ NULL, NULL, NULL },
};

static const char *const part_names[] = { [API_AUTH_REPEATED] = "parameters",
	[API_AUTH_KEY] = "auth_key",
	[API_AUTH_VERSION] = "auth_version",
	[API_AUTH_TIMESTAMP] = "auth_timestamp",
	[API_AUTH_BODY] = "body_md5",
	[API_AUTH_SIGNATURE] = "auth_signature" };

/* Every app, copied out of the database. */
struct apps {
	struct app *v;
	size_t n;
};

static int
collect(void *arg, const struct app *a)
{
	struct apps *all = arg;
	struct app *to;

	all->v = xreallocarray(all->v, all->n + 1, sizeof(*all->v));
	to = &all->v[all->n++];
	*to = (struct app){ .num = a->num, .old_until = a->old_until };
	to->max_timestamp_age = a->max_timestamp_age;
	to->id = xstrdup(a->id);
	to->key = xstrdup(a->key);
	to->secret = xstrdup(a->secret);
	to->name = xstrdup(a->name);
	to->old_key = a->old_key == NULL ? NULL : xstrdup(a->old_key);
	to->old_secret = a->old_secret == NULL ? NULL : xstrdup(a->old_secret);
	return 0;
}

static int
read_apps(const struct cmd *c, struct apps *all)
{
	struct appdb *db = cmd_open_db(c, APPDB_READ);
	int r = CMD_OK;

	if (db == NULL)
		return CMD_FAILED;
	if (appdb_each(db, collect, all) == -1)
		r = cmd_fail("%s", appdb_error(db));
	appdb_close(db);
	return r;
}

/* The app whose id stands after /apps/ in the path. */
static const struct app *
find_app(const struct cmd *c, const struct apps *all, struct str path)
{
	const char *at = memmem(path.p, path.n, "/apps/", 6);
	struct str id =
	    at == NULL ? S("") : str_from(path, (size_t)(at - path.p) + 6);

	id = str_cut(&id, '/');
	for (size_t i = 0; i < all->n; i++)
		if (str_eq(str_of(all->v[i].id), id))
			return &all->v[i];
	if (id.n == 0)
		cmd_usage(c, "the path has to be /apps/ID/...");
	else
		cmd_fail("there is no app with the id %.*s, which the path "
			 "names: 404; to see them: %s app list",
		    STR_ARG(id), c->self);
	return NULL;
}

/* The fault and, if it can be found out, its cause. */
static void
put_check(struct out *o, const struct explain *e, enum api_auth_part part)
{
	struct buf *why = NULL;
	bool good = api_auth_check_part(e->auth, part, &why);
	char *found = NULL, *text;

	if (!good && part == API_AUTH_SIGNATURE)
		found = explain_signature(e);
	else if (!good && part == API_AUTH_BODY)
		found = explain_body(e);
	text = found != NULL ? xasprintf("%s", found)
			     : xasprintf("%.*s", STR_ARG(buf_str(why)));
	out_row_open(o);
	out_text(o, "check", part_names[part]);
	out_state(o, "result", good ? "right" : "wrong", good);
	out_text(o, "why", text);
	out_row_close(o);
	free(text);
	free(found);
	buf_unref(why);
}

static int
put(const struct cmd *c, const struct explain *e)
{
	struct buf *text = NULL, *why = NULL;
	bool valid = api_auth_check(e->auth, &why);

	api_auth_put_text(e->auth, &text);
	out_group_open(c->out);
	out_record_open(c->out, "request");
	out_text(c->out, "app", e->app->id);
	out_bool(c->out, "valid", valid);
	out_record_close(c->out);
	out_block(
	    c->out, "string_to_sign", "the string to sign", buf_str(text));
	out_table_open(c->out, "checks", "check result why");
	for (enum api_auth_part part = 0; part < API_AUTH_PARTS; part++)
		put_check(c->out, e, part);
	out_table_close(c->out);
	out_group_close(c->out);
	buf_unref(text);
	buf_unref(why);
	return valid ? CMD_OK : CMD_FAILED;
}

/* The key that the request names, if that counts. */
static void
choose_key(struct api_auth *a, const struct app *app)
{
	struct str key = api_params_get(a->params, S("auth_key"));
	bool old =
	    app_has_old_key(app, a->now) && str_eq(key, str_of(app->old_key));

	a->key = str_of(old ? app->old_key : app->key);
	a->sign = sign_key_new(str_of(old ? app->old_secret : app->secret));
}

static int
explain(const struct cmd *c, struct api_auth *a, struct str query)
{
	struct api_params params;
	struct apps all = { .n = 0 };
	struct explain e = { .auth = a, .query = query };
	int r = read_apps(c, &all);

	if (r == CMD_OK && (e.app = find_app(c, &all, a->path)) == NULL)
		r = CMD_FAILED;
	if (r == CMD_OK && api_params_parse(&params, query) == -1)
		r = cmd_fail("the query has more than %d parameters: 400",
		    API_PARAMS_MAX);
	else if (r == CMD_OK) {
		a->params = &params;
		a->max_age = e.app->max_timestamp_age;
		choose_key(a, e.app);
		e.others = all.v;
		e.nothers = all.n;
		r = put(c, &e);
		sign_key_free(a->sign);
		api_params_clear(&params);
	}
	for (size_t i = 0; i < all.n; i++)
		app_clear(&all.v[i]);
	free(all.v);
	return r;
}

int
cmd_explain_auth(struct cmd *c)
{
	struct api_auth a = { .method = str_of(c->args[0]),
		.now = (uint64_t)time(NULL) };
	const char *at = cmd_value(c, "at");
	struct str target = str_of(c->args[1]);
	struct buf *body = NULL;
	ssize_t host;
	int r;

	if (at != NULL && str_to_u64(str_of(at), INT64_MAX, &a.now) == -1)
		return cmd_usage(c, "--at takes Unix seconds");
	if (str_starts(target, S("http://")) ||
	    str_starts(target, S("https://"))) {
		target = str_from(target, 8);
		host = str_find(target, '/');
		target = str_from(target, host == -1 ? target.n : (size_t)host);
	}
	if (c->nargs > 2 &&
	    (body = cmd_read_file(c->args[2], BODY_MAX)) == NULL)
		return CMD_FAILED;
	a.body = buf_str(body);
	a.path = str_cut(&target, '?');
	r = explain(c, &a, target.p == NULL ? S("") : target);
	buf_unref(body);
	return r;
}
