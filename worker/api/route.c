/* SPDX-License-Identifier: MIT */
/*
 * route.c: method and path -> handler, by one table.  Each segment of a path
 * is percent-decoded exactly once.  Handlers below /apps/{id} run only after
 * authentication.  Must never answer cross-origin requests (protocol, 5.10).
 */

#include "worker/api/route.h"

#include <stdio.h>
#include <time.h>

#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/listen_spec.h"
#include "shared/pusher/api_auth.h"
#include "worker/api/ask.h"
#include "worker/api/channels.h"
#include "worker/api/console.h"
#include "worker/api/console_answer.h"
#include "worker/api/events.h"
#include "worker/api/health.h"
#include "worker/api/idempotency.h"
#include "worker/api/metrics.h"
#include "worker/api/refused.h"
#include "worker/api/retry.h"
#include "worker/api/statistics.h"
#include "worker/app/apps.h"
#include "worker/conn/remote.h"
#include "worker/core/core.h"

#define SEGMENTS_MAX 5
#define ALLOW_GET "Allow: GET, HEAD, OPTIONS\r\n"
#define ALLOW_POST "Allow: POST, OPTIONS\r\n"
#define ALLOW_ALL "Allow: GET, HEAD, POST, OPTIONS\r\n"

struct route {
	size_t n;                          /* segments */
	struct str segments[SEGMENTS_MAX]; /* "*" fits any that is not empty */
	unsigned on; /* enum listen_role: the listeners that serve it */
	bool post;   /* otherwise GET and HEAD */
	/* One of them: public, or after authentication. */
	void (*open)(struct conn *);
	void (*api)(const struct api_request *);
};

struct path {
	size_t n;
	struct str segments[SEGMENTS_MAX];
	char *mem; /* decoded segments, or NULL */
};

static void
post_console_token(const struct api_request *r)
{
	console_mint(r->c, r->app->app.num, r->body);
}

#define SEG(text) \
	{ \
		(text), sizeof(text) - 1 \
	}
#define ANY SEG("*")

/* clang-format off */
static const struct route routes[] = {
	{ 3, { SEG("apps"), ANY, SEG("events") },
	    LISTEN_API, true, NULL, api_events_post },
	{ 3, { SEG("apps"), ANY, SEG("batch_events") },
	    LISTEN_API, true, NULL, api_events_post_batch },
	{ 3, { SEG("apps"), ANY, SEG("channels") },
	    LISTEN_API, false, NULL, api_channels_list },
	{ 4, { SEG("apps"), ANY, SEG("channels"), ANY },
	    LISTEN_API, false, NULL, api_channels_get },
	{ 5, { SEG("apps"), ANY, SEG("channels"), ANY, SEG("users") },
	    LISTEN_API, false, NULL, api_channels_users },
	{ 5, { SEG("apps"), ANY, SEG("channels"), ANY, SEG("events") },
	    LISTEN_API, true, NULL, api_events_post_channel },
	{ 5, { SEG("apps"), ANY, SEG("channels"), ANY, SEG("events") },
	    LISTEN_API, false, NULL, api_channels_events },
	{ 5, { SEG("apps"), ANY, SEG("channels"), ANY, SEG("stats") },
	    LISTEN_API, false, NULL, api_channels_stats },
	{ 5, { SEG("apps"), ANY, SEG("users"), ANY,
	    SEG("terminate_connections") },
	    LISTEN_API, true, NULL, api_channels_terminate },
	{ 3, { SEG("apps"), ANY, SEG("connections") },
	    LISTEN_API, false, NULL, api_channels_connections },
	{ 3, { SEG("apps"), ANY, SEG("stats") },
	    LISTEN_API, false, NULL, api_statistics },
	{ 3, { SEG("apps"), ANY, SEG("console_tokens") },
	    LISTEN_API, true, NULL, post_console_token },
	{ 1, { SEG("") }, LISTEN_ANY, false, health_get, NULL },
	{ 1, { SEG("up") }, LISTEN_ANY, false, health_get, NULL },
	{ 1, { SEG("live") }, LISTEN_ANY, false, health_get, NULL },
	{ 1, { SEG("ready") }, LISTEN_ANY, false, health_get_ready, NULL },
	{ 1, { SEG("accept-traffic") }, LISTEN_ANY, false, health_get_accept_traffic,
	    NULL },
	{ 1, { SEG("metrics") }, LISTEN_METRICS, false, metrics_get, NULL },
};
/* clang-format on */

