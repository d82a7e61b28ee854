/* SPDX-License-Identifier: MIT */
/*
 * ws_client.c: a WebSocket client on a blocking socket, for `subscribe`, and
 * the frames of the load generator.  Owns the descriptor and the received
 * bytes.  Every byte is checked: the server may be any.
 */

#include "cli/client/ws_client.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "shared/base/xmalloc.h"
#include "shared/crypto/sign.h"

#define READ_BYTES (64u << 10)
#define HEAD_MAX 16384          /* of the answer to the upgrade */
#define MESSAGE_MAX (64u << 20) /* bytes */
#define CONNECT_SECONDS 10
#define ANSWER_MAX (1u << 20) /* of a request */

static const char upgrade_key[] = "cHVzaGVyY3RsIGJlbmNoIQ==";

void
ws_client_put_frame(struct buf **out, enum ws_opcode opcode, struct str payload)
{
	static const uint8_t mask[4] = { 0x5a, 0xc3, 0x17, 0x88 };
	unsigned char head[WS_HEAD_MAX];
	size_t n = ws_head_write_masked(opcode, payload.n, mask, head);

	buf_append(out, str_make(head, n));
	buf_append(out, payload);
	ws_mask((*out)->data + (*out)->len - payload.n, payload.n, mask, 0);
}

static int
fail(struct ws_client *c, const char *what)
{
	free(c->why);
	c->why = xstrdup(what);
	return -1;
}

static ssize_t
put(struct ws_client *c, const char *p, size_t n)
{
	return c->ssl != NULL ? tls_client_send(c->ssl, p, n)
			      : send(c->fd, p, n, MSG_NOSIGNAL);
}

static ssize_t
get(struct ws_client *c, char *p, size_t n)
{
	return c->ssl != NULL ? tls_client_recv(c->ssl, p, n)
			      : recv(c->fd, p, n, 0);
}

static int
send_all(struct ws_client *c)
{
	size_t off = 0;
	ssize_t n;

	while (off < c->out->len) {
		n = put(c, c->out->data + off, c->out->len - off);
		if (n > 0)
			off += (size_t)n;
		else if (errno != EINTR)
			return fail(c, strerror(errno));
	}
	c->out->len = 0;
	return 0;
}

int
ws_client_send(struct ws_client *c, struct str text)
{
	ws_client_put_frame(&c->out, WS_TEXT, text);
	return send_all(c);
}

static struct str
unread(const struct ws_client *c)
{
	return str_from(buf_str(c->in), c->off);
}

/* Reads more: 1, 0 at the end, -1. */
static int
read_more(struct ws_client *c)
{
	ssize_t n;

	if (c->off > 0) {
		memmove(c->in->data, c->in->data + c->off, c->in->len - c->off);
		c->in->len -= c->off;
		c->off = 0;
	}
	buf_reserve(&c->in, READ_BYTES);
	do
		n = get(c, c->in->data + c->in->len, READ_BYTES);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return fail(c,
		    errno == EAGAIN ? "the server does not answer"
				    : strerror(errno));
	c->in->len += (uint32_t)n;
	return n > 0;
}

/* 0 when it is no HTTP. */
static void
http_status(struct ws_client *c, struct str head)
{
	uint64_t status = 0;

	if (str_starts(head, S("HTTP/1.")) && head.n > 12)
		str_to_u64(str_make(head.p + 9, 3), 999, &status);
	c->status = (unsigned)status;
}

/* The answer to the upgrade. */
static int
read_head(struct ws_client *c)
{
	char accept[29];
	const char *end;
	struct str head;

	for (;;) {
		end = memmem(c->in->data, c->in->len, "\r\n\r\n", 4);
		if (end != NULL)
			break;
		if (c->in->len > HEAD_MAX)
			return fail(c, "the answer is not HTTP");
		switch (read_more(c)) {
		case 0:
			return fail(c, "the server hung up");
		case -1:
			return -1;
		default:
			break;
		}
	}
	head = str_make(c->in->data, (size_t)(end - c->in->data) + 4);
	sign_ws_accept(S(upgrade_key), accept);
	http_status(c, head);
	if (c->status != 101 ||
	    memmem(head.p, head.n, accept, strlen(accept)) == NULL)
		return fail(c,
		    "the server does not speak WebSocket there (or only with "
		    "TLS)");
	c->off = (uint32_t)head.n;
	return 0;
}

