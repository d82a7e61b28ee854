/* SPDX-License-Identifier: MIT */
/*
 * handshake.c: makes a WebSocket client of an HTTP connection: the checks of
 * RFC 6455 (4.2.1), the app, the protocol version and the origin.  admission.c
 * does the rest.  A request that is no proper upgrade gets an HTTP status.
 * Everything after that is refused inside the socket, where a browser can see
 * it; never with 42xx, because clients would reconnect without a pause
 * (protocol reference, 1.2).
 */

#include "worker/client/handshake.h"

#include "shared/app/app.h"
#include "shared/conf/conf.h"
#include "shared/crypto/sign.h"
#include "shared/net/http_reply.h"
#include "shared/net/listen_spec.h"
#include "shared/pusher/pusher_errors.h"
#include "worker/app/apps.h"
#include "worker/app/stats.h"
#include "worker/client/admission.h"
#include "worker/client/client.h"
#include "worker/client/origin.h"
#include "worker/client/refused.h"
#include "worker/conn/compression.h"
#include "worker/conn/conn.h"
#include "worker/conn/input.h"
#include "worker/conn/remote.h"
#include "worker/conn/timeout.h"
#include "worker/conn/ws.h"
#include "worker/core/core.h"
#include "worker/link/link.h"
#include "worker/session/session.h"

#define PROTOCOL_MIN 4
#define PROTOCOL_MAX 7
#define PARAM_MAX 64    /* bytes of protocol and version */
#define DEFER_SECONDS 5 /* while the group leaves */

/* ---- HTTP: is it an upgrade? ---- */

static void
reply(struct conn *c, const struct http_head *head, unsigned status,
    const char *extra, struct str text)
{
	struct buf *body = NULL;
	struct http_reply r = { .status = status,
		.extra = extra,
		.head_only = str_eq(head->method, S("HEAD")) };

	http_error_body(&body, status, text);
	r.body = buf_str(body);
	http_reply_write(worker_scratch(c->w), &r);
	conn_queue_scratch(c);
	buf_unref(body);
	conn_finish(c);
}

static unsigned
count_headers(const struct http_head *head, struct str name)
{
	unsigned n = 0;

	for (size_t i = 0; i < head->nheaders; i++)
		n += str_eq_nocase(head->headers[i].name, name);
	return n;
}

static bool
header_has(const struct http_head *head, struct str name, struct str token)
{
	for (size_t i = 0; i < head->nheaders; i++)
		if (str_eq_nocase(head->headers[i].name, name) &&
		    http_has_token(head->headers[i].value, token))
			return true;
	return false;
}

