/* SPDX-License-Identifier: MIT */
/*
 * doctor_refused.c: refused requests to the API, subscriptions, keys and
 * origins, exceeded limits, and clients that speak TLS, or do not, against
 * their address.
 */

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/control/doctor.h"
#include "broker/core/core.h"
#include "broker/stats/closes.h"
#include "broker/stats/failures.h"
#include "shared/base/base.h"
#include "shared/pusher/channel_name.h"

#define FADE_MINUTES 40 /* a finding never loses more than this */

static unsigned
score_of(const struct doctor *d, unsigned score, uint64_t time_ms)
{
	uint64_t age = d->now_ms > time_ms ? d->now_ms - time_ms : 0;

	return score - (unsigned)MIN(age / 60000, FADE_MINUTES);
}

/* ---- findings about reasons ---- */

typedef void (*put_reason)(
    struct doctor *, const struct failure_reason *, unsigned at);

static void
each_reason(struct doctor *d, unsigned kind, put_reason put)
{
	for (unsigned i = 0; i < FAILURE_REASONS; i++)
		if (d->f->reasons[kind][i].count > 0)
			put(d, &d->f->reasons[kind][i], i);
}

/* "Seen 3 times, the last 2 s ago: NAMES." */
static void
put_seen(const struct doctor *d, struct buf **b, unsigned kind,
    const struct failure_reason *r, unsigned at)
{
	struct buf *names = NULL;

	buf_append(b, S("Seen "));
	doctor_put_often(d, b, r->count, r->time_ms);
	doctor_put_names(d, &names, kind, at);
	if (names != NULL)
		buf_printf(b, ": %.*s", STR_ARG(buf_str(names)));
	buf_putc(b, '.');
	buf_unref(names);
}

static void
put_count(struct buf **b, const struct failure_reason *r, const char *what)
{
	buf_printf(b, "%llu %s%s", (unsigned long long)r->count, what,
	    r->count == 1 ? " was" : "s were");
}

/* found: how the last one was made; NULL: not known. */
static void
put_why(struct buf **b, const struct failure_reason *r, const char *found)
{
	if (found == NULL || r->count > 1)
		buf_append(b, str_of(r->text));
	if (found != NULL && r->count > 1)
		buf_append(b, S(".  Of the last one: "));
	if (found != NULL)
		buf_append(b, str_of(found));
}

/* ---- requests ---- */

/* The prefix before /apps in the request's path. */
static struct str
prefix_of(const struct doctor *d, unsigned at)
{
	for (uint32_t i = 0; i < d->f->n; i++) {
		const struct failure *e = &d->f->v[i];
		struct str path = failure_name(e);
		const char *apps;

		if (e->kind != FAILURE_API || e->reason != at)
			continue;
		str_cut(&path, ' ');
		apps = memmem(path.p, path.n, "/apps", 5);
		if (apps != NULL && apps > path.p)
			return str_make(path.p, (size_t)(apps - path.p));
	}
	return S("");
}

static void
mend_request(struct doctor *d, struct buf **b, const struct failure_reason *r,
    struct str prefix, bool ended)
{
	struct str why = str_of(r->text);

	if (ended)
		doctor_put_new_key(d, b, "the application");
	else if (r->status == 404 && prefix.n > 0)
		buf_printf(b,
		    "Set the option path_prefix %.*s, or let the proxy remove "
		    "it.",
		    STR_ARG(prefix));
	else if (r->status == 404 && str_starts(why, S("there is no app")))
		buf_append(b,
		    S("The app_id of the library is not the id of an app: "
		      "pusherctl app list"));
	else if (str_starts(why, S("the sender's clock")))
		buf_append(b,
		    S("Set the clocks of both machines by NTP: timedatectl "
		      "set-ntp true"));
	else if (str_starts(why, S("auth_key")))
		buf_append(b,
		    S("Key, secret and app_id of the library have to be those "
		      "of one app: pusherctl app list"));
	else if (str_starts(why, S("the parameter ")))
		buf_append(b,
		    S("The request is not signed, or a proxy removes its query "
		      "string: send it with a server library of Pusher, or as "
		      "etc/doc/backends.md says."));
	else if (r->status == 401 && d->a != NULL)
		buf_printf(b,
		    "Compare key and secret: pusherctl app show --reveal %s; "
		    "and let the proxy pass the path unchanged.",
		    d->a->app.id);
	else if (r->status == 403 && d->a != NULL)
		buf_printf(b, "pusherctl app enable %s", d->a->app.id);
	else
		doctor_put_limit(d, b, why);
}

