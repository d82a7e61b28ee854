/* SPDX-License-Identifier: MIT */
/*
 * peer.c: bytes of the load generator: opens sockets, writes frames and
 * requests, reads frames and replies.  It parses as little as it can, so that
 * the tool is not the bottleneck.  The scenario decides what a message means
 * once a client has subscribed.
 */

#include "cli/bench/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "cli/client/tls_client.h"
#include "cli/client/ws_client.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_write.h"
#include "shared/net/ws_frame.h"

#define EVENT_WITHIN 80 /* of a message: its event stands at the front */
#define SLOW_RECV_BYTES \
	4096 /* of the socket of a client that will not read \
	      */

/* ---- life ---- */

/* Binds to 127.0.0.k; the port is chosen when it connects. */
static int
bind_source(int fd, uint32_t k)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + k) };
	int on = 1;

	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, (const struct sockaddr *)&a, sizeof(a));
}

static int
open_socket(struct run *run, const struct peer *p)
{
	const struct bench_conf *conf = run->conf;
	const struct sock_addr *to = &conf->server;
	int bytes = SLOW_RECV_BYTES;
	int fd = socket(
	    to->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (p->slow)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	sock_tune_client(fd, 0);
	if ((conf->sources > 1 && to->ss.ss_family == AF_INET &&
		bind_source(fd, p->index % conf->sources) == -1) ||
	    (connect(fd, (const struct sockaddr *)&to->ss, to->len) == -1 &&
		errno != EINPROGRESS)) {
		int e = errno;

		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

void
peer_open(struct run *run, struct peer *p)
{
	const struct bench_conf *conf = run->conf;
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = p };

	p->fd = open_socket(run, p);
	if (p->fd == -1) {
		bench_fail(run, "cannot connect: %s", strerror(errno));
		return;
	}
	if (conf->tls != NULL)
		p->ssl = tls_client_attach(conf->tls, p->fd);
	epoll_ctl(run->ep, EPOLL_CTL_ADD, p->fd, &e);
	p->state = PEER_CONNECTING;
	p->started = bench_now();
	p->ends = p->watched = false;
	if (p->publisher)
		return;
	buf_append(&p->out, S("GET "));
	if (conf->resume)
		buf_printf(&p->out, "/app/resume/%08x-%04x-4%03x-8%03x-%012x",
		    (unsigned)(run->shared->session >> 32),
		    (unsigned)(run->shared->session >> 16) & 0xffff,
		    (unsigned)run->shared->session & 0xfff,
		    (unsigned)(run->shared->session >> 12) & 0xfff, p->index);
	buf_printf(&p->out,
	    "/app/%s?protocol=7&client=bench&version=1.0 HTTP/1.1\r\n"
	    "Host: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Key: cHVzaGVyY3RsIGJlbmNoIQ==\r\n"
	    "Sec-WebSocket-Version: 13\r\n\r\n",
	    conf->key, conf->host);
	peer_write(run, p); /* a local server has accepted by now */
}

void
peer_close(struct peer *p, bool hard)
{
	struct linger l = { .l_onoff = 1 };

	if (p->fd == -1)
		return;
	if (hard)
		setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	SSL_free(p->ssl);
	p->ssl = NULL;
	close(p->fd);
	p->fd = -1;
	buf_unref(p->in);
	buf_unref(p->out);
	p->in = p->out = NULL;
	p->out_off = 0;
	p->state = PEER_CONNECTING;
}

/* ---- output ---- */

static void
watch(struct run *run, struct peer *p, bool write)
{
	struct epoll_event e = { .events = EPOLLIN | (write ? EPOLLOUT : 0),
		.data.ptr = p };

	epoll_ctl(run->ep, EPOLL_CTL_MOD, p->fd, &e);
}

/* The connection has ended. */
static void
lose(struct run *run, struct peer *p)
{
	if (p->slow && p->state == PEER_ON) {
		run->r->slow_closed++;
		peer_close(p, false);
	} else if (p->publisher && (p->ends || !p->busy)) {
		peer_close(p, false);
	} else
		bench_fail(run, "the server %s a connection",
		    p->state == PEER_CONNECTING ? "refused or closed"
						: "closed");
}

static ssize_t
put(struct peer *p, const char *bytes, size_t n)
{
	return p->ssl != NULL ? tls_client_send(p->ssl, bytes, n)
			      : send(p->fd, bytes, n, MSG_NOSIGNAL);
}

void
peer_write(struct run *run, struct peer *p)
{
	size_t left = p->out == NULL ? 0 : p->out->len - p->out_off;
	bool late = p->watched;
	ssize_t n = 0;

	if (left > 0)
		n = put(p, p->out->data + p->out_off, left);
	if (n == -1 && errno != EAGAIN && errno != ENOTCONN) {
		lose(run, p);
		return;
	}
	p->out_off += n > 0 ? (uint32_t)n : 0;
	p->watched = p->out != NULL && p->out_off < p->out->len;
	if (p->watched != late)
		watch(run, p, p->watched);
	if (p->out == NULL || p->watched)
		return;
	p->out_off = 0;
	p->out->len = 0;
	if (!p->publisher && run->nlast == 0) { /* memory of idle clients */
		buf_unref(p->out);
		p->out = NULL;
	}
}

void
peer_text(struct peer *p, struct str text)
{
	ws_client_put_frame(&p->out, WS_TEXT, text);
}

/* The members that sign a subscription (protocol of private channels). */
static void
put_auth(struct run *run, struct peer *p, struct buf **b, const char *channel)
{
	const struct bench_conf *conf = run->conf;
	char hex[SIGN_HEX_LEN + 1], data[40] = "";
	unsigned char mac[SIGN_SHA256_LEN];
	struct str parts[5] = { str_of(p->socket_id), S(":"), str_of(channel),
		S(":"), { NULL, 0 } };
	bool presence = str_starts(str_of(channel), S("presence-"));

	if (presence)
		snprintf(
		    data, sizeof(data), "{\"user_id\":\"#%06u\"}", p->index);
	parts[4] = str_of(data);
	sign_hmac(conf->sign, parts, presence ? 5 : 3, mac);
	str_hex(mac, sizeof(mac), hex);
	buf_printf(b, ",\"auth\":\"%s:%s\"", conf->key, hex);
	if (presence) {
		buf_append(b, S(",\"channel_data\":"));
		json_quote(b, str_of(data));
	}
}

void
peer_subscribe(struct run *run, struct peer *p, uint32_t number)
{
	char *name = xasprintf("%s%u", run->conf->scenario->prefix, number);
	struct buf *b = NULL;

	buf_printf(&b,
	    "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\"",
	    name);
	if (!str_starts(str_of(name), S("bench-")))
		put_auth(run, p, &b, name);
	buf_append(&b, S("}}"));
	peer_text(p, buf_str(b));
	buf_unref(b);
	free(name);
}

/* Subscribes to all its channels. */
static void
subscribe_all(struct run *run, struct peer *p)
{
	const struct bench_conf *conf = run->conf;

	p->state = PEER_SUBSCRIBING;
	p->left = conf->subscriptions;
	for (uint32_t i = 0; i < conf->subscriptions; i++)
		peer_subscribe(run, p, (p->channel + i) % conf->channels);
	peer_write(run, p);
}

/* ---- input ---- */

static bool
contains(struct str s, struct str what)
{
	return memmem(s.p, s.n, what.p, what.n) != NULL;
}

bool
peer_is_event(struct str text, struct str event)
{
	return contains(str_make(text.p, MIN(text.n, EVENT_WITHIN)), event);
}

static void
on_ready(struct run *run, struct peer *p, enum peer_state state)
{
	p->state = state;
	run->ready++;
	if (run->count_ready)
		histogram_add(&run->r->latency, run->moved - p->started);
}

/* The value of socket_id: digits and a dot, wherever it stands. */
static void
take_socket_id(struct peer *p, struct str text)
{
	const char *at = memmem(text.p, text.n, "socket_id", 9);
	size_t n = 0, i;

	if (at == NULL)
		return;
	text = str_from(text, (size_t)(at - text.p) + 9);
	for (i = 0; i < text.n && (text.p[i] < '0' || text.p[i] > '9'); i++)
		;
	for (; i < text.n && n < sizeof(p->socket_id) - 1; i++) {
		if (text.p[i] != '.' && (text.p[i] < '0' || text.p[i] > '9'))
			break;
		p->socket_id[n++] = text.p[i];
	}
	p->socket_id[n] = '\0';
}

static void
on_greeting(struct run *run, struct peer *p, struct str text)
{
	if (!contains(text, S("connection_established"))) {
		bench_fail(run, "the server refused a connection: %.*s",
		    (int)MIN(text.n, 120), text.p);
		return;
	}
	take_socket_id(p, text);
	if (run->conf->subscriptions > 0)
		subscribe_all(run, p);
	else
		on_ready(run, p, PEER_GREETED);
}

/*
 * The end of the answer to a subscription: with a session, the event after the
 * missed ones.
 */
static bool
is_answer(struct run *run, struct peer *p, struct str text)
{
	if (p->left == 0)
		return false;
	if (!run->conf->resume)
		return peer_is_event(text, S("subscription_succeeded"));
	if (!peer_is_event(text, S("pusher:resume")))
		return false;
	resume_on_word(run, text);
	return true;
}

static void
on_text(struct run *run, struct peer *p, struct str text)
{
	if (p->state == PEER_GREETING) {
		on_greeting(run, p, text);
	} else if (is_answer(run, p, text)) {
		if (--p->left == 0)
			on_ready(run, p, PEER_ON);
	} else if (p->left > 0 &&
	    (peer_is_event(text, S("_error\"")) ||
		peer_is_event(text, S("pusher:error")))) {
		bench_fail(run, "a subscription was refused: %.*s",
		    (int)MIN(text.n, 150), text.p);
	} else if (p->left > 0 && !run->conf->resume) {
		return; /* the measurement has not begun */
	} else if (run->conf->scenario->on_text != NULL) {
		run->conf->scenario->on_text(run, p, text);
	}
}

static void
on_control(struct run *run, struct peer *p, unsigned opcode, struct str body)
{
	if (opcode == WS_CLOSE && p->slow) {
		lose(run, p);
	} else if (opcode == WS_CLOSE) {
		run->r->closed++;
		bench_fail(run, "the server closed a client: %.*s",
		    (int)(body.n < 2 ? 0 : MIN(body.n - 2, 120)), body.p + 2);
	} else if (opcode == WS_PING) {
		ws_client_put_frame(&p->out, WS_PONG, body);
		peer_write(run, p);
	}
}

/* Takes one frame or reply off the front: its bytes, or 0: more are needed. */
static size_t
take_frame(struct run *run, struct peer *p, struct str in)
{
	struct ws_head h;
	ssize_t n = ws_head_read(&h, in);
	struct str body;

	if (n == -1 || (n > 0 && h.rsv1))
		bench_fail(run, "the server sent a malformed frame");
	if (n <= 0 || in.n - (size_t)n < h.len)
		return 0;
	body = str_make(in.p + n, (size_t)h.len);
	if (h.opcode != WS_TEXT)
		on_control(run, p, h.opcode, body);
	else if (peer_is_event(body, S("\"pusher:ping\""))) {
		peer_text(p, S("{\"event\":\"pusher:pong\",\"data\":{}}"));
		peer_write(run, p);
	} else
		on_text(run, p, body);
	return (size_t)n + (size_t)h.len;
}

/* A complete reply to a publish. */
static void
on_reply(struct run *run, struct peer *p, struct str head)
{
	struct bench_result *r = run->r;

	if (contains(str_make(head.p, 12), S("200")))
		r->published += run->conf->batch;
	else
		r->refused += run->conf->batch;
	if (run->conf->clients == 0)
		histogram_add(&r->latency, run->moved - p->started);
	p->busy = false;
}

static size_t
take_http(struct run *run, struct peer *p, struct str in)
{
	const char *end = memmem(in.p, in.n, "\r\n\r\n", 4);
	const char *len;
	uint64_t body = 0;
	size_t head;

	if (end == NULL)
		return 0;
	head = (size_t)(end - in.p) + 4;
	if (!p->publisher) { /* the answer to the upgrade */
		if (!contains(str_make(in.p, 12), S("101")))
			bench_fail(
			    run, "the server did not upgrade a connection");
		p->state = PEER_GREETING;
		return head;
	}
	len = memmem(in.p, head, "ength: ", 7);
	for (len = len == NULL ? "" : len + 7; *len >= '0' && *len <= '9';
	     len++)
		body = body * 10 + (uint64_t)(*len - '0');
	if (in.n < head + (size_t)body)
		return 0;
	p->ends = contains(str_make(in.p, head), S("onnection: close"));
	on_reply(run, p, str_make(in.p, head));
	return head + (size_t)body;
}

static void
take_all(struct run *run, struct peer *p, struct str in)
{
	size_t used;

	if (p->in != NULL) {
		buf_append(&p->in, in);
		in = buf_str(p->in);
	}
	while (in.n > 0 && p->fd != -1 && bench_is_ok(run)) {
		used = p->publisher || p->state == PEER_CONNECTING
		    ? take_http(run, p, in)
		    : take_frame(run, p, in);
		if (used == 0)
			break;
		in = str_from(in, used);
	}
	if (p->fd == -1)
		return; /* closed, and p->in is gone */
	if (in.n == 0) {
		buf_unref(p->in);
		p->in = NULL;
	} else if (p->in == NULL)
		p->in = buf_from(in);
	else {
		memmove(p->in->data, in.p, in.n);
		p->in->len = (uint32_t)in.n;
	}
}

void
peer_read(struct run *run, struct peer *p)
{
	ssize_t n = p->ssl != NULL
	    ? tls_client_recv(p->ssl, run->recv, BENCH_RECV_BYTES)
	    : recv(p->fd, run->recv, BENCH_RECV_BYTES, 0);

	if (n == -1 && errno == EAGAIN)
		return;
	if (n == -1 && p->state == PEER_CONNECTING && !p->publisher) {
		bench_fail(run, "cannot connect: %s", strerror(errno));
		return;
	}
	if (n <= 0) {
		lose(run, p);
		return;
	}
	run->moved = bench_now();
	take_all(run, p, str_make(run->recv, (size_t)n));
	if (p->publisher && p->ends && !p->busy)
		peer_close(p, false);
}
