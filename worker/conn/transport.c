/* SPDX-License-Identifier: MIT */
/*
 * transport.c: TLS and the PROXY protocol between a socket and its client.  It
 * knows a descriptor and no connection.
 *
 * The PROXY header is read to its last byte and no further, because a TLS
 * handshake may follow that OpenSSL reads from the socket.
 */

#include "worker/conn/transport.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "shared/base/log.h"
#include "shared/base/outq.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/ip.h"
#include "shared/net/proxy_head.h"
#include "worker/conn/tls.h"
#include "worker/core/core.h"

struct transport *
transport_new(int fd)
{
	struct transport *v = xcalloc(1, sizeof(*v));

	v->fd = fd;
	return v;
}

bool
transport_begin(
    struct worker *w, struct transport *v, bool tls, bool proxy_protocol)
{
	v->awaits_head = proxy_protocol;
	return !tls || tls_begin(w, &v->tls, v->fd);
}

void
transport_free(struct worker *w, struct transport *v)
{
	if (v == NULL)
		return;
	tls_end(w, &v->tls);
	free(v);
}

/* ---- the PROXY protocol ---- */

/* From here on the client is the one in the header. */
static void
take_head(
    const struct conf *conf, struct transport *v, const struct proxy_head *h)
{
	v->awaits_head = false;
	if (!h->known)
		return; /* a health check of the proxy itself */
	v->head = (struct transport_client){ h->ip, h->port, true };
	v->head_tls = h->tls;
	v->trusted = ip_nets_have(conf->trusted, conf->ntrusted, &h->ip);
}

/*
 * Takes bytes of the header from the socket: 0 when it is complete, -1 with
 * EAGAIN or another errno.  *in has the bytes that were taken before.  The
 * length of the header is known only at its end, so the socket is peeked at
 * first.
 */
static int
read_head(struct worker *w, struct transport *v, struct buf **in, char *room,
    size_t cap)
{
	size_t have = *in == NULL ? 0 : (*in)->len, take;
	struct proxy_head h;
	ssize_t n, head;

	if (have > 0)
		memcpy(room, (*in)->data, have);
	n = recv(v->fd, room + have, cap - have, MSG_PEEK);
	if (n <= 0) {
		errno = n == 0 ? ECONNRESET : errno;
		return -1;
	}
	head = proxy_head_read(&h, str_make(room, have + (size_t)n));
	if (head == -1) {
		log_debug(
		    "client closed: the PROXY protocol header is missing");
		errno = EPROTO;
		return -1;
	}
	take = head == 0 ? (size_t)n : (size_t)head - have;
	if (recv(v->fd, room + have, take, 0) != (ssize_t)take) {
		errno = EIO;
		return -1;
	}
	if (head == 0) {
		buf_append(in, str_make(room + have, take));
		errno = EAGAIN;
		return -1;
	}
	buf_unref(*in);
	*in = NULL;
	take_head(w->conf, v, &h);
	return 0;
}

/* ---- bytes ---- */

ssize_t
transport_recv(struct worker *w, struct transport *v, struct buf **in,
    char *out, size_t cap)
{
	if (v->awaits_head && read_head(w, v, in, out, cap) == -1)
		return -1;
	if (v->tls.ssl != NULL)
		return tls_recv(w, &v->tls, out, cap);
	return recv(v->fd, out, cap, 0);
}

int
transport_send(
    struct worker *w, struct transport *v, struct outq *out, size_t max)
{
	if (v->tls.ssl == NULL)
		return outq_send(out, v->fd, max);
	return tls_send(w, &v->tls, out, max);
}

int
transport_finish(struct transport *v)
{
	return v->tls.ssl == NULL ? 1 : tls_shutdown(&v->tls);
}
