/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_WORKER_RIG_H
#define TESTS_UNIT_WORKER_RIG_H

/*
 * A worker without a broker, and one client on a socket pair: what the client
 * sends runs through the real code, and what is sent back is read here.
 */

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/app/app.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/crypto/sign.h"
#include "shared/net/sock.h"
#include "shared/net/ws_frame.h"
#include "shared/proc/proc.h"
#include "shared/pusher/channel_name.h"
#include "worker/admin/conn_list.h"
#include "worker/app/apps.h"
#include "worker/app/auth_failures.h"
#include "worker/app/stats.h"
#include "worker/channel/subscription.h"
#include "worker/client/closing.h"
#include "worker/conn/compression.h"
#include "worker/conn/conn.h"
#include "worker/conn/input.h"
#include "worker/conn/output.h"
#include "worker/conn/timeout.h"
#include "worker/conn/ws.h"
#include "worker/core/core.h"
#include "worker/link/cache_replica.h"
#include "worker/link/link.h"
#include "worker/link/unacked.h"
#include "worker/worker.h"

#define RIG_APP 7
#define RIG_KEY "demo-app-key-01"
#define RIG_SECRET "demo-app-secret-01"

struct rig {
	struct worker w;
	struct conf conf;
	struct inherit inherit;
	struct conn *c; /* dangling once it has been reaped */
	int fd;         /* the client's end */
	char *in;       /* input that was not looked at */
	size_t n, cap;
	bool eof;
	int broker;  /* the other end of the link, or -1 */
	char *heard; /* bytes for the broker */
	size_t nheard, looked;
};

static inline struct app *
rig_app(struct rig *r)
{
	return &apps_by_num(&r->w, RIG_APP)->app;
}

static inline struct msg_app_set
rig_app_message(void)
{
	return (struct msg_app_set){
		.app = RIG_APP,
		.id = S("77"),
		.key = S(RIG_KEY),
		.secret = S(RIG_SECRET),
		.name = S("demo"),
		.enabled = 1,
#define APP_UINT(field, def, min, max, help) .field = def,
#define APP_BOOL(field, def, help) .field = def,
#define APP_TEXT(field, def, help) .field = S(def),
#include "shared/app/app_settings.def"
	};
}

static inline void
rig_add_app(struct rig *r)
{
	struct msg_app_set m = rig_app_message();

	assert_int_equal(apps_on_set(&r->w, &m), 0);
}

static inline void
rig_init(struct rig *r)
{
	*r = (struct rig){ .fd = -1, .broker = -1 };
	hash_seed();
	conf_init(&r->conf);
	r->conf.nworkers = 1;
	r->w.conf = &r->conf;
	r->w.inherit = &r->inherit;
	r->inherit.conf = &r->conf;
	r->w.loop = ev_loop_new(EVFLAG_AUTO);
	assert_non_null(r->w.loop);
	worker_init(&r->w);
	r->w.recv = xmalloc(WORKER_RECV_BYTES);
	r->w.max_conns = 100;
	r->w.link->ipc.carrier.fd = -1;
	r->w.link->state = LINK_UP;
	r->w.serving = true;
	ev_timer_init(&r->w.link->retry, NULL, 0., 0.);
	rig_add_app(r);
}

/* Takes what the client has been sent. */
static inline void
rig_read(struct rig *r)
{
	ssize_t n;

	while (!r->eof) {
		if (r->cap - r->n < 65536) {
			r->cap = r->n + 131072;
			r->in = xreallocarray(r->in, r->cap, 1);
		}
		n = recv(r->fd, r->in + r->n, r->cap - r->n, MSG_DONTWAIT);
		if (n == -1)
			return;
		r->eof = n == 0;
		r->n += (size_t)n;
	}
}

static inline void
rig_link_dead(void *owner, const char *why)
{
	fail_msg("link: %s", why);
}

/* Connects a link, so that rig_heard() can see what is said. */
static inline void
rig_link(struct rig *r)
{
	static const ipc_handler none[IPC_NTYPES];
	static const struct ipc_ops ops = {
		.peer = FROM_BROKER, .handlers = none, .on_dead = rig_link_dead
	};
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(sock_set_nonblock(fds[1]), 0);
	r->broker = fds[0];
	ipc_init(&r->w.link->ipc, r->w.loop, fds[1], &ops, &r->w);
}

/* The next message to the broker: its type, or IPC_NONE; *body. */
static inline uint32_t
rig_heard(struct rig *r, struct str *body)
{
	uint32_t len, type;
	ssize_t n;

	link_flush(&r->w);
	r->heard = xreallocarray(r->heard, r->nheard + 65536, 1);
	n = recv(r->broker, r->heard + r->nheard, 65536, MSG_DONTWAIT);
	if (n > 0)
		r->nheard += (size_t)n;
	if (r->looked == r->nheard)
		return IPC_NONE;
	assert_true(r->nheard - r->looked >= IPC_HEAD);
	memcpy(&len, r->heard + r->looked, 4);
	memcpy(&type, r->heard + r->looked + 4, 4);
	*body = str_make(r->heard + r->looked + IPC_HEAD, len - 4);
	r->looked += 4 + len;
	/* A note for pusherctl doctor, or the order among workers. */
	return type == IPC_FAILURE || type == IPC_PLACE ? rig_heard(r, body)
							: type;
}

static inline void
rig_heard_nothing(struct rig *r)
{
	struct str body;
	uint32_t type = rig_heard(r, &body);

	if (type != IPC_NONE)
		fail_msg("%s", ipc_name(type));
}