static bool
fits(const struct route *r, const struct path *p)
{
	if (r->n != p->n)
		return false;
	for (size_t i = 0; i < r->n; i++) {
		if (str_eq(r->segments[i], S("*"))) {
			if (p->segments[i].n == 0)
				return false;
		} else if (!str_eq(r->segments[i], p->segments[i]))
			return false;
	}
	return true;
}

static bool
method_fits(const struct route *route, struct str method)
{
	return route->post
	    ? str_eq(method, S("POST"))
	    : str_eq(method, S("GET")) || str_eq(method, S("HEAD"));
}

/* The route for it, or one that has only its path, or NULL. */
static const struct route *
find(const struct path *p, struct str method)
{
	const struct route *found = NULL;

	for (size_t i = 0; i < nitems(routes); i++) {
		if (!fits(&routes[i], p))
			continue;
		if (method_fits(&routes[i], method))
			return &routes[i];
		if (found == NULL)
			found = &routes[i];
	}
	return found;
}

/* False when no route has that many segments. */
static bool
path_parse(struct path *p, struct str text)
{
	struct str rest = str_from(text, 1), s;
	size_t used = 0;

	p->n = 0;
	p->mem = NULL;
	if (!str_starts(text, S("/")))
		return false;
	if (str_find(text, '%') != -1)
		p->mem = xmalloc(text.n);
	while (rest.p != NULL) {
		s = str_cut(&rest, '/');
		if (s.n == 0 && rest.n > 0)
			continue; /* a doubled slash */
		if (p->n == SEGMENTS_MAX)
			return false;
		if (p->mem != NULL) {
			char *out = p->mem + used;

			used += str_percent_decode(s, false, out);
			s = str_make(out, (size_t)(p->mem + used - out));
		}
		p->segments[p->n++] = s;
	}
	return true;
}

/* 429: too many wrong signatures came from its address. */
static void
refuse_auth_failures(struct conn *c)
{
	unsigned max = (unsigned)c->w->conf->max_auth_failures_per_minute;
	struct client_app *app = apps_by_num(c->w, c->http->app);
	unsigned wait = (60 + max - 1) / max;
	char extra[64], text[256];

	if (app != NULL)
		app->stats.limited_auth++;
	snprintf(extra, sizeof(extra), "Retry-After: %u\r\n", wait);
	snprintf(text, sizeof(text),
	    "{\"error\":\"more than %u refused requests in a minute from this "
	    "address (max_auth_failures_per_minute): try again in %u "
	    "s\",\"code\":429}",
	    max, wait);
	api_reply_extra(c, 429, extra, str_of(text));
}

/*
 * The app does not exist: does the work of a refused signature, so that the
 * time of the answer reveals nothing.
 */
static void
refuse_unknown_app(struct conn *c, struct api_auth *a, struct str id)
{
	struct hash_node *n = hash_first(&c->w->apps->by_num);
	struct buf *why = NULL;

	if (n != NULL) {
		a->sign = container_of(n, struct client_app, num_node)->sign;
		a->key = api_params_get(a->params, S("auth_key"));
		a->max_age = container_of(n, struct client_app, num_node)
				 ->app.max_timestamp_age;
		api_auth_check(a, &why);
		buf_unref(why);
	}
	if (!remote_auth_failed(c))
		refuse_auth_failures(c);
	else
		api_errorf(
		    c, 404, "there is no app with the id %.*s", STR_ARG(id));
}

static bool
is_signed(struct api_auth a, struct str path)
{
	struct buf *why = NULL;
	bool good;

	a.path = path;
	good = api_auth_check(&a, &why);
	buf_unref(why);
	return good;
}

