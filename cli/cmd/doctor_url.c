/* SPDX-License-Identifier: MIT */
/*
 * doctor_url.c: `pusherctl doctor --url`: uses the public address as a client
 * and as a backend do: upgrade, subscribe, signed GET, publish, receive.  A
 * failed step is a finding, and the last step.
 */

#include "cli/cmd/doctor.h"

#include <netdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include "cli/client/ws_client.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/xmalloc.h"
#include "shared/crypto/sign.h"

#define CHANNEL "pusherd-doctor"
#define PATIENCE 5 /* seconds */
#define BODY_SHOWN 200

struct way {
	struct cmd *c;
	struct app *app;
	const char *url;
	char *host, *port, *prefix; /* prefix: "" or "/ws" */
	char *authority;            /* for Host */
	bool tls;
	struct tls_client client;
	struct sock_addr address;
	bool failed;
};

static void finding(struct way *w, const char *seen, const char *mend,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void
finding(struct way *w, const char *seen, const char *mend, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	w->failed = true;
	doctor_put(
	    w->c, &(struct doctor_row){ w->app->id, "url", text, seen, mend });
}

/* ---- the address ---- */

/* scheme://host[:port][/prefix] */
static int
parse(struct way *w)
{
	struct str rest = str_of(w->url), host;
	ssize_t slash, colon;

	if (str_starts(rest, S("https://")) || str_starts(rest, S("wss://")))
		w->tls = true;
	else if (!str_starts(rest, S("http://")) &&
	    !str_starts(rest, S("ws://")))
		return cmd_usage(w->c,
		    "--url is \"%s\": must be https://HOST[:PORT][/PREFIX] or "
		    "http://...",
		    w->url);
	rest = str_from(rest, (size_t)str_find(rest, '/') + 2);
	slash = str_find(rest, '/');
	host = slash == -1 ? rest : str_make(rest.p, (size_t)slash);
	rest = slash == -1 ? S("") : str_from(rest, (size_t)slash);
	while (rest.n > 0 && rest.p[rest.n - 1] == '/')
		rest.n--;
	w->authority = str_dup(host);
	w->prefix = str_dup(rest);
	if (host.n > 0 && host.p[0] == '[' &&
	    (colon = str_find(host, ']')) > 0) {
		w->host = str_dup(str_make(host.p + 1, (size_t)colon - 1));
		host = str_from(host, (size_t)colon + 1);
		colon = str_find(host, ':');
	} else {
		colon = str_find(host, ':');
		w->host = str_dup(
		    colon == -1 ? host : str_make(host.p, (size_t)colon));
	}
	w->port = colon == -1 ? xstrdup(w->tls ? "443" : "80")
			      : str_dup(str_from(host, (size_t)colon + 1));
	if (w->host[0] == '\0' || str_find(rest, '?') != -1 ||
	    strpbrk(w->url, " \r\n\t") != NULL)
		return cmd_usage(w->c, "--url is \"%s\": no host", w->url);
	return CMD_OK;
}

static bool
resolve(struct way *w)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all = NULL;
	int r = getaddrinfo(w->host, w->port, &hints, &all);

	if (r != 0 || all == NULL) {
		finding(w, gai_strerror(r),
		    "Look at the name in --url and in the DNS.",
		    "The name %s has no address.", w->host);
		return false;
	}
	memcpy(&w->address.ss, all->ai_addr, all->ai_addrlen);
	w->address.len = all->ai_addrlen;
	freeaddrinfo(all);
	return true;
}

/* ---- a client ---- */