void
ws_client_patience(const struct ws_client *c, unsigned seconds)
{
	struct timeval t = { .tv_sec = (time_t)seconds };

	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	t.tv_sec = CONNECT_SECONDS;
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

int
ws_client_connect(struct ws_client *c, const struct sock_addr *a,
    const struct tls_client *tls)
{
	const char *why = NULL;

	*c = (struct ws_client){ .fd = -1 };
	c->in = buf_new(READ_BYTES);
	c->out = buf_new(4096);
	c->fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		return fail(c, strerror(errno));
	ws_client_patience(c, CONNECT_SECONDS);
	if (connect(c->fd, (const struct sockaddr *)&a->ss, a->len) == -1)
		return fail(c,
		    errno == EINPROGRESS ? "nobody answers" : strerror(errno));
	if (tls != NULL &&
	    (c->ssl = tls_client_connect(tls, c->fd, &why)) == NULL)
		return fail(c, why);
	return 0;
}

int
ws_client_upgrade(struct ws_client *c, const char *host, const char *path)
{
	buf_printf(&c->out,
	    "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
	    "Sec-WebSocket-Version: 13\r\n\r\n",
	    path, host, upgrade_key);
	return send_all(c) == -1 || read_head(c) == -1 ? -1 : 0;
}

int
ws_client_open(struct ws_client *c, const struct sock_addr *a,
    const struct tls_client *tls, const char *host, const char *path)
{
	if (ws_client_connect(c, a, tls) == -1 ||
	    ws_client_upgrade(c, host, path) == -1)
		return -1;
	ws_client_patience(c, 0);
	return 0;
}

int
ws_client_request(struct ws_client *c, struct str request, struct str *body)
{
	const char *end;
	int r;

	buf_append(&c->out, request);
	if (send_all(c) == -1)
		return -1;
	while ((r = read_more(c)) == 1 && c->in->len < ANSWER_MAX)
		;
	if (r == -1 && c->in->len == 0)
		return -1;
	http_status(c, buf_str(c->in));
	if (c->status == 0)
		return fail(c, "the answer is not HTTP");
	end = memmem(c->in->data, c->in->len, "\r\n\r\n", 4);
	*body = end == NULL
	    ? S("")
	    : str_from(buf_str(c->in), (size_t)(end - c->in->data) + 4);
	return 0;
}

void
ws_client_clear(struct ws_client *c)
{
	SSL_free(c->ssl);
	if (c->fd != -1)
		close(c->fd);
	buf_unref(c->in);
	buf_unref(c->out);
	buf_unref(c->message);
	free(c->why);
	*c = (struct ws_client){ .fd = -1 };
}

/* The server's close frame: stores code and reason, and answers it. */
static int
on_close(struct ws_client *c, struct str payload)
{
	struct str reason = str_from(payload, 2);

	if (payload.n >= 2)
		c->code = (unsigned)(unsigned char)payload.p[0] << 8 |
		    (unsigned char)payload.p[1];
	snprintf(c->reason, sizeof(c->reason), "%.*s", STR_ARG(reason));
	ws_client_put_frame(&c->out, WS_CLOSE, payload);
	send_all(c);
	return 0;
}

/* One frame off the front: 1 when *text is whole, 2: go on, 0, -1. */
static int
take_frame(struct ws_client *c, const struct ws_head *h, struct str payload,
    struct str *text)
{
	switch (h->opcode) {
	case WS_PING:
		ws_client_put_frame(&c->out, WS_PONG, payload);
		return send_all(c) == -1 ? -1 : 2;
	case WS_PONG:
		return 2;
	case WS_CLOSE:
		return on_close(c, payload);
	default:
		break;
	}
	if (c->message == NULL)
		c->message = buf_new(payload.n);
	if (h->opcode != WS_CONT)
		c->message->len = 0;
	if (c->message->len + payload.n > MESSAGE_MAX)
		return fail(c, "the message is too long");
	buf_append(&c->message, payload);
	*text = buf_str(c->message);
	return h->fin ? 1 : 2;
}

int
ws_client_next(struct ws_client *c, struct str *text)
{
	struct ws_head h;
	struct str in;
	ssize_t n;
	int r;

	for (;;) {
		in = unread(c);
		n = ws_head_read(&h, in);
		if (n == -1 ||
		    (n > 0 && (h.masked || h.rsv1 || h.len > MESSAGE_MAX)))
			return fail(c, "the server sent a broken frame");
		if (n > 0 && in.n - (size_t)n >= h.len) {
			c->off += (uint32_t)n + (uint32_t)h.len;
			r = take_frame(
			    c, &h, str_make(in.p + n, (size_t)h.len), text);
			if (r != 2)
				return r;
			continue;
		}
		r = read_more(c);
		if (r == 0)
			return 0;
		if (r == -1)
			return -1;
	}
}
