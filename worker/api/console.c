/* SPDX-License-Identifier: MIT */
/*
 * console.c: HTTP of the console.  The page is served from memory; everything
 * else is asked of the broker with the secret of the cookie, and the answer is
 * passed on (console_answer.c).  Must never decide what a session may do.
 */

#include "worker/api/console.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/base/xmalloc.h"
#include "shared/ipc/verb_rule.h"
#include "shared/json/json_slice.h"
#include "shared/json/json_write.h"
#include "shared/net/http.h"
#include "shared/net/ip.h"
#include "shared/net/listen_spec.h"
#include "shared/proc/proc.h"
#include "worker/api/console_answer.h"
#include "worker/api/console_page.h"
#include "worker/api/console_reply.h"
#include "worker/conn/http_request.h"
#include "worker/conn/input.h"
#include "worker/conn/remote.h"
#include "worker/core/core.h"
#include "worker/link/link.h"

#define ANSWER_SECONDS 30 /* for a command */

/* ---- asking ---- */

/*
 * Browsers do not tell the ports of a host apart, so that the name of the
 * cookie does: two consoles, or two tunnels to one, have a session each.
 */
static void
cookie_name(const struct http_head *head, char name[CONSOLE_COOKIE_MAX])
{
	struct str host = http_header(head, S("Host"));
	uint64_t port;
	size_t at = host.n;

	while (at > 0 && host.p[at - 1] != ':')
		at--;
	if (at > 0 && str_to_u64(str_from(host, at), 65535, &port) == 0)
		snprintf(name, CONSOLE_COOKIE_MAX, CONSOLE_COOKIE "_%u",
		    (unsigned)port);
	else
		snprintf(name, CONSOLE_COOKIE_MAX, CONSOLE_COOKIE);
}

/* The value of the console's cookie, or p == NULL. */
static struct str
cookie(const struct http_head *head)
{
	struct str rest = http_header(head, S("Cookie")), value;
	char name[CONSOLE_COOKIE_MAX];

	cookie_name(head, name);
	while (rest.p != NULL) {
		value = str_trim(str_cut(&rest, ';'));
		if (str_eq(str_cut(&value, '='), str_of(name)))
			return value;
	}
	return rest;
}

/*
 * A page of another site can send neither this header nor, with SameSite, the
 * cookie.
 */
static bool
is_from_page(const struct http_head *head)
{
	return http_header(head, S("X-Requested-With")).n > 0;
}

static void
ask(struct conn *c, enum console_kind kind, uint32_t app, struct str secret,
    struct str body)
{
	struct msg_console_ask m = { .id = conn_sid(c),
		.kind = kind,
		.app = app,
		.secret = secret.p == NULL ? S("") : secret,
		.body = body };
	char address[IP_TEXT_MAX] = "unix";
	struct ip ip;

	if (!link_is_up(c->w)) {
		api_unavailable(c, S("the server is starting again"));
		return;
	}
	if (remote_address(c, &ip, NULL))
		ip_text(&ip, address);
	m.address = str_of(address);
	c->http->console = xcalloc(1, sizeof(*c->http->console));
	c->http->console->kind = kind;
	c->http->state = API_CONSOLE;
	conn_set_timeout(c, ANSWER_SECONDS);
	/* Cancels a stream whose client is gone. */
	if (kind != CONSOLE_STREAM)
		input_pause(c);
	link_send_console_ask(c->w, &m);
}

void
console_mint(struct conn *c, uint32_t app, struct str body)
{
	ask(c, CONSOLE_MINT, app, S(""), body.n == 0 ? S("{}") : body);
}

/* ---- routes ---- */

/* NULL: the page has no such file. */
static const struct page_file *
page_find(struct str name)
{
	for (size_t i = 0; i < page_nfiles; i++)
		if (str_eq(name, str_of(page_files[i].name)))
			return &page_files[i];
	return NULL;
}

static void
get_file(
    struct conn *c, const struct http_head *head, const struct page_file *f)
{
	bool zip =
	    http_has_token(http_header(head, S("Accept-Encoding")), S("gzip"));
	char extra[1024];

	snprintf(extra, sizeof(extra),
	    CONSOLE_POLICY "ETag: %s\r\nCache-Control: no-cache\r\n"
			   "Vary: Accept-Encoding\r\n%s",
	    f->etag, zip ? "Content-Encoding: gzip\r\n" : "");
	if (str_eq(http_header(head, S("If-None-Match")), str_of(f->etag)))
		api_reply_file(c, 304, NULL, extra, S(""));
	else
		api_reply_file(
		    c, 200, f->type, extra, zip ? f->gzip : f->plain);
}

/* The table of all commands, for the page. */
static void
get_verbs(struct conn *c)
{
	static const char *const access[] = { "server write", "server read",
		"app write", "app read", "object write", "object read",
		"terminal" };
	const struct verb_rule *r = c->w->inherit->rules;
	struct json_writer w;
	struct buf *b;

	json_writer_init(&w);
	json_array_open(&w);
	for (; r != NULL && r->name != NULL; r++) {
		if (r->access == VERB_TERMINAL)
			continue;
		json_object_open(&w);
		json_member_str(&w, "verb", str_of(r->name));
		json_member_str(&w, "args", str_of(r->args));
		json_member_str(&w, "summary", str_of(r->summary));
		json_member_str(&w, "access", str_of(access[r->access]));
		json_key(&w, "options");
		json_array_open(&w);
		for (const struct cmd_option *o = r->options;
		     o != NULL && o->name != NULL; o++) {
			json_object_open(&w);
			json_member_str(&w, "name", str_of(o->name));
			json_key(&w, "value");
			if (o->arg == NULL)
				json_put_null(&w);
			else
				json_put_str(&w, str_of(o->arg));
			json_member_str(&w, "help", str_of(o->help));
			json_object_close(&w);
		}
		json_array_close(&w);
		json_object_close(&w);
	}
	json_array_close(&w);
	b = json_writer_take(&w);
	api_reply_extra(c, 200, CONSOLE_POLICY CONSOLE_NO_STORE, buf_str(b));
	buf_unref(b);
}