/* Base64 of exactly 16 bytes: 22 digits and two '='. */
static bool
key_is_valid(struct str key)
{
	if (key.n != 24 || key.p[22] != '=' || key.p[23] != '=')
		return false;
	for (size_t i = 0; i < 22; i++) {
		char ch = key.p[i];

		if (!((ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') ||
			(ch >= '0' && ch <= '9') || ch == '+' || ch == '/'))
			return false;
	}
	return true;
}

/* The reason why this upgrade is malformed, or p == NULL. */
static struct str
find_fault(const struct http_head *head)
{
	if (!str_eq(head->method, S("GET")))
		return S("the method of an upgrade has to be GET");
	if (head->minor < 1)
		return S("an upgrade needs HTTP/1.1");
	if (head->chunked || head->length > 0)
		return S("an upgrade has no body");
	if (count_headers(head, S("Host")) != 1)
		return S("an upgrade needs one Host header");
	if (!header_has(head, S("Connection"), S("upgrade")))
		return S("the Connection header does not say upgrade");
	if (count_headers(head, S("Sec-WebSocket-Key")) != 1 ||
	    !key_is_valid(http_header(head, S("Sec-WebSocket-Key"))))
		return S(
		    "Sec-WebSocket-Key has to be base64 of 16 bytes, once");
	return str_make(NULL, 0);
}

/* Answers a request that is no upgrade; true when it is one. */
static bool
check_upgrade(struct conn *c, const struct http_head *head)
{
	static const char need[] = "Upgrade: websocket\r\n"
				   "Sec-WebSocket-Version: 13\r\n";
	struct str fault = find_fault(head);

	if (!header_has(head, S("Upgrade"), S("websocket"))) {
		if (str_eq(head->method, S("GET")) ||
		    str_eq(head->method, S("HEAD")))
			reply(c, head, 426, need,
			    S("this is for WebSocket clients: upgrade"));
		else
			reply(c, head, 405, "Allow: GET, HEAD\r\n",
			    S("this is for WebSocket clients: GET and "
			      "upgrade"));
		return false;
	}
	if (fault.p != NULL) {
		reply(c, head, 400, NULL, fault);
		return false;
	}
	if (count_headers(head, S("Sec-WebSocket-Version")) != 1 ||
	    !str_eq(http_header(head, S("Sec-WebSocket-Version")), S("13"))) {
		reply(c, head, 426, need,
		    S("Sec-WebSocket-Version has to be 13"));
		return false;
	}
	return true;
}

/* ---- inside the socket: may it stay? ---- */

static bool
is_protocol(struct str number)
{
	uint64_t v;

	return str_to_u64(number, PROTOCOL_MAX, &v) == 0 && v >= PROTOCOL_MIN;
}

/*
 * The first supported token pusher-channels-protocol-<n> that the client
 * offers, or p == NULL.  Other tokens are no reason to fail (1.1).
 */
static struct str
choose_subprotocol(const struct http_head *head)
{
	const struct str prefix = S("pusher-channels-protocol-");

	for (size_t i = 0; i < head->nheaders; i++) {
		struct str rest = head->headers[i].value;

		if (!str_eq_nocase(
			head->headers[i].name, S("Sec-WebSocket-Protocol")))
			continue;
		while (rest.p != NULL) {
			struct str token = str_trim(str_cut(&rest, ','));

			if (str_starts(token, prefix) &&
			    is_protocol(str_from(token, prefix.n)))
				return token;
		}
	}
	return str_make(NULL, 0);
}

static void
accept_upgrade(struct conn *c, const struct http_head *head)
{
	struct buf **b = worker_scratch(c->w);
	struct str proto = choose_subprotocol(head);
	char accept[29];

	sign_ws_accept(http_header(head, S("Sec-WebSocket-Key")), accept);
	buf_printf(b,
	    "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n",
	    accept);
	if (proto.p != NULL)
		buf_printf(
		    b, "Sec-WebSocket-Protocol: %.*s\r\n", STR_ARG(proto));
	compression_negotiate(c, head, b);
	buf_append(b, S("\r\n"));
	conn_queue_scratch(c);
}

/*
 * The value of a query parameter, decoded into out; p == NULL when it is
 * missing.  A value that is too long for out cannot be valid and becomes "?".
 */
static struct str
param(const struct http_head *head, struct str name, char out[PARAM_MAX])
{
	struct str raw = http_query_get(head->query, name);

	if (raw.p == NULL)
		return raw;
	if (raw.n > PARAM_MAX)
		return S("?");
	return str_make(out, str_percent_decode(raw, true, out));
}

/* Two to four numbers with dots between them, then perhaps a suffix. */
static bool
version_is_valid(struct str v)
{
	unsigned numbers = 0;
	size_t i = 0, from;

	for (;;) {
		from = i;
		while (i < v.n && v.p[i] >= '0' && v.p[i] <= '9')
			i++;
		if (i == from)
			return false;
		numbers++;
		if (i == v.n || v.p[i] != '.' || numbers == 4)
			break;
		i++;
	}
	return numbers >= 2 && (i == v.n || v.p[i] != '.');
}

/* Why a client is refused; code 0: it is admitted. */
struct refusal {
	unsigned code;
	struct str text;
};

/* With the default sentence of the code. */
static struct refusal
refuse(enum pusher_error code)
{
	return (struct refusal){ code, pusher_error_text(code) };
}

static struct refusal
check_protocol(const struct conf *conf, const struct http_head *head)
{
	char room[PARAM_MAX];
	struct str v = param(head, S("protocol"), room);

	if (v.p == NULL && conf->strict_protocol)
		return refuse(PUSHER_NO_PROTOCOL);
	if (v.p != NULL && !is_protocol(v))
		return refuse(PUSHER_BAD_PROTOCOL);
	if (!conf->strict_protocol)
		return (struct refusal){ 0 };
	v = param(head, S("version"), room);
	if (v.p == NULL || !version_is_valid(v))
		return refuse(PUSHER_BAD_VERSION);
	return (struct refusal){ 0 };
}

/* The console's address only accepts clients of its page. */
static struct refusal
check_own_page(const struct http_head *head)
{
	struct str origin = http_header(head, S("Origin"));
	ssize_t at = str_find(origin, '/');

	if (at > 0 && str_starts(str_from(origin, (size_t)at), S("//")) &&
	    str_eq_nocase(
		str_from(origin, (size_t)at + 2), http_header(head, S("Host"))))
		return (struct refusal){ 0 };
	return (struct refusal){ PUSHER_UNAUTHORIZED,
		S("This address serves the console's own page only") };
}

/* Checks from where, and how, the app may be reached. */
static struct refusal
check_reach(struct conn *c, const struct http_head *head)
{
	if (!origin_is_allowed(str_of(c->app->allowed_origins),
		http_header(head, S("Origin"))))
		return (struct refusal){ PUSHER_UNAUTHORIZED,
			S("This origin is not in the app's allowed_origins") };
	if (c->app->tls_only && !remote_is_secure(c))
		return refuse(PUSHER_TLS_ONLY);
	return (struct refusal){ 0 };
}

/* Finds c->app and the reasons to refuse the client. */
static struct refusal
check_client(struct conn *c, const struct http_head *head)
{
	char room[2 * SESSION_KEY_MAX];
	struct session_path path = session_path(head->path, room);
	struct str key = path.key, busy;
	struct refusal r;
	struct client_app *a;

	if (key.p == NULL)
		return refuse(PUSHER_PATH_UNKNOWN);
	busy = admission_check_server(c->w);
	if (busy.p != NULL)
		return (struct refusal){ PUSHER_OVER_CAPACITY, busy };
	a = apps_by_key(c->w, key);
	if (a == NULL && c->w->link->state != LINK_UP) /* perhaps not yet */
		return (struct refusal){ PUSHER_OVER_CAPACITY,
			S("The server is not ready: try again in a moment") };
	if (a == NULL)
		return refuse(PUSHER_APP_UNKNOWN);
	c->app = client_app_ref(a);
	if (!c->app->enabled)
		return refuse(PUSHER_APP_DISABLED);
	r = c->serves & LISTEN_CONSOLE ? check_own_page(head)
				       : check_reach(c, head);
	if (r.code != 0)
		return r;
	if (path.id.p != NULL)
		client_name_session(c, path.id);
	return check_protocol(c->w->conf, head);
}

/* ---- the request ---- */

/* The whole group is stopping, and the client came too late to be served. */
static bool
is_deferred(const struct conn *c)
{
	return c->w->defer_since != 0 && c->opened_at >= c->w->defer_since;
}

bool
handshake_is_for(const struct http_head *head)
{
	struct str up = http_header(head, S("Upgrade"));

	return (up.p != NULL && http_has_token(up, S("websocket"))) ||
	    session_path_is_ours(head->path);
}

void
handshake_request(struct conn *c, const struct http_head *head)
{
	struct refusal r;

	c->w->stats->counts.http_requests++;
	if (!check_upgrade(c, head)) {
		c->w->stats->counts.http_refused++;
		return;
	}
	r = check_client(c, head);
	accept_upgrade(c, head);
	c->ops = &ws_ops;
	if (r.code != 0 && c->w->draining && is_deferred(c)) {
		/* The timeout also answers with 4100. */
		conn_set_timeout(c, DEFER_SECONDS);
		input_pause(c);
		return;
	}
	if (r.code != 0) {
		refused_client(c, head, r.code, r.text);
		return;
	}
	admission_begin(c);
}