/* A copy of the path without doubled slashes. */
static bool
is_signed_single(struct api_auth a, struct str path)
{
	char *copy = xmalloc(path.n + 1);
	size_t n = 0;
	bool good;

	for (size_t i = 0; i < path.n; i++)
		if (n == 0 || path.p[i] != '/' || copy[n - 1] != '/')
			copy[n++] = path.p[i];
	good = n < path.n && is_signed(a, str_make(copy, n));
	free(copy);
	return good;
}

/*
 * With path_prefix some libraries sign the path that they request, and some the
 * part after the prefix; some request doubled slashes and sign single ones.
 * All of them mean the same request.
 */
static bool
is_signed_otherwise(const struct api_request *r, struct api_auth a)
{
	struct str path = r->head->path, target = r->head->target;
	size_t before = (size_t)(path.p - target.p);
	struct str sent = str_make(path.p - before, before + path.n);

	if (!str_starts(sent, S("/"))) {
		/* http://host/path: it begins at the third slash. */
		for (int i = 0; i < 3 && sent.n > path.n; i++) {
			ssize_t at = str_find(sent, '/');

			sent = str_from(sent, (size_t)at + (i < 2));
		}
	}
	return (sent.n > path.n && is_signed(a, sent)) ||
	    is_signed_single(a, path) ||
	    (sent.n > path.n && is_signed_single(a, sent));
}

static void
begin_auth(struct api_auth *a, const struct api_request *r)
{
	*a = (struct api_auth){ .method = r->head->method,
		.path = r->head->path,
		.params = r->params,
		.body = r->body,
		.has_body = r->awaits_body && r->head->length > 0,
		.awaits_body = r->awaits_body,
		.now = (uint64_t)time(NULL) };
}

static bool
is_signed_by(const struct api_request *r, struct api_auth *a,
    struct client_app *app, struct buf **why)
{
	struct auth_app who = client_app_auth(
	    &app->app, api_params_get(a->params, S("auth_key")));

	a->key = who.key;
	a->sign = who.sign;
	a->max_age = app->app.max_timestamp_age;
	return api_auth_check(a, why) || is_signed_otherwise(r, *a);
}

/* Finds the app and checks the signature; NULL when the request was refused. */
static struct client_app *
authenticate(struct api_request *r, struct str id)
{
	struct conn *c = r->c;
	struct client_app *app = apps_by_id(c->w, id);
	struct buf *why = NULL;
	struct api_auth a;

	begin_auth(&a, r);
	if (app == NULL) {
		refuse_unknown_app(c, &a, id);
		return NULL;
	}
	c->http->app = app->app.num;
	if (!app->app.enabled) {
		api_errorf(c, 403, "the app %.*s is disabled", STR_ARG(id));
		return NULL;
	}
	if (r->granted)
		return app; /* it was checked before it waited */
	if (!r->awaits_body)
		app->stats.api_in += c->http->raw.n + r->body.n;
	if (!is_signed_by(r, &a, app, &why)) {
		app->stats.auth_api++;
		if (!remote_auth_failed(c))
			refuse_auth_failures(c);
		else
			api_error(c, 401, buf_str(why));
		app = NULL;
	}
	buf_unref(why);
	return app;
}

static void
refuse_method(struct conn *c, const char *allow)
{
	static const struct str name = { "Allow: ", 7 };
	struct buf *b = NULL;

	buf_printf(&b, "{\"error\":\"this path takes only %.*s\",\"code\":405}",
	    (int)(strcspn(allow, "\r") - name.n), allow + name.n);
	api_reply_extra(c, 405, allow, buf_str(b));
	buf_unref(b);
}

static const char *
allow_of(const struct route *route)
{
	return route->post ? ALLOW_POST : ALLOW_GET;
}

/*
 * A wrong method: a signed request is first refused for its signature, which
 * covers the method (vector hr-n10).
 */
