/* SPDX-License-Identifier: MIT */
/*
 * remote.c: the address of a connection's client, and whether it uses TLS.  A
 * proxy is believed only if the configuration trusts its address.
 */

#include "worker/conn/remote.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "shared/base/log.h"
#include "shared/conf/conf.h"
#include "shared/net/forwarded.h"
#include "shared/net/http.h"
#include "shared/net/ip.h"
#include "shared/net/sock.h"
#include "shared/proc/proc.h"
#include "worker/app/auth_failures.h"
#include "worker/conn/conn.h"
#include "worker/conn/transport.h"
#include "worker/core/core.h"

/* The name of a header that only proxies send, or p == NULL. */
static struct str
proxy_header(const struct http_head *head)
{
	static const struct str prefix = { "X-Forwarded-", 12 };
	struct str name;

	for (size_t i = 0; i < head->nheaders; i++) {
		name = head->headers[i].name;
		if (str_eq_nocase(name, S("Forwarded")) ||
		    (name.n > prefix.n &&
			str_eq_nocase(str_make(name.p, prefix.n), prefix)))
			return name;
	}
	return str_make(NULL, 0);
}

/* An untrusted peer sends headers of a proxy: logs each address once. */
static bool
is_unbelieved(const struct conn *c, const struct http_head *head)
{
	struct str name = proxy_header(head);
	char text[IP_TEXT_MAX];
	struct ip ip;

	if (name.p == NULL)
		return false;
	if (remote_address(c, &ip, NULL) &&
	    proc_note(c->w->inherit == NULL ? NULL : c->w->inherit->noted,
		str_make(ip.b, sizeof(ip.b)))) {
		ip_text(&ip, text);
		log_note("the peer %s sends %.*s and is not in "
			 "trusted_proxies: its clients have its address and "
			 "count as not encrypted; if it is your proxy, add "
			 "the line: trusted_proxies %s",
		    text, STR_ARG(name), text);
	}
	return true;
}

/* The client that a trusted proxy names replaces the peer. */
static bool
is_trusted(const struct conn *c)
{
	const struct transport *v = c->transport;

	return v != NULL && v->head.known ? v->trusted
					  : c->peer == PEER_TRUSTED;
}

void
remote_on_request(struct conn *c, const struct http_head *head)
{
	const struct conf *conf = c->w->conf;
	struct forwarded f;
	struct transport *v;

	if (!is_trusted(c)) {
		if (c->peer != PEER_DIRECT && c->peer != PEER_UNTRUSTED)
			c->peer = is_unbelieved(c, head) ? PEER_UNTRUSTED
							 : PEER_DIRECT;
		return;
	}
	forwarded_read(&f, head,
	    strcmp(conf->client_address_header, "forwarded") == 0,
	    conf->trusted, conf->ntrusted);
	if (c->transport == NULL && !f.known && !f.https)
		return;
	if (c->transport == NULL)
		c->transport = transport_new(c->io.fd);
	v = c->transport;
	v->https = f.https;
	/* Even if empty: the previous request had another client. */
	v->request = (struct transport_client){ f.ip, 0, f.known };
}

bool
remote_is_secure(const struct conn *c)
{
	return c->transport != NULL &&
	    (c->transport->tls.ssl != NULL || c->transport->head_tls ||
		c->transport->https);
}

static const struct transport_client *
named_client(const struct conn *c)
{
	const struct transport *v = c->transport;

	if (v != NULL && v->request.known)
		return &v->request;
	return v != NULL && v->head.known ? &v->head : NULL;
}

bool
remote_address(const struct conn *c, struct ip *ip, uint16_t *port)
{
	struct sock_addr a = { .len = sizeof(a.ss) };
	const struct transport_client *named = named_client(c);

	if (named != NULL) {
		*ip = named->ip;
		if (port != NULL)
			*port = named->port;
		return true;
	}
	if (getpeername(c->io.fd, (struct sockaddr *)&a.ss, &a.len) == -1 ||
	    !ip_of_sock(&a, ip))
		return false;
	if (port != NULL)
		*port = (uint16_t)sock_addr_port(&a);
	return true;
}

bool
remote_auth_failed(struct conn *c)
{
	uint32_t max = (uint32_t)c->w->conf->max_auth_failures_per_minute;
	struct ip ip;
	bool named;

	if (max == 0)
		return true;
	named = remote_address(c, &ip, NULL);
	return auth_failures_take(
	    c->w->auth_failures, named ? &ip : NULL, worker_now(), max);
}

void
remote_text(const struct conn *c, char *out, size_t cap)
{
	char text[IP_TEXT_MAX];
	uint16_t port;
	struct ip ip;

	if (!remote_address(c, &ip, &port)) {
		snprintf(out, cap, "unix");
		return;
	}
	ip_text(&ip, text);
	if (port == 0)
		snprintf(out, cap, "%s", text);
	else
		snprintf(out, cap,
		    strchr(text, ':') == NULL ? "%s:%u" : "[%s]:%u", text,
		    port);
}
