/* SPDX-License-Identifier: MIT */
/*
 * refused.c: the log of what was refused, and the pause before a refusal that
 * would otherwise never end.
 *
 * Everybody may be refused as often as they like, so these lines are limited
 * in number (log_note), and a text that comes from outside is cut.  The query
 * of a request holds its signature and perhaps the data of an event: it is
 * never logged, apart from the parameters that are known to be harmless.
 *
 * pusher-js answers 4000 by connecting with TLS at once.  If it uses TLS
 * already, and a proxy that nobody trusts hides that, this would go on for
 * ever without a pause.  So such a client gets its answer late.
 */

#include "worker/client/refused.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/app/app.h"
#include "shared/base/log.h"
#include "shared/json/json_slice.h"
#include "shared/net/http.h"
#include "shared/net/ip.h"
#include "shared/pusher/channel_name.h"
#include "shared/pusher/pusher_errors.h"
#include "worker/app/guess.h"
#include "worker/app/limit.h"
#include "worker/client/client.h"
#include "worker/conn/api_http.h"
#include "worker/conn/conn.h"
#include "worker/conn/timeout.h"
#include "worker/conn/via.h"
#include "worker/core/core.h"

#define PEER_MAX 64
#define TARGET_SHOWN 200 /* bytes of a path */
#define REASON_SHOWN 300 /* bytes of a sentence */
#define KEY_SHOWN 40     /* bytes of a key that nobody has */
#define WAIT_SECONDS 5   /* for 4000; pusher-js gives up after ten */
#define WAITS_PER_SECOND 200
#define SOON_PER_MINUTE 1 /* 4000 without a pause, for each address */

/* ---- requests ---- */

/* Parameters that may be logged, as they come. */
static bool
is_harmless(struct str param)
{
	return str_starts(param, S("info=")) ||
	    str_starts(param, S("filter_by_prefix="));
}

/* Path and harmless parameters of the target. */
static struct str
target_text(struct str target, char out[TARGET_SHOWN])
{
	struct str query = target, param, path = str_cut(&query, '?');
	size_t n;

	path = limit_cut(path, TARGET_SHOWN);
	memcpy(out, path.p, path.n);
	n = path.n;
	while (query.p != NULL) {
		param = str_cut(&query, '&');
		if (!is_harmless(param) || n + 1 + param.n > TARGET_SHOWN)
			continue;
		out[n] = n == path.n ? '?' : '&';
		memcpy(out + n + 1, param.p, param.n);
		n += 1 + param.n;
	}
	return str_make(out, n);
}

/* The sentence without what the sender wrote into its query. */
static struct str
reason_of(struct str json, char **tmp)
{
	static const struct str long_one = { "Invalid signature", 17 };
	static const struct str with_key = { "auth_key ", 9 };
	struct json obj, v;
	struct str text;
	const char *err;

	if (json_parse(json, &obj, &err) == -1)
		return S("");
	v = json_get(obj, S("error"));
	if (v.kind != JSON_STRING || json_string(v, &text, tmp) == -1)
		return S("");
	if (str_starts(text, long_one))
		return S("the signature does not match (see pusherctl "
			 "explain-auth)");
	if (str_starts(text, with_key))
		return S("auth_key is not the key of the app in the path");
	return limit_cut(text, REASON_SHOWN);
}

void
refused_request(struct conn *c, unsigned status, struct str json)
{
	struct str method, target, rest = c->http->raw;
	char peer[PEER_MAX], room[TARGET_SHOWN], *tmp = NULL;

	if (rest.n == 0)
		return; /* no request has been read */
	method = str_cut(&rest, ' ');
	target = str_cut(&rest, ' ');
	if (memmem(target.p, target.n, "/apps", 5) == NULL)
		return;
	via_peer_text(c, peer, sizeof(peer));
	target = target_text(target, room);
	rest = reason_of(json, &tmp);
	log_note("request refused: %u %.*s %.*s: %.*s peer=%s", status,
	    STR_ARG(method), STR_ARG(target), STR_ARG(rest), peer);
	free(tmp);
}

/* ---- signatures ---- */

void
refused_signature(
    struct conn *c, const char *what, struct str channel, struct str why)
{
	char peer[PEER_MAX], sid[SOCKET_ID_MAX];

	via_peer_text(c, peer, sizeof(peer));
	socket_id_text(conn_sid(c), sid);
	log_note("%s refused: %.*s%s%.*s app=%s sid=%s peer=%s", what,
	    STR_ARG(why), channel.n > 0 ? " channel=" : "", STR_ARG(channel),
	    c->app->id, sid, peer);
}

/* ---- clients ---- */

/* What stands behind /app/: printable ASCII, cut. */
static struct str
key_text(struct str path, char out[KEY_SHOWN])
{
	struct str key = path;
	size_t n = 0;

	for (size_t i = path.n; i > 0; i--)
		if (path.p[i - 1] == '/') {
			key = str_from(path, i);
			break;
		}
	for (; n < key.n && n < KEY_SHOWN; n++)
		out[n] = key.p[n] >= 0x20 && key.p[n] < 0x7f ? key.p[n] : '?';
	return str_make(out, n);
}

static struct str
tls_text(const struct conn *c)
{
	return c->unbelieved
	    ? S("This app accepts encrypted connections only (tls_only), and "
		"the proxy is not in the server's trusted_proxies")
	    : pusher_error_text(PUSHER_TLS_ONLY);
}

/* Has this address been told a moment ago? */
static bool
must_wait(struct conn *c)
{
	struct ip ip;
	bool named = via_client(c, &ip, NULL);

	return !guess_take(c->w->tls_told, named ? &ip : NULL, worker_now(),
		   SOON_PER_MINUTE) ||
	    c->unbelieved;
}

static void
refuse_tls(struct conn *c)
{
	struct worker *w = c->w;

	if (!must_wait(c)) {
		client_close(c, PUSHER_TLS_ONLY, tls_text(c));
	} else if (limit_take(&w->tls_waits, &w->tls_waits_at, worker_now(),
		       WAITS_PER_SECOND)) {
		c->waits = true;
		timeout_set(w, c, WAIT_SECONDS);
		conn_pause(c);
	} else {
		client_close(c, PUSHER_OVER_CAPACITY,
		    S("too many connections without encryption (tls_only): "
		      "try again in a moment"));
	}
}

bool
refused_late(struct conn *c)
{
	if (!c->waits)
		return false;
	c->waits = false;
	client_close(c, PUSHER_TLS_ONLY, tls_text(c));
	return true;
}

void
refused_client(struct conn *c, const struct http_head *head, unsigned code,
    struct str text)
{
	char peer[PEER_MAX], room[TARGET_SHOWN], key[KEY_SHOWN], said[120];
	struct str path = target_text(head->path, room), shown;

	if (code == PUSHER_APP_UNKNOWN) {
		shown = key_text(head->path, key);
		snprintf(said, sizeof(said), "%.*s: \"%.*s\"", STR_ARG(text),
		    STR_ARG(shown));
		text = str_of(said);
	}
	if (code == PUSHER_TLS_ONLY)
		text = tls_text(c);
	if (code != PUSHER_OVER_CAPACITY) {
		via_peer_text(c, peer, sizeof(peer));
		log_note("client refused: %.*s code=%u path=%.*s peer=%s",
		    STR_ARG(text), code, STR_ARG(path), peer);
	}
	if (code == PUSHER_TLS_ONLY)
		refuse_tls(c);
	else
		client_close(c, code, text);
}