static void
post_session(struct conn *c, const struct http_head *head, struct str body)
{
	struct json root;
	const char *why;
	char *token = NULL;

	if (json_parse(body, &root, &why) == 0)
		token = json_dup(json_get(root, S("token")));
	if (token == NULL)
		api_error(c, 400, S("the body is not {\"token\":\"…\"}"));
	else
		ask(c, CONSOLE_LOGIN, 0, str_of(token), S(""));
	if (c->http->console != NULL)
		cookie_name(head, c->http->console->cookie);
	if (token != NULL)
		explicit_bzero(token, strlen(token));
	free(token);
}

/* verb=tail&app=...&events=... as the body that POST /verb has. */
static struct buf *
stream_body(struct str query)
{
	struct str rest = query, value, name;
	char *room = xmalloc(query.n + 1);
	struct json_writer w;
	size_t n;

	json_writer_init(&w);
	json_object_open(&w);
	for (int i = 0; i < 2; i++) { /* the verb, then the arguments */
		if (i == 1) {
			json_key(&w, "args");
			json_object_open(&w);
		}
		rest = query;
		while (rest.p != NULL && rest.n > 0) {
			value = str_cut(&rest, '&');
			name = str_cut(&value, '=');
			if (name.n == 0 || str_eq(name, S("verb")) != (i == 0))
				continue;
			n = str_percent_decode(name, true, room);
			json_key_str(&w, str_make(room, n));
			n = value.p == NULL
			    ? 0
			    : str_percent_decode(value, true, room);
			if (value.p == NULL)
				json_put_bool(&w, true);
			else
				json_put_str(&w, str_make(room, n));
		}
	}
	json_object_close(&w);
	json_object_close(&w);
	free(room);
	return json_writer_take(&w);
}

static void
get_stream(struct conn *c, const struct http_head *head)
{
	struct buf *b = stream_body(head->query);

	ask(c, CONSOLE_STREAM, 0, cookie(head), buf_str(b));
	buf_unref(b);
}

static void
refuse_method(struct conn *c, const char *allow)
{
	char extra[64];

	snprintf(extra, sizeof(extra), "Allow: %s\r\n", allow);
	api_reply_extra(c, 405, extra,
	    S("{\"error\":\"this path does not allow the method: see "
	      "Allow\",\"code\":405}"));
}

static void
post(struct conn *c, const struct http_head *head, struct str name,
    struct str body)
{
	if (!is_from_page(head))
		api_error(c, 403, S("the header X-Requested-With is missing"));
	else if (str_eq(name, S("session")))
		post_session(c, head, body);
	else if (!str_eq(name, S("logout")))
		ask(c, CONSOLE_VERB, 0, cookie(head), body);
	else {
		ask(c, CONSOLE_LOGOUT, 0, cookie(head), S(""));
		if (c->http->console != NULL)
			cookie_name(head, c->http->console->cookie);
	}
}

static bool
is_post(struct str name)
{
	return str_eq(name, S("session")) || str_eq(name, S("logout")) ||
	    str_eq(name, S("verb"));
}

bool
console_admits(const struct conn *c, const struct http_head *head)
{
	return (c->serves & LISTEN_CONSOLE) &&
	    str_eq(head->method, S("POST")) && head->path.n > 1 &&
	    is_post(str_from(head->path, 1)) && is_from_page(head) &&
	    (head->length <= 4096 || cookie(head).n == CONSOLE_SECRET_LEN);
}

static void
answer_post(struct conn *c, const struct http_head *head, struct str name,
    struct str body, bool awaits_body)
{
	bool from_page = is_from_page(head);

	if (!awaits_body)
		post(c, head, name, body);
	else /* it is not stored: see console_admits() */
		api_refuse(c, from_page ? 413 : 403,
		    from_page ? S("without a session at most 4096 bytes")
			      : S("the header X-Requested-With is missing"));
}

/* Answers a GET; false: there is no such path. */
static bool
get(struct conn *c, const struct http_head *head, struct str name)
{
	const struct page_file *f = page_find(name);

	if (f != NULL)
		get_file(c, head, f);
	else if (str_eq(name, S("stream")))
		get_stream(c, head);
	else if (str_eq(name, S("verbs")))
		get_verbs(c);
	else if (str_eq(name, S("session")))
		ask(c, CONSOLE_SESSION, 0, cookie(head), S(""));
	else
		return false;
	return true;
}

bool
console_request(struct conn *c, const struct http_head *head, struct str body,
    bool awaits_body)
{
	struct str name = str_from(head->path, 1);

	if (!(c->serves & LISTEN_CONSOLE) || head->path.n == 0)
		return false;
	if (str_eq(head->method, S("HEAD")) && str_eq(name, S("stream"))) {
		refuse_method(c, "GET"); /* a stream is nothing but a body */
		return true;
	}
	if (str_eq(head->method, S("GET")) || str_eq(head->method, S("HEAD"))) {
		if (get(c, head, name))
			return true;
	} else if (str_eq(head->method, S("POST")) && is_post(name)) {
		answer_post(c, head, name, body, awaits_body);
		return true;
	}
	if (page_find(name) == NULL && !is_post(name))
		return false;
	refuse_method(c, is_post(name) ? "POST" : "GET, HEAD");
	return true;
}
