/* SPDX-License-Identifier: MIT */
/*
 * doctor_auth.c: finds out how a wrong signature was made: for another socket,
 * another channel, with another secret, or of another text.  The broker has the
 * secrets of all apps; none of them, and no right signature, leaves it.
 */

#include <stdlib.h>
#include <time.h>

#include "broker/app/apps.h"
#include "broker/control/doctor.h"
#include "broker/core/core.h"
#include "broker/stats/failures.h"
#include "shared/app/explain.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/pusher/channel_name.h"

#define SECRETS_MAX 1000 /* of other apps that are tried */

/* ---- subscriptions ---- */

/* The parts of a signature that are compared. */
struct trial {
	const struct doctor *d;
	const struct failure_sample *s;
	struct sign_key *key;
	struct str hex;
};

/* data.p == NULL: none. */
static bool
fits(const struct trial *t, uint64_t sid, struct str channel, struct str data)
{
	char text[SOCKET_ID_MAX];
	struct str parts[5] = { { NULL, 0 }, S(":"), channel, S(":"), data };

	socket_id_text(sid, text);
	parts[0] = str_of(text);
	return sign_verify(t->key, parts, data.p == NULL ? 3 : 5, t->hex);
}

static struct str
data_of(const struct failure_sample *s)
{
	return s->ndata == 0 ? str_make(NULL, 0) : str_make(s->data, s->ndata);
}

/* Is the signature right for this secret? */
static bool
fits_secret(const struct trial *t, struct str secret)
{
	struct trial other = *t;
	bool good;

	other.key = sign_key_new(secret);
	good = fits(&other, t->s->sid, str_of(t->s->name), data_of(t->s));
	sign_key_free(other.key);
	return good;
}

static bool
is_other_socket(const struct trial *t)
{
	for (unsigned i = 0; i < FAILURE_SIDS; i++)
		if (t->s->sids[i] != 0 && t->s->sids[i] != t->s->sid &&
		    fits(t, t->s->sids[i], str_of(t->s->name), data_of(t->s)))
			return true;
	return false;
}

static bool
is_other_channel(const struct trial *t)
{
	struct str name = str_of(t->s->name), rest = name;

	if (str_starts(name, S("private-")))
		rest = str_from(name, 8);
	else if (str_starts(name, S("presence-")))
		rest = str_from(name, 9);
	return rest.n < name.n && fits(t, t->s->sid, rest, data_of(t->s));
}

/* The app whose secret made the signature, or NULL. */
static const struct broker_app *
find_secret(const struct trial *t)
{
	const struct hash *all = &t->d->br->apps->by_num;
	const struct hash_node *n;
	int tried = t->d->scoped ? SECRETS_MAX : 0;

	for (n = hash_first(all); n != NULL && tried < SECRETS_MAX;
	     n = hash_next(all, n), tried++) {
		const struct broker_app *a =
		    container_of(n, const struct broker_app, node);

		if (a != t->d->a && fits_secret(t, str_of(a->app.secret)))
			return a;
	}
	return NULL;
}

static void
say(struct buf **text, const char *what, struct buf **mend, const char *how)
{
	buf_append(text, str_of(what));
	buf_append(mend, str_of(how));
}

static bool
explain_text(const struct trial *t, struct buf **text, struct buf **mend)
{
	struct str data = data_of(t->s);

	if (is_other_socket(t))
		say(text,
		    "the signature was made for another socket id: the answer "
		    "of the auth endpoint was cached, or belongs to an earlier "
		    "connection",
		    mend,
		    "Let the auth endpoint sign the socket_id of each request, "
		    "and send Cache-Control: no-store.");
	else if (data.p != NULL &&
	    fits(t, t->s->sid, str_of(t->s->name), str_make(NULL, 0)))
		say(text,
		    "the signature was made without the channel_data that "
		    "came with it",
		    mend,
		    "Sign socket_id:channel:channel_data with exactly the "
		    "bytes that are sent (presenceAuth or authorizeChannel "
		    "with the "
		    "user's data).");
	else if (is_other_channel(t))
		say(text,
		    "the signature was made for the channel's name without "
		    "its prefix",
		    mend,
		    "Sign the channel_name as the client sent it, with "
		    "private- or presence-.");
	else
		return false;
	return true;
}

static bool
explain_secret(const struct trial *t, struct buf **text, struct buf **mend)
{
	const struct app *app = &t->d->a->app;
	const struct broker_app *other;
	char *padded = xasprintf("%s\n", app->secret);
	bool feed = fits_secret(t, str_of(padded));

	explicit_bzero(padded, strlen(padded));
	free(padded);
	if (feed) {
		say(text,
		    "the signature was made with the right secret and a line "
		    "feed after it",
		    mend, "Remove the line feed where the secret is read.");
	} else if (fits_secret(t, str_of(app->key))) {
		say(text, "the signature was made with the key", mend,
		    "Sign with the secret.");
	} else if (app->old_secret != NULL &&
	    fits_secret(t, str_of(app->old_secret))) {
		buf_append(text,
		    S("the signature was made with the secret of an old key"));
		doctor_put_new_key(t->d, mend, "the auth endpoint");
	} else if ((other = find_secret(t)) != NULL) {
		buf_printf(text,
		    "the signature was made with the secret of app %s (%s)",
		    other->app.id, other->app.name);
		buf_printf(mend,
		    "Give the auth endpoint key and secret of app %s: "
		    "pusherctl app show --reveal %s",
		    app->id, app->id);
	} else {
		return false;
	}
	return true;
}

