/* SPDX-License-Identifier: MIT */
/*
 * control.c: pusherctl's end of the broker.  Owns struct control_client: one
 * connection, one question, its rows and one end.  Who may connect is decided
 * by the mode of the socket file.
 *
 * A client that does not read gets no more rows than fit its bound; one that
 * sends nonsense is dropped.  Must never keep the workers waiting: long lists
 * are written in portions, at the end of a turn.
 */

#include "broker/control/control.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "broker/control/conn_query.h"
#include "broker/control/name_list.h"
#include "broker/control/tail.h"
#include "broker/core/core.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/net/sock.h"

#define CLIENTS_MAX 64
#define QUEUE_MAX (1u << 20) /* bytes; above it no more rows */
#define IDLE_SECONDS 30.     /* without progress */

static void
drop(struct control_client *cc)
{
	struct control *control = cc->br->control;

	if (cc->ipc.fd == -1)
		return;
	ipc_close(&cc->ipc);
	totals_forget(&cc->wait);
	conn_query_free(cc->conn_query);
	tail_free(cc->tail);
	name_list_free(cc->names);
	cc->names = NULL;
	list_remove(&cc->link);
	list_append(&control->gone, &cc->link);
	door_refill(&control->door);
	if (control->n-- == CLIENTS_MAX)
		door_resume(&control->door);
}

static void
on_dead(void *owner, const char *why)
{
	struct control_client *cc = owner;

	if (!cc->ended)
		log_debug("control: client gone: %s pid=%d", why, (int)cc->pid);
	drop(cc);
}

static void
send_end(struct control_client *cc, uint32_t code, struct str text)
{
	struct msg_ctl_end m = { .code = code, .text = text };

	if (cc->ended)
		return;
	cc->ended = true;
	ipc_send_ctl_end(&cc->ipc, &m);
}

void
control_row(struct control_client *cc, struct json_writer *w)
{
	struct buf *b = json_writer_take(w);
	struct msg_ctl_row m = { .json = buf_str(b) };

	ipc_send_ctl_row(&cc->ipc, &m);
	buf_unref(b);
}

void
control_end(struct control_client *cc)
{
	send_end(cc, 0, S(""));
}

void
control_fail(struct control_client *cc, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	send_end(cc, 1, str_of(text));
}

static void
on_numbers(struct broker *br, struct totals_wait *wait)
{
	struct control_client *cc =
	    container_of(wait, struct control_client, wait);

	cc->then(cc);
}

void
control_ask(struct control_client *cc, void (*then)(struct control_client *))
{
	cc->then = then;
	cc->wait.done = on_numbers;
	totals_ask(cc->br, &cc->wait);
}

static int
on_hello(void *owner, const struct ipc_in *in)
{
	struct control_client *cc = owner;
	struct msg_ctl_hello m;

	if (cc->hello || msg_ctl_hello_get(&m, in->body) == -1)
		return -1;
	cc->hello = true;
	if (!str_eq(m.build, S(PUSHERD_VERSION)))
		control_fail(cc,
		    "pusherctl is version %.*s, but the running pusherd is "
		    "version %s: restart it, or use its pusherctl",
		    (int)MIN(m.build.n, 64), m.build.p, PUSHERD_VERSION);
	return 0;
}

static int
on_ask(void *owner, const struct ipc_in *in)
{
	struct control_client *cc = owner;
	struct msg_ctl_ask m;

	if (!cc->hello || cc->asked || msg_ctl_ask_get(&m, in->body) == -1)
		return -1;
	cc->asked = true;
	if (!cc->ended)
		cc->br->control->run(cc, m.verb, m.args);
	return 0;
}

static const ipc_handler handlers[IPC_NTYPES] = {
	[IPC_CTL_HELLO] = on_hello,
	[IPC_CTL_ASK] = on_ask,
};

static const struct ipc_ops ops = {
	.peer = FROM_CTL,
	.handlers = handlers,
	.on_dead = on_dead,
};

