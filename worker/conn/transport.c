/* SPDX-License-Identifier: MIT */
/*
 * transport.c: TLS and proxies between a socket and its client, so that conn.c
 * has one question to ask ("is there anything in between?") and the rest one
 * answer to who the client is.  Owns c->via.
 *
 * A proxy is believed only if the configuration trusts its address; the head
 * of the PROXY protocol is read to its last byte and no further, because
 * behind it a TLS handshake begins that OpenSSL reads from the socket.
 */

#include "worker/conn/transport.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/forwarded.h"
#include "shared/net/http.h"
#include "shared/net/ip.h"
#include "shared/net/proxy_head.h"
#include "shared/net/sock.h"
#include "shared/proc/proc.h"
#include "worker/app/auth_failures.h"
#include "worker/conn/conn.h"
#include "worker/conn/tls.h"
#include "worker/core/core.h"

static struct transport *
transport_get(struct conn *c)
{
	if (c->transport == NULL)
		c->transport = xcalloc(1, sizeof(*c->transport));
	return c->transport;
}

bool
transport_begin(struct conn *c, bool tls, bool proxy_protocol)
{
	if (!tls && !proxy_protocol)
		return true;
	transport_get(c)->awaits_head = proxy_protocol;
	return !tls || tls_begin(c->w, &c->transport->tls, c->io.fd);
}

void
transport_free(struct conn *c)
{
	if (c->transport == NULL)
		return;
	tls_end(c->w, &c->transport->tls);
	free(c->transport);
	c->transport = NULL;
}

/* ---- the PROXY protocol ---- */

/* From here on the client is whom the head names. */
static void
take_head(struct conn *c, const struct proxy_head *h)
{
	const struct conf *conf = c->w->conf;
	struct transport *v = c->transport;

	v->awaits_head = false;
	if (!h->known)
		return; /* a health check of the proxy's own */
	v->head = (struct transport_client){ h->ip, h->port, true };
	v->head_tls = h->tls;
	/* What stands in its requests counts if it is a proxy itself. */
	c->trusted = ip_nets_have(conf->trusted, conf->ntrusted, &h->ip);
}

/*
 * Takes bytes of the head from the socket: 0 when it is complete, -1 with
 * EAGAIN or another errno.  c->in has what was taken before; what belongs to
 * the head is known only with its end, so the socket is peeked at first.
 */
static int
read_head(struct conn *c, char *room, size_t cap)
{
	size_t have = c->in == NULL ? 0 : c->in->len, take;
	struct proxy_head h;
	ssize_t n, head;

	if (have > 0)
		memcpy(room, c->in->data, have);
	n = recv(c->io.fd, room + have, cap - have, MSG_PEEK);
	if (n <= 0) {
		errno = n == 0 ? ECONNRESET : errno;
		return -1;
	}
	head = proxy_head_read(&h, str_make(room, have + (size_t)n));
	if (head == -1) {
		log_debug("client closed: no head of the PROXY protocol");
		errno = EPROTO;
		return -1;
	}
	take = head == 0 ? (size_t)n : (size_t)head - have;
	if (recv(c->io.fd, room + have, take, 0) != (ssize_t)take) {
		errno = EIO;
		return -1;
	}
	if (head == 0) {
		buf_append(&c->in, str_make(room + have, take));
		errno = EAGAIN;
		return -1;
	}
	buf_unref(c->in);
	c->in = NULL;
	take_head(c, &h);
	return 0;
}

/* ---- bytes ---- */

ssize_t
transport_recv(struct conn *c, char *out, size_t cap)
{
	struct transport *v = c->transport;

	if (v->awaits_head && read_head(c, out, cap) == -1)
		return -1;
	if (v->tls.ssl != NULL)
		return tls_recv(c->w, &v->tls, out, cap);
	return recv(c->io.fd, out, cap, 0);
}

int
transport_send(struct conn *c, size_t max)
{
	if (c->transport->tls.ssl == NULL)
		return outq_send(&c->out, c->io.fd, max);
	return tls_send(c->w, &c->transport->tls, &c->out, max);
}

int
transport_finish(struct conn *c)
{
	return c->transport->tls.ssl == NULL ? 1
					     : tls_shutdown(&c->transport->tls);
}

bool
transport_wants_write(const struct conn *c)
{
	return c->transport != NULL && c->transport->tls.wants_write;
}

/* ---- who the client is ---- */

/* The header by which a proxy says for whom it speaks, or p == NULL. */
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

/* It speaks as a proxy does: once for each address the log says so. */
static bool
is_unbelieved(const struct conn *c, const struct http_head *head)
{
	struct str name = proxy_header(head);
	char text[IP_TEXT_MAX];
	struct ip ip;

	if (name.p == NULL)
		return false;
	if (transport_client(c, &ip, NULL) &&
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

void
transport_request(struct conn *c, const struct http_head *head)
{
	const struct conf *conf = c->w->conf;
	struct forwarded f;
	struct transport *v;

	if (!c->trusted) {
		if (!c->looked)
			c->unbelieved = is_unbelieved(c, head);
		c->looked = true;
		return;
	}
	forwarded_read(&f, head,
	    strcmp(conf->client_address_header, "forwarded") == 0,
	    conf->trusted, conf->ntrusted);
	if (c->transport == NULL && !f.known && !f.https)
		return;
	v = transport_get(c);
	v->https = f.https;
	/* Also when nothing is said: the one before had another client. */
	v->request = (struct transport_client){ f.ip, 0, f.known };
}

bool
transport_is_secure(const struct conn *c)
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
transport_client(const struct conn *c, struct ip *ip, uint16_t *port)
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
transport_auth_failed(struct conn *c)
{
	uint32_t max = (uint32_t)c->w->conf->max_auth_failures_per_minute;
	struct ip ip;
	bool named;

	if (max == 0)
		return true;
	named = transport_client(c, &ip, NULL);
	return auth_failures_take(
	    c->w->auth_failures, named ? &ip : NULL, worker_now(), max);
}

void
transport_peer_text(const struct conn *c, char *out, size_t cap)
{
	char text[IP_TEXT_MAX];
	uint16_t port;
	struct ip ip;

	if (!transport_client(c, &ip, &port)) {
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