static bool
is_ended(const struct doctor *d, struct str key)
{
	return app_key_has_ended(&d->a->app, key, d->now_ms / 1000);
}

void
doctor_put_old_key(
    const struct doctor *d, struct buf **b, const struct app *app)
{
	buf_printf(b, "the old key %s, which ended ", app->old_key);
	doctor_put_age(d, b, app->old_until * 1000);
}

void
doctor_put_new_key(const struct doctor *d, struct buf **b, const char *target)
{
	buf_printf(b,
	    "Give %s the new key and secret: pusherctl app show --reveal %s",
	    target, d->a->app.id);
}

/* The key in auth has ended, or is another app's. */
static bool
explain_key(const struct doctor *d, struct str key, struct buf **text,
    struct buf **mend)
{
	const struct hash *all = &d->br->apps->by_num;
	const struct hash_node *n;

	if (is_ended(d, key)) {
		buf_append(text, S("the auth endpoint signs with "));
		doctor_put_old_key(d, text, &d->a->app);
		doctor_put_new_key(d, mend, "the auth endpoint");
		return true;
	}
	HASH_FOREACH(n, all) {
		const struct broker_app *a =
		    container_of(n, const struct broker_app, node);

		if (d->scoped || a == d->a || !str_eq(str_of(a->app.key), key))
			continue;
		buf_printf(text,
		    "the auth endpoint signs with the key of app %s (%s)",
		    a->app.id, a->app.name);
		buf_printf(mend,
		    "Client and auth endpoint need the same app: pusherctl "
		    "app show %s",
		    d->a->app.id);
		return true;
	}
	return false;
}

bool
doctor_explain_channel(const struct doctor *d, const struct failure_sample *s,
    struct buf **text, struct buf **mend)
{
	struct trial t = { .d = d, .s = s, .hex = str_of(s->proof) };
	struct str key = str_cut(&t.hex, ':');
	bool found;

	if (t.hex.n != SIGN_HEX_LEN)
		return false;
	if (!str_eq(key, str_of(d->a->app.key)))
		return explain_key(d, key, text, mend);
	t.key = sign_key_new(str_of(d->a->app.secret));
	found = explain_text(&t, text, mend) || explain_secret(&t, text, mend);
	sign_key_free(t.key);
	return found;
}

/* ---- requests ---- */

/* Views of all apps, including the one in question. */
static struct app *
list_apps(const struct doctor *d, size_t *n)
{
	const struct hash *all = &d->br->apps->by_num;
	struct app *v = xcalloc(SECRETS_MAX, sizeof(*v));
	const struct hash_node *e;

	*n = 0;
	for (e = hash_first(all); e != NULL && *n < SECRETS_MAX;
	     e = hash_next(all, e))
		if (!d->scoped ||
		    container_of(e, const struct broker_app, node) == d->a)
			v[(*n)++] =
			    container_of(e, const struct broker_app, node)->app;
	return v;
}

/* "auth_key is the old key ..."; free(3) it. */
static char *
old_key_text(const struct doctor *d)
{
	struct buf *b = NULL;
	char *text;

	buf_append(&b, S("auth_key is "));
	doctor_put_old_key(d, &b, &d->a->app);
	text = str_dup(buf_str(b));
	buf_unref(b);
	return text;
}

char *
doctor_explain_request(
    const struct doctor *d, const struct failure_sample *s, bool *ended)
{
	struct str line = str_of(s->proof), target;
	struct api_auth a = { .method = str_cut(&line, ' '),
		.key = str_of(d->a->app.key),
		.awaits_body = true,
		.now = (uint64_t)time(NULL),
		.max_age = UINT32_MAX };
	struct explain e = { .auth = &a, .app = &d->a->app };
	struct api_params params;
	struct app *others;
	struct str key;
	char *found = NULL;

	target = line;
	a.path = str_cut(&target, '?');
	e.query = target.p == NULL ? S("") : target;
	if (api_params_parse(&params, e.query) == -1)
		return NULL;
	a.params = &params;
	key = api_params_get(&params, S("auth_key"));
	*ended = is_ended(d, key);
	if (*ended) {
		found = old_key_text(d);
	} else if (str_eq(key, a.key)) {
		a.sign = sign_key_new(str_of(d->a->app.secret));
		others = list_apps(d, &e.nothers);
		e.others = others;
		found = explain_signature(&e);
		free(others);
		sign_key_free(a.sign);
	}
	api_params_clear(&params);
	return found;
}
