/* SPDX-License-Identifier: MIT */
/*
 * refused.c: the log of refusals, and the pause before a refusal that would
 * otherwise repeat for ever.  A client can be refused any number of times, so
 * these lines are limited in number (log_note), and texts from outside are cut.
 * pusher-js answers 4000 by connecting with TLS at once.  If it already uses
 * TLS behind an untrusted proxy, it would reconnect for ever without a pause,
 * so its answer is delayed.
 */

#include "worker/client/refused.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/app/app.h"
#include "shared/base/log.h"
#include "shared/base/token_bucket.h"
#include "shared/base/utf8.h"
#include "shared/net/http.h"
#include "shared/net/ip.h"
#include "shared/pusher/channel_name.h"
#include "shared/pusher/pusher_errors.h"
#include "worker/app/apps.h"
#include "worker/app/auth_failures.h"
#include "worker/client/error.h"
#include "worker/conn/conn.h"
#include "worker/conn/input.h"
#include "worker/conn/remote.h"
#include "worker/conn/timeout.h"
#include "worker/core/core.h"
#include "worker/link/failure.h"

#define PEER_MAX 64
#define TARGET_SHOWN 200 /* bytes of a path */
#define KEY_SHOWN 40     /* bytes of an unknown key */
#define WAIT_SECONDS 5   /* for 4000; pusher-js gives up after ten */
#define WAITS_PER_SECOND 200
#define SOON_PER_MINUTE 1 /* 4000 without a pause, for each address */

/* ---- signatures ---- */

void
refused_signature(
    struct conn *c, const char *what, struct str channel, struct str why)
{
	char peer[PEER_MAX], sid[SOCKET_ID_MAX];

	remote_text(c, peer, sizeof(peer));
	socket_id_text(conn_sid(c), sid);
	log_note("%s refused: %.*s%s%.*s app=%s sid=%s peer=%s", what,
	    STR_ARG(why), channel.n > 0 ? " channel=" : "", STR_ARG(channel),
	    c->app->id, sid, peer);
}

/* ---- clients ---- */

/* The key after /app/: printable ASCII, cut. */
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
	return c->peer == PEER_UNTRUSTED
	    ? S("This app accepts encrypted connections only (tls_only), and "
		"the proxy is not in the server's trusted_proxies")
	    : pusher_error_text(PUSHER_TLS_ONLY);
}

/* Did this address get a 4000 a moment ago? */
static bool
must_wait(struct conn *c)
{
	struct ip ip;
	bool named = remote_address(c, &ip, NULL);

	return !auth_failures_take(c->w->tls_refused, named ? &ip : NULL,
		   worker_now(), SOON_PER_MINUTE) ||
	    c->peer == PEER_UNTRUSTED;
}

static void
close_too_many(struct conn *c)
{
	char text[120];

	snprintf(text, sizeof(text),
	    "more than %d connections a second without encryption (tls_only): "
	    "try again in a moment",
	    WAITS_PER_SECOND);
	client_close(c, PUSHER_OVER_CAPACITY, str_of(text));
}

static void
refuse_tls(struct conn *c)
{
	struct worker *w = c->w;

	if (!must_wait(c)) {
		client_close(c, PUSHER_TLS_ONLY, tls_text(c));
	} else if (token_bucket_take(&w->tls_waits, &w->tls_waits_at,
		       worker_now(), WAITS_PER_SECOND)) {
		c->state = CONN_REFUSED;
		conn_set_timeout(c, WAIT_SECONDS);
		input_pause(c);
	} else {
		close_too_many(c);
	}
}

bool
refused_late(struct conn *c)
{
	if (c->state != CONN_REFUSED)
		return false;
	client_close(c, PUSHER_TLS_ONLY, tls_text(c));
	return true;
}

static void
report(struct conn *c, const struct http_head *head, unsigned code,
    struct str text, struct str key)
{
	struct msg_failure m = { .kind = FAILURE_CLIENT, .name = head->path };

	m.why = text;
	if (code == PUSHER_APP_UNKNOWN) {
		m.kind = FAILURE_KEY;
		m.name = key;
	} else if (code == PUSHER_UNAUTHORIZED) {
		m.kind = FAILURE_ORIGIN;
		m.name = http_header(head, S("Origin"));
	}
	failure_report(c->w, c->app == NULL ? NULL : client_app_of(c->app), &m);
}

void
refused_client(struct conn *c, const struct http_head *head, unsigned code,
    struct str text)
{
	char peer[PEER_MAX], key[KEY_SHOWN], said[120];
	struct str path = utf8_cut(head->path, TARGET_SHOWN), shown = S("");

	if (code == PUSHER_APP_UNKNOWN) {
		shown = key_text(head->path, key);
		snprintf(said, sizeof(said), "%.*s: \"%.*s\"", STR_ARG(text),
		    STR_ARG(shown));
		text = str_of(said);
	}
	if (code == PUSHER_TLS_ONLY)
		text = tls_text(c);
	if (code != PUSHER_OVER_CAPACITY) {
		report(c, head, code, text, shown);
		remote_text(c, peer, sizeof(peer));
		log_note("client refused: %.*s code=%u path=%.*s peer=%s",
		    STR_ARG(text), code, STR_ARG(path), peer);
	}
	if (code == PUSHER_TLS_ONLY)
		refuse_tls(c);
	else
		client_close(c, code, text);
}