/* Some turns of the loop. */
static inline void
rig_turn(struct rig *r)
{
	for (int i = 0; i < 3; i++) {
		ev_run(r->w.loop, EVRUN_NOWAIT);
		ws_turn(&r->w);
		input_run(&r->w);
		unacked_release(&r->w);
		output_flush(&r->w);
		conn_reap(&r->w);
		if (r->fd != -1)
			rig_read(r);
	}
}

static inline void
rig_hang_up(struct rig *r)
{
	if (r->fd != -1)
		close(r->fd);
	r->fd = -1;
	r->n = 0;
	r->eof = false;
	rig_turn(r);
}

/* A new connection with these ops. */
static inline void
rig_connect(struct rig *r, const struct conn_ops *ops)
{
	int fds[2];

	rig_hang_up(r);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(sock_set_nonblock(fds[1]), 0);
	r->fd = fds[0];
	r->c = input_open(&r->w, fds[1], ops);
}

/* A client that has been greeted. */
static inline void
rig_greeted(struct rig *r)
{
	rig_connect(r, &ws_ops);
	r->c->app = client_app_ref(apps_by_num(&r->w, RIG_APP));
	r->c->greeted = r->c->authorized = true;
	conn_enlist(r->c);
	ws_arm(r->c);
}

static inline void
rig_clear(struct rig *r)
{
	rig_hang_up(r);
	conn_lists_clear(&r->w);
	closing_finish(&r->w, 0);
	input_clear(&r->w);
	compression_free(&r->w);
	assert_int_equal(r->w.nconns, 0);
	if (r->broker != -1)
		close(r->broker);
	free(r->heard);
	apps_free(&r->w);
	timeouts_free(&r->w);
	auth_failures_clear(r->w.auth_failures);
	auth_failures_clear(r->w.tls_refused);
	last_closes_clear(&r->w.stats->closes);
	link_free(&r->w);
	unacked_free(&r->w);
	subscriptions_free(&r->w);
	cache_replica_free(&r->w);
	assert_int_equal(r->w.topics.n, 0);
	hash_clear(&r->w.conns);
	hash_clear(&r->w.topics);
	buf_unref(r->w.arena);
	buf_unref(r->w.events);
	buf_unref(r->w.scratch);
	free(r->w.recv);
	free(r->in);
	worker_clear(&r->w);
	ev_loop_destroy(r->w.loop);
	conf_clear(&r->conf);
	sign_cleanup();
}

static inline void
rig_send(struct rig *r, const void *bytes, size_t n)
{
	const char *p = bytes;
	ssize_t k;

	while (n > 0) {
		k = send(r->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (k > 0) {
			p += k;
			n -= (size_t)k;
		}
		rig_turn(r);
		if (k == -1 && r->eof)
			return;
	}
}

/* One masked frame, appended to b. */
static inline void
rig_frame(struct buf **b, bool fin, enum ws_opcode op, struct str s)
{
	static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
	unsigned char head[WS_HEAD_MAX];
	size_t n = ws_head_write_masked(op, s.n, mask, head);

	if (!fin)
		head[0] &= 0x7f;
	buf_append(b, str_make(head, n));
	buf_append(b, s);
	ws_mask((*b)->data + (*b)->len - s.n, s.n, mask, 0);
}

static inline void
rig_text(struct rig *r, struct str text)
{
	struct buf *b = NULL;

	rig_frame(&b, true, WS_TEXT, text);
	rig_send(r, b->data, b->len);
	buf_unref(b);
}

/* The next frame that was sent to the client; its bytes go to *out. */
static inline bool
rig_next(struct rig *r, enum ws_opcode *op, struct buf **out)
{
	struct ws_head h;
	ssize_t head = ws_head_read(&h, str_make(r->in, r->n));
	size_t all;

	if (r->n == 0 || head == 0)
		return false;
	assert_true(head > 0 && h.fin && !h.masked);
	all = (size_t)head + (size_t)h.len;
	assert_true(r->n >= all);
	*op = (enum ws_opcode)h.opcode;
	*out = buf_from(str_make(r->in + head, (size_t)h.len));
	memmove(r->in, r->in + all, r->n - all);
	r->n -= all;
	return true;
}

/* The next frame is this one; a '*' at the end of want stands for anything. */
static inline void
rig_expect(struct rig *r, enum ws_opcode op, struct str want)
{
	enum ws_opcode got;
	struct buf *b;
	bool same;

	if (!rig_next(r, &got, &b))
		fail_msg("nothing came instead of %.*s", STR_ARG(want));
	if (want.n > 0 && want.p[want.n - 1] == '*')
		same = str_starts(buf_str(b), str_make(want.p, want.n - 1));
	else
		same = str_eq(buf_str(b), want);
	if (got != op || !same)
		fail_msg("opcode %d: %.*s\nis not %d: %.*s", got,
		    STR_ARG(buf_str(b)), op, STR_ARG(want));
	buf_unref(b);
}

static inline void
rig_expect_text(struct rig *r, const char *want)
{
	rig_expect(r, WS_TEXT, str_of(want));
}

static inline void
rig_expect_nothing(struct rig *r)
{
	enum ws_opcode op;
	struct buf *b;

	if (rig_next(r, &op, &b))
		fail_msg("opcode %d: %.*s", op, STR_ARG(buf_str(b)));
}

/* A close frame with this code, whatever its reason. */
static inline void
rig_expect_close(struct rig *r, unsigned code)
{
	enum ws_opcode op;
	struct buf *b;
	unsigned got = 0;

	if (!rig_next(r, &op, &b))
		fail_msg("no close frame %u", code);
	if (op != WS_CLOSE)
		fail_msg("opcode %d: %.*s", op, STR_ARG(buf_str(b)));
	if (b->len >= 2)
		got = (unsigned)(unsigned char)b->data[0] << 8 |
		    (unsigned char)b->data[1];
	assert_int_equal(got, code);
	buf_unref(b);
}

#endif
