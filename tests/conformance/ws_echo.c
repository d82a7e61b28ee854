/* SPDX-License-Identifier: MIT */
/*
 * ws_echo PORT: an echo server out of the worker's own connection, WebSocket
 * and frame code, for conformance suites: on 127.0.0.1, any path, messages up
 * to 16 MiB in any number of fragments, text and binary.
 *
 * It takes the place of what looks into messages (w->ws) and of the handshake
 * with its greeting; all bytes of a
 * connection behind the upgrade go through worker/conn/conn.c and
 * worker/conn/ws.c.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/crypto/sign.h"
#include "shared/net/http.h"
#include "shared/net/sock.h"
#include "shared/net/ws_frame.h"
#include "shared/proc/proc.h"
#include "worker/app/apps.h"
#include "worker/conn/compression.h"
#include "worker/conn/conn.h"
#include "worker/conn/input.h"
#include "worker/conn/output.h"
#include "worker/conn/variants.h"
#include "worker/conn/ws.h"
#include "worker/core/core.h"
#include "worker/link/link.h"
#include "worker/worker.h"

#define MESSAGE_MAX (16u << 20)

static struct worker w;
static struct context *context; /* the last message */
static struct ws_handler handler;
static struct conf conf;
static struct inherit inherit;

/* As events of one channel are sent: compressed if the client wants that. */
static void
echo(struct conn *c, enum ws_opcode op, struct str s)
{
	unsigned char head[WS_HEAD_MAX];
	struct buf *b =
	    buf_from(str_make((char *)head, ws_head_write(op, s.n, head)));
	struct variants v = { .w = &w, .context = &context };

	buf_append(&b, s);
	v.frame = buf_str(b);
	if (c->deflate.bits != 0 && variants_begin(&v, c->app, 2, S("echo"))) {
		variants_queue(&v, c);
		variants_end(&v, c->app);
	} else {
		conn_queue_bytes(c, v.frame);
	}
	buf_unref(b);
}

static void
message(struct conn *c, bool binary, struct str bytes)
{
	echo(c, binary ? WS_BINARY : WS_TEXT, bytes);
}

/* The only app; connections refer to it as they do in a worker. */
static void
add_app(void)
{
	struct msg_app_set m = {
		.app = 1,
		.id = S("1"),
		.key = S("echo"),
		.secret = S("echo"),
		.name = S("echo"),
		.enabled = 1,
#define APP_UINT(field, def, min, max, help) .field = def,
#define APP_BOOL(field, def, help) .field = def,
#define APP_TEXT(field, def, help) .field = S(def),
#include "shared/app/app_settings.def"
	};

	if (apps_on_set(&w, &m) == -1)
		fatalx("cannot make the app");
}

static size_t
feed(struct conn *c, char *bytes, size_t n)
{
	struct http_head head;
	enum http_error err;
	const char *why;
	char accept[29];
	struct buf *b = NULL;
	ssize_t used =
	    http_head_read(&head, str_make(bytes, n), 0, 16384, &err, &why);

	if (used == 0)
		return 0;
	if (used == -1) {
		conn_close(c);
		return n;
	}
	sign_ws_accept(http_header(&head, S("Sec-WebSocket-Key")), accept);
	buf_printf(&b,
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
	    accept);
	c->app = client_app_ref(apps_by_num(&w, 1));
	compression_negotiate(c, &head, &b);
	buf_append(&b, S("\r\n"));
	conn_queue_bytes(c, buf_str(b));
	buf_unref(b);
	c->ops = &ws_ops;
	c->greeted = c->authorized = true;
	conn_enlist(c);
	ws_arm(c);
	return (size_t)used;
}

static void
on_end(struct conn *c)
{
	/* there is nothing yet that it owns */
}

static const struct conn_ops upgrade_ops = {
	.feed = feed,
	.on_timeout = conn_close,
	.on_close = on_end,
};

static void
on_accept(struct ev_loop *loop, ev_io *io, int revents)
{
	int fd = sock_accept(io->fd, NULL);

	if (fd == -1)
		return;
	sock_tune_client(fd, 16384);
	input_open(&w, fd, &upgrade_ops);
}

static void
on_idle(struct ev_loop *loop, ev_idle *idle, int revents)
{
}

/* The end of a turn, as in worker.c. */
static void
on_prepare(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
	bool left;

	ws_turn(&w);
	input_run(&w);
	left = output_flush(&w);
	conn_reap(&w);
	if (left || input_is_left(&w) || !list_is_empty(&w.dirty) ||
	    !list_is_empty(&w.closed))
		ev_idle_start(loop, &w.busy);
	else
		ev_idle_stop(loop, &w.busy);
	if (w.arena != NULL && w.arena->refs == 1)
		w.arena->len = 0;
}

static void
init(void)
{
	hash_seed();
	conf_init(&conf);
	conf.max_message_bytes = MESSAGE_MAX;
	conf.compression_min_bytes = 1;
	conf.client_buffer = 1u << 30;
	conf.client_buffer_age = 600;
	w.conf = &conf;
	w.inherit = &inherit;
	inherit.conf = &conf;
	w.loop = ev_loop_new(EVFLAG_AUTO);
	worker_init(&w);
	handler = *w.ws;
	handler.message = message;
	w.ws = &handler;
	w.recv = xmalloc(WORKER_RECV_BYTES);
	w.max_conns = 1000;
	w.link->ipc.carrier.fd = -1;
	w.link->state = LINK_UP;
	ev_idle_init(&w.busy, on_idle);
	ev_prepare_init(&w.prepare, on_prepare);
	ev_prepare_start(w.loop, &w.prepare);
	add_app();
}

int
main(int argc, char **argv)
{
	struct sock_addr a;
	char text[64];
	ev_io io;
	int fd;

	snprintf(text, sizeof(text), "127.0.0.1:%s", argc == 2 ? argv[1] : "");
	if (sock_addr_parse(str_of(text), &a) == -1) {
		fprintf(stderr, "usage: ws_echo PORT\n");
		return 64;
	}
	proc_signal(SIGPIPE, SIG_IGN);
	init();
	fd = sock_listen_tcp(&a);
	if (fd == -1)
		fatal("cannot listen on %s", text);
	a.len = sizeof(a.ss);
	getsockname(fd, (struct sockaddr *)&a.ss, &a.len);
	sock_addr_text(&a, text, sizeof(text));
	printf("%s\n", text);
	fflush(stdout);
	ev_io_init(&io, on_accept, fd, EV_READ);
	ev_io_start(w.loop, &io);
	ev_run(w.loop, 0);
	return 0;
}