static void
upgrade_failed(struct way *w, const struct ws_client *ws, const char *path)
{
	static const char address[] =
	    "Compare host, port and http or https with what this prints (tls: "
	    "https): pusherctl config listen; a proxy has an address of its "
	    "own.  Then look at the firewall.";
	static const char unreached[] =
	    "The proxy does not reach pusherd: compare its upstream address "
	    "with: pusherctl config listen";
	static const char no_upgrade[] =
	    "The proxy drops the upgrade.  nginx: proxy_http_version 1.1; "
	    "proxy_set_header Upgrade $http_upgrade; proxy_set_header "
	    "Connection \"upgrade\";  others: etc/doc";
	static const char plain[] =
	    "A port for https answers plain HTTP like this: give --url https://"
	    "...  Else the proxy drops the upgrade: proxy_set_header Upgrade "
	    "$http_upgrade";
	static const char elsewhere[] =
	    "The proxy sends this path to something else: route /app and "
	    "/apps to pusherd (etc/doc has nginx, HAProxy, Caddy, Apache, "
	    "Traefik).";

	if (ws->status == 0)
		finding(w, ws->why, address, "%s cannot be reached.", w->url);
	else
		finding(w, ws->why,
		    ws->status >= 502 && ws->status <= 504       ? unreached
			: ws->status == 400 && !w->tls           ? plain
			: ws->status == 426 || ws->status == 400 ? no_upgrade
								 : elsewhere,
		    "%s answers %u through the public address instead of 101.",
		    path, ws->status);
}

/* Reads the next message, which must have this event. */
static bool
expect(struct way *w, struct ws_client *ws, const char *event)
{
	struct json frame, data;
	const char *err;
	struct str text;
	char *name, *said;
	bool good;

	if (ws_client_next(ws, &text) != 1 ||
	    json_parse(text, &frame, &err) == -1) {
		finding(w, ws->why == NULL ? "the server hung up" : ws->why,
		    "Check whether events pass: pusherctl tail APP",
		    "Connected through %s, but %s does not come.", w->url,
		    event);
		return false;
	}
	name = json_dup(json_get(frame, S("event")));
	good = name != NULL && strcmp(name, event) == 0;
	if (!good) {
		data = json_get(frame, S("data"));
		said = data.kind == JSON_OBJECT
		    ? json_dup(json_get(data, S("message")))
		    : json_dup(data);
		finding(w, said == NULL ? "?" : said,
		    "The error names the expected value.",
		    "Connected through %s, but got %s instead of %s.", w->url,
		    name == NULL ? "no event" : name, event);
		free(said);
	}
	free(name);
	return good;
}

static bool
connect_client(struct way *w, struct ws_client *ws)
{
	char *path = xasprintf(
	    "%s/app/%s?protocol=7&client=pusherctl-doctor&version=1.0",
	    w->prefix, w->app->key);
	char *shown = xasprintf("%s/app", w->prefix);
	const char *bad;
	bool good = false;

	if (ws_client_connect(ws, &w->address, w->tls ? &w->client : NULL) ==
	    -1) {
		upgrade_failed(w, ws, shown);
	} else {
		bad = w->tls ? tls_client_verdict(ws->ssl) : NULL;
		if (bad != NULL)
			finding(w, bad,
			    "Install a certificate for this name with its "
			    "chain (fullchain.pem).",
			    "Browsers refuse the certificate of %s.", w->url);
		if (ws_client_upgrade(ws, w->authority, path) == -1)
			upgrade_failed(w, ws, shown);
		else
			good = true;
	}
	if (good)
		ws_client_patience(ws, PATIENCE);
	good = good && expect(w, ws, "pusher:connection_established");
	if (good)
		ws_client_send(ws,
		    S("{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":"
		      "\"" CHANNEL "\"}}"));
	good = good && expect(w, ws, "pusher_internal:subscription_succeeded");
	free(shown);
	free(path);
	return good;
}

/* ---- a backend ---- */

/*
 * "auth_key=...&...&auth_signature=...", for a path, as the libraries sign it.
 */