static void
put_request(struct doctor *d, const struct failure_reason *r, unsigned at)
{
	unsigned score = r->status == 401 ? 155
	    : r->status == 404            ? 130
	    : r->status == 413            ? 140
					  : 110;
	struct doctor_finding *f =
	    doctor_add(d, "api", score_of(d, score, r->time_ms));
	struct str prefix = r->status == 404 ? prefix_of(d, at) : S("");
	char *found = NULL;

	bool ended = false;

	if (r->sample != NULL && d->a != NULL)
		found = doctor_explain_request(d, r->sample, &ended);
	put_count(&f->text, r, "API request");
	buf_printf(&f->text, " answered %u: ", r->status);
	put_why(&f->text, r, found);
	if (prefix.n > 0)
		buf_printf(&f->text, "; the path has the prefix %.*s",
		    STR_ARG(prefix));
	buf_putc(&f->text, '.');
	put_seen(d, &f->seen, FAILURE_API, r, at);
	mend_request(d, &f->mend, r, prefix, ended);
	free(found);
}

void
doctor_requests(struct doctor *d)
{
	each_reason(d, FAILURE_API, put_request);
}

/* ---- subscriptions ---- */

/* The name of a channel is refused before its signature is looked at. */
static void
put_sign(const struct doctor *d, struct buf **b, const struct failure_sample *s)
{
	char sid[SOCKET_ID_MAX];

	socket_id_text(s->sid, sid);
	buf_printf(b,
	    "Compare the answer of the auth endpoint with: pusherctl sign %s "
	    "%s '%s'",
	    d->a->app.id, sid, s->name);
}

static void
put_channel(struct doctor *d, const struct failure_reason *r, unsigned at)
{
	struct doctor_finding *f =
	    doctor_add(d, "subscription", score_of(d, 150, r->time_ms));
	struct buf *text = NULL, *mend = NULL;
	bool found;

	found = d->a != NULL && r->sample != NULL &&
	    doctor_explain_channel(d, r->sample, &text, &mend);
	put_count(&f->text, r, "subscription");
	buf_append(&f->text, S(" refused: "));
	if (found)
		buf_putc(&text, '\0');
	put_why(&f->text, r, found ? text->data : NULL);
	buf_putc(&f->text, '.');
	put_seen(d, &f->seen, FAILURE_CHANNEL, r, at);
	if (found)
		buf_append(&f->mend, buf_str(mend));
	else if (str_starts(str_of(r->text), S("auth is missing")))
		buf_append(&f->mend,
		    S("The client has no auth endpoint: set "
		      "channelAuthorization.endpoint in pusher-js, or "
		      "authEndpoint in Echo."));
	else if (r->sample != NULL && r->sample->ndata > 0)
		buf_append(&f->mend,
		    S("Either the secret is another one, or channel_data was "
		      "changed after it was signed: send exactly the bytes "
		      "that were signed."));
	else if (d->a != NULL && r->sample != NULL)
		put_sign(d, &f->mend, r->sample);
	else
		doctor_put_limit(d, &f->mend, str_of(r->text));
	buf_unref(text);
	buf_unref(mend);
}

void
doctor_channels(struct doctor *d)
{
	each_reason(d, FAILURE_CHANNEL, put_channel);
}

/* ---- keys ---- */

static bool
is_ended(const struct doctor *d, const struct app *a, struct str key)
{
	return app_key_has_ended(a, key, d->now_ms / 1000);
}

/*
 * The distance: 0 if it is the id or the name of the app; see doctor_edit.
 */
static unsigned
key_distance(struct str key, const struct app *a)
{
	if (str_eq(key, str_of(a->id)) || str_eq(key, str_of(a->name)) ||
	    str_eq_nocase(key, str_of(a->key)))
		return 0;
	return key.n < 4 ? 3 : doctor_edit(key, str_of(a->key), 2);
}

/* The app whose key it was, or whose key is near; NULL: none. */
static const struct app *
find_near(const struct doctor *d, struct str key)
{
	const struct hash *all = &d->br->apps->by_num;
	const struct hash_node *at;
	const struct app *near = NULL;
	unsigned best = 3, n;

	HASH_FOREACH(at, all) {
		const struct broker_app *a =
		    container_of(at, const struct broker_app, node);

		if (a->deleted || (d->scoped && a != d->a))
			continue;
		if (is_ended(d, &a->app, key))
			return &a->app;
		if ((n = key_distance(key, &a->app)) >= best)
			continue;
		best = n;
		near = &a->app;
	}
	return near;
}

static void
put_near_key(const struct doctor *d, struct doctor_finding *f, struct str key,
    const struct app *a)
{
	if (is_ended(d, a, key)) {
		buf_append(&f->text, S("; it is "));
		doctor_put_old_key(d, &f->text, a);
		buf_printf(&f->text, ", of app %s (%s)", a->id, a->name);
	} else if (str_eq(key, str_of(a->id))) {
		buf_printf(&f->text, "; it is the id of app %s", a->id);
	} else if (str_eq(key, str_of(a->name))) {
		buf_printf(&f->text, "; it is the name of app %s", a->id);
	} else if (str_eq_nocase(key, str_of(a->key))) {
		buf_printf(&f->text,
		    "; the key of app %s (%s) differs in upper and lower case",
		    a->id, a->name);
	} else {
		buf_printf(&f->text, "; the key of app %s (%s) differs in %s",
		    a->id, a->name,
		    key.n == strlen(a->key) &&
			    str_eq(str_make(key.p, key.n - 1),
				str_make(a->key, key.n - 1))
			? "the last character"
			: "one or two characters");
	}
	buf_printf(&f->mend, "Give clients the key %s.", a->key);
}