static void
run_wrong(struct api_request *r, const struct route *route, struct str id)
{
	if (api_params_get(r->params, S("auth_signature")).p == NULL ||
	    authenticate(r, id) != NULL)
		refuse_method(r->c, allow_of(route));
}

static void
run_api(struct api_request *r, const struct route *route, const struct path *p)
{
	struct api_params params;

	if (api_params_parse(&params, r->head->query) == -1) {
		api_errorf(r->c, 400, "the query has more than %d parameters",
		    API_PARAMS_MAX);
		return;
	}
	r->params = &params;
	if (p->n > 3)
		r->arg = p->segments[3];
	if (!method_fits(route, r->head->method))
		run_wrong(r, route, p->segments[1]);
	else if ((r->app = authenticate(r, p->segments[1])) != NULL &&
	    !r->awaits_body &&
	    (route->post ? idempotency_begin(r) : api_take(r, TAKE_READS, 1)))
		route->api(r);
	api_params_clear(&params);
}

/* There is no such path. */
static void
no_route(struct conn *c, const struct http_head *head)
{
	if (str_eq(head->path, S("*")) && str_eq(head->method, S("OPTIONS")))
		api_reply_extra(c, 204, ALLOW_ALL, S(""));
	else if (str_eq(head->method, S("CONNECT")))
		refuse_method(c, ALLOW_ALL);
	else if (c->serves == (LISTEN_PUBLIC | LISTEN_API))
		api_error(c, 404,
		    S("there is nothing at this path: the API is at "
		      "/apps/{id}/…, clients connect to /app/{key}"));
	else
		api_error(c, 404,
		    S("there is nothing at this path on this address: see the "
		      "option listen"));
}

static void
answer(struct api_request *r)
{
	struct conn *c = r->c;
	const struct http_head *head = r->head;
	const struct route *route = NULL;
	struct path p = { .n = 0 };

	if (console_request(c, head, r->body, r->awaits_body))
		return;
	if (path_parse(&p, head->path))
		route = find(&p, head->method);
	if (route == NULL || !(route->on & c->serves))
		no_route(c, head);
	else if (str_eq(head->method, S("OPTIONS")))
		api_reply_extra(c, 204, allow_of(route), S(""));
	else if (route->api != NULL)
		run_api(r, route, &p);
	else if (method_fits(route, head->method))
		route->open(c);
	else
		refuse_method(c, allow_of(route));
	free(p.mem);
}

void
api_route(
    struct conn *c, const struct http_head *head, struct str body, bool granted)
{
	struct api_request r = { c, head, .body = body, .granted = granted };

	answer(&r);
}

bool
api_route_admit(struct conn *c, const struct http_head *head)
{
	struct api_request r = { .c = c, .head = head, .awaits_body = true };

	if (console_admits(c, head))
		return true;
	answer(&r);
	return r.app != NULL;
}

bool
api_route_is_signed(struct conn *c, const struct http_head *head)
{
	struct api_request r = { .c = c, .head = head, .awaits_body = true };
	const struct route *route = NULL;
	struct client_app *app = NULL;
	struct buf *why = NULL;
	struct api_params params;
	struct api_auth a;
	struct path p = { .n = 0 };
	bool good = false;

	if (console_admits(c, head))
		return true;
	if (path_parse(&p, head->path))
		route = find(&p, head->method);
	if (route != NULL && (route->on & c->serves) && route->api != NULL)
		app = apps_by_id(c->w, p.segments[1]);
	if (app != NULL && app->app.enabled &&
	    api_params_parse(&params, head->query) == 0) {
		r.params = &params;
		begin_auth(&a, &r);
		good = is_signed_by(&r, &a, app, &why);
		api_params_clear(&params);
	}
	buf_unref(why);
	free(p.mem);
	return good;
}

void
api_answered(struct conn *c, unsigned status, struct str json)
{
	if (status >= 400)
		api_refused(c, status, json);
	idempotency_answer(c, status, json);
}

void
api_on_drop(struct conn *c)
{
	console_on_drop(c);
	api_retry_forget(c);
	idempotency_answer(c, 0, S(""));
}