static char *
make_query(
    const struct way *w, const char *method, const char *path, const char *body)
{
	struct sign_key *key = sign_key_new(str_of(w->app->secret));
	unsigned char mac[SIGN_SHA256_LEN];
	char md5[SIGN_MD5_HEX_LEN + 1] = "", hex[SIGN_HEX_LEN + 1];
	char *query, *text, *all;
	struct str part;

	if (body != NULL)
		sign_md5_hex(str_of(body), md5);
	query =
	    xasprintf("auth_key=%s&auth_timestamp=%llu&auth_version=1.0%s%s",
		w->app->key, (unsigned long long)time(NULL),
		body == NULL ? "" : "&body_md5=", md5);
	text = xasprintf("%s\n%s\n%s", method, path, query);
	part = str_of(text);
	sign_hmac(key, &part, 1, mac);
	str_hex(mac, sizeof(mac), hex);
	all = xasprintf("%s&auth_signature=%s", query, hex);
	sign_key_free(key);
	free(text);
	free(query);
	return all;
}

static void
request_failed(struct way *w, const struct ws_client *http, const char *what,
    struct str body)
{
	char *seen = xasprintf("%s: %.*s", what,
	    (int)MIN(body.n, (size_t)BODY_SHOWN), body.p == NULL ? "" : body.p);

	if (http->status == 0)
		finding(w, http->why,
		    "Check whether the proxy passes /apps on.",
		    "%s gets no answer through the public address.", what);
	else
		finding(w, seen,
		    http->status == 401
			? "The findings below say what is wrong with the "
			  "signature; the proxy must not change the path."
			: "Route /apps to pusherd, too; or publish to the "
			  "address of a listener with role=api.",
		    "%s is answered %u through the public address instead of "
		    "200.",
		    what, http->status);
	free(seen);
}

static bool
request(struct way *w, const char *method, const char *name, const char *body)
{
	char *path = xasprintf("%s/apps/%s/%s", w->prefix, w->app->id, name);
	char *query = make_query(w, method, path, body), *text, *what;
	struct ws_client http;
	struct str answer = S("");
	bool good;

	text = xasprintf("%s %s?%s HTTP/1.1\r\nHost: %s\r\n"
			 "Connection: close\r\nContent-Type: "
			 "application/json\r\nContent-Length: %zu\r\n\r\n%s",
	    method, path, query, w->authority, body == NULL ? 0 : strlen(body),
	    body == NULL ? "" : body);
	what = xasprintf("%s %s", method, path);
	good = ws_client_connect(
		   &http, &w->address, w->tls ? &w->client : NULL) == 0 &&
	    ws_client_request(&http, str_of(text), &answer) == 0 &&
	    http.status == 200;
	if (!good)
		request_failed(w, &http, what, answer);
	ws_client_clear(&http);
	free(what);
	free(text);
	free(query);
	free(path);
	return good;
}

static void
go(struct way *w, char **steps)
{
	static const char event[] =
	    "{\"name\":\"doctor\",\"channel\":\"" CHANNEL "\",\"data\":\"{}\"}";
	struct ws_client ws = { .fd = -1 };
	uint64_t began;

	if (!resolve(w))
		return;
	if (connect_client(w, &ws) && request(w, "GET", "channels", NULL)) {
		began = clock_ms(CLOCK_MONOTONIC);
		if (request(w, "POST", "events", event) &&
		    expect(w, &ws, "doctor") && !w->failed)
			*steps = xasprintf(
			    "connected, asked, published and received "
			    "through %s (%llu ms)",
			    w->url,
			    (unsigned long long)(clock_ms(CLOCK_MONOTONIC) -
				began));
	}
	ws_client_clear(&ws);
}

int
doctor_url(struct cmd *c, const char *url, char **steps)
{
	struct app app;
	struct way w = { .c = c, .app = &app, .url = url };
	int r = cmd_read_app(c, c->args[0], &app);

	if (r != CMD_OK)
		return r;
	r = parse(&w);
	if (r == CMD_OK && w.tls && tls_client_public(&w.client, w.host) == -1)
		r = cmd_fail("no TLS: OpenSSL has no context");
	if (r == CMD_OK)
		go(&w, steps);
	tls_client_clear(&w.client);
	free(w.host);
	free(w.port);
	free(w.prefix);
	free(w.authority);
	app_clear(&app);
	return r;
}