static void
put_key(struct doctor *d, const struct failure *e)
{
	struct str key = failure_name(e);
	const struct app *near = find_near(d, key);
	struct doctor_finding *f;

	f = doctor_add(
	    d, "key", score_of(d, near != NULL ? 158 : 70, e->time_ms));
	buf_printf(&f->text, "Clients come with the key %.*s, which no app has",
	    STR_ARG(key));
	if (near != NULL)
		put_near_key(d, f, key, near);
	else
		buf_printf(&f->mend,
		    "Give clients the key of their app: pusherctl app list");
	buf_putc(&f->text, '.');
	buf_append(&f->seen, S("Seen "));
	doctor_put_often(d, &f->seen, e->count, e->time_ms);
	buf_append(&f->seen, S("; they get 4001 and do not reconnect."));
}

void
doctor_keys(struct doctor *d)
{
	for (uint32_t i = d->f->n; i-- > 0;)
		if (d->f->v[i].kind == FAILURE_KEY && d->f->v[i].len > 0)
			put_key(d, &d->f->v[i]);
}

/* ---- other clients ---- */

static struct str
newest_name(const struct doctor *d, unsigned kind, unsigned at)
{
	const struct failure *newest = NULL;

	for (uint32_t i = 0; i < d->f->n; i++) {
		const struct failure *e = &d->f->v[i];

		if (e->kind == kind && e->reason == at &&
		    (newest == NULL || e->time_ms >= newest->time_ms))
			newest = e;
	}
	return newest == NULL ? S("") : failure_name(newest);
}

static void
put_origin(struct doctor *d, const struct failure_reason *r, unsigned at)
{
	struct doctor_finding *f =
	    doctor_add(d, "origin", score_of(d, 145, r->time_ms));
	const char *allowed = d->a == NULL ? "" : d->a->app.allowed_origins;

	put_count(&f->text, r, "client");
	buf_printf(&f->text,
	    " refused for the origin of the page: allowed_origins is %s.",
	    *allowed == '\0' ? "empty by now" : allowed);
	put_seen(d, &f->seen, FAILURE_ORIGIN, r, at);
	doctor_put_origin(d, &f->mend, newest_name(d, FAILURE_ORIGIN, at));
}

static void
put_client(struct doctor *d, const struct failure_reason *r, unsigned at)
{
	struct doctor_finding *f =
	    doctor_add(d, "client", score_of(d, 120, r->time_ms));

	buf_printf(&f->text, "Clients are told: %s%s", r->text,
	    r->text[0] != '\0' && r->text[strlen(r->text) - 1] == '.' ? ""
								      : ".");
	put_seen(d, &f->seen, FAILURE_CLIENT, r, at);
	doctor_put_limit(d, &f->mend, str_of(r->text));
}

void
doctor_clients(struct doctor *d)
{
	each_reason(d, FAILURE_ORIGIN, put_origin);
	each_reason(d, FAILURE_CLIENT, put_client);
}

/* A scheme that the address has not, in connections that ended, of no app. */
static void
put_scheme(
    struct doctor *d, const char *reason, struct str text, struct str mend)
{
	const struct stats_close *last = NULL, *c = NULL;
	struct doctor_finding *f;
	uint64_t n = 0;

	while ((c = last_closes_after(d->br->closes, c)) != NULL) {
		if (c->app != 0 || strcmp(c->reason, reason) != 0)
			continue;
		last = c;
		n++;
	}
	if (last == NULL)
		return;
	f = doctor_add(d, "tls", score_of(d, 157, last->time_ms));
	buf_append(&f->text, text);
	buf_append(&f->seen, S("Seen "));
	doctor_put_often(d, &f->seen, n, last->time_ms);
	buf_printf(&f->seen, ", from %s.", last->peer);
	buf_append(&f->mend, mend);
}

void
doctor_tls(struct doctor *d)
{
	put_scheme(d, STATS_CLOSE_TLS,
	    S("Clients speak TLS (wss, https) to an address of this server "
	      "that has no TLS."),
	    S("In pusher-js and Echo set forceTLS: false, and wsPort to that "
	      "port; in a server library useTLS: false.  A page from https:// "
	      "uses TLS all the same: let it "
	      "connect to the proxy that speaks TLS, or to a listener with "
	      "tls."));
	put_scheme(d, STATS_CLOSE_PLAIN,
	    S("Clients speak plain HTTP (ws, http) to an address of this "
	      "server that has TLS."),
	    S("In pusher-js and Echo set forceTLS: true, and wssPort to that "
	      "port; in a server library useTLS: true, in Laravel "
	      "PUSHER_SCHEME=https.  A proxy that speaks TLS for pusherd needs "
	      "a listener without tls."));
}