static void
on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct broker *br = w->data;
	struct control_client *cc;
	gid_t gid;
	int fd;

	fd = door_accept(&br->control->door);
	if (fd == -1)
		return;
	cc = xcalloc(1, sizeof(*cc));
	if (sock_peer(fd, &cc->pid, &cc->uid, &gid) == -1) {
		log_warn("control: credentials");
		close(fd);
		free(cc);
		return;
	}
	cc->br = br;
	cc->moved = broker_now();
	list_init(&cc->link);
	list_append(&br->control->clients, &cc->link);
	ipc_init(&cc->ipc, loop, fd, &ops, cc);
	if (++br->control->n == CLIENTS_MAX)
		door_hold(&br->control->door);
}

void
control_init(struct broker *br, control_run run)
{
	br->control->run = run;
	list_init(&br->control->clients);
	list_init(&br->control->gone);
	door_init(&br->control->door, br->loop, "control", on_accept);
	br->control->door.io.data = br;
}

void
control_start(struct broker *br, int fd)
{
	if (fd == -1)
		return;
	door_open(&br->control->door, fd, true);
}

static void
reap(struct broker *br)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->control->gone) {
		list_remove(e);
		free(LIST_ITEM(e, struct control_client, link));
	}
}

void
control_clear(struct broker *br)
{
	struct list *clients = &br->control->clients;

	while (!list_is_empty(clients))
		drop(LIST_ITEM(clients->next, struct control_client, link));
	door_close(&br->control->door);
	reap(br);
}

void
control_go_on(struct broker *br)
{
	struct list *e;

	LIST_FOREACH(e, &br->control->clients) {
		struct control_client *cc =
		    LIST_ITEM(e, struct control_client, link);

		if (outq_bytes(&cc->ipc.out) >= QUEUE_MAX)
			continue;
		if (cc->names != NULL)
			name_list_write(cc, &cc->names);
		if (cc->tail != NULL && cc->tail->behind)
			tail_go_on(cc->tail);
		if (conn_query_may_go_on(cc->conn_query))
			conn_query_go_on(cc->conn_query);
	}
}

bool
control_flush(struct broker *br)
{
	struct list *e, *tmp;
	bool any = false;

	LIST_FOREACH_SAFE(e, tmp, &br->control->clients) {
		struct control_client *cc =
		    LIST_ITEM(e, struct control_client, link);

		if (cc->ipc.blocked || outq_is_empty(&cc->ipc.out))
			continue;
		any = true;
		ipc_flush(&cc->ipc);
	}
	return any;
}

bool
control_reap(struct broker *br)
{
	struct list *e;

	reap(br);
	LIST_FOREACH(e, &br->control->clients) {
		const struct control_client *cc =
		    LIST_ITEM(e, struct control_client, link);

		if (!cc->ipc.blocked &&
		    (cc->names != NULL ||
			(cc->tail != NULL && cc->tail->behind) ||
			conn_query_may_go_on(cc->conn_query)))
			return true;
	}
	return false;
}

void
control_tick(struct broker *br)
{
	double now = broker_now();
	struct list *e, *tmp;

	door_refill(&br->control->door);
	LIST_FOREACH_SAFE(e, tmp, &br->control->clients) {
		struct control_client *cc =
		    LIST_ITEM(e, struct control_client, link);

		if (cc->tail != NULL)
			tail_tick(cc->tail);
		if (ipc_sent(&cc->ipc) != cc->sent ||
		    (cc->tail != NULL && outq_is_empty(&cc->ipc.out))) {
			cc->sent = ipc_sent(&cc->ipc);
			cc->moved = now;
		}
		if (now - cc->moved > IDLE_SECONDS)
			drop(cc);
	}
}

void
control_on_pong(struct broker *br, unsigned slot, uint64_t id)
{
	struct list *e;

	LIST_FOREACH(e, &br->control->clients) {
		struct control_client *cc =
		    LIST_ITEM(e, struct control_client, link);

		if (cc->slots == 0 || id < cc->ping)
			continue;
		cc->slots &= ~(UINT64_C(1) << slot);
		if (cc->slots == 0)
			control_end(cc);
	}
}
